# ruff: noqa: N815 - members are named alike in every type, as CAP's are
"""Recalls of food: CFIA's and FDA's classes (21 CFR 7.3(m)), GS1 numbers of products, EPCIS 2.0 events; no persons."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar, Final, Literal

from pydantic import StringConstraints

from schemas.alerts.check_digits import gs1_holds
from schemas.alerts.fields import Amount, BilingualText, Code, Count, Date, Label, Part, keeps, many
from schemas.alerts.header import Alert, Body, TypeName
from schemas.alerts.health import Coding, RecordId
from schemas.alerts.organisations import Gln, Organisation
from schemas.alerts.persons import Contact
from schemas.alerts.rules import BrokenRule, Rule
from schemas.alerts.times import Days
from schemas.bilingual import Bilingual
from schemas.ids import AlertType, JurisdictionField

Allergen = Literal[
    "milk", "egg", "peanut", "tree-nut", "sesame", "soy", "wheat-or-triticale", "barley-oats-rye", "fish",
    "crustacean-or-mollusc", "mustard", "sulphites", "gluten", "lupin", "celery",
]  # fmt: skip
"""Priority allergens of Canada and of the United States, and two more of Europe's."""

_GTIN_DIGIT: Final = Rule(
    "gtin-check-digit",
    Bilingual(
        fr="Le chiffre de contrôle de ce numéro d'article (GTIN) ne concorde pas.",
        en="The check digit of this trade item number (GTIN) does not hold.",
    ),
)

Gtin = Annotated[str, StringConstraints(pattern=r"^([0-9]{8}|[0-9]{12,14})$"), keeps(_GTIN_DIGIT, gs1_holds)]
"""A trade item: GTIN-8, -12 (UPC), -13 or -14 (GS1 General Specifications, section 2.1)."""


class Product(Part):
    """What is recalled: a trade item, and of it these lots or best-before dates; without either, all of it."""

    name: BilingualText
    brand: Label | None = None
    gtin: Gtin | None = None
    size: Label | None = None
    lots: Annotated[tuple[Code, ...], many(512)] = ()
    bestBefore: Days | None = None
    quantityKg: Amount | None = None
    origin: JurisdictionField | None = None


class TraceEvent(Part):
    """A step on the way from farm to table (EPCIS 2.0 ``bizStep``), of lots by their codes."""

    step: Literal[
        "harvesting",
        "slaughtering",
        "commissioning",
        "transforming",
        "packing",
        "shipping",
        "receiving",
        "storing",
        "retail-selling",
        "destroying",
    ]
    on: Date
    place: Gln | None = None
    firm: Organisation | None = None
    jurisdiction: JurisdictionField
    lots: Annotated[tuple[Code, ...], many(64)] = ()


class FoodRecall(Body):
    """What is recalled and why, how grave it is, where it went, and what of it was traced."""

    localRecordId: RecordId
    reportingJurisdiction: JurisdictionField
    recallClass: Literal["1", "2", "3", "not-classified"]
    state: Literal["investigation", "ongoing", "expanded", "completed", "terminated"]
    hazard: Literal[
        "microbial",
        "undeclared-allergen",
        "chemical",
        "extraneous-material",
        "toxin",
        "tampering",
        "spoilage",
        "nutrition",
        "labelling",
    ]
    agent: Coding | None = None
    allergens: Annotated[tuple[Allergen, ...], many(15)] = ()
    products: Annotated[tuple[Product, ...], many(256, least=1)]
    firm: Organisation
    depth: Literal["consumer", "retail", "wholesale", "institution"]
    distributedIn: Annotated[tuple[JurisdictionField, ...], many(256)] = ()
    trace: Annotated[tuple[TraceEvent, ...], many(512)] = ()
    illnesses: Count | None = None
    outbreak: RecordId | None = None
    contact: Contact | None = None

    def rules(self) -> Iterator[BrokenRule]:
        """Yield the rules among the body's own members that do not hold."""
        if self.hazard == "undeclared-allergen" and not self.allergens:
            yield _ALLERGEN_UNNAMED.at("allergens")
        if self.hazard == "microbial" and self.agent is None and self.state != "investigation":
            yield _AGENT_UNNAMED.at("agent")
        days = [event.on for event in self.trace]
        if days != sorted(days):
            yield _TRACE_OUT_OF_ORDER.at("trace")


class FoodRecallAlert(Alert):
    """Food is taken off the market."""

    title: ClassVar[Bilingual] = Bilingual(fr="Rappel d'aliment", en="Food recall")

    type: Annotated[AlertType, TypeName(AlertType("public-health/food-recall/v1"))]
    body: FoodRecall


_ALLERGEN_UNNAMED: Final = Rule(
    "allergen-unnamed",
    Bilingual(fr="L'allergène non déclaré doit être nommé.", en="The undeclared allergen must be named."),
)
_AGENT_UNNAMED: Final = Rule(
    "agent-unnamed",
    Bilingual(
        fr="Passé l'enquête, un danger microbien a un agent nommé.",
        en="Once investigated, a microbial hazard has an agent with a name.",
    ),
)
_TRACE_OUT_OF_ORDER: Final = Rule(
    "trace-out-of-order",
    Bilingual(
        fr="Les étapes d'un traçage se suivent dans le temps.", en="The steps of a trace follow one another in time."
    ),
)
