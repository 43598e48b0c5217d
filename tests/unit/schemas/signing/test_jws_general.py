"""A signed agreement file: one payload, several signatures, every one of them protected."""

from __future__ import annotations

import json
from typing import Any

import pytest

from schemas.ids import KeyId
from schemas.signing.jws import (
    AGREEMENT,
    ALERT,
    MalformedJwsError,
    join_signatures,
    sign_compact,
    split_signatures,
    verify,
)
from schemas.signing.keys import SigningKey

PAYLOAD = b'{"agreement":"lacolle.agreement/v1"}'
IAT = 1_768_676_709
QUEBEC = SigningKey.generate(KeyId("ca-qc.authority"), "Ed25519")
NEW_YORK = SigningKey.generate(KeyId("us-ny.authority"), "ES256")


def signature(key: SigningKey, payload: bytes = PAYLOAD) -> bytes:
    """Sign an agreement."""
    return sign_compact(payload, key=key, profile=AGREEMENT, iat=IAT)


def document() -> dict[str, Any]:
    """Make a file with two signatures, to be spoilt."""
    value: dict[str, Any] = json.loads(join_signatures([signature(QUEBEC), signature(NEW_YORK)]))
    return value


def refusal(value: object) -> str:
    """Return the English reason that a file is refused with."""
    with pytest.raises(MalformedJwsError) as refused:
        split_signatures(value if isinstance(value, bytes) else json.dumps(value).encode())
    return refused.value.reason.en


def test_signatures_come_apart_as_they_were_joined() -> None:
    """Each signature is again the compact JWS that it was, in its order, and verifies under its own key."""
    compacts = [signature(QUEBEC), signature(NEW_YORK)]
    read = split_signatures(join_signatures(compacts))
    assert [one.compact for one in read] == compacts
    assert [verify(one, key.public) for one, key in zip(read, (QUEBEC, NEW_YORK), strict=True)] == [PAYLOAD, PAYLOAD]


def test_the_file_is_rfc_7515s_general_serialisation() -> None:
    """The members are those of section 7.2.1, and no more."""
    value = document()
    assert value.keys() == {"payload", "signatures"}
    assert all(one.keys() == {"protected", "signature"} for one in value["signatures"])


def test_signatures_over_different_bytes_are_not_joined() -> None:
    """Two payloads that mean the same and differ by a space are different bytes."""
    with pytest.raises(MalformedJwsError):
        join_signatures([signature(QUEBEC), signature(NEW_YORK, PAYLOAD + b" ")])


def test_one_key_signs_once() -> None:
    """A key that signed twice is refused, so that signatures can be counted as parties."""
    with pytest.raises(MalformedJwsError):
        join_signatures([signature(NEW_YORK), signature(NEW_YORK)])


def test_only_agreement_signatures_are_joined() -> None:
    """None at all, and a signature made for something else, are refused."""
    with pytest.raises(MalformedJwsError):
        join_signatures([])
    with pytest.raises(MalformedJwsError):
        join_signatures([sign_compact(PAYLOAD, key=QUEBEC, profile=ALERT, iat=IAT)])


def test_unprotected_headers_and_other_members_are_refused() -> None:
    """Nothing outside the signatures is taken: no unprotected header, no flattened form, no extra member."""
    spoilt = document()
    spoilt["signatures"][0]["header"] = {"kid": "us-ny.authority"}
    assert "alone" in refusal(spoilt)
    assert "alone" in refusal({**document(), "extra": 1})
    assert "alone" in refusal({**document(), "signatures": []})
    assert "alone" in refusal({**document(), "signatures": {}})
    assert "alone" in refusal({**document(), "payload": 1})
    flattened = {"payload": document()["payload"], **document()["signatures"][0]}
    assert "alone" in refusal(flattened)


def test_a_segment_can_not_smuggle_another() -> None:
    """A dot inside a member does not become a segment's end."""
    value = document()
    first = value["signatures"][0]
    first["protected"], value["payload"] = f"{first['protected']}.{value['payload']}", ""
    refusal(value)


def test_a_changed_payload_loses_every_signature() -> None:
    """The one payload is under all signatures: changed, none of them is trusted."""
    value = document()
    value["payload"] = "e30"
    for one, key in zip(split_signatures(json.dumps(value).encode()), (QUEBEC, NEW_YORK), strict=True):
        assert not key.public.verify(one.signing_input, one.signature)


def test_too_many_and_too_much_are_refused() -> None:
    """More than 64 signatures, and files beyond any agreement's size, are refused."""
    value = document()
    value["signatures"] *= 33
    refusal(value)
    assert "long" in refusal(b" " * 3_000_000)
    refusal(b'{"payload":"","payload":""}')
