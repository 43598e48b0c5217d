"""The Common Alerting Protocol as tables: which elements, in which order, how many, holding what.

CAP 1.2 (OASIS, 1 July 2010, section 3.4, the XML Schema) and CAP 1.1 (1 October 2005), which agencies still send. A
reader and a writer use the same tables, so what is read is what can be written.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final, TypeAlias, get_args

from pydantic import TypeAdapter, ValidationError

from schemas.alerts import header
from schemas.alerts.fields import MEBIBYTE, CapTime, Decimal, Integer, LanguageTag, Uri

CAP_12: Final = "urn:oasis:names:tc:emergency:cap:1.2"
CAP_11: Final = "urn:oasis:names:tc:emergency:cap:1.1"

NormalForm: TypeAlias = Callable[[str], str | None]
"""Returns a text as an alert keeps it, or None where it is not of its type."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table: an element's name, how often it stands, and the rows or the text it holds.

    ``longest`` is our own bound on a text, in characters; CAP has none.
    """

    name: str
    least: int = 0
    most: int | None = 1
    rows: tuple[Row, ...] = ()
    text: NormalForm = str
    longest: int = 64 * 1024


def _one_of(literal: object) -> NormalForm:
    """Return the form of an enumeration, which restricts xs:string: a space around a value is one too many."""
    values = frozenset(get_args(literal))
    return lambda text: text if text in values else None


def _collapsed(adapter: TypeAdapter[str], *, default: str = "") -> NormalForm:
    """Return the form of a type whose outer whitespace says nothing (XML Schema part 2, section 4.3.6)."""

    def form(text: str) -> str | None:
        try:
            return adapter.validate_python(re.sub("[ \t\r\n]+", " ", text).strip(" ") if text else default)
        except ValidationError:
            return None

    return form


def _time_11(text: str) -> str | None:
    """CAP 1.1 says only xs:dateTime: ``Z`` becomes ``-00:00`` (CAP 1.2 section 3.3.2); seconds stay whole."""
    match = re.fullmatch(r"\s*(\S+T[0-9:]+)(?:\.0+)?(Z|[-+][0-9:]+)\s*", text)
    return None if match is None else _TIME(match[1] + match[2].replace("Z", "-00:00"))


_TIME: Final = _collapsed(TypeAdapter(CapTime))
_LANGUAGE: Final = _collapsed(TypeAdapter(LanguageTag), default="en-US")
"""An empty ``language`` takes the schema's default."""

_PAIR: Final = (Row("valueName", 1), Row("value", 1))

_RESOURCE: Final = (
    Row("resourceDesc", 1),
    Row("mimeType", 1),
    Row("size", text=_collapsed(TypeAdapter(Integer))),
    Row("uri", text=_collapsed(TypeAdapter(Uri))),
    Row("derefUri", longest=2 * MEBIBYTE),
    Row("digest"),
)
_AREA: Final = (
    Row("areaDesc", 1),
    Row("polygon", most=None, longest=2 * MEBIBYTE),
    Row("circle", most=None),
    Row("geocode", most=None, rows=_PAIR),
    Row("altitude", text=_collapsed(TypeAdapter(Decimal))),
    Row("ceiling", text=_collapsed(TypeAdapter(Decimal))),
)
_INFO: Final = (
    Row("language", text=_LANGUAGE),
    Row("category", 1, None, text=_one_of(header.Category)),
    Row("event", 1),
    Row("responseType", most=None, text=_one_of(header.ResponseType)),
    Row("urgency", 1, text=_one_of(header.Urgency)),
    Row("severity", 1, text=_one_of(header.Severity)),
    Row("certainty", 1, text=_one_of(header.Certainty)),
    Row("audience"),
    Row("eventCode", most=None, rows=_PAIR),
    Row("effective", text=_TIME),
    Row("onset", text=_TIME),
    Row("expires", text=_TIME),
    Row("senderName"),
    Row("headline"),
    Row("description"),
    Row("instruction"),
    Row("web", text=_collapsed(TypeAdapter(Uri))),
    Row("contact"),
    Row("parameter", most=None, rows=_PAIR),
    Row("resource", most=None, rows=_RESOURCE),
    Row("area", most=None, rows=_AREA),
)
ALERT: Final = Row(
    "alert",
    1,
    rows=(
        Row("identifier", 1),
        Row("sender", 1),
        Row("sent", 1, text=_TIME),
        Row("status", 1, text=_one_of(header.Status)),
        Row("msgType", 1, text=_one_of(header.MsgType)),
        Row("source"),
        Row("scope", 1, text=_one_of(header.Scope)),
        Row("restriction"),
        Row("addresses"),
        Row("code", most=None),
        Row("note"),
        Row("references"),
        Row("incidents"),
        Row("info", most=None, rows=_INFO),
    ),
)


def _as_in_11(row: Row) -> Row:
    """Return a row as CAP 1.1 has it: without the response types that 1.2 added, and with free-form times."""
    match row.name:
        case "sent" | "effective" | "onset" | "expires":
            return replace(row, text=_time_11)
        case "responseType":
            later = frozenset({"Avoid", "AllClear"})
            return replace(row, text=lambda text: None if text in later else row.text(text))
        case "mimeType":
            return replace(row, least=0)
        case _:
            return replace(row, rows=tuple(map(_as_in_11, row.rows)))


GRAMMARS: Final[Mapping[str, Row]] = {CAP_12: ALERT, CAP_11: _as_in_11(ALERT)}
"""The table of each version, by the namespace of its ``alert``."""
