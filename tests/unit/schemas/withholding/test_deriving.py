"""What a clause asks for is what a copy shows: nothing, a pseudonym, a year, a region; and nothing else changes."""

from __future__ import annotations

import base64
import hmac
import re
from copy import deepcopy
from dataclasses import replace

import pytest

from schemas.decisions import Treatment
from schemas.ids import AgreementId
from schemas.pointers import Scalar
from schemas.withholding.pseudonyms import Pseudonyms
from tests.unit.schemas.withholding.documents import (
    CRIME,
    HEALTH,
    MISSING,
    SECRET,
    STOLEN,
    Json,
    case,
    classes,
    copy_of,
    left_of,
    missing,
    redact,
)

TRUE: Scalar = True
PSEUDONYM = re.compile(r"pseudonym:[A-Za-z0-9_-]{22}")


def test_what_is_redacted_is_gone_and_the_rest_is_as_it_was() -> None:
    """A member goes with everything below it, an item of a list goes whole; all else stays to the letter."""
    document = missing()
    before = deepcopy(document)
    left = left_of(document, redact("/body/person/languages/*", "/info/*/area", "/body/absent/*/name"))
    expected = deepcopy(document)
    expected["body"]["person"]["languages"] = []
    for info in expected["info"]:
        del info["area"]
    assert left == expected
    assert document == before


def test_a_pseudonym_is_the_same_for_the_same_value_in_one_agreement() -> None:
    """One person's name has one pseudonym wherever it stands and however it is typed, another's has another."""
    document = missing()
    document["body"]["person"]["name"] = {"surname": "Gagnon", "given": "Ève"}
    document["body"]["companions"] *= 2
    document["body"]["companions"][0] = {
        **document["body"]["companions"][0],
        "person": {"name": {"surname": "GAGNON ", "given": "Marc"}},
    }
    left = left_of(document, classes(MISSING, "identifying", treatment=Treatment.PSEUDONYM))
    own = left["body"]["person"]["name"]
    other = left["body"]["companions"][0]["person"]["name"]
    assert own["surname"] == other["surname"]
    assert own["given"] != other["given"]
    assert all(PSEUDONYM.fullmatch(value) for value in (*own.values(), *other.values()))
    by_path = left_of(document, redact("/body/person/name/surname", treatment=Treatment.PSEUDONYM))
    assert by_path["body"]["person"]["name"]["surname"] == own["surname"]


def test_a_pseudonym_is_another_under_another_agreement_and_secret() -> None:
    """Neither another agreement nor another exchange can be compared; another version of the agreement can."""
    makes, other = Pseudonyms(SECRET), Pseudonyms(SECRET[::-1])
    first = makes.of("Gagnon", member="surname", agreement=CRIME.agreement)
    assert first == makes.of("gagnon", member="surname", agreement=CRIME.agreement)
    assert first == Pseudonyms(SECRET).of("Gagnon", member="surname", agreement=CRIME.agreement)
    different = {
        makes.of("Gagnon", member="surname", agreement=HEALTH.agreement),
        makes.of("Gagnon", member="given", agreement=CRIME.agreement),
        makes.of("Gagné", member="surname", agreement=CRIME.agreement),
        other.of("Gagnon", member="surname", agreement=CRIME.agreement),
        makes.of("41", member="age", agreement=CRIME.agreement),
        makes.of(41, member="age", agreement=CRIME.agreement),
        makes.of(TRUE, member="age", agreement=CRIME.agreement),
        makes.of(None, member="age", agreement=CRIME.agreement),
    }
    assert len(different) == 8
    assert first not in different


