"""From an alert to a CAP 1.2 message.

A public warning that came in as CAP leaves as it came. Any other alert leaves with what CAP has no element for in the
places that CAP has for the purpose: its type, TLP label, handling codes and purpose as ``code``; its caveat and each
value of its body as a ``parameter`` of every info block, named by its place in the native form
(``lacolle:/body/vehicle/vin``); its files as ``resource``. A Restricted alert that says no ``restriction`` gets it from
its caveat. An alert without info blocks has no room for its body.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, TypeAlias

from lxml import etree

from schemas.alerts.fields import Part
from schemas.alerts.header import Alert, Area, Info
from schemas.alerts.resources import Resource
from schemas.alerts.types.public_warning import AreaAsWritten, InfoMore, PublicWarning, PublicWarningAlert
from schemas.alerts.written import write_cap_references, write_listed
from schemas.formats.cap_grammar import ALERT, CAP_12, Row
from schemas.formats.safe_xml import Element
from schemas.signing.strict_json import escaped

PREFIX: Final = "lacolle:"

Values: TypeAlias = Mapping[str, Any]
"""What an element holds, by the names of its children: texts, ``Values``, or sequences of either; None for no child."""


def cap_element(alert: Alert) -> Element:
    """Return the ``alert`` element of an alert's CAP 1.2 message."""
    root = etree.fromstring(f'<alert xmlns="{CAP_12}"/>')
    _fill(root, ALERT.rows, _alert_values(alert))
    return root


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


def _alert_values(alert: Alert) -> Values:
    written = alert.body if isinstance(alert, PublicWarningAlert) else PublicWarning()
    imported = written.sender is not None
    cap_sender = written.sender or alert.sender
    references = write_cap_references(alert.references, participant=alert.sender, cap_sender=cap_sender)
    extra = () if imported else tuple(_parameters(alert))
    files = () if isinstance(alert.body, PublicWarning) else tuple(_files(alert.body))
    blocks = written.info or (InfoMore(),) * len(alert.info)
    return {
        **_members(alert),
        "sender": cap_sender,
        "restriction": alert.restriction if imported else _restriction(alert),
        "addresses": _either(written.addresses, write_listed(alert.addresses)),
        "code": alert.code if imported else (*alert.code, *_codes(alert)),
        "references": _either(written.references, references),
        "incidents": _either(written.incidents, write_listed(alert.incidents)),
        "info": [
            {
                **_info_values(info, more, expires=alert.expires),
                "parameter": [*map(_members, more.parameter), *extra],
                "resource": [_members(file) for file in (*more.resource, *files)],
            }
            for info, more in zip(alert.info, blocks, strict=True)
        ],
    }


def _info_values(info: Info, more: InfoMore, *, expires: str | None) -> Values:
    areas = more.area or (AreaAsWritten(),) * len(info.area)
    return {
        **_members(info),
        "expires": info.expires or expires,
        "eventCode": [_members(code) for code in more.eventCode],
        "area": [_area_values(area, written) for area, written in zip(info.area, areas, strict=True)],
    }


def _area_values(area: Area, written: AreaAsWritten) -> Values:
    return {
        **_members(area),
        "polygon": area.polygon if written.polygon is None else written.polygon,
        "circle": area.circle if written.circle is None else written.circle,
        "geocode": [_members(code) for code in area.geocode],
    }


def _members(part: Part) -> Values:
    """Return a part's members; those that are not texts are said otherwise by the caller, or are none of CAP's."""
    return vars(part)


def _either(written: str | None, otherwise: str) -> str | None:
    return otherwise or None if written is None else written


def _restriction(alert: Alert) -> str | None:
    if alert.restriction is not None or alert.scope != "Restricted":
        return alert.restriction
    caveat = alert.handling.caveat
    label = f"TLP:{alert.handling.tlp}"
    return label if caveat is None else f"{label}\n{caveat.fr}\n{caveat.en}"


def _codes(alert: Alert) -> Iterator[str]:
    yield f"{PREFIX}type:{alert.type}"
    yield f"{PREFIX}tlp:{alert.handling.tlp}"
    yield f"{PREFIX}purpose:{alert.handling.purpose}"
    for code in alert.handling.codes:
        yield f"{PREFIX}handling:{code}"


def _parameters(alert: Alert) -> Iterator[Values]:
    if alert.handling.caveat is not None:
        yield from _leaves(alert.handling.caveat, "/handling/caveat")
    if not isinstance(alert.body, PublicWarning):
        yield from _leaves(alert.body, "/body")


def _leaves(value: object, pointer: str) -> Iterator[Values]:
    """Yield every value below a place as a CAP parameter; what was left out of the alert is left out here."""
    match value:
        case None | Resource():
            pass
        case Part():
            for name in type(value).model_fields:
                if name in value.model_fields_set:
                    yield from _leaves(getattr(value, name), pointer + escaped(name))
        case tuple():
            for index, item in enumerate(value):
                yield from _leaves(item, f"{pointer}/{index}")
        case bool():
            yield {"valueName": PREFIX + pointer, "value": "true" if value else "false"}
        case _:
            yield {"valueName": PREFIX + pointer, "value": str(value)}


def _files(value: object) -> Iterator[Resource]:
    match value:
        case Resource():
            yield value
        case Part():
            for name in type(value).model_fields:
                yield from _files(getattr(value, name))
        case tuple():
            for item in value:
                yield from _files(item)
        case _:
            pass
