"""A partner's endpoint: a real HTTPS server that keeps what it is sent and answers as a test tells it."""

from __future__ import annotations

import base64
import hashlib
import re
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from lacolle.certificates import IssuedCertificate
from tests.acceptance.conftest import free_port
from tests.acceptance.independent import is_signed
from tests.patience import PATIENCE

PATH = "/alerts"
ACCEPTED = 204


@dataclass(frozen=True)
class Handed:
    """One request as it came; header names are in lower case, ``at`` is the monotonic clock's."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    at: float = field(default_factory=time.monotonic)

    @property
    def delivery_id(self) -> str:
        """The name that the same delivery has every time it comes."""
        return self.headers["idempotency-key"]

    @property
    def alert_id(self) -> str:
        """Which alert it is, by CloudEvents' subject."""
        return self.headers["ce-subject"]


@dataclass(frozen=True)
class Answer:
    """What the partner says to a request."""

    status: int = ACCEPTED
    headers: Mapping[str, str] = field(default_factory=dict)


class Partner:
    """A partner on a port of its own, which it keeps while it is down. ``respond`` decides each answer."""

    def __init__(self, certificate: IssuedCertificate, host: str = "127.0.0.1") -> None:
        self.requests: list[Handed] = []
        self.respond: Callable[[Handed], Answer] = lambda _: Answer()
        self._port = free_port()
        self._host = host
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.load_cert_chain(certificate.chain, certificate.key)
        self._server: ThreadingHTTPServer | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """The address that the partner gives out."""
        return f"https://{self._host}:{self._port}{PATH}"

    def start(self) -> None:
        """Answer from now on."""
        server = _Server((self._host, self._port), _handler_of(self), self._tls)
        self._server, self._thread = server, threading.Thread(target=server.serve_forever, args=(0.02,))
        self._thread.start()

    def stop(self) -> None:
        """Be down: connections are refused."""
        if self._server is not None and self._thread is not None:
            self._server.shutdown()
            self._thread.join()
            self._server.server_close()
            self._server = None

    def handed(self, alert_id: str) -> list[Handed]:
        """Return the requests that handed over an alert."""
        return [request for request in self.requests if request.alert_id == alert_id]

    def wait_for(self, alert_id: str, *, count: int = 1, within: float = 10.0) -> list[Handed]:
        """Return the requests that handed over an alert, once there are so many; fail where they do not come."""
        until = time.monotonic() + within * PATIENCE
        while len(found := self.handed(alert_id)) < count:
            assert time.monotonic() < until, f"{len(found)} of {count} requests within {within} s"
            time.sleep(0.01)
        return found


class _Server(ThreadingHTTPServer):
    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler], tls: ssl.SSLContext) -> None:
        self.request_queue_size = 64
        super().__init__(address, handler)
        self._tls = tls
        self._handler = handler

    def finish_request(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - socketserver's own
        """Shake hands in the connection's own thread, and end it where that fails."""
        request.settimeout(10.0)
        try:
            with self._tls.wrap_socket(request, server_side=True) as secured:
                self._handler(secured, client_address, self)
        except OSError:  # a caller that does not trust this server, or went away
            return


def _handler_of(partner: Partner) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers.get("content-length", "0"))
            headers = {name.lower(): value for name, value in self.headers.items()}
            request = Handed(self.command, self.path, headers, self.rfile.read(length))
            partner.requests.append(request)
            answer = partner.respond(request)
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    return Handler


_MEMBER = re.compile(r"^(?P<label>[a-z*][a-z0-9_.*-]*)=(?P<value>\((?P<items>[^)]*)\)(?P<parameters>.*))$")


@dataclass(frozen=True)
class MessageSignature:
    """What a signature of RFC 9421 covers, and its parameters."""

    components: tuple[str, ...]
    parameters: Mapping[str, str]


def verify_message(request: Handed, *, authority: str, keys: Mapping[str, Mapping[str, str]]) -> MessageSignature:
    """Verify a request's one signature (RFC 9421 section 3.2) and return what it covers."""
    found = _MEMBER.fullmatch(request.headers["signature-input"])
    assert found is not None
    components = tuple(re.findall(r'"([^"]+)"', found["items"]))
    derived = {"@method": request.method, "@authority": authority, "@path": request.path}
    lines = [f'"{name}": {derived[name] if name in derived else request.headers[name]}' for name in components]
    base = "\n".join([*lines, f'"@signature-params": {found["value"]}'])
    parameters = {
        name: (quoted or plain)
        for name, quoted, plain in re.findall(r';([a-z]+)=(?:"([^"]*)"|([0-9]+))', found["parameters"])
    }
    label, _, signature = request.headers["signature"].partition("=")
    assert label == found["label"]
    assert is_signed(base.encode(), base64.b64decode(signature.strip(":"), validate=True), keys[parameters["keyid"]])
    return MessageSignature(components, parameters)


def digest_of(body: bytes) -> str:
    """Return the Content-Digest of a body (RFC 9530 section 2)."""
    return f"sha-256=:{base64.b64encode(hashlib.sha256(body).digest()).decode()}:"
