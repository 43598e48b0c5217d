"""What region a place lies in, where the alert itself says it in a code; whatever can't be reduced to that is left out.

A region is a state or a province: ISO 3166-2 as jurisdictions are written, the first two digits of a code of the
Standard Geographical Classification, the state of a SAME or FIPS code. Names, drawings, circles, altitudes, postal
areas and municipalities are finer, or free text, and go.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from schemas.ids import JURISDICTION_PATTERN
from schemas.signing.strict_json import JsonValue


def region_of(value: JsonValue, name: str) -> JsonValue:
    """Return what is left of a value that stands in a member of this name; None where nothing is."""
    match value:
        case {"valueName": str(scheme), "value": str(code), **rest} if not rest:
            reduced = _region_of_code(scheme, code)
            return None if reduced is None else {"valueName": scheme, "value": reduced}
        case dict():
            left = {member: region_of(inner, member) for member, inner in value.items()}
            return {member: inner for member, inner in left.items() if inner is not None} or None
        case list():
            kept: list[JsonValue] = []
            for item in value:
                region = region_of(item, name)
                if region is not None and region not in kept:
                    kept.append(region)
            return kept or None
        case str() if name.lower().endswith(("jurisdiction", "citizenships")) and _JURISDICTION.fullmatch(value):
            return value
        case _:
            return None


def _region_of_code(scheme: str, code: str) -> str | None:
    for schemes, shape, region in _CODES:
        if scheme.upper() in schemes and shape.fullmatch(code):
            return region(code)
    return None


_JURISDICTION: Final = re.compile(JURISDICTION_PATTERN)
_Reduction = tuple[frozenset[str], re.Pattern[str], Callable[[str], str]]
_CODES: Final[tuple[_Reduction, ...]] = (
    (frozenset({"SGC", "PROFILE:CAP-CP:LOCATION:0.3"}), re.compile("[0-9]{2,7}"), lambda code: code[:2]),
    (frozenset({"SAME", "FIPS6"}), re.compile("[0-9]{6}"), lambda code: f"0{code[1:3]}000"),
    (frozenset({"ISO3166-2", "ISO 3166-2"}), re.compile("[A-Z]{2}(?:-[A-Z0-9]{1,3})?"), lambda code: code),
)
