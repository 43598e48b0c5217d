# ruff: noqa: N815 - members are named alike in every type, as CAP's are
"""Clusters of overdoses, as ODMAP's spike alerts and Canada's opioid surveillance tell them: counts, no persons."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar, Final, Literal

from pydantic import Field

from schemas.alerts.fields import Count, Label, RuledPart, many
from schemas.alerts.header import Alert, Body, TypeName
from schemas.alerts.health import RecordId
from schemas.alerts.persons import Contact
from schemas.alerts.places import Locality
from schemas.alerts.rules import PART_ABOVE_WHOLE, BrokenRule, Rule
from schemas.alerts.substances import Substance
from schemas.alerts.times import Period
from schemas.bilingual import Bilingual
from schemas.ids import AlertType, JurisdictionField

Age = Annotated[int, Field(ge=0, le=130)]


class Ages(RuledPart):
    """The youngest and the oldest, in years."""

    least: Age
    most: Age

    def rules(self) -> Iterator[BrokenRule]:
        """Yield that the oldest is younger than the youngest."""
        if self.most < self.least:
            yield _AGES_REVERSED.at("most")


class Overdoses(RuledPart):
    """How many there were in the period; ``expected`` is what is usual in one as long."""

    nonFatal: Count
    fatal: Count
    naloxoneDoses: Count | None = None
    hospitalised: Count | None = None
    expected: Count | None = None

    def rules(self) -> Iterator[BrokenRule]:
        """Yield what does not add up."""
        if self.nonFatal + self.fatal < CLUSTER:
            yield _NO_CLUSTER.at("nonFatal")
        if self.expected is not None and self.nonFatal + self.fatal <= self.expected:
            yield _AS_USUAL.at("expected")
        if self.hospitalised is not None and self.hospitalised > self.nonFatal + self.fatal:
            yield PART_ABOVE_WHOLE.at("hospitalised")


class OverdoseCluster(Body):
    """When and where, how many, of what, and in which form it is sold."""

    localRecordId: RecordId
    reportingJurisdiction: JurisdictionField
    state: Literal["suspected", "confirmed", "over", "not-a-cluster"]
    period: Period
    counts: Overdoses
    localities: Annotated[tuple[Locality, ...], many(64, least=1)]
    substances: Annotated[tuple[Substance, ...], many(16)] = ()
    form: Literal["powder", "pressed-tablet", "capsule", "rock", "liquid", "vape", "blotter", "unknown"] | None = None
    appearance: Label | None = None
    soldAs: Label | None = None
    route: Literal["injected", "smoked", "snorted", "swallowed", "mixed", "unknown"] | None = None
    setting: Literal["street", "private", "shelter", "consumption-site", "event", "correctional", "mixed"] | None = None
    ages: Ages | None = None
    naloxoneResponse: Literal["usual", "repeated-doses", "none", "unknown"] | None = None
    measures: Annotated[
        tuple[Literal["naloxone-supplied", "drug-checking", "public-warning", "outreach", "toxicology-hastened"], ...],
        many(5),
    ] = ()
    contact: Contact | None = None

    def rules(self) -> Iterator[BrokenRule]:
        """Yield the rules among the body's own members that do not hold."""
        if self.state == "over" and self.period.until is None:
            yield _OVER_WITHOUT_END.at("period")


class OverdoseClusterAlert(Alert):
    """More people than usual overdose in one place and time."""

    title: ClassVar[Bilingual] = Bilingual(fr="Grappe de surdoses", en="Overdose cluster")

    type: Annotated[AlertType, TypeName(AlertType("public-health/overdose-cluster/v1"))]
    body: OverdoseCluster


CLUSTER: Final = 2
"""Overdoses that make a cluster: one alone would be a person."""

_AGES_REVERSED: Final = Rule(
    "ages-reversed",
    Bilingual(
        fr="L'âge le plus élevé ne peut être inférieur au plus bas.", en="The highest age can't be below the lowest."
    ),
)
_NO_CLUSTER: Final = Rule(
    "no-cluster",
    Bilingual(
        fr="Une grappe compte au moins deux surdoses : une seule désignerait une personne.",
        en="A cluster has two overdoses at least: one alone would point to a person.",
    ),
)
_AS_USUAL: Final = Rule(
    "no-more-than-expected",
    Bilingual(
        fr="Une grappe dépasse ce qui est habituel dans une période de cette durée.",
        en="A cluster is more than is usual in a period as long.",
    ),
)
_OVER_WITHOUT_END: Final = Rule(
    "over-without-end",
    Bilingual(fr="Une grappe terminée doit dire sa fin.", en="A cluster that is over must say its end."),
)