def test_pseudonyms_are_fixed_for_good() -> None:
    """What was said under a pseudonym last year is found again: HKDF (RFC 5869) and HMAC over these very bytes."""
    agreement = AgreementId("ca-qc.us-ny.crime-2008")
    extracted = hmac.digest(bytes(32), SECRET, "sha256")
    key = hmac.digest(extracted, b"lacolle pseudonym v1\x00" + agreement.encode() + b"\x01", "sha256")
    tag = hmac.digest(key, b'["surname","text","gagnon"]', "sha256")[:16]
    expected = "pseudonym:" + base64.urlsafe_b64encode(tag).decode().rstrip("=")
    assert Pseudonyms(SECRET).of("Gagnon", member="surname", agreement=agreement) == expected


def test_a_short_secret_is_refused() -> None:
    """A secret that could be guessed makes no pseudonym."""
    with pytest.raises(ValueError, match="32 bytes"):
        Pseudonyms(bytes(31))


def test_every_scalar_becomes_a_pseudonym() -> None:
    """Numbers, truth values and items of lists are replaced too, and the objects around them stay."""
    document = missing()
    left = left_of(document, redact("/body/person", treatment=Treatment.PSEUDONYM))
    person: Json = left["body"]["person"]
    assert person.keys() == document["body"]["person"].keys()
    assert PSEUDONYM.fullmatch(person["heightCm"])
    assert PSEUDONYM.fullmatch(person["languages"][0])
    assert person["photographs"] == []


@pytest.mark.parametrize(
    ("value", "left"),
    [
        ("1991-04-17", "1991"),
        ("1991-04-17T10:05:00-04:00", "1991"),
        ("1991-04-17T10:05:00.25Z", "1991"),
        ("1991-02-30", None),
        ("1991-04", None),
        ("17 avril 1991", None),
        ("1991", None),
        (1991, None),
        (True, None),
    ],
)
def test_of_a_date_the_year_is_left(value: object, left: str | None) -> None:
    """RFC 3339 dates and instants keep their year; what is no such date can't be reduced and goes."""
    document = case()
    document["body"]["patient"]["birthDate"] = value
    copy = copy_of(document, redact("/body/patient/birthDate", treatment=Treatment.YEAR))
    alert = copy.alert
    assert isinstance(alert, dict)
    assert alert["body"]["patient"].get("birthDate") == left  # type: ignore[call-overload,index,union-attr]  # an alert's body
    (entry,) = (each for each in copy.manifest.withheld if each.because == "clause")
    assert (entry.asked, entry.done) == ("year", "year" if left else "redact")


def test_of_a_place_the_region_is_left() -> None:
    """Areas keep codes of states and provinces; names, drawings and codes of no known list go."""
    document = missing()
    area = document["info"][0]["area"][0]
    area["circle"] = ["45.0,-72.1 10"]
    area["geocode"] += [
        {"valueName": "SGC", "value": "2456060"},
        {"valueName": "ISO3166-2", "value": "US-VT"},
        {"valueName": "UGC", "value": "VTC019"},
    ]
    left = left_of(document, redact("/info/*/area/*", treatment=Treatment.REGION))
    assert left["info"][0]["area"] == [
        {
            "geocode": [
                {"valueName": "SGC", "value": "24"},
                {"valueName": "SAME", "value": "050000"},
                {"valueName": "ISO3166-2", "value": "US-VT"},
            ]
        }
    ]


def test_a_region_that_is_another_clauses_value_is_sent() -> None:
    """Where one area is withheld whole, the region that another is reduced to may be the same code."""
    document = missing()
    document["info"][0]["area"][0]["geocode"] = [{"valueName": "SGC", "value": "24"}]
    withheld = redact("/info/0/area") + redact("/info/1/area/*", treatment=Treatment.REGION)
    left = left_of(document, withheld)
    assert "area" not in left["info"][0]
    assert {"valueName": "SGC", "value": "24"} in left["info"][1]["area"][0]["geocode"]


