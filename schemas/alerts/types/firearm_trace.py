# ruff: noqa: N815 - members are named alike in every type, as CAP's are
"""Traces of recovered firearms: ATF's eTrace (Form 3312.1), Canada's tracing centres, UN Firearms Protocol."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Annotated, ClassVar, Final, Literal

from pydantic import Field

from schemas.alerts.about import AlertAboutPerson
from schemas.alerts.fields import Code, Date, Label, Part, RuledPart, many
from schemas.alerts.firearms import Firearm
from schemas.alerts.header import TypeName
from schemas.alerts.marks import IDENTIFYING
from schemas.alerts.persons import Person
from schemas.alerts.places import Scene
from schemas.alerts.police import Matter
from schemas.alerts.rules import BrokenRule, Rule
from schemas.bilingual import Bilingual
from schemas.ids import AlertType, JurisdictionField


class Recovery(Part):
    """Where the firearm was found, and what for police took it; ``possessor`` is who had it."""

    on: Date
    scene: Scene
    crime: Literal[
        "homicide",
        "assault",
        "robbery",
        "drugs",
        "smuggling",
        "unlawful-possession",
        "burglary",
        "domestic-violence",
        "found",
        "surrendered",
        "other",
    ]
    possessor: Person | None = None


class Holder(Part):
    """One owner in the firearm's history, from its maker on; a dealer is often a person too."""

    role: Literal["maker", "importer", "wholesaler", "dealer", "first-buyer", "later-buyer", "owner-who-lost-it"]
    jurisdiction: JurisdictionField
    business: Annotated[Label | None, IDENTIFYING] = None
    licence: Annotated[Code | None, IDENTIFYING] = None
    person: Person | None = None
    acquired: Date | None = None


class Trace(RuledPart):
    """What the trace found. ``timeToCrimeDays`` is from the first retail sale to the recovery."""

    state: Literal["requested", "running", "completed", "ended-at-dealer", "serial-unusable", "too-old", "refused"]
    number: Code | None = None
    chain: Annotated[tuple[Holder, ...], many(32)] = ()
    timeToCrimeDays: Annotated[int, Field(ge=0, le=60_000)] | None = None
    reportedStolen: bool | None = None

    def rules(self) -> Iterator[BrokenRule]:
        """Yield that a completed trace found nobody."""
        if self.state == "completed" and not self.chain:
            yield _COMPLETED_WITHOUT_CHAIN.at("chain")


class BallisticHit(Part):
    """A cartridge case that another scene's matches (NIBIN, CIBIN)."""

    network: Literal["NIBIN", "CIBIN", "IBIN"]
    number: Code
    confirmed: bool
    jurisdiction: JurisdictionField


class FirearmTrace(Matter):
    """The firearm, its recovery, its trace, and the scenes that its cartridge cases tie it to."""

    firearm: Firearm
    recovery: Recovery
    trace: Trace
    hits: Annotated[tuple[BallisticHit, ...], many(64)] = ()

    def rules(self) -> Iterator[BrokenRule]:
        """Yield the rules among the body's own members that do not hold."""
        if self.firearm.serialState == "never-had-one" and self.trace.state == "completed":
            yield _UNTRACEABLE.at("trace", "state")
        for number, holder in enumerate(self.trace.chain):
            if holder.acquired is not None and holder.acquired > self.recovery.on:
                yield _ACQUIRED_AFTER.at("trace", "chain", number, "acquired")
        if self.trace.timeToCrimeDays is not None and self.trace.timeToCrimeDays != self._days_since_sale():
            yield _TIME_TO_CRIME.at("trace", "timeToCrimeDays")

    def _days_since_sale(self) -> int | None:
        sales = [holder.acquired for holder in self.trace.chain if holder.role == "first-buyer" and holder.acquired]
        return (date.fromisoformat(self.recovery.on) - date.fromisoformat(sales[0])).days if sales else None


class FirearmTraceAlert(AlertAboutPerson):
    """A recovered firearm came from another jurisdiction."""

    title: ClassVar[Bilingual] = Bilingual(fr="Dépistage d'une arme à feu", en="Firearm trace")

    type: Annotated[AlertType, TypeName(AlertType("law-enforcement/firearm-trace/v1"))]
    body: FirearmTrace


_COMPLETED_WITHOUT_CHAIN: Final = Rule(
    "trace-without-chain",
    Bilingual(
        fr="Un dépistage achevé a trouvé au moins un détenteur.", en="A completed trace has found one holder at least."
    ),
)
_UNTRACEABLE: Final = Rule(
    "trace-of-untraceable",
    Bilingual(
        fr="Une arme qui n'a jamais eu de numéro ne se dépiste pas jusqu'au bout.",
        en="A firearm that never had a number can't be traced to the end.",
    ),
)
_ACQUIRED_AFTER: Final = Rule(
    "acquired-after-recovery",
    Bilingual(
        fr="Nul n'a acquis l'arme après que la police l'a récupérée.",
        en="Nobody acquired the firearm after police recovered it.",
    ),
)
_TIME_TO_CRIME: Final = Rule(
    "time-to-crime-differs",
    Bilingual(
        fr="Ce délai n'est pas celui qui sépare la première vente au détail de la récupération.",
        en="This is not the time from the first retail sale to the recovery.",
    ),
)
