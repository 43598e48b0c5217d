"""Hostile XML is refused at once; harmless XML is read whatever its encoding."""

from __future__ import annotations

import resource
import time
from pathlib import Path

import pytest

from schemas.formats.safe_xml import MOST_BYTES, MOST_PROLOGUE, MOST_TAGS, XmlError, parse_xml

LAUGHS = (
    '<!DOCTYPE a [<!ENTITY x0 "ha">'
    + "".join(f'<!ENTITY x{step} "{f"&x{step - 1};" * 20}">' for step in range(1, 9))
    + "]>"
)


def code_of(data: bytes) -> str:
    """Return the code that a document is refused with."""
    with pytest.raises(XmlError) as refusal:
        parse_xml(data)
    return refusal.value.code


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "not-well-formed"),
        (b"alert", "not-well-formed"),
        (b"<alert>", "not-well-formed"),
        (b"<a/><b/>", "not-well-formed"),
        (b"<a>&nbsp;</a>", "not-well-formed"),
        (b"<a>\xff</a>", "not-well-formed"),
        (b"<a>\x00</a>", "not-well-formed"),
        (b'<a b="1" b="2"/>', "not-well-formed"),
        (b"<!DOCTYPE a><a/>", "doctype"),
        (b'<!DOCTYPE a SYSTEM "http://127.0.0.1:9/x.dtd"><a/>', "doctype"),
        (b'<!-- x --><!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/passwd">]><a b="1"/>', "doctype"),
        ("<!DOCTYPE a><a/>".encode("utf-16"), "doctype"),
        (b"<!--" + b"x" * MOST_PROLOGUE + b"--><a/>", "no-root-element"),
        (b"<a>" * 100_000, "not-well-formed"),
        (b"<a>" + b"<b/>" * MOST_TAGS + b"</a>", "xml-too-large"),
        (b"<a>" + b"x" * MOST_BYTES + b"</a>", "xml-too-large"),
    ],
)
def test_what_is_refused(data: bytes, code: str) -> None:
    """Each kind of document that is not read has its code."""
    assert code_of(data) == code


@pytest.mark.parametrize("body", ["<a>&x8;</a>", '<a b="&x8;"/>', "<a/>"])
def test_entity_bombs_do_not_go_off(body: str) -> None:
    """A document that would grow a billionfold is refused in no time and no memory."""
    before, begin = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    assert code_of((LAUGHS + body).encode()) in {"doctype", "not-well-formed"}
    assert time.process_time() - begin < 0.5
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 32 * 1024


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "iso-8859-1"])
def test_encodings(encoding: str) -> None:
    """Any encoding that XML declares is read, comments and processing instructions before the root as well."""
    text = f'<?xml version="1.0" encoding="{encoding}"?><?style x?><!-- é --><alert>Québec</alert>'
    assert parse_xml(text.encode(encoding)).text == "Québec"


def test_the_line_of_a_fault_is_told() -> None:
    """Who sent bad XML learns the line, and nothing of the content comes back."""
    with pytest.raises(XmlError) as refusal:
        parse_xml(b"<alert>\n<identifier>secret</identifer>\n</alert>")
    assert refusal.value.line == 2
    assert "secret" not in str(refusal.value)


def test_attacks_of_others_are_refused(shared_data: Path, labels: dict[tuple[str, str], str]) -> None:
    """The collected attacks on XML parsers are refused, or are no CAP; nothing is fetched and nothing grows."""
    folder = shared_data / "conf-xml-attacks"
    attacks = [name for (group, name), label in labels.items() if group == "conf-xml-attacks" and label == "invalid"]
    assert len(attacks) >= 6
    for name in attacks:
        data = (folder / name).read_bytes()
        if b"<!DOCTYPE" in data:
            assert code_of(data) == "doctype"
        else:
            assert parse_xml(data).tag != "{urn:oasis:names:tc:emergency:cap:1.2}alert"
