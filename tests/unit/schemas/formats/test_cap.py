"""An alert leaves as CAP with all it says; a CAP message comes in and leaves again as it was."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest
from lxml import etree

from schemas.alerts.catalogue import alert_types, parse_alert
from schemas.formats.cap import CapError, read_cap, write_cap
from schemas.ids import AlertType, ParticipantId
from tests.unit.schemas.alerts.samples import example
from tests.unit.schemas.formats.messages import MESSAGE, MSP, changed, imported, refusal, said

GOLDEN = Path(__file__).parents[3] / "golden" / "cap"
CAP = {"cap": "urn:oasis:names:tc:emergency:cap:1.2"}


def written(document: dict[str, Any]) -> etree._Element:
    """Return the CAP message of a native document, read back."""
    return etree.fromstring(write_cap(parse_alert(document)))


def texts(root: etree._Element, path: str) -> list[str]:
    """Return the texts at a path, in order."""
    return [element.text or "" for element in root.findall(path, CAP)]


def parameters(info: etree._Element) -> dict[str, str]:
    """Return an info block's parameters by name."""
    found = info.findall("cap:parameter", CAP)
    return {each.findtext("cap:valueName", "", CAP): each.findtext("cap:value", "", CAP) for each in found}


def name_of(alert_type: AlertType) -> str:
    """Return what the example and the golden file of a type are called."""
    return ".".join(alert_type.split("/")[:2])


@pytest.mark.parametrize("alert_type", alert_types())
def test_each_type_is_written_as_agreed(alert_type: AlertType) -> None:
    """The CAP message of each type's example is the one that was looked at and kept."""
    name = name_of(alert_type)
    assert write_cap(parse_alert(example(name))) == (GOLDEN / f"{name}.xml").read_bytes()


@pytest.mark.parametrize("alert_type", alert_types())
def test_each_golden_message_is_what_oasis_accepts(alert_type: AlertType, cap_12_schema: etree.XMLSchema) -> None:
    """The kept messages are CAP 1.2 by its own schema."""
    cap_12_schema.assertValid(etree.parse(GOLDEN / f"{name_of(alert_type)}.xml"))


def test_a_message_is_read_as_agreed() -> None:
    """The native form of a CAP message with everything in it is the one that was looked at and kept."""
    document = read_cap((GOLDEN / "message.cap.xml").read_bytes(), sender=MSP)
    assert document == orjson.loads((GOLDEN / "message.native.json").read_bytes())


def test_a_message_with_everything_in_it_comes_back() -> None:
    """Every element of CAP 1.2, texts to the last space, survives the way in and out."""
    message = (GOLDEN / "message.cap.xml").read_bytes()
    assert said(etree.fromstring(write_cap(imported(message)))) == said(etree.fromstring(message))


def test_a_body_travels_as_parameters_of_every_block() -> None:
    """Values of the body are parameters named by their place, in both languages; handling is code and restriction."""
    root = written(example("law-enforcement.stolen-vehicle"))
    blocks = root.findall("cap:info", CAP)
    assert texts(root, "cap:info/cap:language") == ["fr-CA", "en-CA"]
    for block in blocks:
        said_there = parameters(block)
        assert said_there["lacolle:/body/vehicle/plate/number"] == "K47 LTX"
        assert said_there["lacolle:/body/vehicle/year"] == "2021"
        assert said_there["lacolle:/body/holdForFingerprints"] == "true"
        assert said_there["lacolle:/body/cautions/0"] == "armed-occupants"
        assert said_there["lacolle:/handling/caveat/fr"].startswith("Pour usage policier")
    assert texts(root, "cap:code") == [
        "lacolle:type:law-enforcement/stolen-vehicle/v1",
        "lacolle:tlp:AMBER",
        "lacolle:purpose:criminal-investigation",
        "lacolle:handling:H0",
    ]
    assert texts(root, "cap:restriction")[0].startswith("TLP:AMBER\nPour usage policier")
    assert texts(root, "cap:sender") == ["ca-qc.sq"]


