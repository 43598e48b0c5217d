"""JSON as an answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import orjson
from starlette.responses import Response

JSON: Final = "application/json"


def json_answer(document: Any, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:  # noqa: ANN401 - whatever JSON can hold
    """Return a document as a JSON answer."""
    return Response(orjson.dumps(document), status_code=status, media_type=JSON, headers=headers)
