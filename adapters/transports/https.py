"""Handing over by HTTPS: one signed POST per message (WIRE "Handing to a partner over HTTPS").

The request carries the message's bytes, ``Idempotency-Key`` with the delivery id, the CloudEvents attributes a
partner needs to acknowledge (CloudEvents HTTP binding, binary mode), the trace context (W3C Trace Context) and a
signature (``adapters.signatures``).

=====================================================  ============================================
what the partner or the network does                   outcome
=====================================================  ============================================
2xx                                                    Delivered, whatever follows the status line
408, 425, 429, 5xx                                     Deferred, with its Retry-After
any other status, a redirect too                       Refused; nothing is followed
no answer: name, connection, TLS, protocol, time out   Deferred
a host or address that the statement does not allow    Refused, and nothing was sent
=====================================================  ============================================

The name is resolved once for each message and the connection goes to an address that was checked, under the name for
SNI, Host and the certificate. No cookie is kept, no proxy of the environment used, no answer's body read further than
to keep the connection.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from urllib.parse import quote

import httpx2

from adapters.contract import Message
from adapters.signatures import SentRequest, sign_request
from adapters.transports.addresses import Address, AddressNotAllowedError, AllowList, Resolver, resolve
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
    "sender",
    "agreement",
    "deadline",
    "exercise",
)
"""The attributes that travel as ``ce-…``. The schema is not among them: it describes the native body alone."""

_PLAIN: Final = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) not in '"%')
_DEFERRED: Final = frozenset({408, 425, 429})
_NONCE_BYTES: Final = 16
_ANSWER_LIMIT: Final = 65_536
_ANSWER_SECONDS: Final = 1.0
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
    resolve: Resolver = resolve

    def __post_init__(self) -> None:
        """Refuse a context that would take anybody for the partner."""
        if self.tls.verify_mode is not ssl.CERT_REQUIRED or not self.tls.check_hostname:
            raise ValueError("the TLS context must verify the partner's certificate and name")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a partner takes messages: an ``https`` URL, the statement's hosts, and the seconds one request may take."""

    url: str
    allowed: AllowList
    timeout: float


class _NoAnswerError(Exception):
    """The partner did not answer; ``detail`` is the outcome's."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class HttpsTransport:
    """See ``adapters.contract.Transport``; a partner recognises a message that comes again by its delivery id."""

    def __init__(self, endpoint: Endpoint, exchange: Exchange) -> None:
        self._url = httpx2.URL(endpoint.url)
        self._host = self._url.raw_host.decode()
        self._allowed = endpoint.allowed
        self._timeout = endpoint.timeout
        self._exchange = exchange
        # Below the client, where there are no cookies, redirects, credentials or decoded bodies to switch off.
        self._http = httpx2.AsyncHTTPTransport(verify=exchange.tls, trust_env=False, limits=httpx2.Limits())

    async def deliver(self, message: Message) -> Outcome:
        """POST the message and return what the partner's status, or its absence, means."""
        try:
            async with asyncio.timeout(self._timeout):
                response = await self._answer_to(message)
        except AddressNotAllowedError:
            return Refused("address not allowed")
        except _NoAnswerError as error:
            return Deferred(error.detail)
        except TimeoutError:
            return Deferred("timed out")
        outcome = outcome_of(response.status_code, response.headers.get("Retry-After"), now=self._exchange.now())
        await _let_go(response)
        return outcome

    async def close(self) -> None:
        """Close the idle connections."""
        await self._http.aclose()

    async def _answer_to(self, message: Message) -> httpx2.Response:
        addresses = await self._addresses()
        headers = self._headers(message)
        # Every address gets its share of the time, so that one that swallows packets doesn't use up all of it.
        share = self._timeout / (len(addresses) + 1)
        detail = "name not resolved"
        for address in addresses:
            try:
                return await self._post(address, headers, message.body, connect_seconds=share)
            except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
                # Nothing was sent yet, so the next address is not a second try at the message.
                detail = "tls" if _is_tls(error) else "connection failed"
            except httpx2.TransportError:
                raise _NoAnswerError("no answer") from None
        raise _NoAnswerError(detail)

    async def _addresses(self) -> tuple[Address, ...]:
        try:
            found = await self._allowed.addresses_of(
                self._host, self._url.port or _HTTPS_PORT, resolve=self._exchange.resolve
            )
        except OSError:
            raise _NoAnswerError("name not resolved") from None
        return found[:_ADDRESSES_TRIED]

    async def _post(
        self, address: Address, headers: dict[str, str], body: bytes, *, connect_seconds: float
    ) -> httpx2.Response:
        request = httpx2.Request(
            "POST",
            self._url.copy_with(host=str(address)),
            headers=headers,
            content=body,
            extensions={"sni_hostname": self._host, "timeout": {"connect": connect_seconds}},
        )
        return await self._http.handle_async_request(request)

    def _headers(self, message: Message) -> dict[str, str]:
        parcel = message.parcel
        attributes = parcel_attributes(parcel, origin=self._exchange.origin)
        signature = sign_request(
            SentRequest("POST", str(self._url), (), message.body),
            key=self._exchange.key,
            created=self._exchange.now(),
            nonce=encode(self._exchange.randomness(_NONCE_BYTES)).decode(),
        )
        return {
            "Host": self._url.netloc.decode(),
            "User-Agent": "lacolle",
            "Content-Type": message.content_type,
            "Idempotency-Key": parcel.delivery_id,
            **{f"ce-{name}": percent_encoded(attributes[name]) for name in ATTRIBUTES if name in attributes},
            **({"traceparent": parcel.traceparent} if parcel.traceparent else {}),
            **signature,
        }


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
    return quote(value, safe=_PLAIN)


async def _let_go(response: httpx2.Response) -> None:
    """Read a short rest of the answer, so that the connection can serve again, or close it.

    The partner has answered: nothing that its body does or lacks can change the outcome.
    """
    with contextlib.suppress(TimeoutError, httpx2.TransportError):
        async with asyncio.timeout(_ANSWER_SECONDS), contextlib.aclosing(response):
            read = 0
            async for chunk in response.aiter_raw():
                read += len(chunk)
                if read > _ANSWER_LIMIT:
                    return


def _is_tls(error: BaseException) -> bool:
    return any(isinstance(cause, ssl.SSLError) for cause in _causes(error))


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__
