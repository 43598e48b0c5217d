"""The examples beside these tests, one valid and one invalid a type; whoever is in them is invented."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson

from schemas.alerts.catalogue import InvalidAlertError, parse_alert

Json = dict[str, Any]

EXAMPLES = Path(__file__).parent / "examples"


def example(name: str, kind: str = "valid") -> Json:
    """Read one example, such as ``law-enforcement.stolen-vehicle``."""
    document: Json = orjson.loads((EXAMPLES / f"{name}.{kind}.json").read_bytes())
    return document


def stolen_vehicle(**members: object) -> Json:
    """Return the stolen-vehicle example with some of its header's members replaced."""
    return {**example("law-enforcement.stolen-vehicle"), **members}


def faults_of(document: Any) -> dict[str, str]:  # noqa: ANN401 - anything may be sent
    """Return the codes of a document's faults by their pointers; empty where it is valid."""
    try:
        parse_alert(document)
    except InvalidAlertError as error:
        return {fault.pointer: fault.code for fault in error.faults}
    return {}


def edited(name: str, **edits: object) -> Json:
    """Return an example with members of its body replaced, by their places joined with ``__``; None takes one away."""
    document = example(name)
    for place, value in edits.items():
        holder: Any = document["body"]
        *steps, last = (int(step) if step.isdigit() else step for step in place.split("__"))
        for step in steps:
            holder = holder[step]
        if value is None:
            del holder[last]
        else:
            holder[last] = value
    return document
