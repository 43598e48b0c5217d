"""``lacolle demo`` and ``lacolle up`` with a folder of alerts: one that leads to nothing is refused before a start."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from lacolle.cli import application

WORDS = {
    ("en", "empty"): "holds no CAP 1.2 file",
    ("fr", "empty"): "ne contient aucun fichier CAP 1.2",
    ("en", "other"): "None of the 1 files of",
    ("fr", "other"): "n'est une alerte CAP 1.2",
}


@pytest.mark.parametrize("command", ["demo", "up"])
@pytest.mark.parametrize(("language", "content"), WORDS)
def test_a_folder_without_alerts_is_refused(tmp_path: Path, command: str, language: str, content: str) -> None:
    """A folder that holds no CAP file, or none that is an alert, is named, status 1 says so, and nothing was begun."""
    alerts, world = tmp_path / "alerts", tmp_path / "world"
    alerts.mkdir()
    (alerts / "note.txt").write_text("<alert/>")
    if content == "other":
        (alerts / "feed.xml").write_text("<feed/>")
    words = [command, "--alerts", str(alerts), "--dir", str(world), "--lang", language, "--json"]
    result = CliRunner().invoke(application(), words)
    assert (result.exit_code, result.stdout) == (1, "")
    assert str(alerts) in result.stderr
    assert WORDS[language, content] in result.stderr
    assert not world.exists()
