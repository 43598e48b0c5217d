"""What alerts are made of: closed objects, texts that any format can carry, times, numbers and addresses in CAP's form.

Fields are checked by pydantic's core alone, with no Python on the way; patterns there take linear time whatever is
sent. What a pattern can't say, a check digit or an order in time, is a ``Rule``: of one text with ``keeps``, of the
members of one object with ``RuledPart``.
A text holds only what XML 1.0 can carry (section 2.2, Char), so that every alert can leave as CAP.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from schemas.alerts.rules import BrokenRule, BrokenRulesError, Rule

MEBIBYTE: Final = 1024 * 1024

_UNWRITABLE: Final = r"\x00-\x08\x0B\x0C\x0E-\x1F\uFFFE\uFFFF"
TEXT_PATTERN: Final = rf"^[^{_UNWRITABLE}]*$"
LISTED_PATTERN: Final = rf'^[^"{_UNWRITABLE}]+$'

_COMMON_YEAR_DAY: Final = (
    r"(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|02-(?:0[1-9]|1[0-9]|2[0-8])"
)
_LEAP_YEAR: Final = r"[1-9][0-9](?:0[48]|[2468][048]|[13579][26])|(?:[2468][048]|[13579][26])00"
_DATE: Final = rf"(?:[1-9][0-9]{{3}}-(?:{_COMMON_YEAR_DAY})|(?:{_LEAP_YEAR})-02-29)"
_CLOCK: Final = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"
CAP_TIME: Final = rf"{_DATE}T{_CLOCK}[-+](?:(?:0[0-9]|1[0-3]):[0-5][0-9]|14:00)"
"""A date that exists, a time of day and a numeric offset; no ``Z``, no fractions (CAP 1.2 section 3.3.2)."""

_SEGMENT: Final = r"(?:[^\x00-\x1F\uFFFE\uFFFF%?#\[\]/]|%[0-9A-Fa-f]{2})"
_FIRST_SEGMENT: Final = r"(?:[^\x00-\x1F\uFFFE\uFFFF%?#\[\]/:]|%[0-9A-Fa-f]{2})"
_HOST: Final = r"(?:[^\x00-\x1F\uFFFE\uFFFF%?#\[\]/:@]|%[0-9A-Fa-f]{2})"
_AUTHORITY: Final = rf"//(?:(?:{_HOST}|:)*@)?(?:{_HOST}*|\[[0-9A-Fa-f:.]+\])(?::[0-9]{{1,5}})?(?:/{_SEGMENT}*)*"
_PATH: Final = rf"(?:{_SEGMENT}+(?:/{_SEGMENT}*)*)?"
URI_PATTERN: Final = (
    rf"^(?:[A-Za-z][A-Za-z0-9+.-]*:(?:{_AUTHORITY}|/?{_PATH})|{_AUTHORITY}|/{_PATH}|"
    rf"(?:{_FIRST_SEGMENT}+(?:/{_SEGMENT}*)*)?)"
    rf"(?:\?(?:{_SEGMENT}|[/?])*)?(?:#(?:{_SEGMENT}|[\[\]/?])*)?$"
)
"""A URI reference (RFC 3986), with the characters besides that XML Schema's anyURI lets stand unescaped."""

IDENTIFIER: Final = r"[^\s,<&\p{Cc}\p{Cf}\uFFFE\uFFFF]{1,200}"


class Part(BaseModel):
    """An object of an alert: strict, frozen, and closed to members that it does not name."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class RuledPart(Part):
    """An object whose members must go together, wherever it stands in an alert."""

    def rules(self) -> Iterator[BrokenRule]:
        """Yield the rules among its own members that do not hold; paths start at the object."""
        yield from ()

    @model_validator(mode="after")
    def _hold_rules(self) -> Self:
        broken = tuple(self.rules())
        if broken:
            raise BrokenRulesError(broken)
        return self


def keeps(rule: Rule, holds: Callable[[str], bool]) -> AfterValidator:
    """Return the constraint that ``holds`` is true of a text that has its form already; ``rule`` says what is wrong."""

    def checked(text: str) -> str:
        if not holds(text):
            raise BrokenRulesError((rule.at(),))
        return text

    return AfterValidator(checked)


def many(most: int, *, least: int = 0) -> Any:  # noqa: ANN401 - as pydantic's own Field, so that it fits any annotation
    """Return the constraint of a list of at most ``most`` items, which stops at the first item that is wrong.

    ``strict=False`` lets a tuple, which is frozen, be read from a JSON array; its items stay strict.
    """
    return Field(min_length=least, max_length=most, strict=False, fail_fast=True)


Line = Annotated[str, StringConstraints(pattern=TEXT_PATTERN, max_length=4_096)]
"""A short text: a headline, a name."""

Words = Annotated[str, StringConstraints(pattern=TEXT_PATTERN, max_length=64 * 1024)]
"""A text of several sentences."""

NonEmptyWords = Annotated[str, StringConstraints(pattern=TEXT_PATTERN, min_length=1, max_length=64 * 1024)]
Content = Annotated[str, StringConstraints(pattern=TEXT_PATTERN, max_length=2 * MEBIBYTE)]
"""A file in base64, or any other text that only the size of a submission bounds."""

CapTime = Annotated[str, StringConstraints(pattern=f"^{CAP_TIME}$")]
"""An instant in CAP's form, ``2026-01-17T14:05:09-05:00``, kept as text; ``header.instant`` reads it."""

Date = Annotated[str, StringConstraints(pattern=f"^{_DATE}$")]
"""A calendar date that exists, ``2026-01-17`` (ISO 8601)."""

Identifier = Annotated[str, StringConstraints(pattern=f"^{IDENTIFIER}$")]
"""A name that may stand in ``references``: no spaces, commas, ``<`` or ``&`` (CAP 1.2 section 3.2.1)."""

ListedName = Annotated[str, StringConstraints(pattern=LISTED_PATTERN, max_length=256)]
"""One name of a list that CAP writes with spaces, and with double quotes around a name that holds one."""

Uri = Annotated[str, StringConstraints(pattern=URI_PATTERN, max_length=4_096)]
LanguageTag = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z]{1,8}(-[a-zA-Z0-9]{1,8}){0,15}$")]
"""A natural language (RFC 3066): ``fr-CA``, ``en-CA``."""

Integer = Annotated[str, StringConstraints(pattern=r"^[-+]?[0-9]{1,40}$")]
Decimal = Annotated[str, StringConstraints(pattern=r"^[-+]?([0-9]{1,40}(\.[0-9]{0,40})?|\.[0-9]{1,40})$")]
"""Numbers of CAP, in their own digits: nothing is rounded and no zero is lost on the way through."""

Amount = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,15}(\.[0-9]{1,6})?$")]
"""A measured or counted amount that is never below zero, in decimal digits: ``0.25``, ``14000``."""

Count = Annotated[int, Field(ge=0, le=10_000_000)]
Percent = Annotated[int, Field(ge=0, le=100)]

Label = Annotated[str, StringConstraints(pattern=TEXT_PATTERN, min_length=1, max_length=200)]
"""What a thing, a place or an organisation is called; never a person."""

Code = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9 ./:_-]{0,63}$")]
"""A number or code that an authority or a maker gave."""

YesNo = Literal["yes", "no", "unknown"]
"""FHIR and NNDSS never leave "not asked" to be read as "no"."""

Token = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$", max_length=64)]
"""A word of a vocabulary: ``criminal-investigation``."""


class BilingualText(Part):
    """A text that a person of either language must understand, in French and in English."""

    fr: NonEmptyWords
    en: NonEmptyWords
