"""Other people's test suites, read where they stand; and a key to sign logs with."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from audit.note import LogSigner
from schemas.ids import KeyId
from schemas.signing.keys import SigningKey


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Give the folder of public data; a test that needs it skips where it is absent."""
    root = Path(__file__).parents[3]
    data = Path(os.environ.get("LACOLLE_DATA", root.parent / "shared" / "data"))
    if not data.is_dir():
        pytest.skip("the public test data is not here (LACOLLE_DATA)")
    return data


@pytest.fixture(scope="session")
def signer() -> LogSigner:
    """Give a log's signer."""
    return LogSigner("exchange.example/log", SigningKey.generate(KeyId("log.2026-1"), "Ed25519"))
