"""The samples that ship with the exchange."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def samples() -> Path:
    """Return the folder of sample jurisdictions, participants and agreements."""
    return Path(__file__).parents[3] / "deploy" / "samples"
