"""What the door itself answers: an RFC 9457 problem in both languages, and the end of the connection.

Nothing was read yet that says which language is wanted, so titles and details are in both. All of an answer but its
``instance`` is put together once, for whoever floods the door must not make it work.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import orjson
from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from lacolle.door.places import Reason
from schemas.bilingual import Bilingual

Fields = Iterable[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class _Kind:
    """One type of problem: the last part of its ``type``, which never changes, its status and its title."""

    name: str
    status: int
    title: Bilingual
    retry_after: int | None = None
    """In seconds."""


_NO_PLACE: Final = _Kind(
    "too-many-connections", 503, Bilingual(fr="Trop de connexions", en="Too many connections"), retry_after=5
)
_LATE: Final = _Kind(
    "request-timeout",
    408,
    Bilingual(fr="La requête n'est pas venue à temps", en="The request did not come in time"),
)
_MALFORMED: Final = _Kind(
    "malformed-request",
    400,
    Bilingual(fr="La requête HTTP n'est pas recevable", en="The HTTP request can't be taken"),
)
_TOO_LONG: Final = _Kind(
    "head-too-long",
    431,
    Bilingual(fr="L'en-tête de la requête est trop long", en="The head of the request is too long"),
)
_ANSWERS: Final[Mapping[Reason, tuple[_Kind, Bilingual]]] = {
    Reason.FULL: (
        _NO_PLACE,
        Bilingual(
            fr="toutes les connexions de la plateforme sont prises", en="all connections of the exchange are taken"
        ),
    ),
    Reason.FULL_FOR_ADDRESS: (
        _NO_PLACE,
        Bilingual(
            fr="trop de connexions sont ouvertes depuis votre adresse",
            en="too many connections are open from your address",
        ),
    ),
    Reason.HEAD: (
        _LATE,
        Bilingual(fr="la fin de l'en-tête n'est pas venue à temps", en="the end of the head did not come in time"),
    ),
    Reason.BODY: (
        _LATE,
        Bilingual(fr="la fin du corps n'est pas venue à temps", en="the end of the body did not come in time"),
    ),
    Reason.MALFORMED: (
        _MALFORMED,
        Bilingual(
            fr="la requête est mal formée, ou demande ce qui n'est pas offert ici",
            en="the request is malformed, or asks for what is not offered here",
        ),
    ),
    Reason.HEAD_TOO_LONG: (
        _TOO_LONG,
        Bilingual(
            fr="l'en-tête a trop d'octets ou trop de champs pour être lu",
            en="the head has too many bytes or too many fields to be read",
        ),
    ),
}
_INSTANCE: Final = str(uuid.UUID(int=0))
"""Stands where an answer's own id goes, which is as long."""


class Refusals:
    """The door's answers; ``problem_base`` is what every problem's ``type`` begins with."""

    __slots__ = ("_made",)

    def __init__(self, problem_base: str) -> None:
        self._made = {reason: _answer(problem_base, *answer) for reason, answer in _ANSWERS.items()}

    def answer(self, reason: Reason, fields: Fields = ()) -> bytes:
        """Return a whole answer, after which the connection is to be closed.

        ``fields`` go before its own. Raises ``KeyError`` for a reason that is not answered.
        """
        status_line, own, said = self._made[reason]
        instance = str(uuid.uuid4()).encode("ascii")
        given = b"".join(name + b": " + value + b"\r\n" for name, value in fields)
        return b"".join((status_line, given, instance.join(own), b"\r\n", instance.join(said)))


def _answer(problem_base: str, kind: _Kind, detail: Bilingual) -> tuple[bytes, list[bytes], list[bytes]]:
    """Return an answer's status line, fields and content; the last two in the parts that its id goes between."""
    said = orjson.dumps(
        {
            "type": f"{problem_base}/{kind.name}",
            "title": _both(kind.title),
            "status": kind.status,
            "instance": _INSTANCE,
            "detail": _both(detail),
        }
    )
    fields = {
        "content-type": "application/problem+json",
        "content-language": "fr, en",
        "content-length": str(len(said)),
        "x-request-id": _INSTANCE,
        **({} if kind.retry_after is None else {"retry-after": str(kind.retry_after)}),
        "connection": "close",
    }
    own = "".join(f"{name}: {value}\r\n" for name, value in fields.items()).encode("ascii")
    instance = _INSTANCE.encode("ascii")
    return STATUS_LINE[kind.status], own.split(instance), said.split(instance)


def _both(text: Bilingual) -> str:
    return f"{text.fr} / {text.en}"
