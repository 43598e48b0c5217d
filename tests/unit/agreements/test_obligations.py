"""What an obligation may say, and that documents without the newer ones keep the bytes that were signed."""

from __future__ import annotations

import hashlib

import pytest
from pydantic import TypeAdapter, ValidationError

from agreements.obligations import NEVER_WITHHELD, Obligation, copies_of, exercises_alone, lane_of
from agreements.signed import agreement_bytes
from schemas.decisions import Lane
from tests.unit.agreements.builders import Json, agreement, canonical, document, grant

READER: TypeAdapter[Obligation] = TypeAdapter(Obligation)

SAID: tuple[Json, ...] = (
    {"obligation": "lane", "lane": "urgent"},
    {"obligation": "redact", "paths": ["/info/*/contact"]},
    {"obligation": "redact", "classes": ["identifying", "health"]},
    {"obligation": "de-identify", "paths": ["/body/patient/name"], "classes": ["identifying"]},
    {"obligation": "precision", "year": ["/body/patient/birthDate"]},
    {"obligation": "precision", "year": ["/body/reported"], "region": ["/body/patient/residence"]},
    {"obligation": "deadline", "delivery": 60},
    {"obligation": "deadline", "delivery": 60, "acknowledgement": 3600},
    {"obligation": "retention", "days": 30},
    {"obligation": "onward", "rule": "forbidden"},
    {"obligation": "copy-to", "participants": ["ca-qc.msp"]},
    {"obligation": "consent-by", "parties": ["CA-QC"], "within": 3600},
    {"obligation": "consent-by", "participants": ["ca-qc.msp"], "within": 3600},
    {"obligation": "exercise-only"},
)


@pytest.mark.parametrize("stated", SAID)
def test_what_is_read_is_what_is_signed(stated: Json) -> None:
    """An obligation comes out of a document as it went in: no member is added, none is lost."""
    value = document(grant(obligations=[stated]))
    assert agreement_bytes(agreement(value)) == canonical(value)


@pytest.mark.parametrize(
    "stated",
    [
        {"obligation": "shred"},
        {"obligation": "redact"},
        {"obligation": "redact", "paths": []},
        {"obligation": "redact", "paths": ["/note", "/note"]},
        {"obligation": "redact", "paths": ["note"]},
        {"obligation": "redact", "paths": [""]},
        {"obligation": "redact", "paths": ["/info/0/contact"]},
        {"obligation": "redact", "paths": ["/info//contact"]},
        {"obligation": "redact", "classes": ["secret"]},
        {"obligation": "redact", "paths": ["/note"], "unless": "Tuesday"},
        {"obligation": "de-identify"},
        {"obligation": "precision"},
        {"obligation": "precision", "year": ["/body/x"], "region": ["/body/x"]},
        {"obligation": "deadline"},
        {"obligation": "deadline", "delivery": 0},
        {"obligation": "deadline", "delivery": 1.5},
        {"obligation": "retention", "days": 0},
        {"obligation": "onward", "rule": "allowed"},
        {"obligation": "copy-to", "participants": []},
        {"obligation": "copy-to", "participants": ["CA-QC"]},
        {"obligation": "copy-to", "participants": ["us-vt.vsp"]},
        {"obligation": "consent-by", "within": 60},
        {"obligation": "consent-by", "parties": ["CA-QC"]},
        {"obligation": "consent-by", "parties": ["US-VT"], "within": 60},
        {"obligation": "consent-by", "participants": ["us-vt.vsp"], "within": 60},
        {"obligation": "exercise-only", "status": "Test"},
    ],
)
def test_what_is_not_understood_is_refused(stated: Json) -> None:
    """An unknown tag, a member too many, an obligation about nothing or about a stranger: the agreement is invalid."""
    with pytest.raises(ValidationError):
        agreement(document(grant(obligations=[stated])))


@pytest.mark.parametrize("member", sorted(NEVER_WITHHELD))
@pytest.mark.parametrize(("tag", "place"), [("redact", "paths"), ("de-identify", "paths"), ("precision", "year")])
def test_the_header_stays_whole(member: str, tag: str, place: str) -> None:
    """What an alert is known and handled by can be named by no obligation, nor anything below it."""
    for path in (f"/{member}", f"/{member}/x", f"/{member}/*"):
        with pytest.raises(ValidationError):
            READER.validate_json(canonical({"obligation": tag, place: [path]}))


def test_an_obligation_stands_once() -> None:
    """Two obligations of one tag in a clause would leave a reader guessing, and are refused."""
    twice: list[Json] = [{"obligation": "retention", "days": 30}, {"obligation": "retention", "days": 60}]
    with pytest.raises(ValidationError):
        agreement(document(grant(obligations=twice)))


def test_what_is_not_said() -> None:
    """A clause that says nothing goes by the routine lane, tells nobody else and is not for exercises alone."""
    assert (lane_of(()), copies_of(()), exercises_alone(())) == (Lane.ROUTINE, (), False)
    read = [READER.validate_json(canonical(each)) for each in SAID]
    assert (lane_of(read), copies_of(read), exercises_alone(read)) == (Lane.URGENT, ("ca-qc.msp",), True)


def test_earlier_documents_keep_their_bytes() -> None:
    """A document with none of the newer members has the bytes that it had before there were any."""
    payload = agreement_bytes(agreement(document(grant("1.1", lane="urgent"), grant("1.2"))))
    assert hashlib.sha256(payload).hexdigest() == "1798b179764e4249e040c10ed735e3176d47ce73a70a831d21b58424b182b628"
