"""What each side saw of an alert, and whether that is what its scenario says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from lacolle.scenarios.document import Effect, ScenarioAlert
from schemas.bilingual import Bilingual
from schemas.ids import ParticipantId
from schemas.pointers import places, value_at
from schemas.signing.strict_json import JsonValue
from schemas.withholding.manifest import Withheld


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came to one participant, and why.

    ``code`` is the reason's, of the clause that came closest where some were considered and none permitted. ``under``
    is the clause that permits, "" where none does. ``document`` is the copy as the recipient reads it.
    """

    effect: Effect
    code: str
    reason: Bilingual
    under: str = ""
    document: JsonValue = None
    withheld: tuple[Withheld, ...] = field(default=())


def differences(
    alert: ScenarioAlert, sent: JsonValue, outcomes: Mapping[ParticipantId, Outcome]
) -> Iterator[tuple[ParticipantId, Bilingual]]:
    """Yield what is not as an alert's scenario says; ``sent`` is what its sender signed."""
    for participant in sorted({*alert.expect, *outcomes}):
        expected, found = alert.expect.get(participant), outcomes.get(participant)
        if expected is None or found is None:
            yield participant, _FOR_ONE_ALONE
        elif expected.gets is not found.effect:
            yield participant, _instead(str(expected.gets), str(found.effect))
        elif expected.code is not None and expected.code != found.code:
            yield participant, _instead(expected.code, found.code)
        else:
            yield from ((participant, _shown(path)) for path in expected.without if _shows(sent, found.document, path))


def _shows(sent: JsonValue, copy: JsonValue, path: str) -> bool:
    """Say whether a copy has, at any place of a path, what the alert has there; or the alert nothing to withhold."""
    withheld = list(places(sent, path))
    for place in withheld:
        with suppress(LookupError):
            if value_at(copy, place) == value_at(sent, place):
                return True
    return not withheld


def _instead(expected: str, found: str) -> Bilingual:
    return Bilingual(fr=f"attendu : {expected}; constaté : {found}", en=f"expected {expected}, found {found}")


def _shown(path: str) -> Bilingual:
    return Bilingual(fr=f"{path} devait être retenu de quelque chose", en=f"{path} was to be withheld from something")


_FOR_ONE_ALONE = Bilingual(
    fr="le scénario ou la plateforme, un seul des deux, se prononce sur ce participant",
    en="the scenario or the exchange, one of the two alone, speaks of this participant",
)
