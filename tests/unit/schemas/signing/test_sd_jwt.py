"""An SD-JWT of this exchange lets parts of an alert be left out under the agency's own signature (RFC 9901)."""

from __future__ import annotations

import hashlib
import json
import random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.ids import KeyId
from schemas.pointers import leaves, pointer_of, value_at
from schemas.signing import base64url
from schemas.signing.disclosures import digest_of
from schemas.signing.jws import ALERT_SD_JWT, MalformedJwsError, SignatureNotTrustedError, sign_compact
from schemas.signing.keys import PublicKey, SigningKey
from schemas.signing.sd_jwt import (
    MOST_DISCLOSURES,
    NotSeparableError,
    SdJwt,
    assemble,
    present,
    read_disclosures,
    read_sd_jwt,
    verify_sd_jwt,
)
from schemas.signing.sd_jwt_issuing import issue
from schemas.signing.strict_json import parse_json
from tests.unit.schemas.signing import rfc9901

IAT = 1_768_676_709
KEY = SigningKey.generate(KeyId("ca-qc.sq.2026-1"), "Ed25519")
DOCUMENT: dict[str, Any] = {
    "identifier": "SQ-1",
    "info": [{"headline": "Recherché"}, {"headline": "Wanted"}],
    "body": {"person": {"name": {"surname": "Tremblay", "given": "Guy"}, "age": 41}, "aliases": ["Ti-Guy", "Momo"]},
}
EVERYTHING = ["/info/*/headline", "/body/person", "/body/person/name", "/body/person/name/given", "/body/aliases/*"]
WEIGHTY = "x" * 22


def issued(document: dict[str, Any] = DOCUMENT, *patterns: str, decoys: int = 0) -> bytes:
    """Issue a document with every place of the patterns disclosable, with randomness that repeats itself."""
    source = random.Random(7)  # noqa: S311 - salts of a test
    return issue(
        document,
        disclosable=patterns or EVERYTHING,
        key=KEY,
        iat=IAT,
        randomness=source.randbytes,
        decoys=decoys,
    )


def verified(data: bytes) -> SdJwt:
    """Read and verify under the one key."""
    return verify_sd_jwt(read_sd_jwt(data), KEY.public)


def signed(payload: object, *disclosures: object) -> bytes:
    """Sign any payload as an SD-JWT, with any disclosures after it, as values or as the very bytes."""
    texts = [each if isinstance(each, bytes) else disclosure(each) for each in disclosures]
    jws = sign_compact(json.dumps(payload).encode(), key=KEY, profile=ALERT_SD_JWT, iat=IAT)
    return b"~".join([jws, *texts, b""])


def disclosure(content: object) -> bytes:
    """Write a disclosure."""
    return base64url.encode(json.dumps(content).encode())


def refusal(data: bytes) -> str:
    """Return the English reason that an SD-JWT is refused with."""
    with pytest.raises(MalformedJwsError) as refused:
        verified(data)
    return refused.value.reason.en


def example(text: str) -> tuple[Any, int]:
    """Verify an example of the RFC, whose header is not this exchange's, and return what it discloses."""
    jws, *disclosures, last = text.encode().split(b"~")
    assert last == b""
    signing_input, _, signature = jws.rpartition(b".")
    key = PublicKey.from_jwk({**rfc9901.ISSUER_JWK, "kid": "issuer", "alg": "ES256"})
    assert key.verify(signing_input, base64url.decode(signature))
    payload = base64url.decode(signing_input.split(b".")[1])
    document, placed, undisclosed = assemble(payload, read_disclosures(disclosures))
    assert len(placed) == len(disclosures)
    return document, undisclosed


def test_the_example_of_section_5() -> None:
    """Members and elements come back where they were, and digests without disclosures leave no trace."""
    chosen = rfc9901.SECTION_5_DISCLOSURES
    document, undisclosed = example("~".join([rfc9901.SECTION_5, *chosen.values(), ""]))
    assert document["given_name"] == "John"
    assert document["family_name"] == "Doe"
    assert document["email"] == "johndoe@example.com"
    assert document["nationalities"] == ["US", "DE"]
    assert document.keys().isdisjoint({"_sd", "_sd_alg", "address", "birthdate"})
    assert undisclosed == 5
    fewer, _ = example("~".join([rfc9901.SECTION_5, chosen["DE"], ""]))
    assert fewer["nationalities"] == ["DE"]


