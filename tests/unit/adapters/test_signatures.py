"""RFC 9421 signatures on what is handed over: the RFC's own example, and everything that is not taken."""

from __future__ import annotations

import base64
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from http_message_signatures import HTTPMessageVerifier, HTTPSignatureKeyResolver, MappingKeyResolver
from http_message_signatures.algorithms import ECDSA_P256_SHA256, ED25519
from hypothesis import given
from hypothesis import strategies as st

from adapters.signatures import (
    COMPONENTS,
    MAX_AGE,
    KeyLookup,
    NonceMemory,
    RequestNotTrustedError,
    RequestSigner,
    SentRequest,
    signature_base,
    signature_parameters,
    verify_request,
)
from schemas.ids import KeyId
from schemas.signing.algorithms import Algorithm
from schemas.signing.keys import SigningKey

NOW = datetime.now(UTC).replace(microsecond=0)
REQUEST = SentRequest(
    "POST", "https://partner.example:8443/alerts/in", (("Content-Type", "application/jose"),), b"body"
)
KEYS: dict[Algorithm, SigningKey] = {
    "Ed25519": SigningKey.generate(KeyId("exchange.ed"), "Ed25519"),
    "ES256": SigningKey.generate(KeyId("exchange.ec"), "ES256"),
}
TRUSTED: KeyLookup = {key.kid: key.public for key in KEYS.values()}.get


def signed(request: SentRequest = REQUEST, *, alg: Algorithm = "Ed25519", created: datetime = NOW) -> SentRequest:
    """Return a request with its signature's fields."""
    signer = RequestSigner(request.method, request.url, key=KEYS[alg])
    fields = signer.sign(request.body, created=created, nonce="a-nonce")
    return replace(request, headers=(*request.headers, *fields.items()))


def altered(request: SentRequest, name: str, change: Callable[[str], str]) -> SentRequest:
    """Return a request with one field changed."""
    assert name in dict(request.headers)
    return replace(request, headers=tuple((n, change(v) if n == name else v) for n, v in request.headers))


def verified(request: SentRequest, *, keys: KeyLookup = TRUSTED, now: datetime = NOW) -> KeyId:
    """Return who signed a request, with no nonce seen before."""
    return verify_request(request, keys=keys, nonces=NonceMemory(), now=now)


@pytest.mark.parametrize("alg", ["Ed25519", "ES256"])
def test_what_is_signed_verifies(alg: Algorithm) -> None:
    """A request of either algorithm verifies, and tells which key signed it."""
    assert verified(signed(alg=alg)) == KEYS[alg].kid


@pytest.mark.parametrize("alg", ["Ed25519", "ES256"])
def test_the_signature_says_what_the_wire_promises(alg: Algorithm) -> None:
    """The components and parameters are those of the wire, in its order, and no algorithm is named."""
    fields = dict(signed(alg=alg).headers)
    assert fields["Signature-Input"] == (
        'lacolle=("@method" "@authority" "@path" "content-digest")'
        f';created={int(NOW.timestamp())};keyid="{KEYS[alg].kid}";nonce="a-nonce"'
    )


@pytest.mark.parametrize(("alg", "algorithm"), [("Ed25519", ED25519), ("ES256", ECDSA_P256_SHA256)])
def test_the_librarys_own_verifier_agrees(alg: Algorithm, algorithm: type[ED25519 | ECDSA_P256_SHA256]) -> None:
    """A partner that knows nothing of this package verifies with the standard's algorithm and the plain key."""
    key = KEYS[alg]
    jwk = key.public.jwk
    x = _unpadded(jwk["x"])
    native = (
        ed25519.Ed25519PublicKey.from_public_bytes(x)
        if alg == "Ed25519"
        else ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), b"\x04" + x + _unpadded(jwk["y"]))
    )
    resolver: HTTPSignatureKeyResolver = MappingKeyResolver(public_keys={key.kid: native}, private_keys={})
    request = signed(alg=alg, created=datetime.now(UTC).replace(microsecond=0))  # the library asks its own clock
    message = SimpleNamespace(method=request.method, url=request.url, headers=dict(request.headers))
    (result,) = HTTPMessageVerifier(signature_algorithm=algorithm, key_resolver=resolver).verify(
        message, max_age=MAX_AGE, require_components=COMPONENTS, body=request.body
    )
    assert result.nonce == "a-nonce"


