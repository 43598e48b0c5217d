"""Authority statements as a ministry writes them: who its agencies are, and which keys are no longer theirs."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import httpx2

from tests.acceptance.agency import Agencies, Agency
from tests.acceptance.independent import Document, Key, dumped, sealed

STATEMENTS: Final = "/v1/statements"
_NUMBERS: Final = itertools.count(1)
_RUN: Final = os.urandom(3).hex()


def instant(**from_now: float) -> str:
    """Return an instant in UTC that a ``timedelta`` of these members leads to from now."""
    return f"{datetime.now(tz=UTC) + timedelta(**from_now):%Y-%m-%dT%H:%M:%SZ}"


def new_participant(jurisdiction: str) -> str:
    """Return the id of an agency that no exchange has heard of."""
    return f"{jurisdiction.lower()}.t{_RUN}-{next(_NUMBERS)}"


def window(key: Key, *, begins: float = -1, ends: float = 24) -> Document:
    """Return a key's entry in a statement; hours from now."""
    return {"jwk": key.jwk, "from": instant(hours=begins), "until": instant(hours=ends)}


def participant_statement(participant: str, keys: Sequence[Document], **changes: Any) -> Document:  # noqa: ANN401 - any member
    """Return what an authority says of an agency that only sends, so that nobody else's recipients change."""
    return {
        "statement": "participant",
        "participant": participant,
        "jurisdiction": participant.partition(".")[0].upper(),
        "name": {"fr": "Agence d'essai", "en": "Test agency"},
        "roles": ["sender"],
        "sends": ["law-enforcement/*"],
        "keys": list(keys),
        "hosts": [],
        "from": instant(hours=-1),
        "until": instant(hours=24),
        **changes,
    }


def revocation(participant: str, kid: str, **changes: Any) -> Document:  # noqa: ANN401 - any member
    """Return what an authority says of a key that is no longer its agency's."""
    return {
        "statement": "key-revocation",
        "participant": participant,
        "kid": kid,
        "revoked_at": instant(),
        "reason": {"fr": "Clé perdue", "en": "Key lost"},
        **changes,
    }


def stated(authority: Key, statement: object, **header: Any) -> bytes:  # noqa: ANN401 - any member
    """Return a statement under an authority's signature; what the header should lack is given as None."""
    members = {"alg": authority.alg, "kid": authority.kid, "typ": "authority-statement+jws", "iat": int(time.time())}
    kept = {name: value for name, value in {**members, **header}.items() if value is not None}
    return sealed(kept, statement if isinstance(statement, bytes) else dumped(statement), authority)


def post_statement(agencies: Agencies, statement: bytes) -> httpx2.Response:
    """Hand a statement to the exchange; its signature is all that it needs."""
    return agencies.http.post(STATEMENTS, content=statement, headers={"Content-Type": "application/jose"})


def enrol(agencies: Agencies, jurisdiction: str, **changes: Any) -> Agency:  # noqa: ANN401 - any member
    """Register a new agency of a jurisdiction with two new keys, and return its system."""
    participant = new_participant(jurisdiction)
    keys = (Key.new(f"{participant}:1"), Key.new(f"{participant}:2", "ES256"))
    statement = participant_statement(participant, [window(key) for key in keys], **changes)
    answer = post_statement(agencies, stated(agencies.authority(jurisdiction), statement))
    assert answer.status_code == httpx2.codes.CREATED, answer.text
    return agencies.enrolled(participant, keys)


def revoke(agencies: Agencies, agency: Agency, key: Key) -> None:
    """Have an agency's authority take a key back."""
    jurisdiction = agency.participant.partition(".")[0].upper()
    answer = post_statement(agencies, stated(agencies.authority(jurisdiction), revocation(agency.participant, key.kid)))
    assert answer.status_code == httpx2.codes.CREATED, answer.text
