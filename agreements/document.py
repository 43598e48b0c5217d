"""The agreement itself: what the parties read, sign and are held to.

Written in YAML, signed as RFC 8785 JSON; both hold the same members. The signed form omits what is absent and has no
second spelling, so that one document has exactly one sequence of bytes (``agreements.signed``). What reads here is
valid as far as the document alone can tell; whether its parties exist is for ``agreements.lint``.

What it says, to the letter:

* a grant is one-way, from those in ``from`` to those in ``to``, for the types it names and no other;
* a jurisdiction in ``from`` or ``to`` means its own participants: not its parent's, not its children's;
* a sender never receives its own alert, and another agency of its jurisdiction receives it only under a grant;
* ``valid.from`` is the first instant in force, ``valid.until`` the first one no longer in force.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, datetime
from typing import Annotated, Final, Literal, Self, TypeAlias

from pydantic import AfterValidator, Field, StringConstraints, ValidationError, model_validator
from pydantic_core import InitErrorDetails

from agreements.conditions import Condition
from agreements.conditions.area import AreaCondition, Region
from agreements.lists import some, some_once, two_or_more
from agreements.obligations import ConsentByObligation, CopyToObligation, Obligation
from agreements.prose import HIDDEN, Prose
from schemas.bilingual import Bilingual
from schemas.faults import BrokenRuleError
from schemas.fields import Part, TypePattern
from schemas.ids import (
    JURISDICTION_PATTERN,
    PARTICIPANT_PATTERN,
    AgreementField,
    AlertType,
    JurisdictionCode,
    JurisdictionField,
    ParticipantId,
    home_of,
)
from schemas.located_yaml import Path

REQUIRED_CONDITIONS: Final = ("status", "tlp")
"""Every grant carries these: test traffic and anything above a ceiling pass only where a clause says so."""


def _instant(text: str) -> str:
    if _RFC_3339.fullmatch(text):
        try:
            datetime.fromisoformat(text).astimezone(UTC)  # the last hours of the year 9999 may have no name in UTC
        except (ValueError, OverflowError):
            pass
        else:
            return text
    raise BrokenRuleError(
        Bilingual(
            fr="Il faut ici un instant avec son décalage, comme 2026-01-17T14:05:09-05:00 (RFC 3339).",
            en="This must be an instant with its offset, such as 2026-01-17T14:05:09-05:00 (RFC 3339).",
        )
    )


_RFC_3339: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(Z|[+-][0-9]{2}:[0-9]{2})")
Instant: TypeAlias = Annotated[str, AfterValidator(_instant)]
"""RFC 3339 without fractions, within the years 1 to 9999 in UTC too, kept as it was signed; ``Validity`` reads it."""
Clause: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9]+([.-][A-Za-z0-9]+)*$", max_length=16)]
Side: TypeAlias = Annotated[str, StringConstraints(pattern=f"{JURISDICTION_PATTERN}|{PARTICIPANT_PATTERN}")]
"""One who sends or receives: a jurisdiction, or one participant of one."""


Located: TypeAlias = tuple[Path, Bilingual]
"""A rule that a part breaks, at its place in that part."""


class Text(Part):
    """A passage of the document, in both languages; each is authentic."""

    fr: Prose
    en: Prose

    @property
    def bilingual(self) -> Bilingual:
        """The passage as text that a person reads."""
        return Bilingual(fr=self.fr, en=self.en)


class Validity(Part):
    """When the document binds: from the first instant, until the second one, which is no longer part of it."""

    start: Instant = Field(alias="from")
    until: Instant

    @property
    def first(self) -> datetime:
        """The first instant in force."""
        return datetime.fromisoformat(self.start)

    @property
    def end(self) -> datetime:
        """The first instant no longer in force."""
        return datetime.fromisoformat(self.until)

    @model_validator(mode="after")
    def _ends_after_it_begins(self) -> Self:
        if self.first >= self.end:
            raise BrokenRuleError(
                Bilingual(fr="La fin doit suivre le début.", en="The end must come after the beginning.")
            )
        return self


class Contact(Part):
    """Whom a party names to answer for the agreement."""

    party: JurisdictionField
    office: Text
    email: Annotated[str, StringConstraints(pattern=rf"^[^@\s{HIDDEN}]+@[^@\s{HIDDEN}]+$", max_length=254)] | None = (
        None
    )


class Grant(Part):
    """One clause: who may send which types to whom, on which conditions, with which obligations."""

    clause: Clause
    origins: Annotated[tuple[Side, ...], Field(alias="from", max_length=500), AfterValidator(some_once)]
    recipients: Annotated[tuple[Side, ...], Field(alias="to", max_length=500), AfterValidator(some_once)]
    types: Annotated[tuple[TypePattern, ...], Field(max_length=200), AfterValidator(some_once)]
    conditions: Annotated[tuple[Condition, ...], Field(max_length=32)]
    obligations: Annotated[tuple[Obligation, ...], Field(max_length=32)] = ()

    @model_validator(mode="after")
    def _tags_stand_as_they_must(self) -> Self:
        tags = [condition.condition for condition in self.conditions]
        faults: list[Located] = [(("conditions",), _requires(tag)) for tag in REQUIRED_CONDITIONS if tag not in tags]
        faults += [(("conditions", index), _TWICE) for index in _repeated(tags)]
        obliged = [obligation.obligation for obligation in self.obligations]
        faults += [(("obligations", index), _TWICE) for index in _repeated(obliged)]
        _refuse(self, faults)
        return self


class Agreement(Part):
    """One version of an agreement between two or more jurisdictions.

    ``agreement`` is the format's tag: what a signature over a document of this module is about, for good.
    """

    agreement: Literal["lacolle.agreement/v1"]
    id: AgreementField
    version: Annotated[int, Field(ge=1, le=1_000_000)]
    title: Text
    purpose: Text
    legal_basis: Text
    privacy_assessment: Text
    parties: Annotated[tuple[JurisdictionField, ...], Field(max_length=64), AfterValidator(two_or_more)]
    valid: Validity
    contacts: Annotated[tuple[Contact, ...], Field(max_length=200)] = ()
    regions: Annotated[tuple[Region, ...], Field(max_length=200), AfterValidator(some_once)] = ()
    grants: Annotated[tuple[Grant, ...], Field(max_length=1_000), AfterValidator(some)]
    accession: (
        Literal["closed"] | Annotated[tuple[JurisdictionField, ...], Field(max_length=200), AfterValidator(some_once)]
    ) = "closed"

    @property
    def may_accede(self) -> tuple[JurisdictionCode, ...]:
        """The jurisdictions that the parties have agreed may join them by their own statement alone."""
        return () if self.accession == "closed" else self.accession

    @model_validator(mode="after")
    def _is_between_its_parties(self) -> Self:
        faults: list[Located] = [
            (("grants", index, "clause"), _SAME_CLAUSE) for index in _repeated([grant.clause for grant in self.grants])
        ]
        faults += [
            (("contacts", index, "party"), _NO_PARTY)
            for index, contact in enumerate(self.contacts)
            if contact.party not in self.parties
        ]
        faults += [
            (("accession", index), _PARTY_ALREADY) for index, code in enumerate(self.may_accede) if code in self.parties
        ]
        known = [region.name for region in self.regions]
        faults += [(("regions", index, "name"), _SAME_REGION) for index in _repeated(known)]
        for index, grant in enumerate(self.grants):
            strangers = _strangers(grant, (*self.parties, *self.may_accede))
            faults += [(("grants", index, *rest), _NO_PARTY) for rest in strangers]
            faults += [(("grants", index, *rest), _NO_REGION) for rest in _unknown_regions(grant, known)]
        _refuse(self, faults)
        return self


def jurisdiction_of(side: str) -> JurisdictionCode:
    """Return the jurisdiction of a side of a grant, which names a jurisdiction or a participant of one."""
    return home_of(ParticipantId(side)) if "." in side else JurisdictionCode(side)


def domain_of(alert_type: AlertType) -> str:
    """Return the pattern that covers all types of an alert type's domain: ``public-health/*``."""
    return alert_type.partition("/")[0] + "/*"


