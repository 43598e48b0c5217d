"""The CAP message of a copy from which something is withheld: valid, telling what it lacks, and no value of that."""

from __future__ import annotations

import html
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from schemas.alerts.catalogue import alert_types
from schemas.decisions import Treatment, Withholding
from schemas.formats.cap import write_cap_copy
from schemas.formats.cap_gaps import PLACEHOLDER, NotWritableError
from schemas.ids import AlertType
from schemas.parcels import Parcel
from schemas.pointers import leaves, pattern_of
from schemas.signing.jws import REDACTED_ALERT, WITHHOLDING, read_compact, verify
from schemas.signing.sd_jwt import read_sd_jwt, verify_sd_jwt
from schemas.withholding.copies import DerivedCopy, derive, read_manifest, verify_derived
from schemas.withholding.manifest import Manifest
from tests.unit.adapters.copies import (
    AGENCY,
    EXCHANGE,
    PSEUDONYMS,
    UNDER,
    derived,
    identifying,
    named,
    presented,
    wanted_person,
)
from tests.unit.bus.parcels import parcel
from tests.unit.schemas.alerts.samples import example

GOLDEN = Path(__file__).parents[3] / "golden" / "cap"
CAP = {"cap": "urn:oasis:names:tc:emergency:cap:1.2"}
REQUIRED_TEXTS = ["/identifier", "/info/*/event", "/info/*/area/*/areaDesc", "/info/*/category", "/info/*/severity"]
IRREPLACEABLE = ["/type", "/sent", "/status", "/msgType", "/scope"]
TELLING = 5
"""How many characters make a value that stands nowhere by chance."""


def message_of(lacking: Parcel) -> bytes:
    """Return the CAP message of a derived copy, verified."""
    copy = verify_derived(read_compact(lacking.body, REDACTED_ALERT), EXCHANGE.public)
    assert isinstance(copy.alert, dict)
    return write_cap_copy(copy.alert, copy.manifest)


def left_of(document: dict[str, Any], withholdings: Sequence[Withholding]) -> tuple[DerivedCopy | None, bytes]:
    """Return what is left of a document, and its CAP message, alike each time; nothing where nothing is withheld."""
    copy = derive(
        document,
        alert_type=AlertType(document["type"]),
        withholdings=withholdings,
        alert_id=parcel().alert_id,
        original=b"the submission",
        pseudonyms=PSEUDONYMS,
    )
    if copy is None:
        return None, b""
    assert isinstance(copy.alert, dict)
    return copy, write_cap_copy(copy.alert, copy.manifest)


def texts(message: bytes, path: str) -> list[str]:
    """Return the texts at a path, in order."""
    return [element.text or "" for element in etree.fromstring(message).findall(path, CAP)]


def parameters(message: bytes) -> dict[str, str]:
    """Return the first info block's parameters by name."""
    found = etree.fromstring(message).findall("cap:info[1]/cap:parameter", CAP)
    return {each.findtext("cap:valueName", "", CAP): each.findtext("cap:value", "", CAP) for each in found}


def test_a_redacted_alert_is_written_as_agreed(cap_12_schema: etree.XMLSchema) -> None:
    """The CAP message of a wanted person without a name is the one that was looked at and kept; OASIS accepts it."""
    document = wanted_person()
    golden = (GOLDEN / "law-enforcement.wanted-person.redacted.xml").read_bytes()
    assert left_of(document, (*identifying(document), *named(REQUIRED_TEXTS)))[1] == golden
    cap_12_schema.assertValid(etree.fromstring(golden))


def test_what_cap_requires_has_something_in_its_place(cap_12_schema: etree.XMLSchema) -> None:
    """A required text says in both languages that it was withheld, a closed list says nothing, the id is ours."""
    message = message_of(derived(wanted_person(), named(REQUIRED_TEXTS)))
    cap_12_schema.assertValid(etree.fromstring(message))
    assert set(texts(message, "cap:info/cap:event")) == {PLACEHOLDER}
    assert set(texts(message, "cap:info/cap:area/cap:areaDesc")) == {PLACEHOLDER}
    assert set(texts(message, "cap:info/cap:category")) == {"Other"}
    assert set(texts(message, "cap:info/cap:severity")) == {"Unknown"}
    assert texts(message, "cap:identifier") == [f"lacolle:{parcel().alert_id}"]


def test_a_reader_of_cap_sees_what_is_lacking_and_why() -> None:
    """Each line of the manifest is a parameter with its clause; the note says in both languages that there is some."""
    message = message_of(derived(wanted_person(), named(["/body/person/name"])))
    told = parameters(message)["lacolle:manifest:/body/person/name"]
    assert told == f"redact under={UNDER} because=clause places=1"
    assert parameters(message)["lacolle:manifest"].startswith(f"{parcel().alert_id} sha-256:")
    (note,) = texts(message, "cap:note")
    assert "Copie incomplète" in note
    assert f"withheld or reduced under {UNDER}" in note


def test_the_note_of_the_sender_stays() -> None:
    """What the sender noted comes before what the exchange says."""
    message = message_of(derived({**wanted_person(), "note": "Exercice Frontière"}, named(["/body/person/birthDate"])))
    assert texts(message, "cap:note")[0].startswith("Exercice Frontière\nCopie incomplète")


