"""Reading from an exchange with an access token."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

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
        token = self._tokens.token()
        try:
            return self._read(path, model, parameters, headers or {}, token)
        except ProblemError as error:
            if error.name != "token-refused":
                raise
        # the exchange may have been restarted with another key since it gave the token
        self._tokens.forget(token)
        return self._read(path, model, parameters, headers or {}, self._tokens.token())

    def fetch(self, path: str, *, headers: Mapping[str, bytes]) -> bytes:
        """Return the bytes that a GET answers. Raises what every call raises."""
        token = self._tokens.token()
        try:
            return self._fetched(path, headers, token)
        except ProblemError as error:
            if error.name != "token-refused":
                raise
        self._tokens.forget(token)
        return self._fetched(path, headers, self._tokens.token())

    def _fetched(self, path: str, headers: Mapping[str, bytes], token: str) -> bytes:
        sent = {**headers, "Authorization": f"Bearer {token}".encode("ascii")}
        call = Call("GET", path, headers=sent)
        return self._caller.answer(lambda: call).content

    def _read(
        self, path: str, model: type[A], parameters: Mapping[str, str], headers: Mapping[str, bytes], token: str
    ) -> A:
        sent = {**headers, "Authorization": f"Bearer {token}".encode("ascii")}
        call = Call("GET", path, headers=sent, parameters=parameters)
        return read_answer(self._caller.answer(lambda: call), model)
