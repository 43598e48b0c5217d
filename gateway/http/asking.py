"""What every question to the log comes with: filters in the query, and a header that says why it is asked."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from typing import Annotated, Any, Final, TypeAlias

from fastapi import Depends, Query, Request

from gateway.errors import JustificationRequiredError

LONGEST_JUSTIFICATION: Final = 500
JUSTIFICATION: Final[dict[str, Any]] = {
    "parameters": [
        {
            "name": "Justification",
            "in": "header",
            "required": True,
            "description": "Why this is asked, in UTF-8; it becomes part of the log, and those who are shown read it",
            "schema": {"type": "string", "minLength": 1, "maxLength": LONGEST_JUSTIFICATION},
        }
    ]
}
"""What the OpenAPI document says of the header."""
_Filter = Annotated[str, Query(max_length=256)]


def _filters(  # noqa: PLR0917 - a query's parameters have names
    kind: _Filter = "",
    jurisdiction: _Filter = "",
    participant: _Filter = "",
    agreement: _Filter = "",
    clause: _Filter = "",
    alert_id: _Filter = "",
    alert_type: Annotated[str, Query(alias="type", max_length=256)] = "",
    to: _Filter = "",
    text: _Filter = "",
    since: Annotated[str, Query(alias="from", max_length=40, description="RFC 3339, inclusive")] = "",
    until: Annotated[str, Query(max_length=40, description="RFC 3339, exclusive")] = "",
) -> Mapping[str, str]:
    return {
        "kind": kind,
        "jurisdiction": jurisdiction,
        "participant": participant,
        "agreement": agreement,
        "clause": clause,
        "alert_id": alert_id,
        "type": alert_type,
        "to": to,
        "text": text,
        "from": since,
        "until": until,
    }


Filters: TypeAlias = Annotated[Mapping[str, str], Depends(_filters)]
"""What an entry must have, by the names of the query; empty where nothing is asked."""


def justification_of(request: Request) -> str:
    """Return why this is asked. Raises ``JustificationRequiredError`` for nothing, too much, or what can't be read."""
    given = [value for name, value in request.scope["headers"] if name == b"justification"]
    try:
        (said,) = given
        text = unicodedata.normalize("NFC", said.decode("utf-8")).strip()
    except ValueError:
        raise JustificationRequiredError(LONGEST_JUSTIFICATION) from None
    if not 0 < len(text) <= LONGEST_JUSTIFICATION or not text.isprintable():
        raise JustificationRequiredError(LONGEST_JUSTIFICATION)
    return text
