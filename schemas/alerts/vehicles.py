# ruff: noqa: N815 - members are named alike in every type, as CAP's are
"""Vehicles as police files know them: the fields of NCIC's Vehicle and License Plate files and of NIEM's Vehicle."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import Field, StringConstraints

from schemas.alerts.fields import Line, Part, Words
from schemas.alerts.marks import IDENTIFYING
from schemas.bilingual import Bilingual
from schemas.ids import JurisdictionField

Vin = Annotated[str, StringConstraints(pattern=r"^[A-HJ-NPR-Z0-9]{17}$")]
"""A vehicle identification number: seventeen capitals and digits without I, O and Q (ISO 3779)."""

Year = Annotated[int, Field(ge=1885, le=2100)]


class Plate(Part):
    """A registration plate (NCIC LIC, LIS, LIY, LIT)."""

    number: Annotated[Line, StringConstraints(min_length=1, max_length=16), IDENTIFYING]
    jurisdiction: JurisdictionField
    year: Year | None = None
    kind: (
        Literal[
            "passenger", "commercial", "motorcycle", "trailer", "farm", "government", "dealer", "temporary", "other"
        ]
        | None
    ) = None


class Vehicle(Part):
    """A vehicle; what is not known is left out (NCIC VIN, VYR, VMA, VMO, VST, VCO, OAN)."""

    vin: Annotated[Vin | None, IDENTIFYING] = None
    plate: Annotated[Plate | None, IDENTIFYING] = None
    serialNumber: Annotated[Annotated[Line, StringConstraints(min_length=1, max_length=32)] | None, IDENTIFYING] = None
    kind: (
        Literal[
            "automobile",
            "truck",
            "motorcycle",
            "bus",
            "trailer",
            "snowmobile",
            "all-terrain",
            "heavy-equipment",
            "boat",
            "other",
        ]
        | None
    ) = None
    make: Line | None = None
    model: Line | None = None
    style: Line | None = None
    year: Year | None = None
    colour: Line | None = None
    secondColour: Line | None = None
    features: Annotated[Words | None, IDENTIFYING] = None


def check_digit_holds(vin: str) -> bool:
    """Whether the ninth character of a VIN is the check digit that North America requires (49 CFR 565.15(c)).

    Elsewhere that character is free, and numbers get misread: one that does not hold is worth a second look, no more.
    """
    total = sum(_VALUES[character] * weight for character, weight in zip(vin, _WEIGHTS, strict=True))
    return vin[8] == "0123456789X"[total % 11]


def advice_on(vehicle: Vehicle) -> tuple[Bilingual, ...]:
    """Return what looks wrong about a vehicle and yet may be right."""
    if vehicle.vin is None or vehicle.vin[0] not in _NORTH_AMERICA or check_digit_holds(vehicle.vin):
        return ()
    return (_CHECK_DIGIT,)


_NORTH_AMERICA: Final = "12345"
"""First characters that ISO 3780 gives to North America."""

_WEIGHTS: Final = (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)
_VALUES: Final = {
    **{str(digit): digit for digit in range(10)},
    **dict(zip("ABCDEFGHJKLMNPRSTUVWXYZ", (*range(1, 9), *range(1, 6), 7, 9, *range(2, 10)), strict=True)),
}
_CHECK_DIGIT: Final = Bilingual(
    fr="Le chiffre de contrôle du numéro d'identification du véhicule ne concorde pas.",
    en="The check digit of the vehicle identification number does not hold.",
)
