"""Other people's test suites, read where they stand; and keys to sign with."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from schemas.ids import KeyId
from schemas.signing.algorithms import Algorithm
from schemas.signing.keys import SigningKey


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Give the folder of public data; a test that needs it skips where it is absent."""
    root = Path(__file__).parents[4]
    data = Path(os.environ.get("LACOLLE_DATA", root.parent / "shared" / "data"))
    if not data.is_dir():
        pytest.skip("the public test data is not here (LACOLLE_DATA)")
    return data


@pytest.fixture(scope="session", params=["ES256", "Ed25519"])
def signing_key(request: pytest.FixtureRequest) -> SigningKey:
    """Give a key of each algorithm in turn."""
    alg: Algorithm = request.param
    return SigningKey.generate(KeyId("ca-qc.sq.2026-1"), alg)
