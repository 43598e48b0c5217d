"""What CAP writes as one text and an alert as a list: addresses, incidents, references (CAP 1.2 section 3.2.1)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from pydantic import TypeAdapter, ValidationError

from schemas.alerts.fields import ListedName
from schemas.alerts.header import ReferenceText, read_references
from schemas.ids import ParticipantId

_NAME: Final = re.compile(r'"([^"]+)"|([^\s"]+)')
_LISTED: Final[TypeAdapter[str]] = TypeAdapter(ListedName)
_REFERENCE: Final[TypeAdapter[str]] = TypeAdapter(ReferenceText)


def read_listed(text: str) -> tuple[str, ...]:
    """Return the names of a list that spaces part, a name with a space in double quotes; unfit names are left out."""
    names = (quoted or plain for quoted, plain in _NAME.findall(text))
    return tuple(name for name in names if _accepts(_LISTED, name))


def write_listed(names: Iterable[str]) -> str:
    """Return names as CAP lists them."""
    return " ".join(f'"{name}"' if re.search(r"\s", name) else name for name in names)


def read_cap_references(text: str, *, sender: ParticipantId) -> tuple[str, ...]:
    """Return the alerts that a CAP ``references`` names, as alerts of the participant that hands the CAP message in.

    Here an alert is known by the participant that signed it, whatever its CAP ``sender`` was. What is not written
    ``sender,identifier,sent`` is left out.
    """
    found = []
    for token in text.split():
        _, comma, rest = token.partition(",")
        reference = f"{sender}{comma}{rest}"
        if _accepts(_REFERENCE, reference):
            found.append(reference)
    return tuple(found)


def write_cap_references(references: Iterable[str], *, participant: ParticipantId, cap_sender: str) -> str:
    """Return references as CAP writes them, with ``cap_sender`` for the participant's own alerts."""
    return " ".join(
        f"{cap_sender if name.sender == participant else name.sender},{name.identifier},{name.sent}"
        for name in read_references(references)
    )


def _accepts(adapter: TypeAdapter[str], text: str) -> bool:
    try:
        adapter.validate_python(text)
    except ValidationError:
        return False
    return True