def test_the_headers_expiry_fills_blocks_without_one() -> None:
    """CAP has no expiry of the whole: a block without its own gets the header's, others keep theirs."""
    document = example("law-enforcement.stolen-vehicle")
    document["info"][0]["expires"] = "2026-01-18T00:00:00-05:00"
    assert texts(written(document), "cap:info/cap:expires") == [
        "2026-01-18T00:00:00-05:00",
        "2026-01-20T00:00:00-05:00",
    ]


def test_a_restriction_of_its_own_stays() -> None:
    """What the sender wrote as restriction is not replaced; a Restricted alert without a caveat says its label."""
    document = example("law-enforcement.stolen-vehicle")
    assert texts(written({**document, "restriction": "Police only"}), "cap:restriction") == ["Police only"]
    bare = {**document, "handling": {"tlp": "GREEN", "purpose": "training"}}
    assert texts(written(bare), "cap:restriction") == ["TLP:GREEN"]
    assert texts(written({**bare, "scope": "Public"}), "cap:restriction") == []


def test_files_of_a_body_are_resources() -> None:
    """A photograph in a body is a resource of CAP, not a parameter."""
    root = written(example("law-enforcement.missing-person"))
    assert texts(root, "cap:info/cap:resource/cap:mimeType") == ["image/png", "image/png"]
    assert not any("photographs" in name for block in root.findall("cap:info", CAP) for name in parameters(block))


def test_names_with_spaces_are_quoted() -> None:
    """An incident whose name has spaces is one incident in CAP too, and comes back as one."""
    document = example("emergency-management.public-warning")
    message = write_cap(parse_alert(document))
    assert texts(etree.fromstring(message), "cap:incidents") == ['"Crue Richelieu 2026"']
    assert read_cap(message, sender=MSP)["incidents"] == ["Crue Richelieu 2026"]


def test_references_are_to_alerts_of_who_handed_them_in() -> None:
    """CAP's sender gives way to the participant, in references too, and comes back on the way out."""
    update = MESSAGE.replace(">Alert<", ">Update<").replace(
        "<info>", "<references>alertes@msp.example,MSP-2026-0411-6,2026-04-11T05:00:00-04:00</references><info>"
    )
    alert = imported(update.encode())
    assert alert.references == ("ca-qc.msp,MSP-2026-0411-6,2026-04-11T05:00:00-04:00",)
    assert said(etree.fromstring(write_cap(alert))) == said(etree.fromstring(update.encode()))


@pytest.mark.parametrize(
    ("scope", "addresses", "tlp", "narrowed"),
    [
        ("Public", "", "CLEAR", ()),
        ("Restricted", "a@b.example", "AMBER", ()),
        ("Private", 'a@b.example "Jane Doe"', "RED", ("a@b.example", "Jane Doe")),
    ],
)
def test_scope_becomes_a_label(scope: str, addresses: str, tlp: str, narrowed: tuple[str, ...]) -> None:
    """The wider the scope, the freer the label; addresses narrow where CAP says that they do."""
    element = f"<addresses>{addresses}</addresses>" if addresses else ""
    message = MESSAGE.replace("<scope>Public</scope>", f"<scope>{scope}</scope>{element}").encode()
    alert = imported(message)
    assert (alert.handling.tlp, alert.addresses) == (tlp, narrowed)
    assert said(etree.fromstring(write_cap(alert))) == said(etree.fromstring(message))


