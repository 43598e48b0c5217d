"""Check digits of the numbers that alerts carry. A number that was misread leads to another person, box or product.

Each function takes a number that has its form already and says whether its check digit holds; none raises for such.
"""

from __future__ import annotations

from typing import Final


def gs1_holds(digits: str) -> bool:
    """Whether the last digit of a GTIN, GLN or SSCC holds (GS1 General Specifications, section 7.9)."""
    weighted = sum(int(digit) * (3, 1)[place % 2] for place, digit in enumerate(reversed(digits[:-1])))
    return (10 - weighted % 10) % 10 == int(digits[-1])


def luhn_holds(digits: str) -> bool:
    """Whether the last digit of an IMEI holds (ISO/IEC 7812-1, annex B; 3GPP TS 23.003, annex B)."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        doubled = int(digit) * (1 + place % 2)
        total += doubled - 9 * (doubled > 9)  # noqa: PLR2004 - the digits of a doubled digit are added
    return total % 10 == 0


def mod_97_holds(text: str) -> bool:
    """Whether a text of digits and capitals is 1 modulo 97 (ISO/IEC 7064, MOD 97-10), as an LEI is (ISO 17442)."""
    return int("".join(str(int(character, 36)) for character in text)) % 97 == 1


def iban_holds(iban: str) -> bool:
    """Whether the check digits of an IBAN hold: those of the text with its first four characters last (ISO 13616)."""
    return mod_97_holds(iban[4:] + iban[:4])


def container_holds(number: str) -> bool:
    """Whether the last digit of a freight container's number holds (ISO 6346, annex A)."""
    total = sum(_CONTAINER_VALUES[character] << place for place, character in enumerate(number[:-1]))
    return total % 11 % 10 == int(number[-1])


def ship_holds(digits: str) -> bool:
    """Whether the last digit of a ship's seven-digit IMO number holds (IMO resolution A.1117(30))."""
    return sum(int(digit) * (7 - place) for place, digit in enumerate(digits[:-1])) % 10 == int(digits[-1])


def cas_holds(number: str) -> bool:
    """Whether the last digit of a CAS Registry Number, such as ``7732-18-5``, holds."""
    *digits, check = (int(digit) for digit in number if digit != "-")
    return sum(place * digit for place, digit in enumerate(reversed(digits), start=1)) % 10 == check


def zone_holds(characters: str) -> bool:
    """Whether the last character of a field of a machine-readable zone holds (ICAO Doc 9303-3, section 4.9).

    ``<`` counts as zero, also as the check digit of a field that is empty.
    """
    total = sum(_zone_value(each) * (7, 3, 1)[place % 3] for place, each in enumerate(characters[:-1]))
    return total % 10 == _zone_value(characters[-1])


def _zone_value(character: str) -> int:
    return 0 if character == "<" else int(character, 36)


_CONTAINER_VALUES: Final = {
    **{str(digit): digit for digit in range(10)},
    **dict(
        zip("ABCDEFGHIJKLMNOPQRSTUVWXYZ", (value for value in range(10, 39) if value % 11), strict=True),
    ),
}
"""Letters count from 10 on, multiples of 11 left out (ISO 6346, annex A)."""
