"""One verdict over a signed agreement: every signature, every byte, every signer, or refusal."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from agreements.signed import (
    SignedAgreement,
    UntrustedAgreementError,
    VerifiedAgreement,
    agreement_bytes,
    read_signed,
)
from schemas.ids import KeyId
from schemas.signing.jws import RECEIPT, STATEMENT, JwsProfile, join_signatures, sign_compact
from schemas.signing.keys import SigningKey
from tests.unit.agreements.builders import (
    ME,
    NY,
    QC,
    SIGNED_AT,
    VT,
    Json,
    agreement,
    authority,
    document,
    jurisdictions,
    signature,
    signed_file,
)

VALUE = document(parties=["CA-QC", "US-NY", "US-VT"])
PAYLOAD = agreement_bytes(agreement(VALUE))


def read(*compacts: bytes) -> SignedAgreement:
    """Read the file made of these signatures."""
    return read_signed(join_signatures(compacts), jurisdictions())


def test_every_party_signed() -> None:
    """A file that every party signed gives the document, its bytes and who signed when, in the parties' order."""
    signed = read(*(signature(PAYLOAD, code) for code in (VT, QC, NY)))
    assert (signed.document, signed.payload, signed.missing) == (agreement(VALUE), PAYLOAD, ())
    assert [(each.party, each.kid) for each in signed.signatures] == [
        (code, authority(code).kid) for code in (QC, NY, VT)
    ]
    assert {each.signed_at for each in signed.signatures} == {datetime.fromtimestamp(SIGNED_AT, UTC)}
    assert VerifiedAgreement(signed).document == signed.document


def test_a_signature_kept_can_be_joined_again() -> None:
    """The compact form of each signature makes the same file again."""
    signed = read(*(signature(PAYLOAD, code) for code in (QC, NY, VT)))
    assert read(*(each.compact for each in signed.signatures)) == signed


def test_a_missing_party_is_named_and_nothing_binds() -> None:
    """With a signature missing the document reads, says who has yet to sign, and no decision may rest on it."""
    signed = read(signature(PAYLOAD, QC), signature(PAYLOAD, VT))
    assert signed.missing == (NY,)
    with pytest.raises(ValueError, match="has not signed"):
        VerifiedAgreement(signed)


def refused(*compacts: bytes) -> str:
    """Return why a file is refused, in English."""
    with pytest.raises(UntrustedAgreementError) as caught:
        read(*compacts)
    assert caught.value.reason.fr
    return caught.value.reason.en


def test_a_foreign_key_refuses_the_whole_file() -> None:
    """One signature by a key that is not pinned voids the file, however good the others are."""
    stranger = SigningKey.generate(KeyId("stranger"), "Ed25519")
    good = [signature(PAYLOAD, QC), signature(PAYLOAD, NY)]
    assert refused(*good, signature(PAYLOAD, VT, key=stranger)).startswith("One of the signatures is not that")


def test_another_key_under_a_pinned_name_is_refused() -> None:
    """A key that borrows a pinned key's ``kid`` does not sign for its jurisdiction."""
    impostor = SigningKey.generate(authority(VT).kid, "Ed25519")
    other_algorithm = SigningKey.generate(authority(VT).kid, "ES256")
    for key in (impostor, other_algorithm):
        assert refused(signature(PAYLOAD, VT, key=key)).startswith("One of the signatures is not that")


def test_a_jurisdiction_that_is_no_party_cannot_sign() -> None:
    """A pinned authority that is not a party adds nothing; its signature voids the file."""
    assert "not a party" in refused(signature(PAYLOAD, QC), signature(PAYLOAD, ME))


def test_a_duplicate_signature_is_refused() -> None:
    """A party signs once: the same signature twice, or two by one key, make no file."""
    once = signature(PAYLOAD, QC)
    with pytest.raises(Exception, match="different key"):
        join_signatures([once, once])
    parts = json.loads(join_signatures([once]))
    parts["signatures"] *= 2
    with pytest.raises(UntrustedAgreementError, match="different key"):
        read_signed(json.dumps(parts).encode(), jurisdictions())


def test_two_keys_of_one_party_do_not_make_two_parties() -> None:
    """Where a jurisdiction has two pinned keys, only one of them signs a document."""
    second = SigningKey.generate(KeyId("CA-QC.second"), "ES256")
    pinned = dict(jurisdictions())
    pinned[QC] = pinned[QC].model_copy(update={"authority_keys": (*pinned[QC].authority_keys, second.public)})
    file = join_signatures([signature(PAYLOAD, QC), signature(PAYLOAD, QC, key=second)])
    with pytest.raises(UntrustedAgreementError, match="signed twice"):
        read_signed(file, pinned)
    alone = read_signed(join_signatures([signature(PAYLOAD, QC, key=second)]), pinned)
    assert [each.party for each in alone.signatures] == [QC]


