"""What entries withhold, read as RFC 9901 says (section 4.2): nothing here is the exchange's own code."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from typing import Any


def told(shown: Mapping[str, Any]) -> dict[str, Any]:
    """Return an entry as it was shown with what is disclosed of it in place; every disclosure has its digest there."""
    entry: dict[str, Any] = json.loads(json.dumps(shown["entry"]))
    content = entry["content"]
    for text in shown["disclosures"]:
        _, name, value = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        places = [content, *(each for each in content.values() if isinstance(each, dict))]
        (place,) = [each for each in places if digest in each.get("_sd", ())]
        place["_sd"].remove(digest)
        place[name] = value
        if not place["_sd"]:
            del place["_sd"]
    return entry
