"""A withheld value is found wherever it stands again, however it is spelt; what tells nothing is left alone."""

from __future__ import annotations

import base64
import html
import json
import unicodedata
from urllib.parse import quote

import pytest

from schemas.withholding import search
from tests.unit.schemas.withholding.documents import CASE, MISSING, case, classes, copy_of, left_of, missing, redact

NAME = {"surname": "Marchand-Roy", "given": "Léa", "middle": "Ève"}
IDENTIFYING = classes(MISSING, "identifying")


def survives(note: str, **person: object) -> bool:
    """Say whether a note is left in the copy of a missing person from which all that identifies is withheld."""
    document = missing(note=note)
    document["body"]["person"] |= {"name": NAME, "birthDate": "1991-04-07", "phone": "+1 802-555-0134"} | person
    return "note" in left_of(document, IDENTIFYING)


SURNAME = "Marchand-Roy"
FORMS = [
    SURNAME,
    "MARCHAND-ROY",
    "marchand roy",
    "Marchand\u2013Roy",
    "MarchandRoy",
    "M.a.r.c.h.a.n.d R.o.y",
    "m a r c h a n d r o y",
    "Roy, Marchand",
    "Mar\u00adchand\u200b-Roy",
    "Ｍａｒｃｈａｎｄ－Ｒｏｙ",  # noqa: RUF001 - full width on purpose
    unicodedata.normalize("NFD", "Márchänd-Röy"),
    quote(SURNAME, safe=""),
    quote("".join(f"%{byte:02X}" for byte in SURNAME.encode())),
    "".join(f"%{byte:02x}" for byte in SURNAME.encode()),
    "".join(f"&#{ord(character)};" for character in SURNAME),
    "".join(f"&#x{ord(character):x};" for character in SURNAME),
    "".join(f"\\u{ord(character):04x}" for character in SURNAME),
    json.dumps(json.dumps(f'"{SURNAME}"')),
    "".join(f"\\x{ord(character):02x}" for character in SURNAME),
    *(base64.b64encode(b"." * pad + SURNAME.encode() + b"!!").decode() for pad in range(4)),
    *(base64.urlsafe_b64encode(("é" * pad + SURNAME).encode()).decode().rstrip("=") for pad in range(4)),
    base64.b64encode(SURNAME.encode("utf-16-le")).decode(),
    base64.b64encode(b"\xff\xd8\xff\xe0" + SURNAME.encode() + bytes(20)).decode(),
    base64.b64encode(base64.b64encode(SURNAME.encode())).decode(),
    base64.encodebytes(b"x" * 70 + SURNAME.encode()).decode(),
    "ref_" + base64.b64encode(SURNAME.encode()).decode(),
    SURNAME.encode().hex(),
    SURNAME.encode().hex().upper(),
    SURNAME.encode().hex(" "),
    SURNAME.encode().hex(":"),
    "a" + SURNAME.encode().hex(),
    SURNAME.encode("utf-16-be").hex(),
    "".join(f"={byte:02X}" for byte in SURNAME.encode()),
    ", ".join(f"0x{byte:02x}" for byte in SURNAME.encode()),
    "0x" + "0x".join(f"{byte:02X}" for byte in SURNAME.encode()),
    " ".join(f"U+{ord(letter):04X}" for letter in SURNAME),
    "".join(chr(0xE0000 + ord(letter)) for letter in SURNAME),
    "\u3164".join(SURNAME),
    quote(base64.b64encode(SURNAME.encode()).decode() + "=="),
]


@pytest.mark.parametrize("form", FORMS)
def test_a_name_is_found_in_every_spelling(form: str) -> None:
    """Case, accents, spaces, punctuation, invisible characters, escapes, base64 and hexadecimal hide no name."""
    assert not survives(f"Voir {form} au dossier.")
    assert not survives(form)


