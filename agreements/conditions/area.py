"""The condition on where an alert applies, and the regions that a document names for it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Annotated, ClassVar, Final, Literal, Self, TypeAlias

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from agreements import reasons
from agreements.conditions.stated import Allowed, Stated
from agreements.lists import some_once
from agreements.prose import Prose
from schemas.alerts.containment import flaw_of, territory
from schemas.alerts.geometry import POLYGON_PATTERN
from schemas.alerts.header import Alert, Area, Geocode
from schemas.bilingual import Bilingual
from schemas.decisions import Reason
from schemas.faults import BrokenRuleError
from schemas.fields import Part

MOST_CORNERS: Final = 10_000
"""How many pairs the polygons of one region may have together."""

RegionName: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$", max_length=64)]
_Code: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9.-]+$", max_length=32)]
_Scheme: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9 .:_-]*$", max_length=64)]
_Corners: TypeAlias = Annotated[str, StringConstraints(pattern=POLYGON_PATTERN, max_length=200_000)]


@dataclass(frozen=True, slots=True)
class Hierarchy:
    """A list in which a code holds those that it begins: what a code looks like, and what parts it from the rest."""

    form: re.Pattern[str]
    separator: str


_BY_DIGITS: Final = Hierarchy(re.compile(r"[0-9]+"), "")
_BY_COUNTRY: Final = Hierarchy(re.compile(r"[A-Z]{2}(-[A-Z0-9]{1,3})?"), "-")

HIERARCHIES: Final[Mapping[str, Hierarchy]] = {
    "SGC": _BY_DIGITS,
    "profile:CAP-CP:Location:0.3": _BY_DIGITS,
    "SAME": _BY_DIGITS,
    "FIPS6": _BY_DIGITS,
    "ISO 3166": _BY_COUNTRY,
    "ISO 3166-2": _BY_COUNTRY,
}
"""Schemes in which a code holds the codes that it begins, and what a code of each looks like.

``24`` of the Standard Geographical Classification holds ``2456060``, ``036`` of SAME (a digit for the part, two for the
state, three for the county) all counties of New York whole, and ``CA`` of ISO 3166 holds ``CA-QC``. In any other scheme
a code holds itself alone.
"""


class CodeList(Part):
    """Places by their codes in one published list; ``scheme`` is what alerts call it (CAP's ``valueName``), exactly."""

    scheme: _Scheme
    allowed: Allowed[_Code]

    @model_validator(mode="after")
    def _are_codes_of_the_scheme(self) -> Self:
        known = HIERARCHIES.get(self.scheme)
        if known is not None and not all(map(known.form.fullmatch, self.allowed)):
            raise BrokenRuleError(
                Bilingual(
                    fr="Un de ces codes ne peut être un code de cette liste.",
                    en="One of these can't be a code of this list.",
                )
            )
        return self

    def holds(self, scheme: str, code: str) -> bool:
        """Say whether a place that a scheme gives a code is surely one of these, or part of one."""
        if scheme != self.scheme:
            return False
        known = HIERARCHIES.get(scheme)
        if code in self.allowed or known is None or known.form.fullmatch(code) is None:
            return code in self.allowed
        return any(code.startswith(f"{whole}{known.separator}") for whole in self.allowed)


class Region(Part):
    """A place that clauses can name: polygons (CAP 1.2 section 3.2.4, WGS 84), codes, or both for the same place."""

    name: RegionName
    fr: Prose
    en: Prose
    polygon: Annotated[tuple[_Corners, ...], Field(max_length=64), AfterValidator(some_once)] = ()
    codes: Annotated[tuple[CodeList, ...], Field(max_length=16), AfterValidator(some_once)] = ()

    @property
    def bilingual(self) -> Bilingual:
        """What a person calls the region."""
        return Bilingual(fr=self.fr, en=self.en)

    @model_validator(mode="after")
    def _is_somewhere(self) -> Self:
        if not self.polygon and not self.codes:
            raise BrokenRuleError(_NOWHERE)
        if sum(text.count(",") for text in self.polygon) > MOST_CORNERS:
            raise BrokenRuleError(_TOO_MANY_CORNERS)
        flaw = flaw_of(self.polygon) if self.polygon else None
        if flaw is not None:
            raise BrokenRuleError(flaw[1])
        return self


@dataclass(frozen=True, slots=True)
class Within:
    """An area condition with its regions looked up: what an alert is held to.

    ``told`` is how a person is told of what is allowed. Equal where polygons and codes are.
    """

    binds_thread: ClassVar[bool] = False

    polygons: tuple[str, ...]
    codes: tuple[CodeList, ...]
    told: tuple[str, ...]

    def unmet(self, alert: Alert) -> Reason | None:
        """Return why the alert does not meet this, or nothing where it does."""
        if not alert.info:
            return reasons.no_info("area")
        if all(block.area and all(map(self._covers, block.area)) for block in alert.info):
            return None
        return reasons.area_not_within(self.told)

    def covers(self, other: Within) -> bool:
        """Say whether whatever meets another meets this one too."""
        codes = all(self._holds(each.scheme, code) for each in other.codes for code in each.allowed)
        if not other.polygons:
            return codes
        return codes and bool(self.polygons) and territory(self.polygons).covers(territory(other.polygons))

    def _covers(self, area: Area) -> bool:
        drawn = bool(area.polygon or area.circle)
        if not (drawn or area.geocode) or (drawn and not self.polygons):
            return False
        if not all(self._names(code) for code in area.geocode):
            return False
        return not drawn or (
            all(map(territory(self.polygons).covers_polygon, area.polygon))
            and all(map(territory(self.polygons).covers_circle, area.circle))
        )

    def _names(self, geocode: Geocode) -> bool:
        return self._holds(geocode.valueName, geocode.value)

    def _holds(self, scheme: str, code: str) -> bool:
        return any(each.holds(scheme, code) for each in self.codes)


class AreaCondition(Stated):
    """Every area of every info block lies within the regions and codes named, taken together.

    An area is all that is drawn and named in it (CAP 1.2 section 3.2.4): each polygon and each circle must lie wholly
    within the regions' polygons (``schemas.alerts.containment``), each geocode must be one of the codes, or part of
    one. What can't be told is not within: a block without an area, an area in words alone, a drawing where only codes
    are allowed, a geocode of another list.
    """

    condition: Literal["area"]
    regions: Annotated[tuple[RegionName, ...], Field(max_length=64), AfterValidator(some_once)] = ()
    codes: Annotated[tuple[CodeList, ...], Field(max_length=16), AfterValidator(some_once)] = ()

    @model_validator(mode="after")
    def _allows_somewhere(self) -> Self:
        if not self.regions and not self.codes:
            raise BrokenRuleError(_NOWHERE)
        return self

    def within(self, regions: Iterable[Region]) -> Within:
        """Return what an alert is held to; ``regions`` are the document's."""
        named = [region for region in regions if region.name in self.regions]
        codes = (*self.codes, *chain.from_iterable(region.codes for region in named))
        return Within(
            polygons=tuple(sorted(chain.from_iterable(region.polygon for region in named))),
            codes=tuple(sorted(set(codes), key=lambda each: (each.scheme, each.allowed))),
            told=(*self.regions, *(f"{each.scheme} {code}" for each in self.codes for code in each.allowed)),
        )


_NOWHERE: Final = Bilingual(fr="Il faut ici au moins un lieu.", en="There must be at least one place here.")
_TOO_MANY_CORNERS: Final = Bilingual(
    fr=f"Une région compte au plus {MOST_CORNERS} points.", en=f"A region has at most {MOST_CORNERS} points."
)