@pytest.mark.parametrize(
    ("old", "new", "pointer", "code"),
    [
        ("<msgType>Alert", "<msgType>Cancel", "/alert", "references-missing"),
        ("<scope>Public", "<scope>Private", "/alert", "addresses-missing"),
        ("MSP-2026-0411-7", "MSP 7", "/alert/identifier", "string-pattern-mismatch"),
        ("alertes@msp.example", "a,b", "/alert/sender", "string-pattern-mismatch"),
        (
            "</areaDesc>",
            "</areaDesc><polygon>here</polygon><polygon>0,0 1,1 0,1 1,0 0,0</polygon>",
            "/alert/info[1]/area[1]/polygon[2]",
            "polygon-crosses-itself",
        ),
        (
            "</areaDesc>",
            "</areaDesc><ceiling>9</ceiling>",
            "/alert/info[1]/area[1]/ceiling",
            "ceiling-without-altitude",
        ),
    ],
)
def test_faults_of_meaning_point_into_the_message(old: str, new: str, pointer: str, code: str) -> None:
    """What the schema of OASIS lets pass and CAP does not allow is refused at its element, with its line."""
    fault = refusal(changed(old, new))
    assert (fault.pointer, fault.code) == (pointer, code)
    assert fault.line is not None
    assert fault.message.fr != fault.message.en


def test_a_drawing_that_nobody_can_read_is_carried_not_used() -> None:
    """A polygon in words narrows no area and reaches the next reader as it was written; an open ring is closed."""
    odd = "</areaDesc><polygon>downtown</polygon><polygon>0,0 0,1 1,1</polygon><circle>here</circle>"
    message = changed("</areaDesc>", odd)
    area = imported(message).info[0].area[0]
    assert (area.polygon, area.circle) == (("0,0 0,1 1,1 0,0",), ())
    assert said(etree.fromstring(write_cap(imported(message)))) == said(etree.fromstring(message))


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ("2026-04-11T06:15:00Z", "2026-04-11T06:15:00-00:00"),
        ("2026-04-11T06:15:00.000-04:00", "2026-04-11T06:15:00-04:00"),
        ("2026-04-11T06:15:00.5-04:00", None),
        ("2026-04-11T06:15:00", None),
    ],
)
def test_times_of_cap_1_1(sent: str, expected: str | None) -> None:
    """CAP 1.1 writes times more freely: what loses nothing is taken, a fraction or an unknown offset is not."""
    message = changed("2026-04-11T06:15:00-04:00", sent, MESSAGE.replace("cap:1.2", "cap:1.1"))
    if expected is None:
        assert refusal(message).pointer == "/alert/sent"
    else:
        assert texts(etree.fromstring(write_cap(imported(message))), "cap:sent") == [expected]


def test_what_cap_1_1_lacks_is_not_taken_from_it() -> None:
    """Response types that CAP 1.2 added, and signatures, are no part of CAP 1.1."""
    old = MESSAGE.replace("cap:1.2", "cap:1.1")
    response = changed("<urgency>", "<responseType>AllClear</responseType><urgency>", old)
    assert refusal(response).code == "not-of-its-type"
    signature = '<Signature xmlns="http://www.w3.org/2000/09/xmldsig#"/></alert>'
    assert refusal(changed("</alert>", signature, old)).code == "misplaced"


def test_a_resource_of_cap_1_1_gets_the_type_of_unknown_files() -> None:
    """CAP 1.2 insists on a media type, CAP 1.1 does not: a file of unknown type says so."""
    old = MESSAGE.replace("cap:1.2", "cap:1.1")
    message = changed("<area>", "<resource><resourceDesc>map</resourceDesc></resource><area>", old)
    root = etree.fromstring(write_cap(imported(message)))
    assert texts(root, "cap:info/cap:resource/cap:mimeType") == ["application/octet-stream"]


def test_faults_repeat_nothing_of_the_message() -> None:
    """An error that is logged or shown holds no content."""
    with pytest.raises(CapError) as error:
        read_cap(changed("<urgency>Immediate", "<urgency>Jean Tremblay"), sender=ParticipantId("ca-qc.msp"))
    assert "Tremblay" not in str(error.value) + str(error.value.faults)
