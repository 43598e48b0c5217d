"""What the door itself answers: a status, a line that says why in both languages, and the end of the connection."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from lacolle.door.places import Reason

Fields = Iterable[tuple[bytes, bytes]]

_MALFORMED: Final = (
    "Requête HTTP mal formée, ou qui demande ce qui n'est pas offert ici. / "
    "HTTP request that is malformed, or asks for what is not offered here.\n"
)
_LATE: Final = "La requête n'est pas venue à temps. / The request did not come in time.\n"
_ANSWERS: Final[Mapping[Reason, tuple[int, str]]] = {
    Reason.FULL: (503, "Toutes les connexions sont prises. / All connections are taken.\n"),
    Reason.FULL_FOR_ADDRESS: (
        503,
        "Trop de connexions depuis votre adresse. / Too many connections from your address.\n",
    ),
    Reason.HEAD: (408, _LATE),
    Reason.BODY: (408, _LATE),
    Reason.MALFORMED: (400, _MALFORMED),
    Reason.HEAD_TOO_LONG: (431, "L'en-tête de la requête est trop long. / The head of the request is too long.\n"),
}


def refusal(reason: Reason, fields: Fields = ()) -> bytes:
    """Return a whole answer, after which the connection is to be closed.

    ``fields`` go before its own. Raises ``KeyError`` for a reason that is not answered.
    """
    status, why = _ANSWERS[reason]
    said = why.encode()
    own = (
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", str(len(said)).encode()),
        (b"connection", b"close"),
    )
    lines = [name + b": " + value + b"\r\n" for name, value in (*fields, *own)]
    return b"".join((STATUS_LINE[status], *lines, b"\r\n", said))
