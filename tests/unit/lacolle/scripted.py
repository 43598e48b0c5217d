"""A clock that stands still, and an exchange on loopback that answers as a test tells it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import orjson

from lacolle.client.submissions import document_in
from lacolle.client.surroundings import Surroundings
from schemas.ids import KeyId
from schemas.signing.canonical import canonical_bytes
from schemas.signing.jws import RECEIPT, sign_compact
from schemas.signing.keys import SigningKey
from schemas.signing.strict_json import JsonValue

NOW = datetime(2026, 1, 17, 19, 5, 9, tzinfo=UTC)
ALERT_ID = "019bcd9f-1234-7abc-8def-0123456789ab"
DELIVERY_ID = "019bcd9f-5678-7abc-8def-0123456789ab"


@dataclass
class StillClock:
    """A machine whose time passes only while it sleeps, and whose randomness is all zeros."""

    slept: list[float] = field(default_factory=list)

    def surroundings(self) -> Surroundings:
        """Return the surroundings of a client on this machine."""
        return Surroundings(
            now=lambda: NOW + timedelta(seconds=sum(self.slept)),
            monotonic=lambda: sum(self.slept),
            sleep=self.slept.append,
            randomness=bytes,
        )


@dataclass(frozen=True)
class Answer:
    """What the scripted exchange answers once; status 0 is no answer at all, ``lines`` are JSON values one a line.

    ``content`` is a body that is no JSON.
    """

    status: int
    body: object = None
    headers: dict[str, str] = field(default_factory=dict)
    media_type: str = "application/json"
    lines: tuple[object, ...] = ()
    content: bytes = b""


@dataclass(frozen=True)
class Request:
    """What the scripted exchange was asked."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class ScriptedExchange:
    """A real HTTP server on loopback that answers each path's requests in turn, the last answer again and again."""

    url: str
    key: SigningKey
    script: dict[str, list[Answer | Callable[[Request], Answer]]] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)

    def answer(self, request: Request) -> Answer:
        """Return the next answer to a request, and keep the request."""
        self.requests.append(request)
        answers = self.script[request.path.partition("?")[0]]
        chosen = answers.pop(0) if len(answers) > 1 else answers[0]
        return chosen if isinstance(chosen, Answer) else chosen(request)

    def to(self, path: str) -> list[Request]:
        """Return the requests that a path received."""
        return [request for request in self.requests if request.path.partition("?")[0] == path]

    def accept(self, request: Request) -> Answer:
        """Answer a submission as an exchange that stores it."""
        return Answer(201, accepted_body(request.body, self.key))


def receipt_for(submission: bytes, key: SigningKey, **changes: JsonValue) -> str:
    """Return the receipt for a submission, with members changed."""
    alert = document_in(submission)
    claims = {
        "alert_id": ALERT_ID,
        "sender": alert["sender"],
        "identifier": alert["identifier"],
        "digest": f"sha-256:{hashlib.sha256(submission).hexdigest()}",
        "log_index": 42,
        "log_origin": "exchange.example/log",
        "received": "2026-01-17T19:05:09.250Z",
        **changes,
    }
    return sign_compact(canonical_bytes(claims), key=key, profile=RECEIPT).decode()


def accepted_body(submission: bytes, key: SigningKey, **changes: JsonValue) -> dict[str, JsonValue]:
    """Return what an exchange answers to a submission that it stores."""
    recipient: dict[str, JsonValue] = {
        "participant": "us-ny.nysp",
        "agreement": "ca-qc.us-ny.crime-2008/1",
        "clause": "3.1",
        "lane": "urgent",
    }
    return {
        "alert_id": ALERT_ID,
        "log_index": 42,
        "receipt": receipt_for(submission, key, **changes),
        "recipients": [recipient],
    }


@contextmanager
def scripted_exchange() -> Iterator[ScriptedExchange]:
    """Run an exchange on loopback, without TLS, that answers as the test says."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    receipts = SigningKey.generate(KeyId("exchange:receipts"), "Ed25519")
    scripted = ScriptedExchange(url=f"http://127.0.0.1:{server.server_port}", key=receipts)
    scripted.script["/.well-known/jwks.json"] = [Answer(200, {"keys": [{**receipts.public.jwk, "use": "sig"}]})]
    scripted.script["/v1/alerts"] = [scripted.accept]
    server.scripted = scripted  # type: ignore[attr-defined]  # how a handler reaches its script
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield scripted
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self._respond()

    def do_POST(self) -> None:
        self._respond()

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _respond(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        headers = {name.lower(): value for name, value in self.headers.items()}
        answer = self.server.scripted.answer(  # type: ignore[attr-defined]  # set by the fixture
            Request(self.command, self.path, headers, body)
        )
        if not answer.status:
            self.close_connection = True
            return
        content = answer.content or b"\n".join(map(orjson.dumps, answer.lines or (answer.body,)))
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Type", answer.media_type)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
