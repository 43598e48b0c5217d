"""A recipient can tell what form of copy it has, what it lacks under which clause, and that nobody changed it."""

from __future__ import annotations

import hashlib
import json
import random
from typing import Any

import pytest

from schemas.decisions import Treatment, Withholding
from schemas.ids import AlertType, KeyId
from schemas.signing.canonical import canonical_bytes
from schemas.signing.jws import (
    REDACTED_ALERT,
    WITHHOLDING,
    MalformedJwsError,
    SignatureNotTrustedError,
    read_compact,
    sign_compact,
)
from schemas.signing.keys import SigningKey
from schemas.signing.sd_jwt import NotSeparableError, SdJwt, read_sd_jwt, verify_sd_jwt
from schemas.signing.sd_jwt_issuing import issue
from schemas.withholding.copies import (
    CopyForm,
    DerivedCopy,
    PresentedCopy,
    derive,
    form_of,
    sign_derived,
    sign_manifest,
    verify_derived,
    verify_manifest,
    withhold_from,
)
from schemas.withholding.disclosable import disclosable
from schemas.withholding.pseudonyms import Pseudonyms
from tests.unit.schemas.withholding.documents import (
    ALERT_ID,
    CASE,
    CRIME,
    EXCHANGE,
    HEALTH,
    MISSING,
    SECRET,
    SUBMISSION,
    Json,
    case,
    classes,
    copy_of,
    missing,
    redact,
)

AGENCY = SigningKey.generate(KeyId("ca-qc.sq.2026-1"), "ES256")


def read(signed: bytes) -> DerivedCopy:
    """Read a derived copy under the exchange's key."""
    return verify_derived(read_compact(signed, REDACTED_ALERT), EXCHANGE.public)


def submitted(document: Json, *patterns: str) -> SdJwt:
    """Sign a document as an agency does, and read it as the exchange does."""
    data = issue(
        document,
        disclosable=patterns or disclosable(AlertType(document["type"])),
        key=AGENCY,
        iat=1_768_676_709,
        randomness=random.Random(5).randbytes,  # noqa: S311 - salts of a test
    )
    return verify_sd_jwt(read_sd_jwt(data), AGENCY.public)


def presented(sd_jwt: SdJwt, withholdings: list[Withholding]) -> tuple[PresentedCopy, Any]:
    """Withhold from an SD-JWT, and return what a recipient reads under the agency's key."""
    document: Any = sd_jwt.document
    copy = withhold_from(
        sd_jwt,
        alert_type=AlertType(document["type"]),
        withholdings=withholdings,
        alert_id=ALERT_ID,
        original=SUBMISSION,
    )
    assert copy is not None
    return copy, verify_sd_jwt(read_sd_jwt(copy.sd_jwt), AGENCY.public).document


def test_a_derived_copy_is_read_as_it_was_signed() -> None:
    """The recipient gets the copy and the manifest under the exchange's signature, the same bytes every time."""
    withheld = classes(CASE, "identifying", "health")
    copy = copy_of(case(), withheld)
    signed = sign_derived(copy, key=EXCHANGE)
    assert read(signed) == copy
    assert signed == sign_derived(copy_of(case(), withheld[::-1]), key=EXCHANGE)


def test_the_manifest_says_what_is_missing_and_under_which_clause() -> None:
    """Every pattern, its class, its treatment, its clause and how many places; and what was found elsewhere."""
    document = missing(note="rien")
    withheld = [
        *classes(MISSING, "identifying"),
        *redact("/body/companions/*/person/age", treatment=Treatment.YEAR, under=HEALTH),
    ]
    manifest = copy_of(document, withheld).manifest
    assert manifest.original == f"sha-256:{hashlib.sha256(SUBMISSION).hexdigest()}"
    assert manifest.alert_id == ALERT_ID
    assert manifest.presented is None
    assert [each.model_dump(exclude_none=True) for each in manifest.withheld] == [
        {
            "pointer": pointer,
            **({"mark": "identifying"} if because == "clause" and under == CRIME else {}),
            "asked": asked,
            "done": "redact",
            "because": because,
            "under": str(under),
            "places": places,
        }
        for pointer, asked, because, under, places in [
            ("/body/companions/*/person/age", "year", "clause", HEALTH, 1),
            ("/body/person/birthDate", "redact", "clause", CRIME, 1),
            ("/body/person/name", "redact", "clause", CRIME, 1),
            ("/body/person/photographs", "redact", "clause", CRIME, 1),
            ("/body/vehicles/*/plate", "redact", "clause", CRIME, 1),
            ("/info/*/description", "redact", "found-elsewhere", CRIME, 2),
            ("/info/*/headline", "redact", "found-elsewhere", CRIME, 2),
        ]
    ]


