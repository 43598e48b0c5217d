"""Check digits hold for numbers that are known to be right, and for none that differs from one by a digit."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from schemas.alerts.check_digits import (
    cas_holds,
    container_holds,
    gs1_holds,
    iban_holds,
    luhn_holds,
    mod_97_holds,
    ship_holds,
    zone_holds,
)

KNOWN = [
    (gs1_holds, "4006381333931"),
    (gs1_holds, "036000291452"),
    (gs1_holds, "96385074"),
    (gs1_holds, "10614141000415"),
    (luhn_holds, "490154203237518"),
    (mod_97_holds, "5493001KJTIIGC8Y1R12"),
    (iban_holds, "GB82WEST12345698765432"),
    (iban_holds, "FR1420041010050500013M02606"),
    (container_holds, "CSQU3054383"),
    (container_holds, "TOLU4734787"),
    (ship_holds, "9074729"),
    (cas_holds, "437-38-7"),
    (cas_holds, "7732-18-5"),
    (cas_holds, "107-07-3"),
    (zone_holds, "L898902C36"),
    (zone_holds, "7408122"),
    (zone_holds, "1204159"),
    (zone_holds, "D231458907"),
    (zone_holds, "<<<<<<<<<<<<<<<0"),
    (zone_holds, "<<<<<<<<<<<<<<<<"),
]
"""Numbers that the standards themselves give, and others of common knowledge."""

Holds = Callable[[str], bool]


@pytest.mark.parametrize(("holds", "number"), KNOWN)
def test_right_numbers_hold(holds: Holds, number: str) -> None:
    """The examples of the standards hold."""
    assert holds(number)


@pytest.mark.parametrize(("holds", "number"), [each for each in KNOWN if each[1][-1].isdigit()])
def test_no_other_check_digit_holds(holds: Holds, number: str) -> None:
    """Of the ten digits that may stand last, one alone holds."""
    assert [digit for digit in "0123456789" if holds(number[:-1] + digit)] == [number[-1]]


@pytest.mark.parametrize(("holds", "number"), [each for each in KNOWN if each[0] not in (ship_holds, cas_holds)])
def test_one_digit_misread_is_found(holds: Holds, number: str) -> None:
    """Whichever digit is misread; a ship's or a substance's number is told apart at its odd weights alone."""
    for place, digit in enumerate(number):
        for other in "0123456789".replace(digit, "") if digit.isdigit() else "":
            misread = number[:place] + other + number[place + 1 :]
            assert not holds(misread), misread