def test_an_alert_without_info_says_it_in_its_note(cap_12_schema: etree.XMLSchema) -> None:
    """Where all that could be read is withheld, the message is still one, and says so."""
    message = message_of(derived(wanted_person(), named(["/info", "/handling"])))
    cap_12_schema.assertValid(etree.fromstring(message))
    assert texts(message, "cap:info") == []
    assert "Incomplete copy" in texts(message, "cap:note")[0]


def test_what_was_reduced_is_written_where_it_fits(cap_12_schema: etree.XMLSchema) -> None:
    """A pseudonym is a parameter and no time; a year is no time either; a region's code is still a geocode."""
    document = wanted_person()
    document["info"][0]["onset"] = "2026-02-01T21:15:00-05:00"
    withholdings = (
        *named(["/body/person/name/surname", "/expires"], Treatment.PSEUDONYM),
        *named(["/body/person/birthDate", "/info/*/onset"], Treatment.YEAR),
        *named(["/info/*/area/*"], Treatment.REGION),
    )
    message = message_of(derived(document, withholdings))
    cap_12_schema.assertValid(etree.fromstring(message))
    assert parameters(message)["lacolle:/body/person/name/surname"].startswith("pseudonym:")
    assert parameters(message)["lacolle:/body/person/birthDate"] == "1984"
    assert texts(message, "cap:info/cap:onset") == []
    assert texts(message, "cap:info/cap:expires") == []
    assert texts(message, "cap:info[1]/cap:area/cap:geocode/cap:value") == ["036000", "24"]


@pytest.mark.parametrize("pointer", ["/sent", "/status", "/msgType", "/scope"])
def test_nothing_stands_for_what_a_message_is(pointer: str) -> None:
    """Without its time, status, kind or scope there is no message, rather than one that says something untrue."""
    with pytest.raises(NotWritableError):
        message_of(derived(wanted_person(), named([pointer])))


def test_a_warning_that_came_as_cap_keeps_its_blocks_apart(cap_12_schema: etree.XMLSchema) -> None:
    """Where one of two info blocks is withheld, nothing that may be the other's is said of the one that is left."""
    document = example("emergency-management.public-warning")
    document["body"] = {"info": [{"parameter": [{"valueName": "n", "value": str(n)}]} for n in range(2)]}
    both = parameters(message_of(derived(document, named(["/info/*/instruction"]))))
    one = message_of(derived(document, named(["/info/0"])))
    cap_12_schema.assertValid(etree.fromstring(one))
    assert (both["n"], len(texts(one, "cap:info"))) == ("0", 1)
    assert "n" not in parameters(one)


def _texts_of(value: Any) -> set[str]:  # noqa: ANN401 - a JSON value
    return {leaf for _, leaf in leaves(value) if isinstance(leaf, str)}


@st.composite
def withheld(draw: st.DrawFn) -> tuple[dict[str, Any], tuple[Withholding, ...]]:
    """Draw an example, and what is withheld of it: classes and places of any depth, in any way."""
    domain, name, _ = draw(st.sampled_from(alert_types())).split("/")
    document = example(f"{domain}.{name}")
    patterns = sorted({pattern_of(place[:end]) for place, _ in leaves(document) for end in range(1, len(place) + 1)})
    possible = [pattern for pattern in patterns if pattern not in IRREPLACEABLE]
    treatments = st.sampled_from(Treatment)
    chosen = draw(st.lists(st.tuples(st.sampled_from(possible), treatments), min_size=1, max_size=8))
    places = tuple(Withholding(pattern, treatment, "", UNDER) for pattern, treatment in chosen)
    return document, (*places, *(identifying(document, draw(treatments)) if draw(st.booleans()) else ()))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(withheld())
def test_the_message_is_valid_and_adds_nothing(
    cap_12_schema: etree.XMLSchema, case: tuple[dict[str, Any], tuple[Withholding, ...]]
) -> None:
    """Whatever is withheld, OASIS accepts the message, and no value is in it that is not in the copy."""
    document, withholdings = case
    copy, message = left_of(document, withholdings)
    if copy is None:
        return
    assert isinstance(copy.alert, dict)
    cap_12_schema.assertValid(etree.fromstring(message))
    _refuse_more_than(message, copy.alert, copy.manifest, document)


@pytest.mark.parametrize("alert_type", alert_types())
def test_a_presented_copy_is_valid_and_adds_nothing(alert_type: AlertType, cap_12_schema: etree.XMLSchema) -> None:
    """Of an SD-JWT without what is marked and without its texts the same holds, for every type."""
    document = example(".".join(alert_type.split("/")[:2]))
    prose = named(["/info/*/headline", "/info/*/description", "/info/*/area/*/areaDesc"])
    lacking = presented(document, (*identifying(document), *prose))
    manifest = read_manifest(verify(read_compact(lacking.manifest.encode(), WITHHOLDING), EXCHANGE.public))
    left = verify_sd_jwt(read_sd_jwt(lacking.body), AGENCY.public).document
    assert isinstance(left, dict)
    message = write_cap_copy(left, manifest)
    cap_12_schema.assertValid(etree.fromstring(message))
    _refuse_more_than(message, left, manifest, document)


def _refuse_more_than(message: bytes, left: dict[str, Any], manifest: Manifest, document: dict[str, Any]) -> None:
    """Fail where a text of the original is in a message and neither in the copy nor in the manifest."""
    written = html.unescape(message.decode())
    had = orjson.dumps([left, manifest.plain()]).decode() + "\n".join(_texts_of(left))
    for text in _texts_of(document):
        assert len(text) < TELLING or text not in written or text in had
