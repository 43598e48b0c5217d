"""``lacolle demo --scenario`` and ``--scenarios``: what they say, in either language, and with which exit status."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import orjson
import pytest
from typer.testing import CliRunner, Result

from lacolle.cli import application
from lacolle.scenarios.document import read_scenarios


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take nothing from the environment of whoever runs the tests."""
    monkeypatch.setenv("LANG", "en_CA.UTF-8")
    for name in ("LC_ALL", "LC_MESSAGES"):
        monkeypatch.delenv(name, raising=False)


def run(*words: str | Path) -> Result:
    """Run ``lacolle demo`` with these words."""
    return CliRunner().invoke(application(), ["demo", *(str(word) for word in words)])


@pytest.mark.parametrize("language", ["fr", "en"])
def test_the_list_names_every_scenario(language: str) -> None:
    """The list gives each scenario's name and relation, as JSON and for people, in the language asked for."""
    relations = {each.name: each.relation.fr if language == "fr" else each.relation.en for each in read_scenarios()}
    answered = run("--scenarios", "--json", "--lang", language)
    told = run("--scenarios", "--lang", language)
    assert orjson.loads(answered.stdout) == [
        {"name": name, "relation": relation} for name, relation in relations.items()
    ]
    assert (answered.exit_code, told.exit_code) == (0, 0)
    for line, (name, relation) in zip(told.stdout.splitlines(), relations.items(), strict=True):
        assert line.split(None, 1) == [name, relation]


@pytest.mark.parametrize(("language", "said"), [("fr", "Aucun scénario ne s'appelle"), ("en", "No scenario is called")])
def test_a_scenario_that_there_is_not_is_told(tmp_path: Path, language: str, said: str) -> None:
    """An unknown name ends with status 1 and where to find the names, and nothing was begun."""
    result = run("--scenario", "atlantis", "--dir", tmp_path / "world", "--json", "--lang", language)
    assert (result.exit_code, result.stdout) == (1, "")
    assert said in result.stderr
    assert not (tmp_path / "world").exists()


@pytest.mark.parametrize("words", [("--scenarios", "--keep"), ("--scenario", "energy", "--scenarios")])
def test_what_does_not_go_together_is_wrong_usage(words: tuple[str, ...]) -> None:
    """Options that contradict each other end with status 2."""
    assert run(*words).exit_code == 2


def test_a_scenario_runs(tmp_path: Path) -> None:
    """The command plays a scenario on an exchange of its own, and answers with what each side saw, and status 0."""
    words = ["demo", "--scenario", "border-health", "--dir", str(tmp_path / "world"), "--json", "--lang", "fr"]
    done = subprocess.run([sys.executable, "-m", "lacolle", *words], capture_output=True, check=False, timeout=100)
    answer = orjson.loads(done.stdout)
    assert (done.returncode, done.stderr, answer["as_expected"]) == (0, b"", True)
    assert (answer["name"], answer["relation"]) == ("border-health", "Initiative de santé de la frontière de l'Est")
    passes, stops = answer["alerts"]
    seen = {each["participant"]: each for each in passes["seen"]}
    assert seen["us-vt.vdh"]["copy"]["body"]["patient"]["birthDate"] == "2001"
    assert "name" not in seen["ca.phac"]["copy"]["body"]["patient"]
    assert {each["pointer"] for each in seen["ca.phac"]["withheld"]} >= {"/body/patient/name"}
    assert all(each["reason"]["fr"] and each["reason"]["en"] for each in passes["seen"])
    assert {each["gets"] for each in stops["seen"]} == {"denied"}
