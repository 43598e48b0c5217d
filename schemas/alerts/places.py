# ruff: noqa: N815 - members are named alike in every type, as CAP's are
"""Places: points on the map, crossings of a border, ports. Addresses of persons are marked."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from schemas.alerts.fields import Label, Part, Words, many
from schemas.alerts.marks import IDENTIFYING
from schemas.ids import JurisdictionField

_LATITUDE = r"[-+]?(?:90(?:\.0{1,8})?|[0-8]?[0-9](?:\.[0-9]{1,8})?)"
_LONGITUDE = r"[-+]?(?:180(?:\.0{1,8})?|(?:1[0-7][0-9]|[0-9]?[0-9])(?:\.[0-9]{1,8})?)"

Position = Annotated[str, StringConstraints(pattern=f"^{_LATITUDE},{_LONGITUDE}$")]
"""Latitude and longitude in degrees of WGS 84, as in CAP's polygons: ``45.0086,-73.4543``."""

Locode = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2} ?[A-Z2-9]{3}$")]
"""A port or a place of trade: UN/LOCODE (UNECE recommendation 16), ``CAMTR``."""


class Point(Part):
    """A position and how far off it may be, in metres (Darwin Core ``coordinateUncertaintyInMeters``)."""

    position: Position
    uncertaintyM: Annotated[int, Field(ge=1, le=1_000_000)] | None = None


class Locality(Part):
    """A place that everybody may know: a town, a body of water, a stretch of road, a public building."""

    jurisdiction: JurisdictionField
    name: Label | None = None
    point: Point | None = None


class Scene(Part):
    """Where something happened, as precisely as police write it: it may be somebody's home."""

    jurisdiction: JurisdictionField
    municipality: Label | None = None
    address: Annotated[Words | None, IDENTIFYING] = None
    point: Annotated[Point | None, IDENTIFYING] = None
    kind: (
        Literal[
            "dwelling",
            "business",
            "public-place",
            "road",
            "waterway",
            "woods",
            "border-crossing",
            "port",
            "airport",
            "rail",
            "institution",
            "online",
            "other",
        ]
        | None
    ) = None


class Crossing(Part):
    """A crossing of the land border: the Canadian office and the American port that face each other.

    ``office`` is a CBSA office code (Memorandum D1-1-1), ``port`` a CBP port code (Schedule D).
    """

    name: Label
    office: Annotated[str, StringConstraints(pattern=r"^[0-9]{3,4}$")] | None = None
    port: Annotated[str, StringConstraints(pattern=r"^[0-9]{4}$")] | None = None
    jurisdictions: Annotated[tuple[JurisdictionField, ...], many(4, least=1)]
