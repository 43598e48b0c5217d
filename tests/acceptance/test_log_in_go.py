"""The log read by somebody else's program: Go's own libraries for transparency logs, which know nothing of ours."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

import pytest

from audit.note import LogSigner
from lacolle.keyfiles import load_key_file
from lacolle.samples import WorldOptions
from tests.acceptance.agency import Agency
from tests.acceptance.alerts import stolen_vehicle
from tests.acceptance.conftest import ServerProcess
from tests.acceptance.log_reader import WIDTH, LogReader
from tests.acceptance.reading_in_go import built, run_in_go

BUNDLES: Final = 3


@pytest.fixture(scope="module")
def golog(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the reader, built from its source."""
    return built(tmp_path_factory.mktemp("golog")) / "golog"


@pytest.fixture(scope="module")
def vkey(standing: ServerProcess) -> str:
    """Return the log's verifier key as an operator publishes it (C2SP signed-note)."""
    key = load_key_file(standing.world.folder / "keys" / "log.jwk")
    return LogSigner(WorldOptions().origin, key).verifier.vkey


def test_a_log_of_several_tiles_verifies(
    golog: Path, vkey: str, standing: ServerProcess, sq: Agency, log: LogReader
) -> None:
    """Checkpoint, tiles full and partial, entry bundles, and the proofs at all edges are what Go makes of them."""
    while log.checkpoint().size < BUNDLES * WIDTH:
        lines = b"\n".join(sq.sign(stolen_vehicle()) for _ in range(100))
        answer = sq.http.post("/v1/alerts/batch", content=lines, headers={"Content-Type": "application/jose-seq"})
        log.holding(json.loads(answer.content.splitlines()[-1])["body"]["log_index"])
    ran = run_in_go(golog, standing.world.base_url, vkey)
    assert ran.returncode == 0, ran.stderr
    told = json.loads(ran.stdout)
    assert told["size"] >= BUNDLES * WIDTH
    if told["size"] == (now := log.checkpoint()).size:
        assert told["root"] == now.root.hex()


def test_another_log_s_key_is_refused(golog: Path, vkey: str, standing: ServerProcess) -> None:
    """With the key of another name nothing is believed: the reader would notice a checkpoint that is not the log's."""
    other = vkey.replace("+", "x+", 1)
    ran = run_in_go(golog, standing.world.base_url, other)
    assert ran.returncode == 1
    assert ran.stdout == ""