@pytest.mark.parametrize(
    "text",
    [
        "Mme Marchand a appelé.",
        "L'enfant Léa",
        "LEA",
        "Lea, Marchand-Roy",
        "demander Ève",
        "tél. (802) 555-0134",
        "802.555.0134",
        "8025550134",
        "poste 555 0134",
        html.escape("<Léa>"),
    ],
)
def test_what_a_person_is_known_by_is_found(text: str) -> None:
    """Part of a double name, a short given name as a word, a number with or without its area give a person away."""
    assert not survives(text)


@pytest.mark.parametrize(
    "text",
    [
        "1991-04-07",
        "19910407",
        "07/04/1991",
        "04/07/1991",
        "7/4/1991",
        "4/7/91",
        "7.4.91",
        "910407",
        "07-04-91",
        "née le 7 avril 1991",
        "le 7 avril",
        "April 7, 1991",
        "7 Apr 1991",
        "7th of April",
        "Apr. 7th",
        "07APR1991",
        "né le 07 AVR. 1991",
        "1991/04/07T00:00",
        base64.b64encode(b"born 1991-04-07").decode(),
    ],
)
def test_a_date_is_found_in_every_usual_spelling(text: str) -> None:
    """A birth date is found with its parts in any order, in words of either language, and without its year."""
    assert not survives(text)


@pytest.mark.parametrize(
    "text",
    [
        "Le royaume des léopards",
        "Elle a 41 ans.",
        "Avril 1992",
        "le 17 avril",
        "en 1991",
        "Un marchant roi",
        "Appeler le 450-555-0142",
        "Véhicule blanc, plaque inconnue",
        "",
    ],
)
def test_what_tells_nothing_is_left(text: str) -> None:
    """Words that only resemble a name, other dates and other numbers stay as they are."""
    assert survives(text)


def test_a_first_of_a_month_is_found_in_french() -> None:
    """``1er avril`` is the first."""
    assert not survives("née le 1er avril", birthDate="1991-04-01")
    assert not survives("born on the 1st of April", birthDate="1991-04-01")


def test_a_name_in_another_script_is_found() -> None:
    """Two characters are a whole name where a script needs no more, and no spaces are around it."""
    assert not survives("已找到李明在此", name={"surname": "李明"})
    assert survives("已找到王明在此", name={"surname": "李明"})


def test_every_place_is_searched() -> None:
    """Header, both languages, areas, lists, numbers, deep members and names that no schema knows are searched."""
    document = missing(
        identifier="AMBER-MARCHAND-ROY",
        incidents=["SQ-1", "dossier Marchand-Roy"],
        code=["lea"],
        references=["ca-qc.sq,Marchand-Roy-1,2026-05-14T17:20:00-04:00", "ca-qc.sq,SQ-1,2026-05-14T17:20:00-04:00"],
        extra={"Marchand-Roy": "x", "number": 8025550134, "list": [["Léa"], [8.025550134]]},
    )
    document["body"]["person"] |= {"phone": "802-555-0134"}
    document["info"][1]["area"][0]["areaDesc"] = "Chez Marchand-Roy"
    document["info"][1]["parameter"] = [{"valueName": "nom", "value": "MARCHAND_ROY"}]
    left = left_of(document, IDENTIFYING)
    assert "identifier" not in left
    assert left["incidents"] == ["SQ-1"]
    assert left["code"] == []
    assert left["references"] == ["ca-qc.sq,SQ-1,2026-05-14T17:20:00-04:00"]
    assert left["extra"] == {"list": [[], []]}
    assert "headline" not in left["info"][0]
    assert "headline" not in left["info"][1]
    assert "areaDesc" not in left["info"][1]["area"][0]
    assert left["info"][1]["parameter"] == [{"valueName": "nom"}]
    assert left["info"][0]["instruction"] == document["info"][0]["instruction"]


def test_the_value_of_a_member_that_no_schema_knows_is_found() -> None:
    """Its name and its value stand at one place: that the name tells nothing does not hide that the value does."""
    document = missing()
    document["body"]["person"] |= {"name": NAME}
    document["body"]["fromSomeLaterVersion"] = SURNAME
    assert "fromSomeLaterVersion" not in left_of(document, IDENTIFYING)["body"]


