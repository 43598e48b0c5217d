"""Witnesses of two jurisdictions as processes of their own: what they cosign is published, and missed when they die.

What is read is checked by arithmetic of this file's own, which knows the witnesses' keys beforehand.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import pytest
import yaml
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from typer.testing import CliRunner

from audit.checkpoints import CheckpointBody
from audit.note import LogSigner
from lacolle.cli import application
from lacolle.keyfiles import load_key_file
from lacolle.samples import WorldOptions, build_world
from tests.acceptance.agency import problem_of
from tests.acceptance.alerts import stolen_vehicle
from tests.acceptance.commands import shared_forks
from tests.acceptance.conftest import ServerProcess, calling, free_port, reading_log
from tests.acceptance.databases import exchange_database
from tests.acceptance.reading_in_go import built, run_in_go
from tests.acceptance.role_fork import ForkedProcess
from tests.patience import GIVES_UP_AFTER
from tests.servers.postgres import Postgres

WITHIN = 2
"""Seconds that the policy gives the witnesses."""


def told(*words: str) -> Any:  # noqa: ANN401 - whatever a command answers as JSON
    """Run a command that must succeed, and return what it answers."""
    ran = CliRunner().invoke(application(), [*words, "--json"])
    assert ran.exit_code == 0, ran.output
    return json.loads(ran.stdout)


@dataclass
class WitnessProcess:
    """``lacolle witness serve`` on a folder of its own."""

    folder: Path
    jurisdiction: str
    port: int = field(default_factory=free_port)
    process: ForkedProcess | None = None
    key: str = ""

    def make(self) -> None:
        """Make its folder, with a new key."""
        name = f"witness.example/{self.jurisdiction.lower()}"
        made = told("witness", "init", str(self.folder), "--name", name, "--port", str(self.port))
        self.key = made["witness_key"]

    def start(self) -> None:
        """Start it, and return once it answers."""
        self.process = shared_forks().start(
            ["witness", "serve", str(self.folder), "--insecure-http"],
            log=self.folder.with_suffix(".log"),
            environment=dict(os.environ),
        )
        eventually(self._answers, what="a witness that answers")

    def kill(self) -> None:
        """End it with SIGKILL."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(9)
            self.process.wait(timeout=GIVES_UP_AFTER)

    def settings(self) -> dict[str, str]:
        """Return how an exchange is told of it."""
        return {"vkey": self.key, "jurisdiction": self.jurisdiction, "url": f"http://127.0.0.1:{self.port}"}

    def time_in(self, note: str) -> int | None:
        """Return when this witness says that it cosigned a checkpoint, its signature verified; None where it has not.

        The message is C2SP tlog-cosignature's, put together anew.
        """
        text, _, lines = note.partition("\n\n")
        name, _, rest = self.key.partition("+")
        key = base64.b64decode(rest.partition("+")[2])
        assert key[:1] == b"\x04"
        key_id = hashlib.sha256(name.encode() + b"\n" + key).digest()[:4]
        for line in lines.splitlines():
            signer, _, encoded = line.removeprefix("— ").partition(" ")
            data = base64.b64decode(encoded, validate=True)
            if signer == name and data[:4] == key_id:
                at = int.from_bytes(data[4:12])
                message = f"cosignature/v1\ntime {at}\n{text}\n".encode()
                Ed25519PublicKey.from_public_bytes(key[1:]).verify(data[12:], message)
                return at
        return None

    def _answers(self) -> bool:
        try:
            return httpx2.get(f"http://127.0.0.1:{self.port}/healthz", trust_env=False).status_code == 200
        except httpx2.HTTPError:
            return False


def eventually(holds: Callable[[], bool], *, what: str) -> None:
    """Wait until something holds."""
    until = time.monotonic() + GIVES_UP_AFTER
    while not holds():
        assert time.monotonic() < until, f"not {what} in time"
        time.sleep(0.05)


@dataclass
class Witnessed:
    """An exchange and its two witnesses."""

    server: ServerProcess
    qc: WitnessProcess
    ny: WitnessProcess
    policy: Path
    log_key: str

    def get(self, path: str) -> httpx2.Response:
        """Ask the exchange."""
        return httpx2.get(f"{self.server.world.base_url}{path}", trust_env=False)

    def part(self, name: str = "witnesses") -> dict[str, Any]:
        """Return what the exchange says of a part of it."""
        part: dict[str, Any] = self.get("/readyz").json()["parts"][name]
        return part


