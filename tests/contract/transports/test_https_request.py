"""The HTTPS transport against a partner's real server: what is sent."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from cloudevents.core.bindings.http import HTTPMessage, from_binary_event

from adapters.signatures import NonceMemory, RequestNotTrustedError, verify_request
from adapters.transports.https import HttpsTransport, percent_encoded
from schemas.formats.cap_grammar import CAP_12
from schemas.parcels import Delivered
from schemas.signing.keys import SigningKey
from tests.contract.transports.partner import NAME, MakeMessage, PartnerServer, raw, status


async def test_the_request_is_as_promised(
    server: PartnerServer, https: HttpsTransport, make_message: MakeMessage
) -> None:
    """One POST to the partner's own URL, the message as its body, and the fields of the wire."""
    message = make_message()
    parcel = message.parcel
    await https.deliver(message)
    (request,) = server.requests
    fields = dict(request.headers)
    assert (request.method, request.url, request.body) == ("POST", server.url, message.body)
    assert fields.pop("Content-Digest").startswith("sha-256=:")
    assert fields.pop("Signature").startswith("lacolle=:")
    assert ';keyid="exchange.transport";nonce="' in fields.pop("Signature-Input")
    assert fields == {
        "Host": f"{NAME}:{server.port}",
        "User-Agent": "lacolle",
        "Content-Type": "application/jose",
        "Content-Length": str(len(message.body)),
        "Idempotency-Key": parcel.delivery_id,
        "Ce-Specversion": "1.0",
        "Ce-Id": parcel.delivery_id,
        "Ce-Source": "/exchange.example",
        "Ce-Type": "org.lacolle.alert.v1",
        "Ce-Subject": parcel.alert_id,
        "Ce-Time": "2026-01-17T12:00:00.250Z",
        "Ce-Dataschema": parcel.data_schema,
        "Ce-Sender": "ca-qc.sq",
        "Ce-Agreement": "ca-qc.us-ny.crime-2008/2#4.1",
        "Ce-Deadline": "2026-01-17T18:00:00.250Z",
        "Traceparent": parcel.traceparent,
    }


async def test_the_cloudevents_package_reads_the_request(
    server: PartnerServer, https: HttpsTransport, make_message: MakeMessage
) -> None:
    """Another implementation of CloudEvents finds the attributes, also what must be encoded on the way."""
    message = make_message(clause='§ 4 "a" 100%', exercise=True)
    await https.deliver(message)
    (request,) = server.requests
    event = from_binary_event(HTTPMessage(headers=dict(request.headers), body=request.body))
    assert event.get_id() == message.parcel.delivery_id
    assert event.get_time() == message.parcel.sent_at
    assert event.get_dataschema() == message.parcel.data_schema
    assert event.get_extension("agreement") == 'ca-qc.us-ny.crime-2008/2#§ 4 "a" 100%'
    assert event.get_extension("exercise") == "true"


async def test_the_schema_is_of_what_is_sent(
    server: PartnerServer, https: HttpsTransport, make_message: MakeMessage
) -> None:
    """A partner that gets another format than the sender's is told that format's schema."""
    await https.deliver(replace(make_message(), data_schema=CAP_12))
    (request,) = server.requests
    assert dict(request.headers)["Ce-Dataschema"] == "urn:oasis:names:tc:emergency:cap:1.2"


async def test_the_partner_can_verify_the_request(
    server: PartnerServer, https: HttpsTransport, make_message: MakeMessage, exchange_key: SigningKey
) -> None:
    """The partner verifies what arrived under the exchange's key, and takes the same request only once."""
    await https.deliver(make_message())
    (request,) = server.requests
    nonces, now = NonceMemory(), datetime.now(UTC)
    keys = {exchange_key.kid: exchange_key.public}
    assert verify_request(request, keys=keys.get, nonces=nonces, now=now) == exchange_key.kid
    with pytest.raises(RequestNotTrustedError):
        verify_request(request, keys=keys.get, nonces=nonces, now=now)


async def test_a_redelivery_is_signed_anew(
    server: PartnerServer, https: HttpsTransport, make_message: MakeMessage, exchange_key: SigningKey
) -> None:
    """The same delivery again has the same Idempotency-Key and a nonce of its own, so it is not taken for a replay."""
    await https.deliver(make_message())
    await https.deliver(make_message())
    nonces, keys = NonceMemory(), {exchange_key.kid: exchange_key.public}
    for request in server.requests:
        verify_request(request, keys=keys.get, nonces=nonces, now=datetime.now(UTC))
    assert len({dict(request.headers)["Idempotency-Key"] for request in server.requests}) == 1


async def test_the_environment_names_no_proxy(
    https: HttpsTransport, make_message: MakeMessage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy in the environment is not used: it would see whom the exchange talks to."""
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert await https.deliver(make_message()) == Delivered("http 200")


async def test_no_cookie_is_kept(server: PartnerServer, https: HttpsTransport, make_message: MakeMessage) -> None:
    """A partner's cookie does not come back to it."""
    server.respond = raw(status("200 OK", "Set-Cookie: session=1; Secure; Path=/"))
    await https.deliver(make_message(1))
    await https.deliver(make_message(2))
    assert all("Cookie" not in dict(request.headers) for request in server.requests)


async def test_a_connection_serves_again(
    server: PartnerServer, https: HttpsTransport, make_message: MakeMessage
) -> None:
    """A partner that answers in a few bytes is not made to shake hands for every message."""
    server.respond = raw(b"HTTP/1.1 202 Accepted\r\nContent-Length: 5\r\n\r\nnoted")
    for number in range(5):
        assert await https.deliver(make_message(number)) == Delivered("http 202")
    assert server.connections == 1


@pytest.mark.parametrize(
    ("value", "field"),
    [("plain/1#4.1", "plain/1#4.1"), ("a b", "a%20b"), ('"%"', "%22%25%22"), ("é", "%C3%A9"), ("\r\n", "%0D%0A")],
)
def test_values_are_encoded_for_a_field(value: str, field: str) -> None:
    """Whatever an attribute holds, its field is printable ASCII, so none can begin another."""
    assert percent_encoded(value) == field
