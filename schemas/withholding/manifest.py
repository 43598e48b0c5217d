"""The manifest: what a recipient's copy lacks, under which clause, and of which original; never a value."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable
from typing import Annotated, Final, Literal

from pydantic import Field, StringConstraints

from schemas.alerts.marks import Mark
from schemas.decisions import Treatment
from schemas.fields import Part
from schemas.ids import AlertId, AlertIdField
from schemas.pointers import Place
from schemas.signing.strict_json import JsonValue
from schemas.withholding.plan import Because, Cut

VERSION: Final = "lacolle.withholding/v1"

Digest = Annotated[str, StringConstraints(pattern=r"^sha-256:[0-9a-f]{64}$")]
"""The SHA-256 of bytes as they were received or are sent."""

ClauseText = Annotated[str, StringConstraints(pattern=r"^[^/#\s]{1,64}/[0-9]{1,9}#\S{1,128}$")]
"""One clause of one version of one agreement: ``id/version#clause``."""

TreatmentName = Literal["redact", "pseudonym", "year", "region"]
Reason = Literal["clause", "attachment", "found-elsewhere", "not-searched"]


class Withheld(Part):
    """Places of the original that the recipient did not get as they were, counted.

    ``pointer`` is the pattern that the clause named, or that the places have; ``mark`` the class that the clause named.
    ``asked`` is what the clause asks for; ``done`` is ``redact`` where the form of the copy, or a value that can't be
    reduced, left nothing else.
    """

    pointer: Annotated[str, StringConstraints(max_length=1_024)]
    mark: Mark | None = None
    asked: TreatmentName
    done: TreatmentName
    because: Reason
    under: ClauseText
    places: Annotated[int, Field(ge=1)]


class Manifest(Part):
    """What one recipient's copy of one alert lacks.

    ``original`` is the digest of the submission as received; ``presented`` that of the SD-JWT as sent, where the
    manifest goes beside one.
    """

    manifest: Literal["lacolle.withholding/v1"]
    alert_id: AlertIdField
    original: Digest
    presented: Digest | None = None
    withheld: Annotated[tuple[Withheld, ...], Field(strict=False)]

    def plain(self) -> JsonValue:
        """Return the manifest as the JSON value that is signed."""
        plain: JsonValue = self.model_dump(mode="json", exclude_none=True)
        return plain


def digest_of(data: bytes) -> str:
    """Return the digest of bytes as a manifest writes it."""
    return f"sha-256:{hashlib.sha256(data).hexdigest()}"


def manifest_of(
    cuts: Iterable[Cut], gone: Iterable[Place], *, alert_id: AlertId, original: bytes, presented: bytes | None = None
) -> Manifest:
    """Return the manifest of cuts of which those in ``gone`` left nothing; sorted, so that it tells no order."""
    left_nothing = frozenset(gone)
    counted = Counter(_kind(cut, left_nothing) for cut in set(cuts))
    return Manifest(
        manifest=VERSION,
        alert_id=alert_id,
        original=digest_of(original),
        presented=None if presented is None else digest_of(presented),
        withheld=tuple(
            Withheld(pointer=pointer, mark=mark, asked=asked, done=done, because=because, under=under, places=places)
            for (pointer, mark, asked, done, because, under), places in sorted(counted.items(), key=str)
        ),
    )


_Kind = tuple[str, "Mark | None", TreatmentName, TreatmentName, Reason, str]


def _kind(cut: Cut, gone: frozenset[Place]) -> _Kind:
    lost = any(cut.place[:length] in gone for length in range(len(cut.place) + 1))
    asked = _TREATMENTS[cut.treatment]
    return cut.pattern, _MARKS.get(cut.mark), asked, "redact" if lost else asked, _REASONS[cut.because], str(cut.under)


_MARKS: Final[dict[str, Mark]] = {"identifying": "identifying", "health": "health"}
_TREATMENTS: Final[dict[Treatment, TreatmentName]] = {
    Treatment.REDACT: "redact",
    Treatment.PSEUDONYM: "pseudonym",
    Treatment.YEAR: "year",
    Treatment.REGION: "region",
}
_REASONS: Final[dict[Because, Reason]] = {
    Because.CLAUSE: "clause",
    Because.ATTACHMENT: "attachment",
    Because.FOUND: "found-elsewhere",
    Because.UNSEARCHED: "not-searched",
}