def test_the_headers_own_members_stay() -> None:
    """Type, sender, times of the message and values of closed lists can hold nothing, and stay whatever is withheld."""
    document = missing()
    document["body"]["person"] |= {"birthDate": "2026-05-14", "name": {"surname": "Monitor", "given": "Observed"}}
    left = left_of(document, IDENTIFYING)
    for name in ("type", "sender", "sent", "expires", "status", "msgType", "scope", "handling"):
        assert left[name] == document[name]
    assert left["info"][0]["responseType"] == ["Monitor"]
    assert left["info"][0]["certainty"] == "Observed"


def test_a_short_value_tells_as_a_member_of_the_same_name_alone() -> None:
    """An age and a sex are withheld from every member of their name that has the same value, and from no sentence."""
    document = missing(note="Homme de 42 ans, male, 178 cm")
    document["body"]["person"] |= {"age": 42, "sex": "male", "heightCm": 42}
    left = left_of(document, redact("/body/person/age", "/body/person/sex"))
    assert left["note"] == document["note"]
    assert left["body"]["person"].keys().isdisjoint({"age", "sex"})
    assert left["body"]["person"]["heightCm"] == 42
    assert left["body"]["companions"][0]["person"].keys().isdisjoint({"age", "sex"})


def test_a_health_fact_of_a_closed_list_is_found_in_prose() -> None:
    """``confirmed`` is withheld with the status of a case, ``unknown`` and ``no`` are not looked for."""
    withheld = classes(CASE, "health")
    document = case(
        died="unknown", condition={"system": "local", "code": "x1", "display": {"fr": "Rage", "en": "Rabies"}}
    )
    document |= {"note": "A confirmed case", "restriction": "unknown to no one", "source": "rabies desk"}
    left = left_of(document, withheld)
    assert "note" not in left
    assert "source" not in left
    assert left["restriction"] == "unknown to no one"


def test_the_day_of_sending_tells_nothing_unless_it_is_marked() -> None:
    """The time of a sighting on the day of the alert leaves that day's other mentions alone; a birth does not."""
    document = missing(note="Vue le 14 mai", identifier="SQ-2026-0514-1")
    left = left_of(document, redact("/body/lastSeen/at"))
    assert left["note"] == "Vue le 14 mai"
    assert left["identifier"] == "SQ-2026-0514-1"
    document["body"]["person"]["birthDate"] = "2026-05-14"
    left = left_of(document, redact("/body/person/birthDate"))
    assert "note" not in left
    assert "identifier" not in left


def test_the_same_day_and_the_same_instant_are_found_as_members() -> None:
    """A date is withheld from members that are that date or an instant of it, an instant from equal ones."""
    document = case(reported="2026-06-14", diagnosed="2026-06-15", onset="2026-06-14")
    document["info"][0] |= {"onset": "2026-06-14T08:00:00-04:00", "expires": "2026-06-14T08:00:00-04:00"}
    left = left_of(document, redact("/body/onset"))
    assert "reported" not in left["body"]
    assert left["body"]["diagnosed"] == "2026-06-15"
    assert "onset" not in left["info"][0]
    assert left["info"][0]["expires"] == "2026-06-14T08:00:00-04:00"
    seen = missing()
    seen["info"][0] |= {"onset": "2026-05-14T19:40:00+00:00", "effective": seen["sent"]}
    left = left_of(seen, redact("/body/lastSeen/at"))
    assert "onset" not in left["info"][0]
    assert left["info"][0]["effective"] == seen["sent"]


def test_what_is_too_much_to_search_is_withheld(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the bound nothing is guessed: the longest texts go unsearched, and out."""
    document = missing(note="x" * 50_000)
    assert "note" in left_of(document, IDENTIFYING)
    monkeypatch.setattr(search, "MOST_VISITED", 10_000_000)
    left = left_of(document, IDENTIFYING)
    assert "note" not in left
    assert left["info"][0]["event"] == document["info"][0]["event"]
    (entry,) = (each for each in copy_of(document, IDENTIFYING).manifest.withheld if each.because == "not-searched")
    assert (entry.pointer, entry.places) == ("/note", 1)
