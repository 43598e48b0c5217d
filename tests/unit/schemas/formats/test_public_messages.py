"""The public CAP messages: every valid one comes in and leaves as it was, every invalid one is refused with its place.

``valid`` and ``invalid`` are the labels of the collection; the schemas of OASIS give a second verdict on each.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from lxml import etree

from schemas.formats.cap import CapError, read_cap, write_cap
from schemas.formats.cap_tree import read_tree
from schemas.formats.safe_xml import XmlError, parse_xml
from tests.unit.schemas.formats.messages import MSP, imported, said

SETS = ("cap-real", "cap-invalid")
UNDETECTABLE = {"wmo/bf_invalid_certificate~87dc40.xml"}
"""Labelled invalid, and no honest rule tells it from its valid twin: in the last octet of the certificate, the issuer's
signature over it was altered. Digest, value and key are right, and only the issuer's key, which is neither in the
message nor anybody's anchor here, could tell."""


def named(labels: Mapping[tuple[str, str], str], *wanted: str) -> list[tuple[str, str]]:
    """Return the CAP files with one of the labels."""
    return sorted(file for file, label in labels.items() if file[0] in SETS and label in wanted)


def test_every_valid_message_comes_in_and_leaves_as_it_was(
    shared_data: Path, labels: dict[tuple[str, str], str], cap_12_schema: etree.XMLSchema
) -> None:
    """Element by element and text by text, nothing that CAP 1.2 can say is lost, and OASIS accepts what leaves."""
    files = named(labels, "valid")
    assert len(files) >= 391
    for group, name in files:
        data = (shared_data / group / name).read_bytes()
        message = etree.fromstring(write_cap(imported(data)))
        cap_12_schema.assertValid(message)
        assert said(message) == said(etree.fromstring(data)), name


def test_unsigned_copies_are_taken(shared_data: Path, labels: dict[tuple[str, str], str]) -> None:
    """A message without a signature is no worse for it: CAP asks for none."""
    files = named(labels, "unknown")
    assert files
    for group, name in files:
        assert imported((shared_data / group / name).read_bytes()).info


def test_every_invalid_message_is_refused_with_its_place(shared_data: Path, labels: dict[tuple[str, str], str]) -> None:
    """Wrong form, wrong meaning, wrong signature: each refusal names a place in the message."""
    files = named(labels, "invalid")
    assert len(files) >= 30
    for group, name in files:
        data = (shared_data / group / name).read_bytes()
        if name in UNDETECTABLE:
            assert read_cap(data, sender=MSP)
            continue
        with pytest.raises(CapError) as error:
            read_cap(data, sender=MSP)
        assert all(fault.pointer.startswith("/") for fault in error.value.faults), name


def test_form_is_judged_as_oasis_judges_it(
    shared_data: Path,
    labels: dict[tuple[str, str], str],
    cap_12_schema: etree.XMLSchema,
    cap_11_schema: etree.XMLSchema,
) -> None:
    """Over every public message, the tables and the schema of its version agree."""
    schemas = {
        "urn:oasis:names:tc:emergency:cap:1.2": cap_12_schema,
        "urn:oasis:names:tc:emergency:cap:1.1": cap_11_schema,
    }
    for group, name in named(labels, "valid", "invalid", "unknown"):
        try:
            root = parse_xml((shared_data / group / name).read_bytes())
        except XmlError:
            continue
        schema = schemas.get(etree.QName(root).namespace or "")
        expected = schema is not None and schema.validate(root)
        assert (not read_tree(root).faults) == expected, name


def test_signatures_in_the_field_are_verified(shared_data: Path) -> None:
    """Real signatures by agencies and relays hold although their messages were laid out anew since."""
    folder = shared_data / "cap-real"
    for name in ("real/wmo/bf_valid.xml", "real/wmo/ca_valid.xml", "sample/naads/Sample1_CAPCP_No_Attachment.xml"):
        body = read_cap((folder / name).read_bytes(), sender=MSP)["body"]
        assert isinstance(body, dict)
        notes = body["signature"]
        assert isinstance(notes, list)
        assert all(isinstance(note, dict) and note["verified"] for note in notes), name