def test_the_example_of_appendix_a3() -> None:
    """All twenty-eight disclosures, some within others, make the document that the RFC shows."""
    document, undisclosed = example(rfc9901.APPENDIX_A3)
    assert undisclosed == 0
    assert document["address"] == {
        "street_address": "Heidestraße 17",
        "locality": "Köln",
        "postal_code": "51147",
        "country": "DE",
    }
    assert document["place_of_birth"] == {"locality": "Berlin", "country": "DE"}
    assert document["age_equal_or_over"] == {
        "12": True,
        "14": True,
        "16": True,
        "18": True,
        "21": True,
        "65": False,
    }
    assert document["birthdate"] == "1963-08-12"
    assert document["nationalities"] == ["DE"]


def test_the_examples_headers_are_refused() -> None:
    """An SD-JWT that is no alert's is refused, however well it is signed."""
    with pytest.raises(MalformedJwsError):
        read_sd_jwt(rfc9901.APPENDIX_A3.encode())


def test_what_is_issued_is_read_whole(signing_key: SigningKey) -> None:
    """With every disclosure the document is the one that was signed, under either algorithm."""
    source = random.Random(1)  # noqa: S311 - salts of a test
    data = issue(DOCUMENT, disclosable=EVERYTHING, key=signing_key, iat=IAT, randomness=source.randbytes, decoys=2)
    unverified = read_sd_jwt(data)
    assert (unverified.jws.kid, unverified.jws.iat) == (signing_key.kid, IAT)
    read = verify_sd_jwt(unverified, signing_key.public)
    assert read.document == DOCUMENT
    assert present(read, []) == data
    assert read.undisclosed == 2 * 5


def test_the_signed_part_shows_nothing_that_is_disclosable() -> None:
    """The payload holds digests in sorted order where the values were, and salts are 128 bits that never repeat."""
    jws, *disclosures, _ = issued().split(b"~")
    payload = parse_json(base64url.decode(jws.split(b".")[1]))
    assert isinstance(payload, dict)
    assert payload["_sd_alg"] == "sha-256"
    assert payload["body"].keys() == {"_sd", "aliases"}  # type: ignore[union-attr]  # an object, as it was signed
    assert payload["info"][0].keys() == {"_sd"}  # type: ignore[index,union-attr]  # a list, as it was signed
    for word in ("Tremblay", "Guy", "Momo", "Wanted"):
        assert word not in json.dumps(payload, ensure_ascii=False)
    salts = [json.loads(base64url.decode(each))[0] for each in disclosures]
    assert len(set(salts)) == len(salts) == 7
    assert {len(base64url.decode(salt.encode())) for salt in salts} == {16}


def test_a_digest_is_the_hash_of_the_text_as_it_stands() -> None:
    """Section 4.2.3: the SHA-256 of the base64url, not of the JSON within."""
    text = b"WyI2cU1RdlJMNWhhaiIsICJmYW1pbHlfbmFtZSIsICJNw7ZiaXVzIl0"
    assert digest_of(text) == "uutlBuYeMDyjLLTpf6Jxi7yNkEF35jdyWMn9U7b_RYY"
    assert digest_of(text) == base64url.encode(hashlib.sha256(text).digest()).decode()


@pytest.mark.parametrize(
    ("pointer", "left"),
    [
        ("/body/person", {"aliases": ["Ti-Guy", "Momo"]}),
        ("/body/person/name", {"person": {"age": 41}, "aliases": ["Ti-Guy", "Momo"]}),
        (
            "/body/person/name/given",
            {"person": {"name": {"surname": "Tremblay"}, "age": 41}, "aliases": ["Ti-Guy", "Momo"]},
        ),
        ("/body/person/name/surname", {"person": {"age": 41}, "aliases": ["Ti-Guy", "Momo"]}),
        ("/body/person/age", {"aliases": ["Ti-Guy", "Momo"]}),
        ("/body/aliases/0", {**DOCUMENT["body"], "aliases": ["Momo"]}),
        ("/body/aliases", {**DOCUMENT["body"], "aliases": []}),
        ("/body", {"aliases": []}),
    ],
)
def test_what_is_left_out(pointer: str, left: object) -> None:
    """A pointer takes its own disclosure, or all below it, or the nearest around it; the rest stays and verifies."""
    shown = present(verified(issued()), [pointer])
    read = verified(shown)
    assert read.document == {**DOCUMENT, "body": left}
    assert shown.split(b"~")[0] == issued().split(b"~")[0]


