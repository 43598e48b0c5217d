# ruff: noqa: N815 - CAP 1.2 gives its members their names
"""Files that come with an alert: a photograph, a recording, a map (CAP 1.2 section 3.2.3)."""

from __future__ import annotations

from schemas.alerts.fields import Content, Integer, Line, Part, Uri, Words


class Resource(Part):
    """A file, by address or in base64; ``size`` in bytes, ``digest`` the SHA-1 of the content in hexadecimal."""

    resourceDesc: Words
    mimeType: Line
    size: Integer | None = None
    uri: Uri | None = None
    derefUri: Content | None = None
    digest: Line | None = None