@pytest.mark.parametrize(
    "change",
    [
        {"method": "PUT"},
        {"url": "https://other.example:8443/alerts/in"},
        {"url": "https://partner.example/alerts/in"},
        {"url": "https://partner.example:8443/alerts"},
        {"body": b"other body"},
        {"body": b""},
        {"headers": ()},
    ],
)
def test_another_request_is_not_the_one_that_was_signed(change: dict[str, object]) -> None:
    """Method, authority, path and body are signed; with any of them changed the request is not trusted."""
    with pytest.raises(RequestNotTrustedError):
        verified(replace(signed(), **change))  # type: ignore[arg-type]  # each value is its field's


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("Signature-Input", lambda value: value.replace('"@path" ', "")),
        ("Signature-Input", lambda value: value.replace('"content-digest"', "")),
        ("Signature-Input", lambda value: value.replace(';nonce="a-nonce"', "")),
        ("Signature-Input", lambda value: value.replace(";created", ";expires")),
        ("Signature-Input", lambda value: value + ';alg="ed25519"'),
        ("Signature-Input", lambda value: value.replace("exchange.ed", "exchange.ec")),
        ("Signature-Input", lambda value: value.replace("lacolle=", "other=")),
        ("Signature", lambda _: ""),
        ("Signature", lambda value: value.replace(":", '"')),
        ("Signature", lambda value: value[:10] + ("A" if value[10] != "A" else "B") + value[11:]),
        ("Content-Digest", lambda _: "sha-256=:AAAA:"),
        ("Content-Digest", lambda value: value.replace("sha-256", "md5")),
    ],
)
def test_a_field_that_was_tampered_with(name: str, change: Callable[[str], str]) -> None:
    """A signature that covers less, names an algorithm or another key, or is not whole, is not trusted."""
    with pytest.raises(RequestNotTrustedError):
        verified(altered(signed(), name, change))


def test_a_key_that_is_not_trusted() -> None:
    """A signature by a key that the partner does not know is not trusted, however sound."""
    with pytest.raises(RequestNotTrustedError):
        verified(signed(), keys=lambda _: None)


def test_a_signature_without_all_components_of_the_wire() -> None:
    """A true signature that covers too little is not trusted."""
    covered = (("@method", "POST"), ("@authority", "partner.example:8443"))
    parameters = signature_parameters(dict(covered), created=NOW, key_id=KEYS["Ed25519"].kid, nonce="n")
    value = base64.b64encode(KEYS["Ed25519"].sign(signature_base(covered, parameters))).decode()
    fields = {"Signature-Input": f"lacolle={parameters}", "Signature": f"lacolle=:{value}:"}
    with pytest.raises(RequestNotTrustedError):
        verified(replace(REQUEST, headers=tuple(fields.items())))


def test_two_signatures_are_not_one_verdict() -> None:
    """A second signature, even a sound one, makes it unclear whose word counts: not trusted."""
    request = signed()
    extra = signed(alg="ES256")
    merged = tuple(
        (name, f"{value}, {dict(extra.headers)[name].replace('lacolle=', 'other=')}")
        if name in {"Signature", "Signature-Input"}
        else (name, value)
        for name, value in request.headers
    )
    with pytest.raises(RequestNotTrustedError):
        verified(replace(request, headers=merged))