@pytest.mark.parametrize("pointer", ["/identifier", "/info", "/info/0", "/absent", "", "/body/aliases/7"])
def test_what_can_not_be_left_out_is_said(pointer: str) -> None:
    """A place under the signature itself, or none, is no place to leave out: nothing is presented."""
    only_names = issued(DOCUMENT, "/body/person/name")
    with pytest.raises(NotSeparableError) as refused:
        present(verified(only_names), ["/body/person/name/given", pointer])
    assert refused.value.pointers == (pointer,)


def test_presenting_twice_gives_the_same_bytes() -> None:
    """What is presented depends on the SD-JWT and the pointers alone, not on their order."""
    read = verified(issued())
    pointers = ["/body/aliases/1", "/info/0/headline"]
    assert present(read, pointers) == present(read, reversed(pointers))
    assert issued() == issued()


@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: data[:-1],
        lambda data: data + b"~",
        lambda data: data + b"x",
        lambda data: data + rfc9901.SECTION_5_KEY_BINDING.encode(),
        lambda data: data.replace(b"~", b"~~", 1),
        lambda data: data.split(b"~")[0],
        lambda data: data + data.split(b"~")[1] + b"~",
        lambda data: data + disclosure([WEIGHTY, "extra", 1]) + b"~",
        lambda data: data.replace(b"~", b"=~"),
        lambda data: data + b"W10~",
        lambda data: data + b"\xff~",
    ],
)
def test_other_serialisations_are_refused(spoil: Any) -> None:  # noqa: ANN401 - a lambda of bytes
    """A key-binding JWT, trailing bytes, empty, repeated, unreferenced and badly encoded disclosures are refused."""
    assert refusal(spoil(issued()))


@pytest.mark.parametrize(
    "content",
    [
        [],
        [WEIGHTY],
        [WEIGHTY, "a", 1, 2],
        {"salt": WEIGHTY},
        "text",
        None,
        [1, "a", 1],
        [WEIGHTY, 1, 1],
        [WEIGHTY, "_sd", ["x"]],
        [WEIGHTY, "...", "x"],
        [WEIGHTY, "_sd_alg", "sha-256"],
        ["short", "a", 1],
        ["x" * 129, "a", 1],
    ],
    ids=str,
)
def test_what_is_no_disclosure_is_refused(content: object) -> None:
    """A disclosure is a weighty salt, a name that is not reserved, a value, and nothing else, even where digested."""
    text = disclosure(content)
    assert refusal(signed({"_sd": [digest_of(text)]}, text))


@pytest.mark.parametrize(
    "text", [b'["xxxxxxxxxxxxxxxxxxxxxx","a",{"b":1,"b":2}]', b'["xxxxxxxxxxxxxxxxxxxxxx","a",NaN]', b"\xff"]
)
def test_a_disclosures_json_is_strict(text: bytes) -> None:
    """Equal names, NaN and bytes that are not UTF-8 are refused inside a disclosure too."""
    encoded = base64url.encode(text)
    assert refusal(signed({"_sd": [digest_of(encoded)]}, encoded))


A = disclosure([WEIGHTY, "a", 1])
E = disclosure([WEIGHTY, 1])


@pytest.mark.parametrize(
    ("payload", "disclosures"),
    [
        ({"_sd": [digest_of(A), digest_of(A)]}, [A]),
        ({"_sd": [digest_of(A)], "b": {"_sd": [digest_of(A)]}}, [A]),
        ({"_sd": [digest_of(A)], "b": [{"...": digest_of(A)}]}, [A]),
        ({"_sd": [digest_of(b"gone"), digest_of(b"gone")]}, []),
        ({"_sd": [digest_of(A)], "a": 2}, [A]),
        ({"_sd": [digest_of(A), digest_of(disclosure(["y" * 22, "a", 1]))]}, [A, disclosure(["y" * 22, "a", 1])]),
        ({"_sd": [digest_of(E)]}, [E]),
        ({"b": [{"...": digest_of(A)}]}, [A]),
        ({"b": [{"...": digest_of(E), "c": 1}]}, [E]),
        ({"b": {"...": digest_of(E)}}, [E]),
        ({"b": [{"...": 1}]}, []),
        ({"b": [{"...": [digest_of(E)]}]}, [E]),
        ({"_sd": digest_of(A)}, [A]),
        ({"_sd": [1]}, []),
        ({"_sd": [""]}, []),
        ({"_sd": [digest_of(A) + "="]}, []),
        ({"_sd": [digest_of(A)[:-1] + "B"]}, []),
        ({"_sd_alg": "sha-512", "_sd": [digest_of(A)]}, [A]),
        ({"_sd_alg": None, "_sd": [digest_of(A)]}, [A]),
        ({"_sd_alg": ["sha-256"], "_sd": [digest_of(A)]}, [A]),
        ({"b": {"_sd_alg": "sha-256"}, "_sd": [digest_of(A)]}, [A]),
        ({"b": 1}, [A]),
        ([digest_of(A)], []),
        ("text", []),
    ],
    ids=str,
)
def test_what_makes_no_document_is_refused(payload: object, disclosures: list[bytes]) -> None:
    """Section 7.1: equal digests, collisions, kinds mixed up, reserved names out of place, other hashes, leftovers."""
    assert refusal(signed(payload, *disclosures))