@contextmanager
def witnessing(folder: Path, *, database: str | None = None) -> Iterator[Witnessed]:
    """Serve an exchange whose log two witnesses know, for as long as the block lasts."""
    qc, ny = WitnessProcess(folder / "qc", "CA-QC"), WitnessProcess(folder / "ny", "US-NY")
    for each in (qc, ny):
        each.make()
    demanded = {
        "known": [qc.settings(), ny.settings()],
        "policy": {"groups": [{"of": ["CA-QC"]}, {"of": ["US-*"], "threshold": 1}], "within": WITHIN},
    }
    policy = folder / "policy.yaml"
    policy.write_text(yaml.safe_dump(demanded), encoding="utf-8")
    world = build_world(folder / "world", WorldOptions(port=free_port(), settings={"witnesses": demanded}))
    log_key = LogSigner(WorldOptions().origin, load_key_file(world.folder / "keys" / "log.jwk")).vkey
    server = ServerProcess(world, folder / "server.log", database=database)
    try:
        for each in (qc, ny):
            assert told("witness", "trust", str(each.folder), log_key)["origin"] == WorldOptions().origin
            each.start()
        server.start()
        yield Witnessed(server, qc, ny, policy, log_key)
    finally:
        server.stop()
        for each in (qc, ny):
            each.kill()


@pytest.fixture(scope="module")
def witnessed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Witnessed]:
    """Return an exchange whose log two witnesses know."""
    with witnessing(tmp_path_factory.mktemp("witnessed")) as found:
        yield found


def test_a_checkpoint_is_published_with_its_cosignatures(witnessed: Witnessed) -> None:
    """Soon both witnesses have cosigned the published checkpoint; who knows nothing of them reads it as before."""
    with calling(witnessed.server) as agencies:
        index = agencies["ca-qc.sq"].send(stolen_vehicle())["log_index"]
        log = reading_log(witnessed.server, agencies)
        assert log.holding(index).size > index

        def cosigned() -> bool:
            note = witnessed.get("/log/checkpoint").text
            return all(each.time_in(note) is not None for each in (witnessed.qc, witnessed.ny))

        eventually(cosigned, what="cosigned by both")
        assert log.checkpoint().size > index
        answer = witnessed.get("/log/cosigned-checkpoint")
        assert answer.headers["content-type"] == "text/plain; charset=utf-8"
        now = time.time()
        for each in (witnessed.qc, witnessed.ny):
            at = each.time_in(answer.text)
            assert at is not None
            assert abs(now - at) < GIVES_UP_AFTER
    eventually(lambda: witnessed.part()["state"] == "ready", what="ready")


def test_go_reads_a_cosigned_checkpoint(witnessed: Witnessed, tmp_path: Path) -> None:
    """Go's own note and tlog read the log and both cosignatures, with a verifier that knows nothing of ours."""
    golog = built(tmp_path) / "golog"
    ran = run_in_go(golog, witnessed.server.world.base_url, witnessed.log_key, witnessed.qc.key, witnessed.ny.key)
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout)["signed_by"] == [
        WorldOptions().origin,
        "witness.example/ca-qc",
        "witness.example/us-ny",
    ]
    stranger = WitnessProcess(tmp_path / "stranger", "US-VT")
    stranger.make()
    refused = run_in_go(golog, witnessed.server.world.base_url, witnessed.log_key, stranger.key)
    assert refused.returncode == 1


def test_who_verifies_may_demand_witnesses(witnessed: Witnessed, tmp_path: Path) -> None:
    """``lacolle log verify`` names who cosigned, and refuses a log that lacks one whom the policy demands."""
    url = witnessed.server.world.base_url
    verify = ("log", "verify", "--url", url, "--log-key", witnessed.log_key, "--witness-policy")
    verified = told(*verify, str(witnessed.policy))
    assert verified["cosigned_size"] == verified["log_size"] > 0
    assert {each["witness"] for each in verified["cosigned_by"]} == {"witness.example/ca-qc", "witness.example/us-ny"}
    stranger = WitnessProcess(tmp_path / "stranger", "US-VT")
    stranger.make()
    demanding = {
        "known": [witnessed.qc.settings(), stranger.settings()],
        "policy": {"groups": [{"of": ["CA-QC"]}, {"of": ["US-VT"]}]},
    }
    other = tmp_path / "policy.yaml"
    other.write_text(yaml.safe_dump(demanding), encoding="utf-8")
    refused = CliRunner().invoke(application(), [*verify, str(other), "--lang", "en"])
    assert refused.exit_code == 1
    assert "1 of US-VT" in refused.stderr


