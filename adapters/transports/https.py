"""Handing over by HTTPS: one signed POST per message (WIRE "Handing to a partner over HTTPS").

The request carries the message's bytes, ``Idempotency-Key`` with the delivery id, the CloudEvents attributes a
partner needs to acknowledge (CloudEvents HTTP binding, binary mode), the trace context (W3C Trace Context) and a
signature (``adapters.signatures``). That signature covers no attribute; ``ce-manifest``, which says what an SD-JWT
lacks, is itself signed and names the digest of the body.

=====================================================  ============================================
what the partner or the network does                   outcome
=====================================================  ============================================
2xx                                                    Delivered, whatever follows the status line
408, 425, 429, 5xx                                     Deferred, with its Retry-After
any other status, a redirect too                       Refused; nothing is followed
no answer: name, connection, TLS, protocol, time out   Deferred
a host or address that the statement does not allow    Refused, and nothing was sent
=====================================================  ============================================

Each message has the name resolved, or an answer of the last second, and its connection goes to an address that was
checked, under the name for SNI, Host and the certificate. Connections are kept (``adapters.transports.pool``), and one
is used only where its address is among those that were checked for this message. No cookie is kept, no proxy of the
environment used.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from urllib.parse import quote

import httpx2

from adapters.contract import Message
from adapters.signatures import RequestSigner
from adapters.transports.addresses import (
    Address,
    AddressNotAllowedError,
    AllowList,
    Remembering,
    Resolver,
    resolve,
)
from adapters.transports.http11 import Answer, BrokenConnectionError, Connection
from adapters.transports.pool import IDLE_SECONDS, NoConnectionError, Pool
from adapters.transports.retry_after import seconds_to_wait
from bus.events import parcel_attributes
from schemas.parcels import Deferred, Delivered, Outcome, Refused
from schemas.signing.base64url import encode
from schemas.signing.keys import SigningKey

ATTRIBUTES: Final = (
    "specversion",
    "id",
    "source",
    "type",
    "subject",
    "time",
    "dataschema",
    "sender",
    "agreement",
    "deadline",
    "exercise",
    "manifest",
)
"""The attributes that travel as ``ce-…``; of them schema and manifest are the message's: they depend on the format."""

_PLAIN: Final = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) not in '"%')
_ALL_PLAIN: Final = re.compile(f"[{re.escape(_PLAIN)}]*")
_FIELD: Final = re.compile(r"[\x20-\x7e]+")
_DEFERRED: Final = frozenset({408, 425, 429})
_NONCE_BYTES: Final = 16
_ADDRESSES_TRIED: Final = 4
_HTTPS_PORT: Final = 443


