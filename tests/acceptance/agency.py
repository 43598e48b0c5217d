"""An agency's system: one participant's keys and its calls to an exchange, as the wire contract has them."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import httpx2

from lacolle.samples import World
from schemas.ids import JurisdictionCode, ParticipantId
from tests.acceptance.independent import Document, Key, dumped, sealed

JOSE: Final = {"Content-Type": "application/jose"}
ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ALERTS: Final = "/v1/alerts"
PREVIEW: Final = "/v1/alerts/preview"


@dataclass(frozen=True)
class Agency:
    """One participant. ``keys`` are its Ed25519 and its ES256 key; ``http`` is bound to the exchange's address."""

    participant: str
    keys: tuple[Key, Key]
    http: httpx2.Client
    issuer: str
    tokens: dict[tuple[str, str], str] = field(default_factory=dict, compare=False)

    @property
    def key(self) -> Key:
        """The key that it uses unless told otherwise."""
        return self.keys[0]

    def header(self, key: Key | None = None, *, typ: str = "alert+jws", signed_ago: float = 0) -> Document:
        """Return the protected header of a submission signed some seconds ago."""
        key = key or self.key
        return {"alg": key.alg, "kid": key.kid, "typ": typ, "iat": int(time.time() - signed_ago)}

    def sign(self, document: object, key: Key | None = None, *, typ: str = "alert+jws", signed_ago: float = 0) -> bytes:
        """Return a document as a compact JWS; bytes are signed as they stand."""
        payload = document if isinstance(document, bytes) else dumped(document)
        key = key or self.key
        return sealed(self.header(key, typ=typ, signed_ago=signed_ago), payload, key)

    def post(self, content: bytes, path: str = ALERTS, **headers: str) -> httpx2.Response:
        """Post a body as a JWS; header names are written with underscores."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.http.post(path, content=content, headers={**JOSE, **named})

    def submit(self, document: object) -> httpx2.Response:
        """Sign an alert and post it."""
        return self.post(self.sign(document))

    def send(self, document: object) -> Document:
        """Sign an alert, post it and return the 201's body."""
        answer = self.submit(document)
        assert answer.status_code == httpx2.codes.CREATED, answer.text
        return members(answer)

    def preview(self, document: object) -> httpx2.Response:
        """Ask what sending would lead to."""
        return self.post(self.sign(document), PREVIEW)

    def assertion(self, key: Key | None = None, *, typ: str | None = None, **claims: Any) -> bytes:  # noqa: ANN401 - a claim is any JSON
        """Return a client assertion (RFC 7523 section 3); claims replace what it would say, None leaves one out."""
        key, now = key or self.key, int(time.time())
        said = {
            "iss": self.participant,
            "sub": self.participant,
            "aud": self.issuer,
            "jti": secrets.token_hex(16),
            "iat": now,
            "exp": now + 60,
            **claims,
        }
        header = {"alg": key.alg, "kid": key.kid, **({} if typ is None else {"typ": typ})}
        return sealed(header, dumped({name: value for name, value in said.items() if value is not None}), key)

    def ask_token(self, assertion: bytes, *, scope: str = "alerts:read", **form: str) -> httpx2.Response:
        """Post a token request (RFC 6749 section 4.4.2)."""
        fields = {
            "grant_type": "client_credentials",
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": assertion.decode("ascii"),
            "scope": scope,
            **form,
        }
        return self.http.post("/oauth/token", data=fields)

    def token(self, scope: str = "alerts:read", key: Key | None = None) -> str:
        """Return an access token, the one of the last time where there is one."""
        key = key or self.key
        known = (scope, key.kid)
        if known not in self.tokens:
            answer = self.ask_token(self.assertion(key), scope=scope)
            assert answer.status_code == httpx2.codes.OK, answer.text
            self.tokens[known] = str(members(answer)["access_token"])
        return self.tokens[known]

    def get(self, path: str, *, scope: str = "alerts:read", **parameters: Any) -> httpx2.Response:  # noqa: ANN401 - any parameter
        """Read with a bearer token."""
        return self.http.get(path, params=parameters, headers={"Authorization": f"Bearer {self.token(scope)}"})

    def read(self, alert_id: str) -> Document:
        """Return what the exchange shows this agency of an alert."""
        answer = self.get(f"{ALERTS}/{alert_id}")
        assert answer.status_code == httpx2.codes.OK, answer.text
        return members(answer)

    def acknowledge(self, alert_id: str, delivery_id: str, **changes: Any) -> httpx2.Response:  # noqa: ANN401 - any member
        """Say with a signature what became of a delivery."""
        word = {
            "alert_id": alert_id,
            "delivery_id": delivery_id,
            "participant": self.participant,
            "status": "received",
            "at": utc_now(),
            **changes,
        }
        return self.post(self.sign(word, typ="acknowledgement+jws"), f"{ALERTS}/{alert_id}/acknowledgements")


@dataclass(frozen=True)
class Agencies:
    """Every participant of a world, and the jurisdictions' authorities, against one running exchange."""

    world: World
    http: httpx2.Client
    known: dict[str, Agency] = field(default_factory=dict, compare=False)

    def __getitem__(self, participant: str) -> Agency:
        """Return a participant's system, with its two keys."""
        if participant not in self.known:
            first, second = (Key.read(file) for file in self.world.members[ParticipantId(participant)].key_files)
            self.known[participant] = self.enrolled(participant, (first, second))
        return self.known[participant]

    def enrolled(self, participant: str, keys: tuple[Key, Key]) -> Agency:
        """Return the system of a participant that the world was not built with."""
        return Agency(participant, keys, self.http, self.world.base_url)

    def authority(self, jurisdiction: str) -> Key:
        """Return a jurisdiction's authority key."""
        return Key.of(self.world.authorities[JurisdictionCode(jurisdiction)].to_jwk())


def members(answer: httpx2.Response) -> Document:
    """Return the object that an answer's body is."""
    body = json.loads(answer.content)
    assert isinstance(body, dict)
    return body


def problem_of(answer: httpx2.Response, status: int) -> str:
    """Return the name of the problem that an answer is, which must have this status."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    return str(members(answer)["type"]).rpartition("/")[2]


def faults_of(answer: httpx2.Response) -> dict[str, str]:
    """Return what an invalid alert's answer says, by pointer."""
    assert problem_of(answer, 422) == "invalid-alert"
    errors = members(answer)["errors"]
    assert all(set(error) == {"pointer", "message"} and error["message"] for error in errors)
    return {error["pointer"]: error["message"] for error in errors}


def utc_now() -> str:
    """Return this instant in RFC 3339, UTC, with milliseconds."""
    return datetime.now(tz=UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def exchange_key(http: httpx2.Client, kid: str) -> Mapping[str, str]:
    """Return the exchange's public key of a name from its JWK set."""
    keys = members(http.get("/.well-known/jwks.json"))["keys"]
    return next(key for key in keys if key["kid"] == kid)
