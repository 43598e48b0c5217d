"""An exchange that is set up wrongly does not start: it says which file, which line and why, and exits with 1."""

from __future__ import annotations

import re
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from lacolle.samples import WorldOptions, build_world
from tests.acceptance.agency import Agencies
from tests.acceptance.alerts import stolen_vehicle
from tests.acceptance.conftest import ServerProcess, calling, free_port, reading_log
from tests.acceptance.independent import Key, dumped
from tests.acceptance.role_fork import Forks
from tests.patience import PATIENCE

ENDS_WITHIN = 20.0 * PATIENCE

Change = Callable[[Path], None]


@dataclass(frozen=True)
class Commands:
    """The product's command, ready to be run."""

    forks: Forks

    def run(self, *arguments: str, output: Path) -> tuple[int, str]:
        """Return a command's exit status and what it said."""
        output.unlink(missing_ok=True)
        status = self.forks.run(arguments, log=output, environment={}, within=ENDS_WITHIN)
        return status, output.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def commands() -> Iterator[Commands]:
    """Return the command, imported once, in an environment that says nothing."""
    with Forks({"PATH": ""}) as forks:
        yield Commands(forks)


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of an exchange that was never started, and is sound."""
    return build_world(tmp_path_factory.mktemp("fresh"), WorldOptions(port=free_port())).folder


@pytest.fixture
def folder(fresh: Path, tmp_path: Path) -> Path:
    """Return a copy of the sound folder, to be spoiled."""
    return Path(shutil.copytree(fresh, tmp_path / "exchange"))


def refusal(commands: Commands, folder: Path, *options: str) -> str:
    """Start an exchange, which must refuse; return what it said."""
    arguments = options or ("--insecure-http",)
    status, said = commands.run("serve", str(folder), *arguments, output=folder.parent / "said.txt")
    assert status == 1, (status, said)
    assert "Traceback" not in said
    return re.sub(r"\s+", " ", said)


def replaced(name: str, old: str, new: str) -> Change:
    """Return the change of one text of a file, which must be there."""

    def change(folder: Path) -> None:
        file = folder / name
        text = file.read_text(encoding="utf-8")
        assert old in text
        file.write_text(text.replace(old, new, 1), encoding="utf-8")

    return change


def added(name: str, text: str) -> Change:
    """Return the change that adds a text at the end of a file."""

    def change(folder: Path) -> None:
        with (folder / name).open("a", encoding="utf-8") as file:
            file.write(text)

    return change


def _line_of(folder: Path, name: str, text: str) -> int:
    lines = (folder / name).read_text(encoding="utf-8").splitlines()
    return next(number for number, line in enumerate(lines, 1) if text in line)


SETTINGS, PARTNERS, JURISDICTIONS = "lacolle.yaml", "partners.yaml", "jurisdictions.yaml"
PROFILE = "partners:\n- participant: {}\n  format: {}\n  transport: {}\n"
HTTPS = '{transport: https, url: "https://partner.example/alerts"}'
IN_FILES: dict[str, tuple[Change, str, str]] = {
    "unknown setting": (added(SETTINGS, "colour: red\n"), SETTINGS, "colour"),
    "unknown setting inside": (added(SETTINGS, "limits:\n  burst: 3\n  bursts: 3\n"), SETTINGS, "bursts"),
    "a setting of another kind": (added(SETTINGS, "limits:\n  burst: many\n"), SETTINGS, "many"),
    "a number as text": (added(SETTINGS, 'limits:\n  burst: "3"\n'), SETTINGS, '"3"'),
    "a setting out of range": (added(SETTINGS, "delivery:\n  concurrency: 0\n"), SETTINGS, "concurrency"),
    "no yaml": (added(SETTINGS, "limits: {burst: 3\n  - x\n"), SETTINGS, "- x"),
    "said twice": (added(SETTINGS, "origin: other.example/log\n"), SETTINGS, "origin: other"),
    "a tab": (added(SETTINGS, "limits:\n\tburst: 3\n"), SETTINGS, "\tburst"),
    "an alias": (added(SETTINGS, "limits: &a {burst: 3}\ndelivery: *a\n"), SETTINGS, "*a"),
    "a python object": (added(SETTINGS, "limits: !!python/object/apply:os.getcwd []\n"), SETTINGS, "!!python"),
    "an unknown member of a jurisdiction": (
        replaced(JURISDICTIONS, "code: CA\n", "code: CA\n  x: 1\n"),
        JURISDICTIONS,
        "x: 1",
    ),
    "an authority key that is none": (replaced(JURISDICTIONS, "crv: Ed25519", "crv: Ed448"), JURISDICTIONS, "Ed448"),
    "a jurisdiction that is none": (replaced(JURISDICTIONS, "code: US-NY", "code: Gotham"), JURISDICTIONS, "Gotham"),
    "plain http to a partner": (
        lambda folder: _write(folder, PROFILE.format("us-ny.nysp", "native", HTTPS.replace("https:/", "http:/"))),
        PARTNERS,
        "http:/",
    ),
    "an unknown format": (
        lambda folder: _write(folder, PROFILE.format("us-ny.nysp", "fax", HTTPS)),
        PARTNERS,
        "fax",
    ),
    "an unknown transport": (
        lambda folder: _write(folder, PROFILE.format("us-ny.nysp", "native", "{transport: pigeon, loft: 7}")),
        PARTNERS,
        "pigeon",
    ),
    "a relative directory": (
        lambda folder: _write(folder, PROFILE.format("us-ny.nysp", "native", "{transport: directory, path: out}")),
        PARTNERS,
        "path: out",
    ),
}


def _write(folder: Path, partners: str) -> None:
    (folder / PARTNERS).write_text(partners, encoding="utf-8")


@pytest.mark.parametrize("case", IN_FILES)
def test_a_file_that_is_wrong(commands: Commands, folder: Path, case: str) -> None:
    """What is wrong in a file is told with the file's name and the line."""
    change, name, text = IN_FILES[case]
    change(folder)
    said = refusal(commands, folder)
    found = re.search(rf"{re.escape(name)}:(\d+)|{re.escape(name)}\W+(?:line|ligne) (\d+)", said)
    assert found is not None, said
    line = int(found[1] or found[2])
    assert abs(line - _line_of(folder, name, text)) <= 1, said


