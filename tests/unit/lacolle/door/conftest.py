"""Certificates for the door's tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from lacolle.certificates import LocalAuthority


@pytest.fixture
def authority(tmp_path: Path) -> LocalAuthority:
    """Return an authority for servers and clients."""
    return LocalAuthority(tmp_path / "authority")
