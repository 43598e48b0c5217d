"""Secrets in files of one line."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from lacolle.errors import ConfigurationError
from lacolle.secretfiles import read_secret, write_secret


def test_a_written_secret_is_read_again(tmp_path: Path) -> None:
    """What was written is what is read, and its owner alone may read it."""
    write_secret(tmp_path / "secret", "dos: chevaux")
    assert read_secret(tmp_path / "secret") == "dos: chevaux"
    assert stat.S_IMODE((tmp_path / "secret").stat().st_mode) == 0o600


def test_a_secret_is_never_overwritten(tmp_path: Path) -> None:
    """Writing to a file that exists is refused in both languages, and the file keeps what it held."""
    write_secret(tmp_path / "secret", "first")
    with pytest.raises(ConfigurationError, match="can't be written") as refused:
        write_secret(tmp_path / "secret", "second")
    assert "ne peut être écrit" in refused.value.in_language("fr")
    assert "second" not in str(refused.value)
    assert read_secret(tmp_path / "secret") == "first"
