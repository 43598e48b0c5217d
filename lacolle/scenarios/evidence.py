"""What the log says of each participant, and what it holds in its hands, as one outcome."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from agreements.explain import explain
from gateway.store.decisions import read_reason
from lacolle.scenarios.document import Effect
from lacolle.scenarios.outcomes import Outcome
from schemas.bilingual import Bilingual
from schemas.signing.jws import ALERT, REDACTED_ALERT, read_compact
from schemas.signing.keys import PublicKey
from schemas.signing.strict_json import JsonValue, parse_json
from schemas.withholding.copies import CopyForm, form_of, verify_derived
from schemas.withholding.manifest import Withheld


@dataclass(frozen=True, slots=True)
class Held:
    """A copy as its recipient holds it: its media type and its bytes."""

    content_type: str
    body: bytes


def denial(content: Mapping[str, Any]) -> Outcome:
    """Return the outcome of a denial as the log keeps it; of several clauses the one that came closest speaks."""
    considered = content["considered"]
    reason = read_reason(considered[0]["reason"] if considered else content["reason"])
    return Outcome(Effect.DENIED, reason.code, explain(reason))


def permit(content: Mapping[str, Any], held: Held | None, exchange: PublicKey) -> Outcome:
    """Return the outcome of a permit as the log keeps it, with the copy that its recipient holds, or none.

    Raises ``SignatureNotTrustedError`` and ``MalformedJwsError`` for a copy that ``exchange`` should have signed and
    did not.
    """
    reason, under = read_reason(content["reason"]), str(content["clause"])
    if held is not None:
        effect, document, withheld = _read(held, exchange)
        return Outcome(effect, reason.code, explain(reason), under, document, withheld)
    asked = content.get("terms", {}).get("consent_by", ())
    if not asked:
        return Outcome(Effect.DENIED, reason.code, explain(reason), under)
    names = ", ".join(asked)
    waits = Bilingual(
        fr=f"La transmission prévue par la clause {under} attend le consentement de {names}.",
        en=f"Release under clause {under} awaits the consent of {names}.",
    )
    return Outcome(Effect.HELD, reason.code, waits, under)


def _read(held: Held, exchange: PublicKey) -> tuple[Effect, JsonValue, tuple[Withheld, ...]]:
    match form_of(held.content_type):
        case CopyForm.ORIGINAL:
            return Effect.WHOLE, parse_json(read_compact(held.body, ALERT).payload), ()
        case CopyForm.DERIVED:
            copy = verify_derived(read_compact(held.body, REDACTED_ALERT), exchange)
            return Effect.DERIVED, copy.alert, copy.manifest.withheld
        case CopyForm.PRESENTED:
            raise ValueError("a scenario's alerts are plain submissions")