def _strangers(grant: Grant, parties: tuple[JurisdictionCode, ...]) -> Iterator[Path]:
    for member, sides in (("from", grant.origins), ("to", grant.recipients)):
        for index, side in enumerate(sides):
            if jurisdiction_of(side) not in parties:
                yield member, index

    for index, obligation in enumerate(grant.obligations):
        match obligation:
            case CopyToObligation():
                named: list[tuple[str, tuple[str, ...]]] = [("participants", obligation.participants)]
            case ConsentByObligation():
                named = [("parties", obligation.parties), ("participants", obligation.participants)]
            case _:
                named = []
        for member, sides in named:
            for position, side in enumerate(sides):
                if jurisdiction_of(side) not in parties:
                    yield "obligations", index, member, position


def _unknown_regions(grant: Grant, known: Collection[str]) -> Iterator[Path]:
    for index, condition in enumerate(grant.conditions):
        if isinstance(condition, AreaCondition):
            for position, name in enumerate(condition.regions):
                if name not in known:
                    yield "conditions", index, "regions", position


def _repeated(names: Sequence[str]) -> list[int]:
    return [index for index, name in enumerate(names) if name in names[:index]]


def _refuse(part: Part, faults: list[Located]) -> None:
    """Raise what a validator found, each fault at its own place; pydantic joins them with those of other parts."""
    if faults:
        raise ValidationError.from_exception_data(
            type(part).__name__,
            [
                InitErrorDetails(type="value_error", loc=loc, input=None, ctx={"error": BrokenRuleError(reason)})
                for loc, reason in faults
            ],
        )


def _requires(tag: str) -> Bilingual:
    return Bilingual(
        fr=f"Toute clause doit porter une condition « {tag} ».", en=f"Every clause must carry a “{tag}” condition."
    )


_TWICE: Final = Bilingual(fr="Cette étiquette figure déjà dans la clause.", en="This tag already stands in the clause.")
_SAME_CLAUSE: Final = Bilingual(
    fr="Une autre clause porte déjà ce numéro.", en="Another clause already bears this number."
)
_SAME_REGION: Final = Bilingual(fr="Une autre région porte déjà ce nom.", en="Another region already bears this name.")
_NO_REGION: Final = Bilingual(
    fr="Aucune région de ce nom ne figure dans l'entente.", en="The agreement has no region of this name."
)
_NO_PARTY: Final = Bilingual(
    fr="Ce n'est ni une partie à l'entente ni un participant de l'une d'elles.",
    en="This is neither a party to the agreement nor a participant of one.",
)
_PARTY_ALREADY: Final = Bilingual(
    fr="Cette juridiction est déjà partie à l'entente : elle n'a pas à y adhérer.",
    en="This jurisdiction is a party to the agreement already: it need not accede.",
)
