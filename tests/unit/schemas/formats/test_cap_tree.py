"""The tables refuse what the schema of OASIS refuses, and point to it."""

from __future__ import annotations

import random

import pytest
from lxml import etree

from schemas.formats.cap_tree import read_tree
from tests.unit.schemas.formats.messages import MESSAGE, changed, imported, refusal

EVENT = "<event>Inondation</event>"
EVERYTHING = MESSAGE.replace(
    "<info>", "<code>a</code><code>b</code><note/><references/><incidents>x</incidents><info>"
).replace(
    "</area>",
    "<polygon>0,0 0,1 1,1 0,0</polygon><circle>0,0 1</circle><geocode><valueName>SGC</valueName><value>1</value>"
    "</geocode><altitude>1</altitude><ceiling>2</ceiling></area>",
)


@pytest.mark.parametrize(
    ("old", "new", "pointer", "code"),
    [
        ("  <status>Actual</status>\n", "", "/alert/status", "missing"),
        ("<event>", "<Event>x</Event><event>", "/alert/info[1]/*[3]", "misplaced"),
        (EVENT, EVENT + EVENT, "/alert/info[1]/event", "repeated"),
        ("<urgency>Immediate</urgency>", "<urgency> Immediate</urgency>", "/alert/info[1]/urgency", "not-of-its-type"),
        ("06:15:00-04:00", "06:15:00Z", "/alert/sent", "not-of-its-type"),
        ("2026-04-11T", "2026-02-29T", "/alert/sent", "not-of-its-type"),
        ("<language>fr-CA", "<language>français", "/alert/info[1]/language", "not-of-its-type"),
        ("<event>", '<event xml:lang="fr">', "/alert/info[1]/event", "attribute"),
        ("<event>Inon", "<event><b/>Inon", "/alert/info[1]/event", "element-in-text"),
        ("<area>", "Québec<area>", "/alert/info[1]", "text-between-elements"),
        ("<areaDesc>Lacolle</areaDesc>", "", "/alert/info[1]/area[1]/areaDesc", "missing"),
        ("<info>", '<info xmlns="urn:other">', "/alert/*[7]", "misplaced"),
        ("cap:1.2", "cap:1.3", "/", "not-cap"),
        ("<alert ", "<cap:alert xmlns:cap='urn:x' ", "/", "not-well-formed"),
    ],
)
def test_faults_point_to_their_element(old: str, new: str, pointer: str, code: str) -> None:
    """Order, number, types, attributes and stray text each have their fault and their place."""
    fault = refusal(changed(old, new))
    assert (fault.pointer, fault.code) == (pointer, code)
    assert fault.line is not None


def test_lines_are_the_messages_own() -> None:
    """The line of a fault is where its element stands in the message as it was sent."""
    assert refusal(changed("<urgency>Immediate", "<urgency>Soon")).line == 13


def test_what_says_nothing_is_passed_over() -> None:
    """Comments, instructions, a schema's location, CDATA and whitespace around a date change nothing."""
    plain = imported(MESSAGE.encode())
    decorated = (
        MESSAGE.replace(
            "<alert ", '<alert xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation="a b" '
        )
        .replace("<event>Inondation", "<event>Inon<!-- x --><?y z?><![CDATA[dation]]>")
        .replace("2026-04-11T06:15:00-04:00", "\n 2026-04-11T06:15:00-04:00\t")
    )
    assert imported(decorated.encode()) == plain


def test_an_empty_language_is_the_schemas_default() -> None:
    """XML Schema gives an empty element its default: ``en-US``."""
    assert imported(changed("fr-CA", "")).info[0].language == "en-US"


def test_verdicts_agree_with_the_schema_on_mutations(cap_12_schema: etree.XMLSchema) -> None:
    """Whatever is moved, dropped, doubled or retyped, the tables and the schema of OASIS say the same."""
    dice = random.Random(2026)  # noqa: S311 - a test's mutations
    verdicts = {True: 0, False: 0}
    for _ in range(1_200):
        root = etree.fromstring(EVERYTHING.encode())
        for _ in range(dice.randint(1, 2)):
            _mutate(root, dice)
        root = etree.fromstring(etree.tostring(root))
        expected = cap_12_schema.validate(root)
        faults = read_tree(root).faults
        assert (not faults) == expected, etree.tostring(root)
        verdicts[expected] += 1
    assert min(verdicts.values()) > 100


def _mutate(root: etree._Element, dice: random.Random) -> None:
    element = dice.choice([each for each in root.iter() if each is not root])
    parent = element.getparent()
    if parent is None:
        return
    match dice.randrange(6):
        case 0:
            parent.remove(element)
        case 1:
            parent.append(element)
        case 2:
            parent.insert(dice.randrange(len(parent) + 1), element)
        case 3:
            parent.insert(parent.index(element), etree.fromstring(etree.tostring(element)))
        case 4:
            element.tag = dice.choice([each.tag for each in root.iter()])
        case _:
            if len(element) == 0:
                texts = ["", " ", "x", "Actual", "Met", "fr-CA", "1", "2026-04-11T06:15:00-04:00", "-1.5", "+7", "a b"]
                element.text = dice.choice(texts)