def test_a_digest_within_itself_or_too_deep_is_refused() -> None:
    """Disclosures within disclosures end at the depth that every JSON text here ends at."""
    texts, digest = [], digest_of(b"nothing")
    for level in range(40):
        texts.append(disclosure([WEIGHTY, f"n{level}", {"_sd": [digest]}]))
        digest = digest_of(texts[-1])
    assert "deep" in refusal(signed({"_sd": [digest]}, *texts))


def test_the_number_of_disclosures_is_bounded() -> None:
    """More than the most are refused before they are read, and not issued either."""
    for more in (1, 900):
        assert "more than" in refusal(signed({}, *[b"x"] * (MOST_DISCLOSURES + more)))
    with pytest.raises(ValueError, match="disclosures"):
        issued({"many": [*range(MOST_DISCLOSURES + 1)]}, "/many/*")


@pytest.mark.parametrize("name", ["_sd", "...", "_sd_alg"])
def test_a_document_with_reserved_names_is_not_issued(name: str) -> None:
    """What a reader would take for a digest is never signed as content, disclosable or not."""
    for document in ({name: 1}, {"a": {name: 1}}, {"a": [{name: 1}]}):
        with pytest.raises(ValueError, match="means something"):
            issued(document, "/a")


def test_the_whole_document_is_never_one_disclosure() -> None:
    """The empty pointer names what must be signed."""
    with pytest.raises(ValueError, match="whole"):
        issued(DOCUMENT, "")


def test_another_key_is_not_trusted() -> None:
    """A wrong key, and none, give out nothing."""
    other = SigningKey.generate(KEY.kid, "Ed25519").public
    for key in (None, other):
        with pytest.raises(SignatureNotTrustedError):
            verify_sd_jwt(read_sd_jwt(issued()), key)


def test_every_changed_byte_is_noticed() -> None:
    """Not one byte of an SD-JWT, of its disclosures neither, can be changed."""
    valid = issued()
    for position in range(len(valid)):
        for other in (valid[position] ^ 1, valid[position] ^ 0x20, ord("~")):
            spoilt = valid[:position] + bytes([other]) + valid[position + 1 :]
            if spoilt != valid:
                with pytest.raises((MalformedJwsError, SignatureNotTrustedError)):
                    verified(spoilt)


scalars = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**53) + 1, 2**53 - 1), st.text(alphabet="aé\u2028🜁", max_size=4)
)
names = st.text(alphabet="ab/~", max_size=3)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3), max_leaves=12
)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=150)
@given(st.dictionaries(names, values, min_size=1, max_size=4), st.data())
def test_any_document_any_places(document: dict[str, Any], data: st.DataObject) -> None:
    """Whatever is disclosable, all of it gives the document back, and what is left out is gone, digests apart."""
    spots = [pointer_of(place[:depth]) for place, _ in leaves(document) for depth in range(1, len(place) + 1)]
    chosen = data.draw(st.lists(st.sampled_from(spots), unique=True)) if spots else []
    whole = verified(issue(document, disclosable=chosen, key=KEY, iat=IAT, randomness=random.Random(3).randbytes))  # noqa: S311 - salts of a test
    assert whole.document == document
    assert {pointer_of(each.place) for each in whole.placed} == set(chosen)
    if not chosen:
        return
    gone = data.draw(st.sampled_from(chosen))
    rest = verified(present(whole, [gone]))
    lost = [each for each in whole.placed if (pointer_of(each.place) + "/").startswith(gone + "/")]
    assert len(rest.placed) == len(whole.placed) - len(lost)
    *above, last = next(each.place for each in whole.placed if pointer_of(each.place) == gone)
    del value_at(document, tuple(above))[last]  # type: ignore[arg-type,union-attr]  # the place's own container
    assert rest.document == document