def test_every_tampered_byte_is_noticed() -> None:
    """Whatever character of the file is changed, in its payload or in its signatures, it is refused."""
    file = signed_file(document())
    whole = read_signed(file, jurisdictions())
    for position in range(0, len(file), 7):
        tampered = file[:position] + bytes([file[position] ^ 1]) + file[position + 1 :]
        with pytest.raises(UntrustedAgreementError):
            read_signed(tampered, jurisdictions())
    assert whole.missing == ()


def as_sorted_by_length(payload: bytes) -> bytes:
    """Write the same JSON with its members in another order."""
    value = json.loads(payload)
    return json.dumps(dict(sorted(value.items(), key=lambda item: len(item[0]))), separators=(",", ":")).encode()


def with_space(payload: bytes) -> bytes:
    """Write the same JSON with a space after each colon."""
    return json.dumps(json.loads(payload), ensure_ascii=False, sort_keys=True, separators=(",", ": ")).encode()


def with_empty_list(payload: bytes) -> bytes:
    """Spell out that there are no contacts."""
    return payload.replace(b'"grants":', b'"contacts":[],"grants":', 1)


def with_real_version(payload: bytes) -> bytes:
    """Write the version as a number with a fraction."""
    return payload.replace(b'"version":1}', b'"version":1.0}')


@pytest.mark.parametrize("rewrite", [as_sorted_by_length, with_space, with_empty_list, with_real_version])
def test_only_the_canonical_bytes_are_signed(rewrite: Callable[[bytes], bytes]) -> None:
    """A payload that says the same in other bytes is refused, although every party signed it."""
    payload = rewrite(PAYLOAD)
    assert payload != PAYLOAD
    assert json.loads(payload).keys() >= json.loads(PAYLOAD).keys()
    reason = refused(*(signature(payload, code) for code in (QC, NY, VT)))
    assert "canonical form" in reason or "integer" in reason


@pytest.mark.parametrize(
    "payload",
    [b"", b"{}", b"[]", b"null", b"not json", PAYLOAD.replace(b'"id"', b'"id":"a","id"', 1), PAYLOAD[:-1], b"\xff"],
)
def test_what_is_no_agreement_is_refused(payload: bytes) -> None:
    """A payload that is no document is refused, although it is well signed."""
    refused(*(signature(payload, code) for code in (QC, NY, VT)))


@pytest.mark.parametrize("profile", [RECEIPT, STATEMENT])
def test_a_signature_made_for_something_else_is_refused(profile: JwsProfile) -> None:
    """A signature over the same bytes that was made as a receipt or a statement is not one under an agreement."""
    iat = SIGNED_AT if "iat" in profile.members else None
    compact = sign_compact(PAYLOAD, key=authority(QC), profile=profile, iat=iat).decode()
    protected, payload, value = compact.split(".")
    file = {"payload": payload, "signatures": [{"protected": protected, "signature": value}]}
    with pytest.raises(UntrustedAgreementError):
        read_signed(json.dumps(file).encode(), jurisdictions())


@pytest.mark.parametrize("file", [b"", b"{}", b"[]", signature(PAYLOAD, QC), b'{"payload":"","signatures":[]}'])
def test_what_is_no_signed_file_is_refused(file: bytes) -> None:
    """Bytes that are not the general serialisation are refused."""
    with pytest.raises(UntrustedAgreementError):
        read_signed(file, jurisdictions())


def test_an_unprotected_header_is_refused() -> None:
    """A header that no signature covers voids the file."""
    parts: Json = json.loads(join_signatures([signature(PAYLOAD, QC)]))
    signatures = parts["signatures"]
    assert isinstance(signatures, list)
    signatures[0]["header"] = {"kid": authority(QC).kid}
    with pytest.raises(UntrustedAgreementError):
        read_signed(json.dumps(parts).encode(), jurisdictions())


def test_nothing_of_an_unpinned_exchange_counts() -> None:
    """Where no jurisdiction is pinned, nobody's signature counts."""
    with pytest.raises(UntrustedAgreementError):
        read_signed(signed_file(VALUE), {})


def test_the_payload_is_what_the_file_shows() -> None:
    """The file's payload is the document's canonical bytes in base64url: anyone can read what was signed."""
    payload = json.loads(signed_file(VALUE))["payload"]
    assert base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)) == PAYLOAD
    assert agreement_bytes(agreement(json.loads(PAYLOAD))) == PAYLOAD
