# ruff: noqa: N815 - members are named alike in every type, as CAP's are
"""Trafficking in persons: acts, means and purposes of the Palermo Protocol (2000), article 3; NCIC's HT codes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar, Final, Literal

from schemas.alerts.about import AlertAboutPerson
from schemas.alerts.fields import Part, many
from schemas.alerts.header import TypeName
from schemas.alerts.marks import HEALTH
from schemas.alerts.persons import Person, Sighting
from schemas.alerts.places import Scene
from schemas.alerts.police import Involved, Matter
from schemas.alerts.rules import BrokenRule, Rule
from schemas.alerts.vehicles import Vehicle
from schemas.bilingual import Bilingual
from schemas.ids import AlertType, JurisdictionField

Act = Literal["recruitment", "transportation", "transfer", "harbouring", "receipt", "control-of-movements"]
Means = Literal[
    "threat",
    "force",
    "coercion",
    "abduction",
    "fraud",
    "deception",
    "abuse-of-power",
    "abuse-of-vulnerability",
    "payment-to-controller",
    "debt-bondage",
    "documents-withheld",
    "drugging",
]
Purpose = Literal[
    "sexual-exploitation",
    "forced-labour",
    "domestic-servitude",
    "slavery",
    "forced-marriage",
    "forced-criminality",
    "forced-begging",
    "organ-removal",
    "unknown",
]
Need = Literal["medical-care", "psychological-care", "shelter", "interpreter", "child-protection", "immigration-status"]


class Victim(Part):
    """Somebody who is trafficked; ``child`` is under eighteen, by the Protocol's article 3(d)."""

    person: Person
    child: bool
    state: Literal["at-risk", "believed-held", "located", "safe", "whereabouts-unknown"]
    needs: Annotated[tuple[Need, ...], many(6), HEALTH] = ()
    consentsToContact: bool | None = None
    lastSeen: Sighting | None = None


class HumanTrafficking(Matter):
    """What is done, by which means, for which purpose; to whom and by whom."""

    acts: Annotated[tuple[Act, ...], many(6, least=1)]
    means: Annotated[tuple[Means, ...], many(12)] = ()
    purposes: Annotated[tuple[Purpose, ...], many(9, least=1)]
    victims: Annotated[tuple[Victim, ...], many(128)] = ()
    involved: Annotated[tuple[Involved, ...], many(64)] = ()
    vehicles: Annotated[tuple[Vehicle, ...], many(32)] = ()
    scenes: Annotated[tuple[Scene, ...], many(64)] = ()
    route: Annotated[tuple[JurisdictionField, ...], many(32)] = ()

    def rules(self) -> Iterator[BrokenRule]:
        """Yield the rules among the body's own members that do not hold."""
        if not self.means and not (self.victims and all(victim.child for victim in self.victims)):
            yield _MEANS_MISSING.at("means")
        for number, victim in enumerate(self.victims):
            if victim.person.age is not None and (victim.person.age < CHILD) != victim.child:
                yield _CHILD_OF_AGE.at("victims", number, "child")


class HumanTraffickingAlert(AlertAboutPerson):
    """Persons are trafficked."""

    title: ClassVar[Bilingual] = Bilingual(fr="Traite de personnes", en="Human trafficking")

    type: Annotated[AlertType, TypeName(AlertType("law-enforcement/human-trafficking/v1"))]
    body: HumanTrafficking


CHILD: Final = 18
"""Age, in years, under which somebody is a child (Palermo Protocol, article 3(d))."""

_MEANS_MISSING: Final = Rule(
    "means-missing",
    Bilingual(
        fr="Un moyen (contrainte, tromperie, abus…) doit être dit, sauf si toutes les victimes sont des enfants.",
        en="A means (coercion, deception, abuse…) must be said unless every victim is a child.",
    ),
)
_CHILD_OF_AGE: Final = Rule(
    "child-contradicts-age",
    Bilingual(
        fr="L'âge de la victime contredit ce qui est dit : est enfant qui a moins de 18 ans.",
        en="The victim's age contradicts what is said: a child is somebody under 18.",
    ),
)
