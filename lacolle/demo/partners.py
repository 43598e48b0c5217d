"""Partners as real HTTPS servers: each checks who hands it an alert, keeps it, and acknowledges with its own signature.

A partner takes a message only when the exchange's transport key signed the request (RFC 9421), knows a message that
comes again by its Idempotency-Key, and, where it reads the native form, verifies its copy: the agency's own signature,
or the exchange's on a copy from which something is withheld, and the manifest that says what.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import structlog

from adapters.signatures import NonceMemory, RequestNotTrustedError, SentRequest, verify_request
from lacolle.certificates import IssuedCertificate
from lacolle.client import Client
from lacolle.client.forms import CopyNotTrustedError, Handed, VerifiedCopy, verify_copy
from lacolle.client.senders import Owner, SenderKeys, SenderUnknownError
from lacolle.door.server import http_server, tls_context
from lacolle.errors import LacolleError
from lacolle.samples import Member
from schemas.evidence import AcknowledgementStatus
from schemas.ids import AlertId, KeyId
from schemas.signing.keys import PublicKey

log = structlog.get_logger(__name__)

PATH: Final = "/alerts"
GRACE_SECONDS: Final = 2
BODY_LIMIT: Final = 8 * 1024 * 1024
_NO_CONTENT, _BAD_REQUEST, _FORBIDDEN, _NOT_FOUND, _TOO_LARGE = 204, 400, 403, 404, 413

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Taken:
    """A message that a partner took: which alert, in which form, its bytes, and what of it was verified.

    ``copy`` is None for a format that holds no signature.
    """

    alert_id: str
    content_type: str
    body: bytes
    copy: VerifiedCopy | None


@dataclass(slots=True)
class Inbox:
    """What a partner holds: its messages by delivery id, and how many requests it turned away."""

    taken: dict[str, Taken] = field(default_factory=dict)
    acknowledged: set[str] = field(default_factory=set)
    turned_away: int = 0


class MemberKeys:
    """The keys of a world's members, each its owner's at any time; see ``lacolle.client.senders.SenderKeys``."""

    def __init__(self, members: Iterable[Member]) -> None:
        self._owners: Mapping[KeyId, Owner] = {
            key.kid: (member.participant, key.public) for member in members for key in member.keys
        }

    def find(self, kid: KeyId, *, at: datetime) -> Owner | None:  # noqa: ARG002 - the demonstration ends before its keys do
        """Return whose a key is; None for nobody's."""
        return self._owners.get(kid)


class PartnerEndpoint:
    """One partner's server. It trusts the exchange's transport key, ``exchange``, and the keys of ``senders``."""

    def __init__(
        self,
        member: Member,
        *,
        bound: socket.socket,
        certificate: IssuedCertificate,
        exchange: PublicKey,
        senders: SenderKeys,
        client: Client,
    ) -> None:
        if member.endpoint is None:
            raise ValueError("a partner endpoint needs an address")
        self.member = member
        self.inbox = Inbox()
        self._url = member.endpoint
        self._bound = bound
        self._exchange: Mapping[KeyId, PublicKey] = {exchange.kid: exchange}
        self._senders = senders
        self._client = client
        self._nonces = NonceMemory()
        self._to_acknowledge: asyncio.Queue[str] = asyncio.Queue()
        self._server = http_server(self._app, tls=tls_context(certificate.chain, certificate.key), grace=GRACE_SECONDS)

    async def run(self) -> None:
        """Serve and acknowledge until cancelled."""
        acknowledging = asyncio.create_task(self._acknowledge())
        try:
            await self._server.serve(sockets=[self._bound])
        finally:
            acknowledging.cancel()
            with suppress(asyncio.CancelledError):
                await acknowledging

    def stop(self) -> None:
        """Let ``run`` return. Idempotent."""
        self._server.should_exit = True

    async def _app(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        status = await self._answer(scope, receive) if scope["type"] == "http" else _NOT_FOUND
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def _answer(self, scope: dict[str, Any], receive: Receive) -> int:
        if scope["method"] != "POST" or scope["path"] != PATH:
            return _NOT_FOUND
        body = await _body(receive)
        if body is None:
            return _TOO_LARGE
        fields = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"])
        try:
            request = SentRequest(method="POST", url=self._url, headers=fields, body=body)
            verify_request(request, keys=self._exchange.get, nonces=self._nonces, now=datetime.now(tz=UTC))
            return self._take(dict(fields), body)
        except (RequestNotTrustedError, CopyNotTrustedError, SenderUnknownError):
            self.inbox.turned_away += 1
            return _FORBIDDEN

    def _take(self, fields: Mapping[str, str], body: bytes) -> int:
        delivery_id, alert_id = fields.get("idempotency-key"), fields.get("ce-subject")
        content_type = fields.get("content-type", "")
        if delivery_id is None or alert_id is None:
            return _BAD_REQUEST
        manifest = fields.get("ce-manifest", "")
        copy = self._verified(Handed(delivery_id, AlertId(alert_id), content_type, body, manifest))
        if delivery_id not in self.inbox.taken:
            self.inbox.taken[delivery_id] = Taken(alert_id, content_type, body, copy)
            self._to_acknowledge.put_nowait(delivery_id)
        return _NO_CONTENT

    def _verified(self, handed: Handed) -> VerifiedCopy | None:
        """Return what a copy says, None for another format. Raises ``CopyNotTrustedError``, ``SenderUnknownError``."""
        if self.member.format != "native":
            return None
        return verify_copy(handed, senders=self._senders, exchange=lambda: self._exchange)

    async def _acknowledge(self) -> None:
        while True:
            delivery_id = await self._to_acknowledge.get()
            alert_id = self.inbox.taken[delivery_id].alert_id
            try:
                await asyncio.to_thread(self._client.acknowledge, alert_id, delivery_id, AcknowledgementStatus.RECEIVED)
            except LacolleError as error:
                log.warning("acknowledgement_failed", participant=self.member.participant, error=type(error).__name__)
            else:
                self.inbox.acknowledged.add(delivery_id)


async def _body(receive: Receive) -> bytes | None:
    chunks, size = [], 0
    while True:
        message = await receive()
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > BODY_LIMIT:
            return None
        chunks.append(chunk)
        if not message.get("more_body", False):
            return b"".join(chunks)