def test_a_repeated_field_counts() -> None:
    """A second Content-Digest line is part of what was signed, so adding one breaks the signature."""
    request = signed()
    doubled = (*request.headers, ("content-digest", dict(request.headers)["Content-Digest"]))
    with pytest.raises(RequestNotTrustedError):
        verified(replace(request, headers=doubled))


@pytest.mark.parametrize(("offset", "trusted"), [(-301, False), (-300, True), (0, True), (300, True), (301, False)])
def test_the_clock(offset: int, *, trusted: bool) -> None:
    """A signature counts for five minutes either way of the verifier's clock."""
    request = signed(created=NOW + timedelta(seconds=offset))
    if trusted:
        assert verified(request) == KEYS["Ed25519"].kid
    else:
        with pytest.raises(RequestNotTrustedError):
            verified(request)


def test_a_nonce_counts_once() -> None:
    """The same request again is a replay, for as long as its signature could be taken."""
    nonces = NonceMemory()
    request = signed()
    verify_request(request, keys=TRUSTED, nonces=nonces, now=NOW)
    for later in (timedelta(0), MAX_AGE):
        with pytest.raises(RequestNotTrustedError):
            verify_request(request, keys=TRUSTED, nonces=nonces, now=NOW + later)


def test_a_nonce_of_a_stranger_is_not_remembered() -> None:
    """Who can't sign can't use up a nonce: only a trusted request leaves its own behind."""
    nonces = NonceMemory()
    request = signed()
    with pytest.raises(RequestNotTrustedError):
        verify_request(replace(request, body=b"other"), keys=TRUSTED, nonces=nonces, now=NOW)
    assert verify_request(request, keys=TRUSTED, nonces=nonces, now=NOW) == KEYS["Ed25519"].kid


def test_nonces_are_forgotten_in_time() -> None:
    """Memory holds the nonces of the last minutes and no more; each key has nonces of its own."""
    nonces = NonceMemory()
    one, other = KeyId("one"), KeyId("other")
    for number in range(1000):
        at = NOW + timedelta(seconds=number)
        assert nonces.take(one, str(number), until=at + MAX_AGE, now=at)
        assert nonces.take(other, str(number), until=at + MAX_AGE, now=at)
        assert not nonces.take(one, str(number), until=at + MAX_AGE, now=at)
    assert len(nonces._seen) == len(nonces._forget) == 2 * (1 + MAX_AGE.seconds)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["Signature", "Signature-Input", "Content-Digest"]),
            st.text(max_size=30)
            | st.sampled_from(["a=()", 'a=("@method");created=1', "a=:AAAA:", "a=1", 'a=("x";sf)']),
        ),
        max_size=4,
    ),
    st.sampled_from(["POST", "post", ""]),
    st.sampled_from(["https://partner.example/", "not a url", "https://[::1", "//x"]),
)
def test_nothing_else_comes_of_strange_fields(fields: list[tuple[str, str]], method: str, url: str) -> None:
    """Whatever stands in the fields, the answer is that the request is not trusted, and nothing else is raised."""
    with pytest.raises(RequestNotTrustedError):
        verified(SentRequest(method, url, tuple(fields), b""))


# RFC 9421, appendix B.2.6


@dataclass(frozen=True)
class Example:
    """A request of the RFC, its signature base and its signature."""

    request: SentRequest
    base: bytes
    signature: str


@pytest.fixture
def rfc_data() -> Path:
    """Return the public test data for RFC 9421."""
    root = Path(os.environ.get("LACOLLE_DATA", Path(__file__).parents[4] / "shared" / "data"))
    data = root / "conf-rfc9421" / "httpsig-go"
    if not data.is_dir():
        pytest.skip("the public test data is not here")
    return data


