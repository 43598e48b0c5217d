"""Reading from an exchange with an access token."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import IO, TypeVar

import httpx2
from pydantic import BaseModel

from lacolle.client.answers import read_answer
from lacolle.client.calls import Call, Caller
from lacolle.client.tokens import Tokens
from lacolle.errors import ProblemError

A = TypeVar("A", bound=BaseModel)


class BearerReader:
    """Reads as one participant, within one scope."""

    def __init__(self, caller: Caller, tokens: Tokens) -> None:
        self._caller = caller
        self._tokens = tokens

    def read(
        self, path: str, model: type[A], *, parameters: Mapping[str, str], headers: Mapping[str, bytes] | None = None
    ) -> A:
        """Return what a GET answers. Raises what every call raises."""
        return read_answer(self._answer(Call("GET", path, headers=headers or {}, parameters=parameters)), model)

    def save(
        self, path: str, into: IO[bytes], *, parameters: Mapping[str, str], headers: Mapping[str, bytes] | None = None
    ) -> None:
        """Write what a GET answers to a file that was just opened. Raises what every call raises."""
        self._answer(Call("GET", path, headers=headers or {}, parameters=parameters), into)

    def fetch(self, path: str, *, headers: Mapping[str, bytes]) -> bytes:
        """Return the bytes that a GET answers. Raises what every call raises."""
        return self._answer(Call("GET", path, headers=headers)).content

    def post(
        self, path: str, model: type[A], *, parameters: Mapping[str, str], headers: Mapping[str, bytes], content: bytes
    ) -> A:
        """Return what a POST answers. Raises what every call raises."""
        call = Call("POST", path, headers=headers, parameters=parameters, content=content)
        return read_answer(self._answer(call), model)

    def _answer(self, call: Call, into: IO[bytes] | None = None) -> httpx2.Response:
        token = self._tokens.token()
        try:
            return self._answer_with(token, call, into)
        except ProblemError as error:
            if error.name != "token-refused":
                raise
        # the exchange may have been restarted with another key since it gave the token
        self._tokens.forget(token)
        return self._answer_with(self._tokens.token(), call, into)

    def _answer_with(self, token: str, call: Call, into: IO[bytes] | None) -> httpx2.Response:
        bearing = replace(call, headers={**call.headers, "Authorization": f"Bearer {token}"})
        return self._caller.answer(lambda: bearing, into=into)
