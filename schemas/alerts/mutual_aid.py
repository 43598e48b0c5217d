# ruff: noqa: N815 - members are named alike in every type, as CAP's are
"""Resources that jurisdictions lend one another: EDXL-RM 1.0, NIMS resource typing, EMAC's REQ-A; no persons."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from schemas.alerts.fields import BilingualText, Code, Part, many
from schemas.alerts.money import Sum
from schemas.ids import JurisdictionField

Kind = Literal[
    "ambulance",
    "ambulance-bus",
    "air-ambulance",
    "medical-team",
    "nurses",
    "field-hospital",
    "medical-supplies",
    "vaccines-or-antidotes",
    "fire-engine",
    "wildland-crew",
    "water-bomber",
    "hazmat-team",
    "urban-search-and-rescue",
    "swift-water-rescue",
    "ground-search",
    "police-unit",
    "bomb-squad",
    "incident-management-team",
    "emergency-operations-staff",
    "engineers",
    "line-crew",
    "tree-crew",
    "generator",
    "pump",
    "water-treatment",
    "bridge",
    "snow-clearing",
    "heavy-equipment",
    "shelter",
    "cots-and-blankets",
    "food",
    "drinking-water",
    "fuel",
    "helicopter",
    "transport",
    "communications",
    "laboratory",
    "veterinary-team",
    "mortuary-team",
    "boat",
    "other",
]
"""Kinds of resources: those of NIMS's Resource Typing Library Tool that the compact's exercises ask for."""

Support = Literal[
    "transportation",
    "communications",
    "public-works",
    "firefighting",
    "information-and-planning",
    "mass-care",
    "logistics",
    "public-health",
    "search-and-rescue",
    "hazardous-materials",
    "agriculture-and-natural-resources",
    "energy",
    "public-safety",
    "business-and-infrastructure",
    "external-affairs",
]
"""The fifteen Emergency Support Functions of the National Response Framework."""


class ResourceLine(Part):
    """So many of one kind; ``typeLevel`` 1 is the most capable (NIMS). ``line`` is its number in the request."""

    line: Annotated[int, Field(ge=1, le=256)]
    kind: Kind
    typeLevel: Annotated[int, Field(ge=1, le=4)] | None = None
    quantity: Annotated[int, Field(ge=1, le=1_000_000)]
    unit: Literal["each", "team", "crew", "bed", "person", "litre", "kg", "dose", "kW", "metre", "pallet"] = "each"
    description: BilingualText | None = None
    personnel: Annotated[int, Field(ge=0, le=100_000)] | None = None
    selfSufficientDays: Annotated[int, Field(ge=0, le=90)] | None = None


class Costs(Part):
    """What it is estimated to cost (EMAC REQ-A, section II), and who pays."""

    travel: Sum | None = None
    personnel: Sum | None = None
    equipment: Sum | None = None
    commodities: Sum | None = None
    reimbursement: Literal["requesting-party", "assisting-party", "shared", "waived", "to-be-agreed"]


class RequestName(Part):
    """A request as its jurisdiction numbers it."""

    jurisdiction: JurisdictionField
    number: Code


Credentials = Annotated[
    tuple[
        Literal[
            "licence-recognised", "customs-preclearance", "work-permit-waived", "firearms-permit", "vehicle-permit",
            "controlled-drugs-permit", "liability-covered", "workers-compensation",
        ],
        ...,
    ],
    many(8),
]  # fmt: skip
"""What must be arranged before help crosses the border (Compact, articles V, VI and VIII)."""