def test_of_a_residence_and_a_sighting_the_jurisdiction_is_left() -> None:
    """A jurisdiction's code is a region; a municipality, a postal area, a street and a bare text are not."""
    left = left_of(case(), redact("/body/patient/residence", treatment=Treatment.REGION))
    assert left["body"]["patient"]["residence"] == {"jurisdiction": "US-VT"}
    document = missing()
    document["body"]["person"]["address"] = "CA-QC"
    left = left_of(document, redact("/body/lastSeen", "/body/person/address", treatment=Treatment.REGION))
    assert left["body"]["lastSeen"] == {"jurisdiction": "CA-QC"}
    assert "address" not in left["body"]["person"]


@pytest.mark.parametrize(
    ("outer", "inner", "left"),
    [
        (Treatment.PSEUDONYM, Treatment.REDACT, None),
        (Treatment.REDACT, Treatment.PSEUDONYM, None),
        (Treatment.YEAR, Treatment.PSEUDONYM, "pseudonym"),
        (Treatment.PSEUDONYM, Treatment.YEAR, "pseudonym"),
        (Treatment.YEAR, Treatment.YEAR, "1991"),
        (Treatment.REGION, Treatment.YEAR, None),
        (Treatment.YEAR, Treatment.REGION, None),
        (Treatment.REGION, Treatment.PSEUDONYM, None),
    ],
)
def test_the_strictest_treatment_holds(outer: Treatment, inner: Treatment, left: str | None) -> None:
    """Of two clauses over one value the stricter holds, whichever is higher; two that can't both hold leave nothing."""
    document = case()
    document["body"]["patient"]["birthDate"] = "1991-04-17"
    withheld = redact("/body/patient", treatment=outer) + redact(
        "/body/patient/birthDate", treatment=inner, under=HEALTH
    )
    for order in (withheld, withheld[::-1]):
        value = left_of(document, order)["body"].get("patient", {}).get("birthDate")
        assert value == left if left != "pseudonym" else PSEUDONYM.fullmatch(value)


def test_files_go_with_what_identifies() -> None:
    """No picture goes to a recipient that may not know who it shows; with no mark withheld it stays."""
    document = missing(note="rien")
    document["info"][0]["resource"] = [{"resourceDesc": "Carte", "mimeType": "image/png", "uri": "https://x.example/c"}]
    for withheld in (
        classes(MISSING, "health"),
        redact("/body/person/birthDate", treatment=Treatment.YEAR),
        redact("/body/person/name/given"),
        redact("/body/person", treatment=Treatment.PSEUDONYM),
    ):
        left = left_of(document, withheld)
        assert left["body"]["person"]["photographs"] == []
        assert left["info"][0]["resource"] == []
    left = left_of(document, redact("/body/person/eyes"))
    assert left["body"]["person"]["photographs"] == document["body"]["person"]["photographs"]
    assert left["info"] == document["info"]


def test_a_class_that_a_type_has_nowhere_withholds_nothing() -> None:
    """A withholding that meets nothing in this document changes nothing."""
    document = missing()
    left = left_of(document, [*redact("/note", "/body/person/eyes"), *classes(STOLEN, "identifying")])
    expected = deepcopy(document)
    del expected["body"]["person"]["eyes"]
    assert left == expected


def test_the_whole_document_can_be_withheld() -> None:
    """The empty pointer names everything, and nothing is left."""
    assert left_of(missing(), redact("")) == {}


def test_a_treatment_is_its_clauses_own() -> None:
    """Where two agreements ask for pseudonyms the first in order gives its own, whatever the order of the clauses."""
    document = case()
    both = [
        *redact("/body/patient/name", treatment=Treatment.PSEUDONYM, under=HEALTH),
        *redact("/body/patient/name", treatment=Treatment.PSEUDONYM, under=CRIME),
    ]
    expected = Pseudonyms(SECRET).of("Pruitt", member="surname", agreement=CRIME.agreement)
    for order in (both, both[::-1]):
        assert left_of(document, order)["body"]["patient"]["name"]["surname"] == expected
    assert min(CRIME, HEALTH, replace(HEALTH, version=1)) == CRIME
