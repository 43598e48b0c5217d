"""HTTP/1.1 for requests whose head has an end."""

from __future__ import annotations

from typing import Final

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

HEAD_LIMIT: Final = 64 * 1024
"""How much of a request may come without its header's end, or any of its body, in bytes; one read more is possible."""


class BoundedHead(HttpToolsProtocol):
    """HTTP/1.1 for requests whose address, header fields and trailer fields have an end.

    The parser keeps what it has read of them for as long as more of them comes, and has no limit of its own. Beyond
    ``HEAD_LIMIT`` the answer is 431 (RFC 6585 section 5) and the connection ends.
    """

    _kept = 0
    _asked = False

    def data_received(self, data: bytes) -> None:
        """Read on, and end what has become too long."""
        self._kept += len(data)
        super().data_received(data)
        if self._kept > HEAD_LIMIT and not self.transport.is_closing():
            self.refuse(431)

    def refuse(self, status: int) -> None:
        """Answer with a status alone where nothing else is being answered, and end the connection."""
        if not self._asked or self.cycle.response_complete:
            self.transport.write(STATUS_LINE[status] + b"content-length: 0\r\nconnection: close\r\n\r\n")
        self.transport.close()

    def on_headers_complete(self) -> None:
        """Begin to count anew: the application has the header."""
        self._kept, self._asked = 0, True
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Begin to count anew: the application bounds bodies itself."""
        self._kept = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Begin to count anew: the next request is another."""
        self._kept = 0
        super().on_message_complete()
