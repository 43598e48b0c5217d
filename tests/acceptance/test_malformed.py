"""What is no submission: 400, whatever the twist, and never anything worse."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from tests.acceptance.agency import ALERTS, JOSE, Agency, faults_of, problem_of
from tests.acceptance.alerts import stolen_vehicle, without
from tests.acceptance.independent import Key, b64, dumped, sealed

FOREIGN_KEY = Key.new("forged").jwk


def refused(sq: Agency, body: bytes) -> bool:
    """Whether a body gets the answer of what is no submission."""
    return problem_of(sq.post(body), 400) == "malformed-submission"


@pytest.mark.parametrize(
    "algorithm", ["none", "None", "", "HS256", "HS384", "HS512", "RS256", "PS256", "EdDSA", "ES384", "ES256K", 7, None]
)
def test_algorithms(sq: Agency, algorithm: object) -> None:
    """An algorithm other than Ed25519 and ES256 is refused by its name, whatever the signature."""
    assert refused(sq, sealed({**sq.header(), "alg": algorithm}, dumped(stolen_vehicle()), sq.key))


def test_none_without_a_signature(sq: Agency) -> None:
    """The unsecured form of RFC 7515 appendix A.5 is refused."""
    header, payload = b64(dumped({**sq.header(), "alg": "none"})), b64(dumped(stolen_vehicle()))
    assert refused(sq, f"{header}.{payload}.".encode())


@pytest.mark.parametrize(
    "members",
    [
        {"crit": ["b64"]},
        {"crit": ["b64"], "b64": False},
        {"crit": []},
        {"crit": ["iat"]},
        {"b64": False},
        {"b64": True},
        {"zip": "DEF"},
        {"jku": "https://attacker.example/jwks.json"},
        {"jwk": FOREIGN_KEY},
        {"x5u": "https://attacker.example/chain.pem"},
        {"x5c": ["MIIB"]},
        {"x5t": "AAAA"},
        {"x5t#S256": "AAAA"},
        {"cty": "json"},
        {"exp": 4_102_444_800},
        {"iss": "ca-qc.sq"},
        {"": ""},
        {"ALG": "none"},
    ],
    ids=lambda members: "+".join(members) or "nothing",
)
def test_extra_header_members(sq: Agency, members: dict[str, Any]) -> None:
    """The header has alg, kid, typ and iat, and any other member is refused, most of all one that names a key."""
    assert refused(sq, sealed({**sq.header(), **members}, dumped(stolen_vehicle()), sq.key))


@pytest.mark.parametrize("name", ["alg", "kid", "typ", "iat"])
def test_missing_header_members(sq: Agency, name: str) -> None:
    """No member of the header may be left out."""
    assert refused(sq, sealed(without(sq.header(), name), dumped(stolen_vehicle()), sq.key))


@pytest.mark.parametrize(
    "typ",
    ["JWT", "jose", "", "alert", "receipt+jws", "at+jwt", "acknowledgement+jws", "alert+jws ", 7, None, ["alert+jws"]],
)
def test_types(sq: Agency, typ: object) -> None:
    """A JWS made for another purpose, or for none, is no submission."""
    assert refused(sq, sealed({**sq.header(), "typ": typ}, dumped(stolen_vehicle()), sq.key))


@pytest.mark.parametrize(
    "kid",
    ["", "a b", "a" * 65, "é", "../../etc/passwd", "a\n", "a\x00b", "a'--", "kid/1", 7, None, ["ca-qc.sq:Ed25519"], {}],
)
def test_key_names(sq: Agency, kid: object) -> None:
    """A kid outside its pattern is refused before anything is looked up."""
    assert refused(sq, sealed({**sq.header(), "kid": kid}, dumped(stolen_vehicle()), sq.key))


@pytest.mark.parametrize("ago", [310, -310, 86_400, -86_400, 10**12, -(10**12)])
def test_signed_too_long_ago_or_in_the_future(sq: Agency, ago: int) -> None:
    """A signing time more than 300 seconds from the exchange's clock is refused."""
    assert refused(sq, sq.sign(stolen_vehicle(), signed_ago=ago))


@pytest.mark.parametrize("ago", [290, -290])
def test_signed_within_the_tolerance(sq: Agency, ago: int) -> None:
    """A signing time within 300 seconds of the exchange's clock is accepted."""
    assert sq.post(sq.sign(stolen_vehicle(), signed_ago=ago)).status_code == 201


@pytest.mark.parametrize("iat", ["now", None, True, [], "1.5"], ids=repr)
def test_signing_times_that_are_none(sq: Agency, iat: object) -> None:
    """A signing time is a number of whole seconds and nothing else."""
    assert refused(sq, sealed({**sq.header(), "iat": iat}, dumped(stolen_vehicle()), sq.key))


def test_signing_times_in_other_spellings(sq: Agency) -> None:
    """A signing time with a fraction, or beyond what JSON numbers carry, is refused."""
    now = int(time.time())
    for spelling in (f"{now}.5", f"{now}.0", f"{now}e0", "1e400", "9" * 400, f"0{now}", "-1", "NaN"):
        header = json.dumps({**sq.header(), "iat": "SPELLING"}).replace('"SPELLING"', spelling)
        assert refused(sq, sealed(header.encode(), dumped(stolen_vehicle()), sq.key)), spelling


@pytest.mark.parametrize(
    "twice",
    ['"alg":"none",', '"kid":"other",', '"typ":"JWT",', '"iat":0,', '"\\u0061lg":"none",'],
)
def test_duplicate_header_members(sq: Agency, twice: str) -> None:
    """A header that says a member twice is refused, whichever of the two a reader would believe."""
    header = dumped(sq.header())
    payload = dumped(stolen_vehicle())
    assert refused(sq, sealed(b"{" + twice.encode() + header[1:], payload, sq.key))
    assert refused(sq, sealed(header[:-1] + b"," + twice.encode()[:-1] + b"}", payload, sq.key))


@pytest.mark.parametrize("header", [b"", b"{}", b"[]", b'"alg"', b"null", b"{", b"\xff\xfe", b"\xef\xbb\xbf{}"])
def test_headers_that_are_none(sq: Agency, header: bytes) -> None:
    """A protected header is a JSON object in UTF-8."""
    assert refused(sq, sealed(header, dumped(stolen_vehicle()), sq.key))


def test_a_header_with_a_byte_order_mark(sq: Agency) -> None:
    """A byte order mark before the header's object is refused."""
    assert refused(sq, sealed(b"\xef\xbb\xbf" + dumped(sq.header()), dumped(stolen_vehicle()), sq.key))


def test_json_serialisations(sq: Agency) -> None:
    """The JSON serialisations of RFC 7515 section 7.2 are no submission, flattened or general."""
    protected, payload, signature = sq.sign(stolen_vehicle()).decode().split(".")
    flattened = {"protected": protected, "payload": payload, "signature": signature}
    general = {"payload": payload, "signatures": [{"protected": protected, "signature": signature}]}
    assert refused(sq, dumped(flattened))
    assert refused(sq, dumped(general))


@pytest.mark.parametrize("part", [0, 1, 2], ids=["header", "payload", "signature"])
@pytest.mark.parametrize("padding", ["=", "==", "A=", "%3D", "\n", " ", "+", "/", "\x00", "é", "A" * 3 + "="])
def test_base64url(sq: Agency, part: int, padding: str) -> None:
    """Padding, white space and any character outside base64url's alphabet are refused in each of the parts."""
    parts = sq.sign(stolen_vehicle()).decode().split(".")
    parts[part] += padding
    assert refused(sq, ".".join(parts).encode())


@pytest.mark.parametrize("part", [0, 1, 2], ids=["header", "payload", "signature"])
def test_base64url_that_is_not_canonical(sq: Agency, part: int) -> None:
    """Bits set behind the last byte are refused: one byte string has one spelling."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    for length in range(3):
        payload = dumped(stolen_vehicle()) + b" " * length
        header = dumped(sq.header()) + b" " * length
        parts = sealed(header, payload, sq.key).decode().split(".")
        if len(parts[part]) % 4 == 0:
            continue
        parts[part] = parts[part][:-1] + alphabet[alphabet.index(parts[part][-1]) + 1]
        assert refused(sq, ".".join(parts).encode())


def test_detached_payloads(sq: Agency) -> None:
    """A payload that is somewhere else (RFC 7515 appendix F) is not signed by what is here."""
    header, _, signature = sq.sign(stolen_vehicle()).split(b".")
    assert problem_of(sq.post(header + b".." + signature), 401) == "signature-not-trusted"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b".",
        b"..",
        b"...",
        b"a.b",
        b"a.b.c.d",
        b"a.b.c",
        b"\x00" * 64,
        b"\xff" * 64,
        b"{}",
        b"<alert/>",
        b"." * 100_000,
        b"eyJ" * 100_000,
    ],
    ids=lambda body: repr(body[:8]),
)
def test_bodies_that_are_no_jws(sq: Agency, body: bytes) -> None:
    """A body that is not three parts of base64url is refused."""
    assert refused(sq, body)


def test_parts_missing_or_too_many(sq: Agency) -> None:
    """A part left out, emptied or added makes it no submission."""
    header, payload, signature = sq.sign(stolen_vehicle()).split(b".")
    for parts in (
        (header, payload),
        (header, signature),
        (payload, signature),
        (b"", payload, signature),
        (header, payload, signature, b""),
        (header, payload, signature, signature),
        (b"", b"", b""),
    ):
        assert refused(sq, b".".join(parts)), parts


def test_white_space_around(sq: Agency) -> None:
    """White space before or after the JWS is not part of it."""
    submission = sq.sign(stolen_vehicle())
    for body in (submission + b"\n", b" " + submission, submission + b"\r\n", submission.replace(b".", b". ", 1)):
        assert refused(sq, body)


def _twice(document: bytes, member: bytes) -> bytes:
    return b"{" + member + b"," + document[1:]


def test_payloads_with_duplicate_members(sq: Agency) -> None:
    """A payload that says a member twice, at any depth and in any spelling, is refused."""
    document = dumped(stolen_vehicle())
    for payload in (
        _twice(document, b'"type":"public-health/outbreak/v1"'),
        _twice(document, b'"\\u0073ender":"us-ny.nysp"'),
        document.replace(b'"tlp": "AMBER"', b'"tlp": "RED", "tlp": "AMBER"'),
        document.replace(b'"tlp": "AMBER"', b'"tlp": "AMBER", "\\u0074lp": "AMBER"'),
        document.replace(b'"make": "Toyota"', b'"make": "Toyota", "make": "Toyota"'),
    ):
        assert payload != document
        assert refused(sq, sq.sign(payload)), payload[:80]


@pytest.mark.parametrize(
    "number", ["NaN", "Infinity", "-Infinity", "1e400", "-1e400", "9007199254740993", "-9007199254740993", "1" * 5000]
)
def test_numbers_that_not_every_reader_can_hold(sq: Agency, number: str) -> None:
    """What is no number, or none that I-JSON lets two readers agree on (RFC 7493 section 2.2), is refused."""
    payload = dumped(stolen_vehicle()).replace(b"2021", number.encode())
    assert refused(sq, sq.sign(payload))


@pytest.mark.parametrize(
    "spelling", ["01", "+1", ".5", "1.", "0x10", "1_000", "--1", "1e", "truE", "None", "undefined"]
)
def test_spellings_that_json_does_not_have(sq: Agency, spelling: str) -> None:
    """A value that RFC 8259 has no grammar for is refused."""
    payload = dumped(stolen_vehicle()).replace(b"2021", spelling.encode())
    assert refused(sq, sq.sign(payload))


@pytest.mark.parametrize(
    "text",
    [rb"\ud800", rb"\udc00", rb"\udc00\ud800", rb"\ud800a", rb"a\u0000b", rb"\x41", rb"\u12", b"\x00", b"\x1f", b"\n"],
    ids=repr,
)
@pytest.mark.parametrize("place", [b"Toyota", b"make"], ids=["value", "name"])
def test_texts_that_json_may_not_carry(sq: Agency, text: bytes, place: bytes) -> None:
    """Half a surrogate pair, NUL and bad escapes are refused in values and in names."""
    payload = dumped(stolen_vehicle()).replace(place, text)
    assert refused(sq, sq.sign(payload))


@pytest.mark.parametrize(
    "text", [b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe2\x82", b"\x80"], ids=repr
)
def test_payloads_that_are_not_utf8(sq: Agency, text: bytes) -> None:
    """Bytes that are not UTF-8, overlong forms and encoded surrogates among them, are refused."""
    assert refused(sq, sq.sign(dumped(stolen_vehicle()).replace(b"Toyota", text)))


def test_other_encodings_of_the_payload(sq: Agency) -> None:
    """A byte order mark, UTF-16 and UTF-32 are refused."""
    text = dumped(stolen_vehicle()).decode()
    for payload in (
        b"\xef\xbb\xbf" + text.encode(),
        text.encode("utf-16"),
        text.encode("utf-16-le"),
        text.encode("utf-32"),
    ):
        assert refused(sq, sq.sign(payload))


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b" ",
        b"{",
        b"}",
        b"{}{}",
        b"{} x",
        b"[1,]",
        b'{"a":1,}',
        b"{'a':1}",
        b"{a:1}",
        b"// x\n{}",
        b"/**/{}",
        b"nul",
    ],
)
def test_payloads_that_are_no_json(sq: Agency, payload: bytes) -> None:
    """A payload that is not one JSON value is refused."""
    assert refused(sq, sq.sign(payload))


def nested(depth: int) -> bytes:
    """Return an object whose innermost value lies this deep."""
    return b'{"a":' * (depth - 1) + b"[]" + b"}" * (depth - 1)


def test_depth(sq: Agency) -> None:
    """A payload 32 deep is read, one deeper is refused, and so is one that would exhaust a stack."""
    assert "/type" in faults_of(sq.post(sq.sign(nested(32))))
    assert refused(sq, sq.sign(nested(33)))
    assert refused(sq, sq.sign(b"[" * 33 + b"]" * 33))
    assert refused(sq, sq.sign(b"[" * 200_000))
    assert refused(sq, sq.sign(b'{"a":' * 100_000 + b"1" + b"}" * 100_000))


def test_chunked_submissions(sq: Agency) -> None:
    """A submission may come in chunks of any size."""
    body = sq.sign(stolen_vehicle())
    answer = sq.http.post(ALERTS, content=(body[start : start + 97] for start in range(0, len(body), 97)), headers=JOSE)
    assert answer.status_code == 201
