"""A parcel in its partner's format."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import orjson
import pytest
from lxml import etree

from adapters.contract import Message
from adapters.formats import Format, UntranslatableError, cap, native, writer_of
from schemas.ids import KeyId
from schemas.parcels import Parcel
from schemas.signing.jws import ALERT, RECEIPT, sign_compact
from schemas.signing.keys import SigningKey
from tests.unit.adapters.copies import derived, disclosed, identifying, named, original, presented, wanted_person
from tests.unit.bus import parcels
from tests.unit.bus.parcels import NOON

CAP = "{urn:oasis:names:tc:emergency:cap:1.2}"
KEY = SigningKey.generate(KeyId("ca-qc.sq.1"), "ES256")
CAVEAT = "Some caveat that no error may repeat"


def info(language: str, event: str) -> dict[str, object]:
    """Return an info block in one language."""
    return {
        "language": language,
        "category": ["Security"],
        "event": event,
        "urgency": "Immediate",
        "severity": "Severe",
        "certainty": "Observed",
        "headline": event,
        "description": event,
        "area": [{"areaDesc": "Lacolle", "geocode": [{"valueName": "SGC", "value": "2456060"}]}],
    }


ALERT_DOCUMENT: dict[str, object] = {
    "type": "law-enforcement/stolen-vehicle/v1",
    "identifier": "SQ-2026-0117-0042",
    "sender": "ca-qc.sq",
    "sent": "2026-01-17T07:00:00-05:00",
    "status": "Actual",
    "msgType": "Alert",
    "scope": "Restricted",
    "references": [],
    "incidents": [],
    "addresses": [],
    "expires": "2026-01-20T00:00:00-05:00",
    "handling": {
        "tlp": "AMBER",
        "codes": [],
        "purpose": "criminal-investigation",
        "caveat": {"fr": "Une mise en garde", "en": CAVEAT},
    },
    "info": [info("fr-CA", "Véhicule volé"), info("en-CA", "Stolen vehicle")],
    "body": {
        "vehicle": {
            "vin": "1HGCM82633A004352",
            "plate": {"number": "H42LAC", "jurisdiction": "CA-QC"},
            "make": "Honda",
            "model": "Accord",
            "year": 2021,
            "colour": "blue",
        },
        "circumstances": "Taken from a car park.",
    },
}


def submission(document: object) -> bytes:
    """Return a document as an agency submits it."""
    return sign_compact(orjson.dumps(document), key=KEY, profile=ALERT, iat=int(NOON.timestamp()))


def parcel(submitted: bytes) -> Parcel:
    """Return a parcel that carries a submission."""
    return parcels.parcel(body=submitted)


def test_native_is_the_copy_itself() -> None:
    """A native partner gets the very bytes that were signed, whatever they are, and what goes beside them."""
    for body in (submission(ALERT_DOCUMENT), b"anything"):
        sent = parcel(body)
        assert native(sent) == Message(sent, "application/jose", sent.data_schema, "jws", body)


def test_native_says_which_form_a_copy_has() -> None:
    """Each form keeps its media type and has its file's ending; a manifest stays beside the SD-JWT that it is of."""
    document = wanted_person()
    derived_copy, whole = derived(document, identifying(document)), disclosed(document)
    presented_copy = presented(document, identifying(document))
    forms = [native(each) for each in (derived_copy, whole, presented_copy)]
    assert [(each.content_type, each.extension) for each in forms] == [
        ("application/redacted-alert+jws", "jws"),
        ("application/alert+sd-jwt", "sd-jwt"),
        ("application/alert+sd-jwt", "sd-jwt"),
    ]
    assert [each.manifest for each in forms] == ["", "", presented_copy.manifest]


@pytest.mark.parametrize("writer", [native, cap])
def test_an_unknown_form_is_not_passed_on(writer: Callable[[Parcel], Message]) -> None:
    """A copy whose media type says nothing that a partner could verify goes nowhere."""
    with pytest.raises(UntranslatableError, match=r"^format: no form of a copy$"):
        writer(replace(parcel(b"x"), content_type="application/json"))


def test_cap_of_a_copy_is_of_what_it_holds() -> None:
    """A whole SD-JWT makes the message that its original makes; a copy that lacks something says so in its own."""
    document = wanted_person()
    assert cap(disclosed(document)).body == cap(original(document)).body
    for lacking in (derived(document, identifying(document)), presented(document, identifying(document))):
        message = cap(lacking)
        assert (message.content_type, message.manifest) == ("application/cap+xml", "")
        assert b"Incomplete copy:" in message.body
        assert b"Whitlock" not in message.body


def test_cap_is_the_alert_in_both_languages() -> None:
    """A CAP partner gets CAP 1.2 XML of the same alert, with the French and the English block."""
    sent = parcel(submission(ALERT_DOCUMENT))
    message = cap(sent)
    assert (message.content_type, message.extension) == ("application/cap+xml", "xml")
    assert message.data_schema == "urn:oasis:names:tc:emergency:cap:1.2"
    assert message.parcel == sent
    alert = etree.fromstring(message.body)
    assert alert.tag == f"{CAP}alert"
    assert alert.findtext(f"{CAP}identifier") == "SQ-2026-0117-0042"
    assert [block.findtext(f"{CAP}language") for block in alert.iter(f"{CAP}info")] == ["fr-CA", "en-CA"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not a jws",
        sign_compact(orjson.dumps(ALERT_DOCUMENT), key=KEY, profile=RECEIPT),
        submission([]),
        submission({**ALERT_DOCUMENT, "type": "law-enforcement/unknown/v1"}),
        submission({**ALERT_DOCUMENT, "status": "Perhaps"}),
        sign_compact(b'{"type": "a", "type": "b"}', key=KEY, profile=ALERT, iat=int(NOON.timestamp())),
    ],
)
def test_what_is_no_alert_has_no_cap(body: bytes) -> None:
    """A parcel that can't be written as CAP says so in one fixed phrase that shows nothing of it."""
    with pytest.raises(UntranslatableError, match=r"^format: cannot be written as cap$"):
        cap(parcel(body))


def _broken() -> list[Parcel]:
    document = wanted_person()
    lacking = presented(document, identifying(document))
    copy = derived(document, identifying(document))
    return [
        replace(lacking, manifest="not a manifest"),
        replace(lacking, manifest=submission(document).decode()),
        replace(lacking, body=copy.body),
        replace(copy, body=lacking.body),
        replace(copy, alert_type=parcel(b"").alert_type),
        derived(document, named(["/sent"])),
        derived(document, named(["/msgType"])),
    ]


@pytest.mark.parametrize("lacking", _broken())
def test_a_copy_that_is_none_has_no_cap(lacking: Parcel) -> None:
    """Another's bytes, another type, no manifest, or no time of sending: the partner is told nothing at all."""
    with pytest.raises(UntranslatableError, match=r"^format: cannot be written as cap$"):
        cap(lacking)


@pytest.mark.parametrize(("name", "writer"), [(Format.NATIVE, native), (Format.CAP, cap)])
def test_every_format_has_its_writer(name: Format, writer: Callable[[Parcel], Message]) -> None:
    """The names that a profile may use lead to these writers."""
    assert writer_of(name) is writer