@pytest.fixture
def rfc_example(rfc_data: Path) -> Example:
    """Return the example with an Ed25519 key."""
    head, _, body = (rfc_data / "b26_request_signed.txt").read_bytes().replace(b"\r\n", b"\n").partition(b"\n\n")
    line, *lines = head.decode().split("\n")
    method, target, _ = line.split(" ")
    headers = tuple((name, value) for name, _, value in (each.partition(": ") for each in lines))
    fields = dict(headers)
    unsigned = tuple(header for header in headers if not header[0].startswith(("Signature", "Content-Digest")))
    request = SentRequest(method, f"https://{fields['Host']}{target}", unsigned, body.rstrip(b"\n"))
    base = (rfc_data / "b26_request_sigbase.txt").read_bytes().replace(b"\r\n", b"\n")
    return Example(request, base, fields["Signature"].removeprefix("sig-b26="))


@pytest.fixture
def rfc_key(rfc_data: Path) -> SigningKey:
    """Return the RFC's Ed25519 key as a key of the exchange."""
    native = load_pem_private_key((rfc_data / "test-key-ed25519.key").read_bytes(), None)
    assert isinstance(native, ed25519.Ed25519PrivateKey)
    d = native.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
    x = native.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    members = {"kty": "OKP", "crv": "Ed25519", "d": _padded_off(d), "x": _padded_off(x)}
    return SigningKey.from_jwk({**members, "alg": "Ed25519", "kid": "test-key-ed25519"})


def test_the_rfcs_example_is_signed_as_in_the_rfc(rfc_example: Example, rfc_key: SigningKey) -> None:
    """For the RFC's request, components and key, the signature base and the signature are the RFC's, byte for byte."""
    fields = dict(rfc_example.request.headers)
    components = {
        "date": fields["Date"],
        "@method": rfc_example.request.method,
        "@path": "/foo",
        "@authority": "example.com",
        "content-type": fields["Content-Type"],
        "content-length": fields["Content-Length"],
    }
    parameters = signature_parameters(components, created=datetime.fromtimestamp(1618884473, UTC), key_id=rfc_key.kid)
    base = signature_base(components.items(), parameters)
    assert base == rfc_example.base
    assert base64.b64encode(rfc_key.sign(base)).decode() == rfc_example.signature.strip(":")


@pytest.mark.parametrize(
    "url",
    [
        "https://partner.example/",
        "https://partner.example",
        "https://partner.example:443/alerts",
        "https://Partner.Example/alerts",
        "https://[2001:db8::1]:8443/alerts",
        "https://partner.example/a%20b/../c",
    ],
)
def test_every_form_of_url_is_signed_as_the_library_reads_it(url: str) -> None:
    """The authority and the path of whatever URL a partner gave out are those that its own verifier derives."""
    assert verified(signed(replace(REQUEST, url=url))) == KEYS["Ed25519"].kid


@given(st.text(alphabet=st.characters(codec="ascii"), max_size=40))
def test_any_nonce_is_quoted_or_refused(nonce: str) -> None:
    """A nonce is written so that the library reads the same one, quotes and backslashes too, or is refused."""
    signer = RequestSigner("POST", REQUEST.url, key=KEYS["Ed25519"])
    if not all(" " <= character <= "~" for character in nonce):
        with pytest.raises(ValueError, match="printable"):
            signer.sign(REQUEST.body, created=NOW, nonce=nonce)
        return
    request = replace(REQUEST, headers=tuple(signer.sign(REQUEST.body, created=NOW, nonce=nonce).items()))
    nonces = NonceMemory()
    verify_request(request, keys=TRUSTED, nonces=nonces, now=NOW)
    assert not nonces.take(KEYS["Ed25519"].kid, nonce, until=NOW + MAX_AGE, now=NOW)


@pytest.mark.parametrize("value", ["one\ntwo", "one\rtwo", "é"])
def test_no_value_passes_for_a_line(value: str) -> None:
    """A value with a line's end in it, or beyond ASCII, is never signed (RFC 9421 section 2.5)."""
    with pytest.raises(ValueError, match=r"lines|ascii"):
        signature_base([("@path", value)], "()")


def _unpadded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _padded_off(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