def test_a_witness_that_dies_is_missed_until_it_is_back(witnessed: Witnessed) -> None:
    """Alerts are accepted all the same; readiness says who is missing, in both languages, and is well again after."""
    witnessed.ny.kill()
    eventually(lambda: witnessed.part()["state"] == "degraded", what="degraded")
    part = witnessed.part()
    assert "US-*" in part["detail"]
    assert "US-*" in part["reason"]["fr"]
    assert "CA-QC" not in part["detail"]
    assert 'lacolle_part_state{part="witnesses",state="degraded"} 1.0' in witnessed.get("/metrics").text
    eventually(lambda: "lacolle_witness_policy_met 0.0" in witnessed.get("/metrics").text, what="counted")
    with calling(witnessed.server) as agencies:
        agencies["ca-qc.sq"].send(stolen_vehicle())
    witnessed.ny.start()
    eventually(lambda: witnessed.part()["state"] == "ready", what="ready again")


def test_a_witness_that_has_seen_more_stops_the_exchange(witnessed: Witnessed) -> None:
    """Nothing is accepted, and the reason is plain in both languages, until the log is the one that was cosigned."""
    stops_while_a_witness_is_ahead(witnessed)


def test_the_same_on_a_database_that_processes_share(postgres: Postgres, tmp_path: Path) -> None:
    """On PostgreSQL, as the exchange's own role, cosignatures and doubts reach whoever reads the database."""
    with exchange_database(postgres) as url, witnessing(tmp_path, database=url) as witnessed:
        with calling(witnessed.server) as agencies:
            agencies["ca-qc.sq"].send(stolen_vehicle())
        eventually(lambda: witnessed.part()["state"] == "ready", what="ready")
        note = witnessed.get("/log/cosigned-checkpoint").text
        assert all(each.time_in(note) is not None for each in (witnessed.qc, witnessed.ny))
        stops_while_a_witness_is_ahead(witnessed)


def stops_while_a_witness_is_ahead(witnessed: Witnessed) -> None:
    """Have a witness remember a longer log for a while."""
    (memory,) = (witnessed.ny.folder / "logs").glob("*.log")
    signer = LogSigner(WorldOptions().origin, load_key_file(witnessed.server.world.folder / "keys" / "log.jwk"))
    remembered = memory.read_bytes()
    ahead = signer.sign(CheckpointBody(signer.origin, 1_000_000, bytes(32)).text).encode()
    memory.write_bytes(f"{signer.vkey}\n".encode() + ahead)
    eventually(lambda: witnessed.get("/readyz").status_code == 503, what="stopped")
    part = witnessed.part("log")
    assert part["state"] == "unavailable"
    assert "witness.example/us-ny" in part["detail"]
    with calling(witnessed.server) as agencies:
        sq = agencies["ca-qc.sq"]
        for language, words in (("fr", "a cosigné un journal plus long"), ("en", "has cosigned a longer log")):
            headers = {"Content-Type": "application/jose", "Accept-Language": language}
            answer = sq.http.post("/v1/alerts", content=sq.sign(stolen_vehicle()), headers=headers)
            assert problem_of(answer, 503) == "log-unavailable"
            assert words in answer.json()["detail"]
            assert int(answer.headers["retry-after"]) >= 1
        memory.write_bytes(remembered)
        eventually(lambda: witnessed.get("/readyz").status_code == 200, what="accepting again")
        sq.send(stolen_vehicle())
    eventually(lambda: witnessed.part()["state"] == "ready", what="ready again")


def test_a_restored_backup_is_not_signed(witnessed: Witnessed) -> None:
    """A database and a file that are older than what a witness has cosigned: the exchange does not start on them."""
    server, data = witnessed.server, witnessed.server.world.folder / "data"
    server.stop()
    backup = {file: file.read_bytes() for file in data.iterdir() if file.is_file()}
    server.start()
    with calling(server) as agencies:
        agencies["ca-qc.sq"].send(stolen_vehicle())
        size = reading_log(server, agencies).settled().size
    eventually(lambda: witnessed.part()["state"] == "ready", what="ready")
    eventually(lambda: f"\n{size}\n" in witnessed.get("/log/cosigned-checkpoint").text, what="cosigned")
    server.stop()
    newest = {file: file.read_bytes() for file in data.iterdir() if file.is_file()}
    _restore(data, backup)
    process = shared_forks().start(
        ["serve", str(server.world.folder), "--insecure-http", "--lang", "en"],
        log=data.parent / "refused.log",
        environment=dict(os.environ),
    )
    assert process.wait(timeout=GIVES_UP_AFTER) == 1
    said = (data.parent / "refused.log").read_text(encoding="utf-8")
    assert "has cosigned a longer log than this one" in said
    _restore(data, newest)
    server.start()
    with calling(server) as agencies:
        agencies["ca-qc.sq"].send(stolen_vehicle())
    assert problem_of(witnessed.get("/log/x"), 404) == "not-found"


def _restore(data: Path, content: dict[Path, bytes]) -> None:
    for file in data.iterdir():
        if file.is_file():
            file.unlink()
    for file, held in content.items():
        file.write_bytes(held)
