# ruff: noqa: N815 - members are named alike in every type, as CAP's are
"""The quality of the air: Canada's AQHI, the United States' AQI (40 CFR 58, appendix G), pollutants; no persons."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar, Final, Literal

from pydantic import Field

from schemas.alerts.fields import Amount, CapTime, Code, Label, Part, RuledPart, many
from schemas.alerts.header import Alert, Body, TypeName
from schemas.alerts.persons import Contact
from schemas.alerts.places import Locality
from schemas.alerts.rules import BrokenRule, Rule
from schemas.alerts.times import Period
from schemas.bilingual import Bilingual
from schemas.ids import AlertType, JurisdictionField

Category = Literal[
    "low-risk",
    "moderate-risk",
    "high-risk",
    "very-high-risk",
    "good",
    "moderate",
    "unhealthy-for-sensitive-groups",
    "unhealthy",
    "very-unhealthy",
    "hazardous",
]


class Index(RuledPart):
    """A value of an index and its category; AQHI's ``11`` is what the public reads as 10+."""

    scheme: Literal["AQHI", "AQI"]
    value: Annotated[int, Field(ge=0, le=999)]
    category: Category
    nature: Literal["observed", "forecast"]
    at: CapTime

    def rules(self) -> Iterator[BrokenRule]:
        """Yield that the category is not the value's."""
        if self.category != category_of(self.scheme, self.value):
            yield _ANOTHER_CATEGORY.at("category")


class Measurement(Part):
    """A concentration at a station, averaged over ``hours``."""

    pollutant: Literal["pm2.5", "pm10", "o3", "no2", "so2", "co", "h2s", "nh3", "voc", "lead"]
    value: Amount
    unit: Literal["ug/m3", "mg/m3", "ppb", "ppm"]
    hours: Literal[1, 3, 8, 24]
    at: CapTime
    station: Code | None = None
    stationName: Label | None = None


class AirQuality(Body):
    """What the air is like or will be, where, for how long and why."""

    reference: Code
    reportingJurisdiction: JurisdictionField
    cause: Literal[
        "wildfire-smoke",
        "smog",
        "ozone",
        "industrial-release",
        "wood-burning",
        "dust",
        "volcanic-ash",
        "pollen",
        "unknown",
    ]
    origin: JurisdictionField | None = None
    period: Period
    localities: Annotated[tuple[Locality, ...], many(256, least=1)]
    indices: Annotated[tuple[Index, ...], many(256)] = ()
    measurements: Annotated[tuple[Measurement, ...], many(512)] = ()
    trend: Literal["improving", "steady", "worsening"] | None = None
    sensitive: Annotated[
        tuple[
            Literal["children", "older-people", "pregnancy", "lung-disease", "heart-disease", "outdoor-workers"], ...
        ],
        many(6),
    ] = ()
    measures: Annotated[
        tuple[
            Literal[
                "stay-indoors",
                "limit-exertion",
                "wear-respirator",
                "clean-air-shelters",
                "burning-ban",
                "cancel-events",
                "reduce-emissions",
            ],
            ...,
        ],
        many(7),
    ] = ()
    contact: Contact | None = None

    def rules(self) -> Iterator[BrokenRule]:
        """Yield the rules among the body's own members that do not hold."""
        if not self.indices and not self.measurements:
            yield _NOTHING_MEASURED.at("indices")


class AirQualityAlert(Alert):
    """The air is, or will be, bad to breathe."""

    title: ClassVar[Bilingual] = Bilingual(fr="Qualité de l'air", en="Air quality")

    type: Annotated[AlertType, TypeName(AlertType("environment/air-quality/v1"))]
    body: AirQuality


def category_of(scheme: Literal["AQHI", "AQI"], value: int) -> Category:
    """Return the category of an index's value (AQHI: Health Canada; AQI: 40 CFR 58, appendix G, table 2)."""
    steps = _AQHI if scheme == "AQHI" else _AQI
    return next(category for most, category in steps if value <= most)


_AQHI: Final[tuple[tuple[int, Category], ...]] = (
    (3, "low-risk"),
    (6, "moderate-risk"),
    (10, "high-risk"),
    (999, "very-high-risk"),
)
_AQI: Final[tuple[tuple[int, Category], ...]] = (
    (50, "good"),
    (100, "moderate"),
    (150, "unhealthy-for-sensitive-groups"),
    (200, "unhealthy"),
    (300, "very-unhealthy"),
    (999, "hazardous"),
)

_ANOTHER_CATEGORY: Final = Rule(
    "category-of-another-value",
    Bilingual(fr="Cette catégorie n'est pas celle de la valeur.", en="This category is not the value's."),
)
_NOTHING_MEASURED: Final = Rule(
    "nothing-measured",
    Bilingual(
        fr="Il faut un indice ou une mesure, observés ou prévus.",
        en="There must be an index or a measurement, observed or forecast.",
    ),
)
