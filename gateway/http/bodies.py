"""Reading a request's body: its media type first, and never more of it than the limit."""

from __future__ import annotations

from fastapi import Request

from gateway.errors import BodyTooLargeError, MediaTypeError


async def read_body(request: Request, *, media_type: str, limit: int) -> bytes:
    """Return the body, which must be ``media_type`` without any Content-Encoding and at most ``limit`` bytes.

    Raises ``MediaTypeError`` and ``BodyTooLargeError``; of a body that is too large, no more than the limit and one
    chunk is ever held.
    """
    given = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if given != media_type or request.headers.get("content-encoding") is not None:
        raise MediaTypeError(media_type)
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > limit:
        raise BodyTooLargeError(limit)
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit:
            raise BodyTooLargeError(limit)
        chunks.append(chunk)
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)