def _chmod(name: str, mode: int) -> Change:
    return lambda folder: (folder / name).chmod(mode)


def _content(name: str, content: bytes) -> Change:
    def change(folder: Path) -> None:
        file = folder / name
        file.write_bytes(content)
        file.chmod(0o600)

    return change


def _tampered(pattern: str) -> Change:
    def change(folder: Path) -> None:
        file = min(folder.glob(pattern))
        content = file.read_bytes()
        place = len(content) - 40
        file.write_bytes(
            content[:place] + (b"A" if content[place : place + 1] != b"A" else b"B") + content[place + 1 :]
        )

    return change


NAMED: dict[str, tuple[Change, str]] = {
    "a key open to its group": (_chmod("keys/receipt.jwk", 0o640), "receipt.jwk"),
    "a key open to all": (_chmod("keys/log.jwk", 0o604), "log.jwk"),
    "a key that is missing": (lambda folder: (folder / "keys" / "transport.jwk").unlink(), "transport.jwk"),
    "a key that is none": (_content("keys/receipt.jwk", b"{}"), "receipt.jwk"),
    "a public key": (_content("keys/receipt.jwk", dumped(Key.new("x").jwk)), "receipt.jwk"),
    "no settings": (lambda folder: (folder / SETTINGS).unlink(), SETTINGS),
    "settings that are no text": (_content(SETTINGS, b"\xff\xfe"), SETTINGS),
    "no jurisdictions file": (lambda folder: (folder / JURISDICTIONS).unlink(), JURISDICTIONS),
    "a partner that nobody registered": (
        lambda folder: _write(folder, PROFILE.format("us-ny.nobody", "native", HTTPS)),
        "us-ny.nobody",
    ),
    "a statement that was altered": (_tampered("statements/*.jws"), "ca-qc.cai.jws"),
    "a statement that is none": (_content("statements/x.jws", b"x"), "x.jws"),
    "an agreement that was altered": (_tampered("agreements/*.json"), "ca-qc.us-me.law-enforcement.1.json"),
    "an agreement that is none": (_content("agreements/x.json", b"{}"), "x.json"),
}


@pytest.mark.parametrize("case", NAMED)
def test_what_is_wrong_is_named(commands: Commands, folder: Path, case: str) -> None:
    """A key, a statement or an agreement that can't be used is named."""
    change, name = NAMED[case]
    change(folder)
    assert name in refusal(commands, folder)


def test_plain_http_needs_the_flag(commands: Commands, folder: Path) -> None:
    """Without a certificate nothing is served unless the operator asks for plain HTTP."""
    status, said = commands.run("serve", str(folder), output=folder.parent / "said.txt")
    assert status == 1
    assert "--insecure-http" in said


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.org"])  # noqa: S104 - what must be refused
def test_plain_http_stays_on_loopback(commands: Commands, folder: Path, host: str) -> None:
    """Plain HTTP is served on loopback alone, flag or not."""
    replaced(SETTINGS, "host: 127.0.0.1", f'host: "{host}"')(folder)
    assert "TLS" in refusal(commands, folder)


