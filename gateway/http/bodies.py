"""Reading a request's body: its media type first, and never more of it than the limit."""

from __future__ import annotations

from starlette.types import Receive, Scope

from gateway.errors import BodyTooLargeError, InterruptedBodyError, MediaTypeError

_LONGEST_NUMBER = 18


async def read_body(scope: Scope, receive: Receive, *, media_type: str, limit: int) -> bytes:
    """Return the body, which must be ``media_type`` without any Content-Encoding and at most ``limit`` bytes.

    Raises ``MediaTypeError``, ``BodyTooLargeError``, and ``InterruptedBodyError`` where the client goes away; of a body
    that is too large, no more than the limit and one chunk is ever held.
    """
    _check_head(scope, media_type=media_type, limit=limit)
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise InterruptedBodyError
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > limit:
            raise BodyTooLargeError(limit)
        chunks.append(chunk)
        if not message.get("more_body", False):
            return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def _check_head(scope: Scope, *, media_type: str, limit: int) -> None:
    given, declared = b"", b""
    for name, value in scope["headers"]:
        if name == b"content-type":
            given = value
        elif name == b"content-length":
            declared = value
        elif name == b"content-encoding":
            raise MediaTypeError(media_type)
    if given.partition(b";")[0].strip().lower() != media_type.encode("ascii"):
        raise MediaTypeError(media_type)
    if declared.isdigit() and (len(declared) > _LONGEST_NUMBER or int(declared) > limit):
        raise BodyTooLargeError(limit)