def test_the_manifest_repeats_no_name_that_no_schema_knows() -> None:
    """A member's name may itself be what is withheld: its place is told as far as the schema knows it."""
    document = missing(more={"Marchand-Roy": {"mimeType": "text/plain"}, "x": "Marchand-Roy"})
    copy = copy_of(document, classes(MISSING, "identifying"))
    assert {each.pointer for each in copy.manifest.withheld if each.because != "clause"} >= {""}
    assert b"Marchand" not in copy.payload()


def test_where_nothing_is_withheld_there_is_no_copy() -> None:
    """An alert of which a recipient gets everything goes out as it was submitted, in either form."""
    document = missing()
    absent = redact("/note", "/body/person/phone")
    assert (
        derive(
            document,
            alert_type=MISSING,
            withholdings=absent,
            alert_id=ALERT_ID,
            original=SUBMISSION,
            pseudonyms=Pseudonyms(SECRET),
        )
        is None
    )
    whole = submitted(document)
    assert withhold_from(whole, alert_type=MISSING, withholdings=absent, alert_id=ALERT_ID, original=SUBMISSION) is None


@pytest.mark.parametrize("form", list(CopyForm))
def test_the_media_type_tells_the_form(form: CopyForm) -> None:
    """Full, derived and presented copies have media types of their own, in any case, without parameters."""
    assert form_of(form.value) is form
    assert form_of(f" {form.value.upper()}") is form
    for other in ("application/json", "", f"{form.value};v=1", "application/jwt"):
        with pytest.raises(ValueError, match="CopyForm"):
            form_of(other)


def test_every_changed_byte_of_a_derived_copy_is_refused() -> None:
    """Not one byte between the exchange and the recipient can be changed."""
    signed = sign_derived(copy_of(case(), classes(CASE, "identifying")), key=EXCHANGE)
    for position in range(len(signed)):
        spoilt = signed[:position] + bytes([signed[position] ^ 1]) + signed[position + 1 :]
        with pytest.raises((MalformedJwsError, SignatureNotTrustedError)):
            read(spoilt)


def spoilt_payloads() -> list[bytes]:
    """Return payloads that the exchange would never sign."""
    good: Any = json.loads(copy_of(case(), classes(CASE, "identifying")).payload())
    manifest, (first, *_) = good["manifest"], good["manifest"]["withheld"]

    def with_manifest(**members: Any) -> bytes:  # noqa: ANN401 - any JSON value
        return canonical_bytes({**good, "manifest": {**manifest, **members}})

    return [
        json.dumps(good).encode(),
        canonical_bytes({**good, "more": 1}),
        canonical_bytes({"alert": good["alert"]}),
        canonical_bytes({"manifest": manifest}),
        canonical_bytes({**good, "alert": []}),
        canonical_bytes([good]),
        b"",
        b"{}",
        with_manifest(manifest="lacolle.withholding/v2"),
        with_manifest(alert_id="x"),
        with_manifest(original="sha-1:00"),
        with_manifest(presented=None),
        with_manifest(more=1),
        with_manifest(withheld={}),
        with_manifest(withheld=[{**first, "value": "Pruitt"}]),
        with_manifest(withheld=[{**first, "places": 0}]),
        with_manifest(withheld=[{**first, "places": True}]),
        with_manifest(withheld=[{**first, "asked": "keep"}]),
        with_manifest(withheld=[{**first, "under": "nothing"}]),
    ]


@pytest.mark.parametrize("payload", spoilt_payloads(), ids=lambda payload: payload[-40:].decode())
def test_another_payload_is_refused(payload: bytes) -> None:
    """A signed payload that is not canonical, or whose manifest is none of this version, is refused."""
    with pytest.raises(MalformedJwsError):
        read(sign_compact(payload, key=EXCHANGE, profile=REDACTED_ALERT))


