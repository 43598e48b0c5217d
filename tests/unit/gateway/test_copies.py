"""Recipients' copies: what a permit's terms withhold is gone, what is left can be verified, or else nothing goes."""

from __future__ import annotations

from random import Random

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.relaying.copies import Copies, NoCopyError, whole
from gateway.store.terms import read_terms, terms_text
from schemas.decisions import NO_TERMS, ClauseRef, Onward, Terms, Treatment, Withholding
from schemas.ids import AgreementId, AlertId, AlertType, KeyId
from schemas.signing.jws import ALERT, REDACTED_ALERT, WITHHOLDING, read_compact, sign_compact
from schemas.signing.keys import SigningKey
from schemas.signing.sd_jwt import read_sd_jwt, verify_sd_jwt
from schemas.signing.sd_jwt_issuing import issue
from schemas.withholding.copies import CopyForm, verify_derived, verify_manifest
from schemas.withholding.disclosable import disclosable
from schemas.withholding.manifest import digest_of
from schemas.withholding.pseudonyms import Pseudonyms
from tests.unit.gateway.ground import START, stolen_vehicle

AGENCY = SigningKey.generate(KeyId("ca-qc.sq:1"), "Ed25519")
EXCHANGE = SigningKey.generate(KeyId("exchange.example.log:transport"), "Ed25519")
COPIES = Copies(key=EXCHANGE, pseudonyms=Pseudonyms(bytes(range(32))))
TYPE = AlertType("law-enforcement/stolen-vehicle/v1")
ALERT_ID = AlertId("019a5000-0000-7000-8000-000000000001")
UNDER = ClauseRef(AgreementId("ca-qc.us-ny.test"), 1, "1.1")
DOCUMENT = stolen_vehicle("A-1")
PLATE = "ABC 123"
IAT = int(START.timestamp())


def terms(*pointers: str, treatment: Treatment = Treatment.REDACT) -> Terms:
    """Return terms that withhold what pointers name."""
    return Terms(withholdings=tuple(Withholding(each, treatment, "", UNDER) for each in pointers))


def jws() -> bytes:
    """Return the alert as a compact JWS."""
    return sign_compact(orjson.dumps(DOCUMENT), key=AGENCY, profile=ALERT, iat=IAT)


def sd_jwt() -> bytes:
    """Return the alert as an SD-JWT."""
    dice = Random(1)  # noqa: S311 - chance that can be repeated
    return issue(DOCUMENT, disclosable=disclosable(TYPE), key=AGENCY, iat=IAT, randomness=dice.randbytes)


NUMBER = terms("/body/vehicle/plate/number")


def test_of_a_compact_jws_the_exchange_signs_what_is_left() -> None:
    """The value is gone, the exchange's signature is good, and the manifest names the clause and the original."""
    copy = COPIES.of(jws(), alert_id=ALERT_ID, alert_type=TYPE, terms=NUMBER)
    assert (copy.content_type, copy.manifest) == (CopyForm.DERIVED, "")
    read = verify_derived(read_compact(copy.body, REDACTED_ALERT), EXCHANGE.public)
    assert PLATE not in orjson.dumps(read.alert).decode()
    assert read.manifest.original == digest_of(jws())
    assert [each.under for each in read.manifest.withheld] == [str(UNDER)]


def test_of_an_sd_jwt_the_agencys_own_signature_stays_good() -> None:
    """The disclosure is gone, the agency's signature is good, and the manifest beside it is of these very bytes."""
    submitted = sd_jwt()
    copy = COPIES.of(submitted, alert_id=ALERT_ID, alert_type=TYPE, terms=NUMBER)
    assert copy.content_type == CopyForm.PRESENTED
    read = verify_sd_jwt(read_sd_jwt(copy.body), AGENCY.public)
    assert PLATE not in orjson.dumps(read.document).decode()
    manifest = verify_manifest(read_compact(copy.manifest.encode(), WITHHOLDING), EXCHANGE.public)
    assert (manifest.original, manifest.presented) == (digest_of(submitted), digest_of(copy.body))


def test_what_no_disclosure_holds_is_left_out_by_the_exchange() -> None:
    """An SD-JWT that holds a withheld member under its signature becomes a copy that the exchange signs."""
    submitted = issue(
        DOCUMENT,
        disclosable=["/body/circumstances"],
        key=AGENCY,
        iat=IAT,
        randomness=Random(1).randbytes,  # noqa: S311 - as above
    )
    copy = COPIES.of(submitted, alert_id=ALERT_ID, alert_type=TYPE, terms=NUMBER)
    assert copy.content_type == CopyForm.DERIVED
    read = verify_derived(read_compact(copy.body, REDACTED_ALERT), EXCHANGE.public)
    assert PLATE not in orjson.dumps(read.alert).decode()


@pytest.mark.parametrize("submitted", [jws(), sd_jwt()])
def test_where_nothing_is_there_to_withhold_the_submission_goes_out(submitted: bytes) -> None:
    """Terms that name what the alert does not have leave it as it was received."""
    assert COPIES.of(submitted, alert_id=ALERT_ID, alert_type=TYPE, terms=terms("/body/vehicle/vin")) == whole(
        submitted
    )


@pytest.mark.parametrize("submitted", [b"", b"~", b"a.b.c", b"\xff", jws()[:-2] + b"~", sd_jwt() + b"x"])
def test_what_can_not_be_read_gives_no_copy(submitted: bytes) -> None:
    """Nothing of a submission goes out that can't be taken apart, and the error shows none of it."""
    with pytest.raises(NoCopyError, match=r"^copy: cannot be made$"):
        COPIES.of(submitted, alert_id=ALERT_ID, alert_type=TYPE, terms=NUMBER)


def test_the_same_dispatch_gets_the_same_copy() -> None:
    """Made again for another attempt it is the same message, byte for byte, under a key that signs the same twice."""
    blurred = terms("/body/vehicle/plate/number", treatment=Treatment.PSEUDONYM)
    made = [COPIES.of(jws(), alert_id=ALERT_ID, alert_type=TYPE, terms=blurred) for _ in range(2)]
    assert made[0] == made[1]


clauses = st.builds(
    ClauseRef, st.just(AgreementId("ca-qc.us-ny.test")), st.integers(1, 9), st.sampled_from(["1", "2.1"])
)
withholdings = st.builds(
    Withholding,
    st.sampled_from(["/body/vehicle/vin", "/info/*/headline"]),
    st.sampled_from(Treatment),
    st.sampled_from(["", "identifying", "health"]),
    clauses,
)
numbers = st.none() | st.integers(0, 10**9)
everything = st.builds(
    Terms,
    st.lists(withholdings, max_size=3).map(tuple),
    numbers,
    numbers,
    numbers,
    st.sampled_from(Onward),
    st.lists(st.sampled_from(["CA", "ca.rcmp"]), max_size=2).map(tuple),
    numbers,
    st.booleans(),
)


@given(everything)
def test_terms_read_back_from_a_row(written: Terms) -> None:
    """What is kept beside a dispatch is what was decided, and terms that say nothing take no room."""
    text = terms_text(written)
    assert read_terms(text) == written
    assert (text is None) == (written == NO_TERMS)
