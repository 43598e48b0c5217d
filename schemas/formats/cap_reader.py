"""From the tree of a CAP message to the native form: a public warning, ready to be signed by who hands it in.

Whatever the header and info of an alert can't hold goes into its body, as it was written; see
``schemas.alerts.types.public_warning``. Nothing is corrected on the way, and nothing is dropped.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from schemas.alerts.catalogue import Fault
from schemas.alerts.geometry import usable_circles, usable_polygons
from schemas.alerts.header import Alert, Area, Info, NamedValue, instant
from schemas.alerts.resources import Resource
from schemas.alerts.written import read_cap_references, read_listed, write_cap_references, write_listed
from schemas.formats.cap_tree import Node
from schemas.ids import ParticipantId
from schemas.signing.strict_json import JsonValue

TYPE: Final = "emergency-management/public-warning/v1"
PURPOSE: Final = "public-warning"

_TLP: Final[Mapping[str, str]] = {"Public": "CLEAR", "Restricted": "AMBER", "Private": "RED"}
"""The label that a scope comes to: CAP has no labels, and an agency may tighten what it hands in, never loosen it."""

_UNKNOWN_TYPE_OF_FILE: Final = "application/octet-stream"
"""CAP 1.1 lets a resource do without ``mimeType``, CAP 1.2 does not (RFC 2046 section 4.5.1)."""

_DRAWINGS: Final = {"polygon": usable_polygons, "circle": usable_circles}


def native_document(alert: Node, *, sender: ParticipantId, signatures: Sequence[JsonValue]) -> dict[str, JsonValue]:
    """Return the native form of a CAP message that ``sender`` hands in; its CAP ``sender`` goes into the body.

    The header's ``expires`` is the last of the info blocks', where each has one and the last is not before ``sent``.
    """
    cap_sender = alert.get("sender") or ""
    scope = alert.get("scope") or ""
    lists, written = _lists(alert, sender=sender, cap_sender=cap_sender, private=scope == "Private")
    body: dict[str, JsonValue] = {"sender": cap_sender, **written}
    info = alert.all("info")
    more = [_info_more(block) for block in info]
    if any(more):
        body["info"] = list(more)
    if signatures:
        body["signature"] = list(signatures)
    return {
        "type": TYPE,
        **_members(alert, Alert.model_fields),
        "sender": sender,
        **lists,
        "code": list(alert.texts("code")),
        **_expires(alert),
        "handling": {"tlp": _TLP.get(scope, "RED"), "codes": [], "purpose": PURPOSE},
        "info": [_info(block) for block in info],
        "body": body,
    }


def locate(fault: Fault, alert: Node) -> Fault:
    """Return a fault of the native form as one of the CAP message that it was made from."""
    steps = fault.pointer.split("/")[1:]
    if steps[:1] == ["body"]:
        steps = steps[1:]
    node = alert
    while steps:
        children = node.all(steps[0])
        repeated = len(steps) > 1 and steps[1].isdecimal()
        position = int(steps[1]) if repeated else 0
        if steps[0] in _DRAWINGS:
            drawn = [index for index, _ in _DRAWINGS[steps[0]](node.texts(steps[0]))]
            position = drawn[position] if position < len(drawn) else 0
        if position >= len(children):
            break
        node = children[position]
        steps = steps[2 if repeated else 1 :]
    return node.fault(fault.code, fault.message)


def _lists(
    alert: Node, *, sender: ParticipantId, cap_sender: str, private: bool
) -> tuple[dict[str, JsonValue], dict[str, JsonValue]]:
    """Return the header's lists, and the texts of those that would not be written back as they were.

    Only in a Private message do ``addresses`` limit who receives it (CAP 1.2 section 3.2.1); ours always narrow.
    """
    texts = {name: alert.get(name) for name in ("addresses", "references", "incidents")}
    addresses = read_listed(texts["addresses"] or "") if private else ()
    references = read_cap_references(texts["references"] or "", sender=sender)
    incidents = read_listed(texts["incidents"] or "")
    again = {
        "addresses": write_listed(addresses) or None,
        "references": write_cap_references(references, participant=sender, cap_sender=cap_sender) or None,
        "incidents": write_listed(incidents) or None,
    }
    written: dict[str, JsonValue] = {name: text for name, text in texts.items() if text != again[name]}
    lists: dict[str, JsonValue] = {
        "addresses": list(addresses),
        "references": list(references),
        "incidents": list(incidents),
    }
    return lists, written


def _expires(alert: Node) -> dict[str, JsonValue]:
    ends = [block.get("expires") for block in alert.all("info")]
    known = [end for end in ends if end is not None]
    if not known or len(known) < len(ends):
        return {}
    last = max(known, key=instant)
    sent = alert.get("sent")
    return {"expires": last} if sent is not None and instant(last) >= instant(sent) else {}


def _info(block: Node) -> dict[str, JsonValue]:
    return {
        **_members(block, Info.model_fields),
        "category": list(block.texts("category")),
        "responseType": list(block.texts("responseType")),
        "area": [_area(area) for area in block.all("area")],
    }


def _area(area: Node) -> dict[str, JsonValue]:
    return {
        **_members(area, Area.model_fields),
        **{name: _drawn(area, name) for name in _DRAWINGS},
        "geocode": _pairs(area, "geocode"),
    }


def _info_more(block: Node) -> dict[str, JsonValue]:
    """Return what an info block says that the native one can't, empty where there is nothing."""
    more: dict[str, JsonValue] = {}
    for name in ("eventCode", "parameter"):
        if block.all(name):
            more[name] = _pairs(block, name)
    if block.all("resource"):
        more["resource"] = [_resource(resource) for resource in block.all("resource")]
    areas = [_area_as_written(area) for area in block.all("area")]
    if any(areas):
        more["area"] = list(areas)
    return more


def _area_as_written(area: Node) -> dict[str, JsonValue]:
    texts: dict[str, list[JsonValue]] = {name: list(area.texts(name)) for name in _DRAWINGS}
    return {name: texts[name] for name in _DRAWINGS if texts[name] != _drawn(area, name)}


def _drawn(area: Node, name: str) -> list[JsonValue]:
    return [text for _, text in _DRAWINGS[name](area.texts(name))]


def _resource(resource: Node) -> dict[str, JsonValue]:
    return {"mimeType": _UNKNOWN_TYPE_OF_FILE, **_members(resource, Resource.model_fields)}


def _pairs(node: Node, name: str) -> list[JsonValue]:
    return [_members(pair, NamedValue.model_fields) for pair in node.all(name)]


def _members(node: Node, names: Iterable[str]) -> dict[str, Any]:
    return {name: text for name in names if (text := node.get(name)) is not None}