def test_an_sd_jwt_keeps_the_agencys_signature() -> None:
    """What is dropped is gone, what stays is what the agency signed, and the manifest names both digests."""
    document = case()
    copy, left = presented(submitted(document), classes(CASE, "identifying"))
    expected = case()
    patient = expected["body"]["patient"]
    for name in ("name", "birthDate", "phone"):
        del patient[name]
    del patient["residence"]["municipality"]
    assert left == expected
    assert copy.manifest.presented == f"sha-256:{hashlib.sha256(copy.sd_jwt).hexdigest()}"
    unverified = read_compact(sign_manifest(copy.manifest, key=EXCHANGE), WITHHOLDING)
    assert verify_manifest(unverified, EXCHANGE.public) == copy.manifest


def test_both_forms_withhold_the_same() -> None:
    """Where only redaction is asked for, the derived copy and the presented one show the same document."""
    for document, alert_type in ((case(), CASE), (missing(), MISSING)):
        withheld = classes(alert_type, "identifying", "health")
        _, left = presented(submitted(document), withheld)
        assert left == copy_of(document, withheld).alert


def test_on_an_sd_jwt_a_treatment_becomes_a_drop() -> None:
    """The agency's signature can't cover a pseudonym, a year or a region: they go, and the manifest says so."""
    withheld = [
        *redact("/body/patient/name", treatment=Treatment.PSEUDONYM),
        *redact("/body/patient/birthDate", treatment=Treatment.YEAR),
        *redact("/info/*/area/*", treatment=Treatment.REGION),
    ]
    copy, left = presented(submitted(case()), withheld)
    assert left["body"]["patient"].keys().isdisjoint({"name", "birthDate"})
    assert left["info"][0]["area"] == []
    assert {(each.asked, each.done) for each in copy.manifest.withheld if each.because == "clause"} == {
        ("pseudonym", "redact"),
        ("year", "redact"),
        ("region", "redact"),
    }


def test_what_is_under_the_agencys_signature_can_not_be_withheld_from_it() -> None:
    """A name in the identifier, or a member that the agency did not make disclosable, is said, and nothing is sent."""
    document = case() | {"identifier": "VDH-PRUITT-1"}
    with pytest.raises(NotSeparableError) as refused:
        presented(submitted(document), classes(CASE, "identifying"))
    assert refused.value.pointers == ("/identifier",)
    with pytest.raises(NotSeparableError) as refused:
        presented(submitted(case(), "/body/patient/name"), classes(CASE, "identifying"))
    assert "/body/patient/phone" in refused.value.pointers
    derived = copy_of(document, classes(CASE, "identifying"))
    assert "/identifier" in {each.pointer for each in derived.manifest.withheld}


@pytest.mark.parametrize("length", [16, 32])
def test_what_is_withheld_does_not_leave_as_a_salt_or_as_a_decoy(length: int) -> None:
    """Salts, and digests of nothing, are to be random: one that spells a withheld value keeps the SD-JWT from going."""
    dice = random.Random(5)  # noqa: S311 - salts of a test
    spelt = case()["body"]["patient"]["phone"].encode()

    def randomness(count: int) -> bytes:
        return spelt + dice.randbytes(count - len(spelt)) if count == length else dice.randbytes(count)

    data = issue(case(), disclosable=disclosable(CASE), key=AGENCY, iat=1_768_676_709, randomness=randomness, decoys=1)
    with pytest.raises(NotSeparableError):
        presented(verify_sd_jwt(read_sd_jwt(data), AGENCY.public), classes(CASE, "identifying"))


def test_by_default_what_names_people_is_disclosable_and_the_header_is_not() -> None:
    """Marked members, prose, files and areas are; what an alert is known by, closed lists and numbers are not."""
    patterns = set(disclosable(MISSING))
    assert patterns >= {
        "/note",
        "/info/*/headline",
        "/info/*/description",
        "/info/*/instruction",
        "/info/*/area/*",
        "/body/person/name",
        "/body/person/name/surname",
        "/body/person/aliases/*",
        "/body/person/medical/*",
        "/body/person/photographs/*",
        "/body/lastSeen/at",
        "/body/circumstances",
        "/body/vehicles/*/plate/number",
    }
    header = {
        "type",
        "identifier",
        "sender",
        "sent",
        "status",
        "msgType",
        "scope",
        "references",
        "addresses",
        "handling",
    }
    assert not any(pattern.split("/")[1] in header for pattern in patterns)
    assert patterns.isdisjoint({"", "/info", "/info/*", "/body", "/info/*/urgency", "/body/person/age", "/body/amber"})
