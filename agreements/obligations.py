"""What a grant obliges the exchange and the recipient to, where it lets an alert through.

Frozen, permanently tagged data, as in ``agreements.conditions``: a tag is signed by every party, so never rename
one and never reuse one. An unknown tag makes the whole agreement invalid. Where several grants permit, the strictest
of each obligation rules (``agreements.terms``), but for the lane, which is the ruling clause's.

A path is an RFC 6901 pointer into the alert in which ``*`` stands for every position of a list, and means everything
below it. A class means every field that the alert's type marks so, those of later versions of the type included.

To add an obligation: a class here, its place in ``Obligation``, its effect in ``agreements.terms``, its sentence in
``agreements.explain``, a test.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated, Final, Literal, Self, TypeAlias, TypeVar

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from agreements.lists import some_once
from schemas.alerts.marks import Mark
from schemas.bilingual import Bilingual
from schemas.decisions import Lane, Onward
from schemas.faults import BrokenRuleError
from schemas.fields import Part
from schemas.ids import JurisdictionField, ParticipantField

_ItemT = TypeVar("_ItemT")

NEVER_WITHHELD: Final = frozenset(
    {"type", "identifier", "sender", "sent", "status", "msgType", "scope", "references", "handling"}
)
"""What an alert is known by and handled by: members of its header that no recipient's copy may lack."""

DAY: Final = 86_400


def _leaves_the_header_whole(path: str) -> str:
    if path.split("/", 2)[1] in NEVER_WITHHELD:
        raise BrokenRuleError(_HEADER)
    return path


FieldPath: TypeAlias = Annotated[
    str,
    StringConstraints(pattern=r"^(/(\*|[A-Za-z][A-Za-z0-9_-]{0,63}))+$", max_length=200),
    AfterValidator(_leaves_the_header_whole),
]
"""Members by name, and ``*`` for every position of a list: ``/info/*/contact``. A single position can't be named."""

Several: TypeAlias = Annotated[tuple[_ItemT, ...], Field(max_length=200), AfterValidator(some_once)]
Seconds: TypeAlias = Annotated[int, Field(ge=1, le=366 * DAY)]


class LaneObligation(Part):
    """The lane that the alert travels in; ``routine`` where a grant names none."""

    obligation: Literal["lane"]
    lane: Lane


class _OfFields(Part):
    paths: Several[FieldPath] = ()
    classes: Several[Mark] = ()

    @model_validator(mode="after")
    def _names_some(self) -> Self:
        return _with_some(self, self.paths, self.classes)


class RedactObligation(_OfFields):
    """The recipient's copy leaves these fields out, with everything below them."""

    obligation: Literal["redact"]


class DeIdentifyObligation(_OfFields):
    """In the recipient's copy a keyed pseudonym, the same for the same value under one agreement, replaces these."""

    obligation: Literal["de-identify"]


class PrecisionObligation(Part):
    """In the recipient's copy only the year is left of these dates, and only the region of these places."""

    obligation: Literal["precision"]
    year: Several[FieldPath] = ()
    region: Several[FieldPath] = ()

    @model_validator(mode="after")
    def _names_some_once(self) -> Self:
        if set(self.year) & set(self.region):
            raise BrokenRuleError(_BOTH)
        return _with_some(self, self.year, self.region)


class DeadlineObligation(Part):
    """By when, in seconds from acceptance, the alert must be delivered and the recipient acknowledge it."""

    obligation: Literal["deadline"]
    delivery: Seconds | None = None
    acknowledgement: Seconds | None = None

    @model_validator(mode="after")
    def _names_one(self) -> Self:
        return _with_some(self, [each for each in (self.delivery, self.acknowledgement) if each is not None])


class RetentionObligation(Part):
    """For how many days from acceptance the recipient may keep the alert."""

    obligation: Literal["retention"]
    days: Annotated[int, Field(ge=1, le=36_525)]


class OnwardObligation(Part):
    """Whether the recipient may pass the alert on: never, or with the originator's consent."""

    obligation: Literal["onward"]
    rule: Onward


class CopyToObligation(Part):
    """These participants are told of every alert that the grant lets through to anybody.

    They need not stand in the grant's ``to``, nor in the alert's ``addresses``. The sender gets no copy of its own.
    """

    obligation: Literal["copy-to"]
    participants: Several[ParticipantField]


class ConsentByObligation(Part):
    """Each of these must agree, within so many seconds of acceptance, before the alert is released.

    Of a jurisdiction in ``parties`` its authority agrees; of ``participants`` each for itself.
    """

    obligation: Literal["consent-by"]
    parties: Several[JurisdictionField] = ()
    participants: Several[ParticipantField] = ()
    within: Seconds

    @model_validator(mode="after")
    def _names_some(self) -> Self:
        return _with_some(self, self.parties, self.participants)


class ExerciseOnlyObligation(Part):
    """The grant is for exercises: it lets only status ``Exercise`` through, whatever its status condition allows.

    It binds for as long as a thread lives, and the recipient's copy is marked as an exercise's.
    """

    obligation: Literal["exercise-only"]


Obligation: TypeAlias = Annotated[
    LaneObligation
    | RedactObligation
    | DeIdentifyObligation
    | PrecisionObligation
    | DeadlineObligation
    | RetentionObligation
    | OnwardObligation
    | CopyToObligation
    | ConsentByObligation
    | ExerciseOnlyObligation,
    Field(discriminator="obligation"),
]
"""Every obligation there is, told apart by its ``obligation`` member."""


def lane_of(obligations: Sequence[Obligation]) -> Lane:
    """Return the lane that a grant's obligations name; ``routine`` where they name none."""
    lanes = (each.lane for each in obligations if isinstance(each, LaneObligation))
    return next(lanes, Lane.ROUTINE)


def copies_of(obligations: Sequence[Obligation]) -> tuple[str, ...]:
    """Return the participants whom a grant's obligations have told of what it lets through."""
    copies = (each.participants for each in obligations if isinstance(each, CopyToObligation))
    return next(copies, ())


def exercises_alone(obligations: Sequence[Obligation]) -> bool:
    """Say whether a grant's obligations make it one for exercises alone."""
    return any(isinstance(each, ExerciseOnlyObligation) for each in obligations)


_PartT = TypeVar("_PartT", bound=Part)


def _with_some(part: _PartT, *named: Iterable[object]) -> _PartT:
    if not any(tuple(each) for each in named):
        raise BrokenRuleError(_NOTHING)
    return part


_NOTHING: Final = Bilingual(
    fr="Cette obligation ne vise rien : il faut au moins un élément.",
    en="This obligation is about nothing: it must name at least one thing.",
)
_BOTH: Final = Bilingual(
    fr="Un même champ ne peut être ramené à la fois à l'année et à la région.",
    en="One field can't be reduced both to its year and to its region.",
)
_HEADER: Final = Bilingual(
    fr="Ce champ de l'en-tête identifie l'alerte ou en règle le traitement : il ne peut être retenu.",
    en="This member of the header identifies the alert or says how to handle it: it can't be withheld.",
)
