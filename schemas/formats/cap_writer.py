"""From an alert to a CAP 1.2 message.

A public warning that came in as CAP leaves as it came. Any other alert leaves with what CAP has no element for in the
places that CAP has for the purpose: its type, TLP label, handling codes and purpose as ``code``; its caveat and each
value of its body as a ``parameter`` of every info block, named by its place in the native form
(``lacolle:/body/vehicle/vin``); its files as ``resource``. A Restricted alert that says no ``restriction`` gets it from
its caveat. An alert without info blocks has no room for its body.

What is read here is the document: any member may be missing, as in a copy from which something is withheld, and is
then missing in the message too. What CAP can't do without, ``schemas.formats.cap_gaps`` fills.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, TypeAlias

from lxml import etree

from schemas.alerts.written import write_cap_references, write_listed
from schemas.formats.cap_grammar import ALERT, CAP_12, Row
from schemas.formats.cap_reader import TYPE
from schemas.formats.safe_xml import Element
from schemas.ids import AlertType, ParticipantId
from schemas.signing.strict_json import JsonValue, escaped
from schemas.withholding.shapes import Shape, shape_at, shape_of

PREFIX: Final = "lacolle:"

Values: TypeAlias = Mapping[str, Any]
"""What an element holds, by the names of its children: texts, ``Values``, or sequences of either; None for no child."""

Members: TypeAlias = Mapping[str, JsonValue]
"""The members of an object of an alert, or of what is left of it."""


def cap_element(values: Values) -> Element:
    """Return the ``alert`` element that holds these values."""
    root = etree.fromstring(f'<alert xmlns="{CAP_12}"/>')
    _fill(root, ALERT.rows, values)
    return root


def alert_values(document: Members) -> Values:
    """Return what the ``alert`` element of an alert holds.

    Raises ``KeyError`` for a type that there is not. Members that the type does not have are left out.
    """
    alert_type = AlertType(str(document.get("type")))
    shape = shape_of(alert_type)
    body = _object(document.get("body"))
    written = body if alert_type == TYPE else {}
    cap_sender = _text(written.get("sender"))
    extra = () if cap_sender else tuple(_parameters(document, shape, with_body=alert_type != TYPE))
    files = () if alert_type == TYPE else tuple(_files(body, shape_at(shape, ("body",))))
    info = _objects(document.get("info"))
    expires = _text(document.get("expires"))
    return {
        **document,
        "sender": cap_sender or document.get("sender"),
        "restriction": document.get("restriction") if cap_sender else _restriction(document),
        "addresses": _either(written, "addresses", write_listed(_texts(document.get("addresses")))),
        "code": [*_texts(document.get("code")), *(() if cap_sender else _codes(document))],
        "references": _either(written, "references", _references(document, cap_sender=cap_sender)),
        "incidents": _either(written, "incidents", write_listed(_texts(document.get("incidents")))),
        "info": [
            {
                **_info_values(block, more, expires=expires),
                "parameter": [*_objects(more.get("parameter")), *extra],
                "resource": [*_objects(more.get("resource")), *files],
            }
            for block, more in _beside(info, written.get("info"))
        ],
    }


def _fill(element: Element, rows: Sequence[Row], values: Values) -> None:
    for row in rows:
        found = values.get(row.name)
        items: Sequence[Any] = (found,) if isinstance(found, (str, Mapping)) else found or ()
        for item in items:
            child = etree.SubElement(element, f"{{{CAP_12}}}{row.name}")
            if row.rows:
                _fill(child, row.rows, item)
            else:
                child.text = item


def _info_values(info: Members, more: Members, *, expires: str | None) -> Values:
    return {
        **info,
        "expires": info.get("expires") or expires,
        "eventCode": _objects(more.get("eventCode")),
        "area": [
            {**area, **{name: drawn for name in ("polygon", "circle") if (drawn := written.get(name)) is not None}}
            for area, written in _beside(_objects(info.get("area")), more.get("area"))
        ],
    }


def _beside(items: Sequence[Members], more: JsonValue) -> Iterator[tuple[Members, Members]]:
    """Yield each item with what else is said of it at its position.

    Where an item of either list is withheld, nobody can tell which one goes with which, and nothing else is said.
    """
    others = _objects(more)
    if len(others) != len(items):
        others = [{}] * len(items)
    yield from zip(items, others, strict=True)


def _references(document: Members, *, cap_sender: str | None) -> str:
    sender = str(document.get("sender"))
    whole = [text for text in _texts(document.get("references")) if text.count(",") == 2]  # noqa: PLR2004 - sender, identifier, sent
    return write_cap_references(whole, participant=ParticipantId(sender), cap_sender=cap_sender or sender)


def _either(written: Members, name: str, otherwise: str) -> JsonValue:
    said = written.get(name)
    return otherwise or None if said is None else said


def _restriction(document: Members) -> JsonValue:
    if document.get("restriction") is not None or document.get("scope") != "Restricted":
        return document.get("restriction")
    handling = _object(document.get("handling"))
    caveat = _object(handling.get("caveat"))
    tlp = _text(handling.get("tlp"))
    lines = [None if tlp is None else f"TLP:{tlp}", _text(caveat.get("fr")), _text(caveat.get("en"))]
    return "\n".join(line for line in lines if line is not None) or None


def _codes(document: Members) -> Iterator[str]:
    handling = _object(document.get("handling"))
    named = (("type", document.get("type")), ("tlp", handling.get("tlp")), ("purpose", handling.get("purpose")))
    for name, value in named:
        if (text := _text(value)) is not None:
            yield f"{PREFIX}{name}:{text}"
    for code in _texts(handling.get("codes")):
        yield f"{PREFIX}handling:{code}"


def _parameters(document: Members, shape: Shape, *, with_body: bool) -> Iterator[Values]:
    caveat = _object(document.get("handling")).get("caveat")
    yield from _leaves(caveat, shape_at(shape, ("handling", "caveat")), "/handling/caveat")
    if with_body:
        yield from _leaves(document.get("body"), shape_at(shape, ("body",)), "/body")


def _leaves(value: JsonValue, shape: Shape, pointer: str) -> Iterator[Values]:
    """Yield every value below a place as a CAP parameter; what was left out of the alert is left out here."""
    match value:
        case None:
            pass
        case dict() if _is_file(shape):
            pass
        case dict():
            for name, member in value.items():
                if name in shape.members:
                    yield from _leaves(member, shape.members[name], pointer + escaped(name))
        case list():
            for index, item in enumerate(value):
                yield from _leaves(item, shape_at(shape, (index,)), f"{pointer}/{index}")
        case bool():
            yield {"valueName": PREFIX + pointer, "value": "true" if value else "false"}
        case _:
            yield {"valueName": PREFIX + pointer, "value": str(value)}


def _files(value: JsonValue | Members, shape: Shape) -> Iterator[Members]:
    match value:
        case dict() if _is_file(shape):
            yield value
        case dict():
            for name, member in value.items():
                if name in shape.members:
                    yield from _files(member, shape.members[name])
        case list():
            for index, item in enumerate(value):
                yield from _files(item, shape_at(shape, (index,)))
        case _:
            pass


def _is_file(shape: Shape) -> bool:
    """Whether a place holds a file, by its type's schema: what is left of one may not say its media type."""
    return "mimeType" in shape.members


def _object(value: JsonValue) -> Members:
    return value if isinstance(value, dict) else {}


def _objects(value: JsonValue) -> list[Members]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _text(value: JsonValue) -> str | None:
    return value if isinstance(value, str) else None


def _texts(value: JsonValue) -> list[str]:
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []
