"""Only a JWS of exactly its profile is read, and only a trusted key's signature gives out its payload."""

from __future__ import annotations

import base64
import json
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from joserfc import jws as jose
from joserfc.jwk import ECKey, OKPKey

from schemas.ids import KeyId
from schemas.signing.jws import (
    ACCESS_TOKEN,
    ACKNOWLEDGEMENT,
    AGREEMENT,
    ALERT,
    ASSERTION,
    RECEIPT,
    STATEMENT,
    JwsProfile,
    MalformedJwsError,
    SignatureNotTrustedError,
    read_compact,
    sign_compact,
    verify,
)
from schemas.signing.keys import SigningKey

PAYLOAD = b'{"status":"Exercise"}'
IAT = 1_768_676_709
HEADER = {"alg": "ES256", "kid": "ca-qc.sq.2026-1", "typ": "alert+jws", "iat": IAT}
PROFILES = [ALERT, RECEIPT, ACKNOWLEDGEMENT, STATEMENT, AGREEMENT, ASSERTION, ACCESS_TOKEN]


def b64(data: bytes) -> bytes:
    """Write bytes as a segment."""
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def compact(header: object, payload: bytes = PAYLOAD, signature: bytes = bytes(64)) -> bytes:
    """Put a JWS together from a header, given as a value or as the very bytes, signed by nobody."""
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    return b".".join((b64(raw), b64(payload), b64(signature)))


def signed(key: SigningKey, profile: JwsProfile, payload: bytes = PAYLOAD) -> bytes:
    """Sign a payload as the profile has it."""
    return sign_compact(payload, key=key, profile=profile, iat=IAT if "iat" in profile.members else None)


def refusal(data: bytes, profile: JwsProfile = ALERT) -> str:
    """Return the English reason that a JWS is refused with."""
    with pytest.raises(MalformedJwsError) as refused:
        read_compact(data, profile)
    return refused.value.reason.en


@pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.typ[0])
def test_what_is_signed_is_read_and_verified(signing_key: SigningKey, profile: JwsProfile) -> None:
    """Every profile's JWS comes back with its parts, and its key gives out its payload."""
    data = signed(signing_key, profile)
    unverified = read_compact(data, profile)
    assert (unverified.kid, unverified.alg) == (signing_key.kid, signing_key.alg)
    assert unverified.iat == (IAT if "iat" in profile.members else None)
    assert unverified.compact == data
    assert verify(unverified, signing_key.public) == PAYLOAD


@pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.typ[0])
def test_another_implementation_agrees(signing_key: SigningKey, profile: JwsProfile) -> None:
    """What we sign joserfc verifies, and what joserfc signs with the same header we verify."""
    kind = ECKey if signing_key.alg == "ES256" else OKPKey
    key = kind.import_key({**signing_key.to_jwk()})
    ours = signed(signing_key, profile)
    registry = jose.JWSRegistry(algorithms=[signing_key.alg], strict_check_header=False)
    theirs = jose.deserialize_compact(ours, key, registry=registry)
    assert theirs.payload == PAYLOAD
    again = jose.serialize_compact(theirs.protected, PAYLOAD, key, registry=registry)
    assert verify(read_compact(again.encode(), profile), signing_key.public) == PAYLOAD


def test_no_profile_takes_another_profiles_jws(signing_key: SigningKey) -> None:
    """A receipt is no alert, a token no assertion: the ``typ`` keeps every kind apart (RFC 8725 section 3.11)."""
    for written in PROFILES:
        for read in PROFILES:
            if read is not written:
                refusal(signed(signing_key, written), read)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300, deadline=None)
@given(st.data())
def test_no_mutation_ever_verifies(signing_key: SigningKey, data: st.DataObject) -> None:
    """Whatever single change is made to a valid JWS, it is refused as malformed or as not trusted."""
    valid = signed(signing_key, ALERT)
    at = data.draw(st.integers(0, len(valid)))
    mutated = data.draw(
        st.sampled_from(
            [
                valid[:at],
                valid[:at] + valid[at + 1 :],
                valid[:at] + data.draw(st.binary(min_size=1, max_size=3)) + valid[at:],
                valid[:at] + data.draw(st.sampled_from([b"A", b"_", b".", b"="])) + valid[at + 1 :],
                valid + data.draw(st.binary(min_size=1, max_size=3)),
            ]
        )
    )
    if mutated == valid:
        return
    with pytest.raises((MalformedJwsError, SignatureNotTrustedError)):
        verify(read_compact(mutated, ALERT), signing_key.public)


def test_every_flipped_bit_is_noticed(signing_key: SigningKey) -> None:
    """Not one bit of a JWS can be changed, the unused ones of a segment's last character included."""
    valid = signed(signing_key, ALERT)
    for position in range(len(valid) * 8):
        flipped = bytearray(valid)
        flipped[position // 8] ^= 1 << position % 8
        with pytest.raises((MalformedJwsError, SignatureNotTrustedError)):
            verify(read_compact(bytes(flipped), ALERT), signing_key.public)


def test_unknown_and_wrong_keys_are_refused_alike(signing_key: SigningKey) -> None:
    """No key, another kid's, another's of the same name, and one of the other algorithm get one answer."""
    unverified = read_compact(signed(signing_key, ALERT), ALERT)
    other = SigningKey.generate(signing_key.kid, signing_key.alg).public
    renamed = replace(signing_key.public, kid=KeyId("other"))
    crossed = SigningKey.generate(signing_key.kid, "ES256" if signing_key.alg == "Ed25519" else "Ed25519").public
    answers = set()
    for key in (None, other, renamed, crossed):
        with pytest.raises(SignatureNotTrustedError) as refused:
            verify(unverified, key)
        answers.add(str(refused.value))
    assert len(answers) == 1


def test_the_registered_keys_algorithm_rules() -> None:
    """A header that names the other algorithm is not trusted, though the signature would verify."""
    key = SigningKey.generate(KeyId("ca-qc.sq.2026-1"), "Ed25519")
    signing_input = b64(json.dumps(HEADER).encode()) + b"." + b64(PAYLOAD)
    data = signing_input + b"." + b64(key.sign(signing_input))
    assert key.public.verify(signing_input, key.sign(signing_input))
    with pytest.raises(SignatureNotTrustedError):
        verify(read_compact(data, ALERT), key.public)


@pytest.mark.parametrize(
    "alg",
    [
        "none",
        "None",
        "",
        "HS256",
        "HS384",
        "HS512",
        "RS256",
        "PS256",
        "ES384",
        "ES512",
        "ES256K",
        "EdDSA",
        "Ed448",
        "es256",
        "ES256 ",
        None,
        5,
        True,
        ["ES256"],
        {"alg": "ES256"},
    ],
    ids=repr,
)
def test_other_algorithms_are_refused(alg: object) -> None:
    """``none``, HMAC, RSA, other curves, RFC 8037's ``EdDSA`` and what is no text are refused in the header."""
    assert "alg" in refusal(compact({**HEADER, "alg": alg}))


@pytest.mark.parametrize(
    "extra",
    [
        {"crit": ["exp"]},
        {"crit": []},
        {"b64": False},
        {"b64": True},
        {"zip": "DEF"},
        {"jku": "https://example.org/keys"},
        {"jwk": {"kty": "EC"}},
        {"x5u": "https://example.org/cert"},
        {"x5c": ["MIIB"]},
        {"x5t": "AAAA"},
        {"cty": "json"},
        {"exp": IAT},
        {"nonce": "x"},
        {"ALG": "none"},
        {"": 1},
    ],
    ids=str,
)
def test_no_other_header_member_is_taken(extra: dict[str, object]) -> None:
    """A header member that the profile does not have is refused, whatever it would mean."""
    for profile in PROFILES:
        header = {name: value for name, value in HEADER.items() if name in profile.members}
        assert "exactly" in refusal(compact({**header, **extra}), profile)


@pytest.mark.parametrize("missing", ["alg", "kid", "typ", "iat"])
def test_no_header_member_may_be_missing(missing: str) -> None:
    """An alert's header without one of its members is refused."""
    assert "exactly" in refusal(compact({name: value for name, value in HEADER.items() if name != missing}))


@pytest.mark.parametrize(
    "typ", ["ALERT+JWS", "application/alert+jws", "JWT", "JOSE", "", None, 1, ["alert+jws"]], ids=repr
)
def test_another_typ_is_refused(typ: object) -> None:
    """The ``typ`` must be the profile's to the letter."""
    assert "typ" in refusal(compact({**HEADER, "typ": typ}))


@pytest.mark.parametrize("typ", [{}, {"typ": "JWT"}, {"typ": "client-authentication+jwt"}], ids=str)
def test_an_assertion_may_name_its_typ_or_not(typ: dict[str, str]) -> None:
    """The one optional member may be absent, and has its two values when present."""
    assert read_compact(compact({"alg": "ES256", "kid": "k1", **typ}), ASSERTION).iat is None
    assert "typ" in refusal(compact({"alg": "ES256", "kid": "k1", "typ": "at+jwt"}), ASSERTION)


@pytest.mark.parametrize("kid", ["", "k" * 65, "a b", "a/b", "k\n", "é", "../../etc", None, 1, ["k"]], ids=repr)
def test_a_kid_outside_the_pattern_is_refused(kid: object) -> None:
    """The key's name is 1 to 64 harmless characters."""
    assert "kid" in refusal(compact({**HEADER, "kid": kid}))


@pytest.mark.parametrize(
    "iat",
    [True, False, None, "1768676709", 1768676709.0, 0.5, -1, 0, 999_999_999, 253_402_300_800, 2**53 - 1, []],
    ids=repr,
)
def test_an_iat_that_is_no_plausible_second_is_refused(iat: object) -> None:
    """The signing time is an integer, which a truth value and a float are not, and lies between 2001 and 9999."""
    assert "iat" in refusal(compact({**HEADER, "iat": iat}))


def test_the_signing_time_is_an_instant(signing_key: SigningKey) -> None:
    """``issued_at`` is ``iat`` in UTC; a profile without one has no such instant."""
    assert read_compact(signed(signing_key, ALERT), ALERT).issued_at.isoformat() == "2026-01-17T19:05:09+00:00"
    with pytest.raises(ValueError, match="iat"):
        _ = read_compact(signed(signing_key, RECEIPT), RECEIPT).issued_at


@pytest.mark.parametrize(
    "header",
    [
        b'{"alg":"ES256","kid":"k","typ":"alert+jws","iat":1768676709,"alg":"ES256"}',
        b'{"alg":"none","\\u0061lg":"ES256","kid":"k","typ":"alert+jws","iat":1768676709}',
        b'{"alg":"ES256","kid":"k","typ":"alert+jws","iat":1768676709}\x00',
        b'\xef\xbb\xbf{"alg":"ES256","kid":"k","typ":"alert+jws","iat":1768676709}',
        b'{"alg":"ES256","kid":"k","typ":"alert+jws","iat":NaN}',
        b'["alg"]',
        b'"alg"',
        b"null",
        b"{}",
        b"",
        b"\xff",
        b"{" + b"[" * 700,
    ],
    ids=lambda header: repr(header[:24]),
)
def test_a_header_that_is_no_plain_object_is_refused(header: bytes) -> None:
    """Duplicate members, however spelt, broken JSON and other values than objects are refused."""
    assert "header" in refusal(compact(header))


@pytest.mark.parametrize("at", [0, 1, 2])
@pytest.mark.parametrize("spoil", [lambda s: s + b"=", lambda s: b" " + s, lambda s: s + b"\n", lambda s: b"+" + s[1:]])
def test_other_base64_is_refused_in_every_segment(signing_key: SigningKey, at: int, spoil: object) -> None:
    """Padding, whitespace and the standard alphabet are refused wherever they stand."""
    segments = signed(signing_key, ALERT).split(b".")
    assert callable(spoil)
    segments[at] = spoil(segments[at])
    refusal(b".".join(segments))


@pytest.mark.parametrize(
    "data", [b"", b".", b"..", b"...", b"a.b", b"a.b.c.d", b"a.b.c.d.e", b"{}", b"." * 2_000_000, b"\xff.\xff.\xff"]
)
def test_what_is_no_compact_serialisation_is_refused(data: bytes) -> None:
    """Anything but three segments, encrypted and empty ones among it, is refused."""
    refusal(data)


def test_the_json_serialisations_are_refused(signing_key: SigningKey) -> None:
    """Neither flattened nor general JSON is read where a compact JWS belongs (RFC 7515 section 7.2)."""
    protected, payload, signature = (part.decode() for part in signed(signing_key, ALERT).split(b"."))
    flattened = {"payload": payload, "protected": protected, "signature": signature}
    general = {"payload": payload, "signatures": [{"protected": protected, "signature": signature}]}
    for document in (flattened, general):
        assert "compact" in refusal(json.dumps(document).encode())


def test_detached_content_is_refused(signing_key: SigningKey) -> None:
    """A JWS whose payload was taken out (RFC 7515 appendix F) is not trusted."""
    protected, _, signature = signed(signing_key, ALERT).split(b".")
    with pytest.raises(SignatureNotTrustedError):
        verify(read_compact(protected + b".." + signature, ALERT), signing_key.public)


def test_each_segment_is_measured_before_it_is_decoded() -> None:
    """A header over 1,024 bytes, a signature over 128 and a payload over the profile's limit are too long."""
    small = replace(RECEIPT, max_payload=10)
    header = {"alg": "ES256", "kid": "k", "typ": "receipt+jws"}
    assert read_compact(compact(header, bytes(10)), small).payload == bytes(10)
    assert "long" in refusal(compact(header, bytes(11)), small)
    assert read_compact(compact(header, b"", bytes(128)), small).signature == bytes(128)
    assert "long" in refusal(compact(header, b"", bytes(129)), small)
    padded = json.dumps(header).encode().ljust(1024)
    assert read_compact(compact(padded), RECEIPT).kid == "k"
    assert "long" in refusal(compact(padded + b" "), RECEIPT)
    assert "long" in refusal(b"!" * 2_000_000 + b"..")


def test_signing_keeps_to_the_profile(signing_key: SigningKey) -> None:
    """A missing or superfluous ``iat``, and a payload that no reader would take, are errors of the caller."""
    with pytest.raises(ValueError, match="profile"):
        sign_compact(PAYLOAD, key=signing_key, profile=ALERT)
    with pytest.raises(ValueError, match="profile"):
        sign_compact(PAYLOAD, key=signing_key, profile=RECEIPT, iat=IAT)
    with pytest.raises(ValueError, match="profile"):
        sign_compact(bytes(RECEIPT.max_payload + 1), key=signing_key, profile=RECEIPT)


def test_no_refusal_repeats_content() -> None:
    """What was sent never shows in the reason."""
    for header in ({**HEADER, "kid": "secret!"}, {**HEADER, "secret": 1}, {**HEADER, "typ": "secret"}, b'{"secret":1,'):
        assert "secret" not in refusal(compact(header))
