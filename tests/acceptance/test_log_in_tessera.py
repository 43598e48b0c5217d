"""The log read by Tessera's client, and checked by its ``fsck``: programs written for other logs, as they come.

``fsck`` also checks copies of the log in a folder, of which one file was altered.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from audit.note import LogSigner
from lacolle.keyfiles import load_key_file
from lacolle.samples import WorldOptions
from tests.acceptance.agency import Agency
from tests.acceptance.alerts import stolen_vehicle
from tests.acceptance.conftest import ServerProcess
from tests.acceptance.independent import read_checkpoint, tile_number
from tests.acceptance.log_reader import WIDTH, LogReader
from tests.acceptance.reading_in_go import built, run_in_go

SOURCE: Final = Path(__file__).parent / "tessera"
FSCK: Final = "github.com/transparency-dev/tessera/cmd/fsck"
BUNDLES: Final = 9
WORKERS: Final = 8
"""More than there are files at fault: a worker ends at its first, and with the last of them ``fsck`` would stand."""


@pytest.fixture(scope="module")
def commands(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the reader and of ``fsck``."""
    return built(tmp_path_factory.mktemp("tessera"), FSCK, source=SOURCE)


@pytest.fixture(scope="module")
def key_file(standing: ServerProcess, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a file of the log's verifier key as an operator publishes it (C2SP signed-note)."""
    key = load_key_file(standing.world.folder / "keys" / "log.jwk")
    file = tmp_path_factory.mktemp("key") / "log.vkey"
    file.write_text(LogSigner(WorldOptions().origin, key).verifier.vkey, encoding="ascii")
    return file


@pytest.fixture
def large(sq: Agency, log: LogReader) -> LogReader:
    """Return the log, grown until it has several full tiles and one that is not."""
    while log.checkpoint().size < BUNDLES * WIDTH or not log.checkpoint().size % WIDTH:
        lines = b"\n".join(sq.sign(stolen_vehicle()) for _ in range(200))
        answer = sq.http.post("/v1/alerts/batch", content=lines, headers={"Content-Type": "application/jose-seq"})
        log.holding(json.loads(answer.content.splitlines()[-1])["body"]["log_index"])
    return log


def fsck(commands: Path, key_file: Path, place: str) -> subprocess.CompletedProcess[str]:
    """Run ``fsck`` on a log; it tells what it found on standard error, and ends with status 0 whatever that is."""
    words = {"--storage_url": place, "--public_key": str(key_file), "--ui": "false", "--N": str(WORKERS)}
    ran = run_in_go(commands / "fsck", *(f"{option}={word}" for option, word in words.items()))
    assert ran.returncode == 0, ran.stderr
    return ran


def copied(log: LogReader, folder: Path) -> int:
    """Copy every file of the public log, as it is served; return the size of its checkpoint."""
    note = log.http.get("/log/checkpoint").content
    (folder / "checkpoint").write_bytes(note)
    size = read_checkpoint(note, name=log.origin, log_key=log.key).size
    for path in paths(size):
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(log.http.get(f"/log/{path}").raise_for_status().content)
    return size


def paths(size: int) -> Iterator[str]:
    """Yield the paths of the bundles and tiles of a tree, full and partial (C2SP tlog-tiles)."""
    for level, count in (("entries", size), ("0", size), ("1", size // WIDTH)):
        yield from (f"tile/{level}/{tile_number(number)}" for number in range(count // WIDTH))
        if rest := count % WIDTH:
            yield f"tile/{level}/{tile_number(count // WIDTH)}.p/{rest}"


def test_tessera_s_client_reads_the_log(
    commands: Path, key_file: Path, standing: ServerProcess, large: LogReader
) -> None:
    """Checkpoint, tiles, bundles, and roots of earlier trees verify, and the client's proofs are the exchange's."""
    ran = run_in_go(commands / "tessera", standing.world.base_url, key_file.read_text(encoding="ascii"))
    assert ran.returncode == 0, ran.stderr
    told = json.loads(ran.stdout)
    assert told["size"] >= BUNDLES * WIDTH
    if told["size"] == (now := large.checkpoint()).size:
        assert told["root"] == now.root.hex()


def test_fsck_finds_nothing_amiss(commands: Path, key_file: Path, standing: ServerProcess, large: LogReader) -> None:
    """The log as it is served has every tile that its entries make, and they make the root of its checkpoint."""
    least = large.checkpoint().size
    told = fsck(commands, key_file, f"{standing.world.base_url}/log/").stderr
    assert "fsck failed" not in told
    (size,) = (int(line.split("with size ")[1].split()[0]) for line in told.splitlines() if "Successfully" in line)
    assert size >= least


def test_fsck_finds_what_was_altered(commands: Path, key_file: Path, large: LogReader, tmp_path: Path) -> None:
    """A copy of the log passes; with one bit of a full tile, a partial one or a bundle turned, it does not."""
    good = tmp_path / "good"
    good.mkdir()
    size = copied(large, good)
    assert f"Successfully fsck'd log with size {size}" in fsck(commands, key_file, f"file://{good}").stderr
    full, partial = tile_number(1), f"{tile_number(size // WIDTH)}.p/{size % WIDTH}"
    above = f"1/{tile_number(0)}.p/{size // WIDTH}"
    for number, altered in enumerate((f"0/{full}", f"0/{partial}", above, f"entries/{full}", f"entries/{partial}")):
        bad = tmp_path / str(number)
        shutil.copytree(good, bad)
        file = bad / "tile" / altered
        content = bytearray(file.read_bytes())
        content[-1] ^= 1
        file.write_bytes(content)
        told = fsck(commands, key_file, f"file://{bad}").stderr
        assert "fsck failed" in told, altered
        assert "Successfully" not in told, altered
