"""Reading whom a verifier believes: jurisdictions with their authority keys, the log's key, the exchange's."""

from __future__ import annotations

from pathlib import Path

from audit.evidence.bundle import Pins
from audit.note import Verifier
from audit.policy import WitnessPolicy
from lacolle.client.trust import read_key_set
from lacolle.folder import read_jurisdictions


def read_pins(
    *, jurisdictions: Path, log_key: str, exchange_keys: Path | None, witnesses: WitnessPolicy | None = None
) -> Pins:
    """Return what files and a verifier key pin.

    ``jurisdictions`` is a file as ``lacolle init`` makes it or ``GET /v1/jurisdictions`` answers it, ``exchange_keys``
    a JWK Set. Raises ``ConfigurationError`` and ``MalformedNoteError``.
    """
    return Pins(
        jurisdictions={each.code: each for each in read_jurisdictions(jurisdictions)},
        log=Verifier.from_vkey(log_key),
        exchange=None if exchange_keys is None else read_key_set(exchange_keys),
        witnesses=witnesses,
    )