def test_a_certificate_that_is_missing(commands: Commands, folder: Path) -> None:
    """A certificate that can't be read keeps the exchange from starting, flag or not."""
    replaced(SETTINGS, "  port:", "  tls: {certificate: no.pem, key: no.key}\n  port:")(folder)
    assert "TLS" in refusal(commands, folder)


@pytest.mark.parametrize(
    "change",
    [
        added(SETTINGS, "colour: red\n"),
        added(PARTNERS, "colour: red\n"),
        _tampered("statements/*.jws"),
        _tampered("agreements/*.json"),
        _chmod("keys/log.jwk", 0o644),
        lambda folder: (folder / SETTINGS).unlink(),
    ],
)
def test_in_french(commands: Commands, folder: Path, change: Change) -> None:
    """The operator's language is that of the refusal."""
    change(folder)
    french, english = (refusal(commands, folder, "--insecure-http", "--lang", language) for language in ("fr", "en"))
    assert french != english


# What an exchange that has run refuses.


@dataclass(frozen=True)
class Lived:
    """The folder of an exchange that ran and was stopped, and its database as it was some time before."""

    folder: Path
    backup: Path


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Lived:
    """Return an exchange that has published checkpoints."""
    directory = tmp_path_factory.mktemp("lived")
    server = ServerProcess(build_world(directory / "world", WorldOptions(port=free_port())), directory / "server.log")
    backup = directory / "backup.sqlite3"
    server.start()
    try:
        with calling(server) as agencies:
            _send_one(server, agencies)
            live = server.world.folder / "data" / "exchange.sqlite3"
            with closing(sqlite3.connect(live)) as source, closing(sqlite3.connect(backup)) as target:
                source.backup(target)
            _send_one(server, agencies)
    finally:
        status = server.stop()
    assert status == 0
    return Lived(server.world.folder, backup)


def _send_one(server: ServerProcess, agencies: Agencies) -> None:
    index = agencies["ca-qc.sq"].send(stolen_vehicle())["log_index"]
    reading_log(server, agencies).holding(index)


@pytest.fixture
def grown(lived: Lived, tmp_path: Path) -> Path:
    """Return a copy of the folder that ran."""
    return Path(shutil.copytree(lived.folder, tmp_path / "exchange"))


def test_a_restored_backup(commands: Commands, lived: Lived, grown: Path) -> None:
    """A database that is behind the published checkpoint must not sign another history."""
    for file in (grown / "data").glob("exchange.sqlite3*"):
        file.unlink()
    shutil.copy(lived.backup, grown / "data" / "exchange.sqlite3")
    assert "checkpoint" in refusal(commands, grown).lower()


def test_a_lost_database(commands: Commands, grown: Path) -> None:
    """An empty database beside a published checkpoint is no new exchange."""
    for file in (grown / "data").glob("exchange.sqlite3*"):
        file.unlink()
    refusal(commands, grown)


def test_a_changed_authority(commands: Commands, grown: Path) -> None:
    """An authority's key that was pinned at the first start can't be replaced by editing a file."""
    file = grown / JURISDICTIONS
    document: dict[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))
    for jurisdiction in document["jurisdictions"]:
        if jurisdiction["code"] == "CA-QC":
            jurisdiction["authority_keys"] = [Key.new("ca-qc.authority").jwk]
    file.write_text(yaml.safe_dump(document), encoding="utf-8")
    assert "CA-QC" in refusal(commands, grown)


def test_another_origin(commands: Commands, grown: Path) -> None:
    """A log keeps its name for good."""
    replaced(SETTINGS, "origin: lacolle.example/log", "origin: other.example/log")(grown)
    refusal(commands, grown)


def test_another_log_key(commands: Commands, grown: Path) -> None:
    """A log keeps its key: checkpoints under another would be another log's."""
    shutil.copy(grown / "keys" / "receipt.jwk", grown / "keys" / "log.jwk")
    refusal(commands, grown)


def test_a_newer_schema(commands: Commands, grown: Path) -> None:
    """A database that a newer version has changed is not touched by an older one."""
    with closing(sqlite3.connect(grown / "data" / "exchange.sqlite3")) as database:
        assert database.execute("UPDATE alembic_version SET version_num = '9999_from_the_future'").rowcount == 1
        database.commit()
    said = refusal(commands, grown)
    assert "9999_from_the_future" in said or "version" in said.lower()


def test_a_tampered_log(commands: Commands, grown: Path) -> None:
    """A log whose entries were changed under a published checkpoint is not continued."""
    with closing(sqlite3.connect(grown / "data" / "exchange.sqlite3")) as database:
        database.execute("DELETE FROM log_entries WHERE log_index = (SELECT max(log_index) FROM log_entries)")
        database.commit()
    refusal(commands, grown)
