"""How an alert is to be handled, as a row keeps it: without the caveat, which is in its sender's words.

It stays when the content is erased: whoever passes the alert on later is held to it all the same.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import orjson

from schemas.alerts.header import Alert


def handling_text(alert: Alert) -> str:
    """Return the text of a row."""
    return _text(alert.handling.tlp, alert.handling.codes, alert.handling.purpose)


def read_handling(text: str) -> dict[str, Any]:
    """Return what ``handling_text`` wrote: ``tlp``, ``codes`` and ``purpose``."""
    handling: dict[str, Any] = orjson.loads(text)
    return handling


@lru_cache(maxsize=1024)
def _text(tlp: str, codes: tuple[str, ...], purpose: str) -> str:
    return orjson.dumps({"tlp": tlp, "codes": list(codes), "purpose": purpose}).decode()