@dataclass(frozen=True, slots=True)
class Exchange:
    """What all HTTPS requests of one exchange share.

    ``origin`` names it in ``ce-source``; ``key`` signs; ``tls`` must verify certificates and names; ``now`` is the
    clock, in UTC; ``randomness`` returns as many random bytes as it is asked for.
    """

    origin: str
    key: SigningKey
    tls: ssl.SSLContext
    now: Callable[[], datetime]
    randomness: Callable[[int], bytes]
    resolve: Resolver = field(default_factory=lambda: Remembering(resolve))

    def __post_init__(self) -> None:
        """Refuse a context that would take anybody for the partner."""
        self.tls.set_alpn_protocols(["http/1.1"])
        if self.tls.verify_mode is not ssl.CERT_REQUIRED or not self.tls.check_hostname:
            raise ValueError("the TLS context must verify the partner's certificate and name")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a partner takes messages: an ``https`` URL, and the seconds that one request may take.

    ``allowed`` is asked for each message: it returns the hosts of the authority statement that stands then. A
    connection is kept for ``idle`` seconds without a message.
    """

    url: str
    allowed: Callable[[], AllowList]
    timeout: float
    idle: float = IDLE_SECONDS


class _NoAnswerError(Exception):
    """The partner did not answer; ``detail`` is the outcome's."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class HttpsTransport:
    """See ``adapters.contract.Transport``; a partner recognises a message that comes again by its delivery id."""

    def __init__(self, endpoint: Endpoint, exchange: Exchange) -> None:
        url = httpx2.URL(endpoint.url)
        self._host = url.raw_host.decode()
        self._port = url.port or _HTTPS_PORT
        self._allowed = endpoint.allowed
        self._timeout = endpoint.timeout
        self._exchange = exchange
        self._signer = RequestSigner("POST", str(url), key=exchange.key)
        self._head = f"POST {url.raw_path.decode()} HTTP/1.1\r\nHost: {url.netloc.decode()}\r\nUser-Agent: lacolle\r\n"
        self._pool = Pool(host=self._host, port=self._port, tls=exchange.tls, idle=endpoint.idle)

    async def deliver(self, message: Message) -> Outcome:
        """POST the message and return what the partner's status, or its absence, means."""
        try:
            async with asyncio.timeout(self._timeout):
                answer = await self._answer_to(message)
        except AddressNotAllowedError:
            return Refused("address not allowed")
        except _NoAnswerError as error:
            return Deferred(error.detail)
        except TimeoutError:
            return Deferred("timed out")
        return outcome_of(answer.status, answer.retry_after, now=self._exchange.now())

    async def close(self) -> None:
        """Close every connection."""
        await self._pool.close()

    async def _answer_to(self, message: Message) -> Answer:
        request = self._request(message)  # before a connection is taken, which what this raises would lose
        connection = await self._connection(await self._addresses())
        try:
            return await connection.ask(request)
        except BrokenConnectionError:
            raise _NoAnswerError("no answer") from None

    async def _addresses(self) -> tuple[Address, ...]:
        try:
            found = await self._allowed().addresses_of(self._host, self._port, resolve=self._exchange.resolve)
        except OSError:
            raise _NoAnswerError("name not resolved") from None
        return found[:_ADDRESSES_TRIED]

    async def _connection(self, addresses: tuple[Address, ...]) -> Connection:
        """Return a connection to one of these addresses: a kept one, or else a new one to the first that opens."""
        for address in addresses:
            if (kept := self._pool.idle(address)) is not None:
                return kept
        # Every address gets its share of the time, so that one that swallows packets doesn't use up all of it.
        share = self._timeout / (len(addresses) + 1)
        detail = "name not resolved"
        for address in addresses:
            # Nothing was sent yet, so the next address is not a second try at the message.
            try:
                async with asyncio.timeout(share):
                    return await self._pool.open(address)
            except NoConnectionError as error:
                detail = str(error)
            except TimeoutError:
                detail = "connection failed"
        raise _NoAnswerError(detail)

    def _request(self, message: Message) -> bytes:
        attributes = {
            **parcel_attributes(message.parcel, origin=self._exchange.origin),
            "dataschema": message.data_schema,
            "manifest": message.manifest,
        }
        fields = {
            "Content-Type": message.content_type,
            "Content-Length": str(len(message.body)),
            "Idempotency-Key": message.parcel.delivery_id,
            **{f"ce-{name}": percent_encoded(attributes[name]) for name in ATTRIBUTES if attributes.get(name)},
            **({"traceparent": message.parcel.traceparent} if message.parcel.traceparent else {}),
            **self._signer.sign(
                message.body,
                created=self._exchange.now(),
                nonce=encode(self._exchange.randomness(_NONCE_BYTES)).decode(),
            ),
        }
        # A record's text could hold what ends a field and begins another (RFC 9110 section 5.5).
        if not all(map(_FIELD.fullmatch, fields.values())):
            raise ValueError("a field's value is not printable ASCII")
        lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        return f"{self._head}{lines}\r\n".encode("ascii") + message.body


def outcome_of(status: int, retry_after: str | None, *, now: datetime) -> Outcome:
    """Return what a partner's answer means for the parcel."""
    detail = f"http {status}"
    if 200 <= status <= 299:  # noqa: PLR2004 - the class of success (RFC 9110 section 15.3)
        return Delivered(detail)
    if status in _DEFERRED or 500 <= status <= 599:  # noqa: PLR2004 - and of server errors (section 15.6)
        return Deferred(detail, seconds_to_wait(retry_after, now=now))
    return Refused(detail)


def percent_encoded(value: str) -> str:
    """Return an attribute's value as a field value (CloudEvents HTTP binding, section 3.1.3.2)."""
    return value if _ALL_PLAIN.fullmatch(value) else quote(value, safe=_PLAIN)
