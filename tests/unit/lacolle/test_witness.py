"""The witness as a log meets it: over HTTP, from its own folder, and after it was killed."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import random
import signal
import threading
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from pathlib import Path

import httpx2
import pytest

from audit.cosignature import cosignatures
from audit.errors import AuditError, StaleRequestError
from audit.note import LogSigner, read_note, read_signatures
from audit.witness import MOST_BYTES, AddCheckpoint
from lacolle.door.sockets import bind
from lacolle.errors import ConfigurationError
from lacolle.witness.folder import WitnessFolder, create_witness, read_witness
from lacolle.witness.memory import WitnessMemory
from lacolle.witness.server import WitnessServer
from schemas.ids import KeyId
from schemas.signing.keys import SigningKey
from tests.unit.audit.logs import SmallLog
from tests.unit.gateway.ground import START, HandClock

SIGNER = LogSigner("exchange.example/log", SigningKey.generate(KeyId("log"), "Ed25519"))
STRANGER = LogSigner("stranger.example/log", SigningKey.generate(KeyId("log"), "Ed25519"))
LOG = SmallLog(SIGNER, 70)
FORK = SmallLog(SIGNER, 70, seed="other")
NAME = "witness.example/qc"
_RECORD = 34
"""Bytes of a size and a root."""


@pytest.fixture
def folder(tmp_path: Path) -> WitnessFolder:
    """Return a new witness's folder, which knows one log."""
    return create_witness(tmp_path / "witness", name=NAME, host="127.0.0.1", port=8444, logs=[SIGNER.vkey])


@asynccontextmanager
async def serving(folder: WitnessFolder) -> AsyncIterator[httpx2.AsyncClient]:
    """Serve a folder for as long as the block lasts, and yield who asks it."""
    with closing(bind("127.0.0.1", 0, setting="test")) as bound:
        server = WitnessServer(folder, bound=bound, tls=None, clock=HandClock())
        running = asyncio.create_task(server.run())
        url = f"http://127.0.0.1:{bound.getsockname()[1]}"
        try:
            async with httpx2.AsyncClient(base_url=url, trust_env=False) as http:
                yield http
        finally:
            server.stop()
            await running


async def ask(http: httpx2.AsyncClient, request: AddCheckpoint | bytes) -> httpx2.Response:
    """Ask for a cosignature."""
    body = request if isinstance(request, bytes) else request.body
    return await http.post("/add-checkpoint", content=body)


async def test_what_is_sound_is_cosigned(folder: WitnessFolder) -> None:
    """The answer is the witness's signature line, over the checkpoint and the time at which it was asked."""
    async with serving(folder) as http:
        for old, size in ((0, 7), (7, 70), (70, 70)):
            answer = await ask(http, LOG.request(old, size))
            assert answer.status_code == 200, answer.text
            (found,) = cosignatures(read_note(LOG.note(size) + answer.content), [folder.cosigner.key])
            assert found.time == int(START.timestamp())
            assert len(read_signatures(answer.text)) == 1


async def test_each_refusal_has_its_status(folder: WitnessFolder) -> None:
    """Malformed, unknown, not trusted, stale, forked, not proven, too large: each as the specification says."""
    signed_by_another = LogSigner(SIGNER.origin, SigningKey.generate(KeyId("log"), "Ed25519"))
    async with serving(folder) as http:
        assert (await ask(http, LOG.request(0, 7))).status_code == 200
        expected = (
            (b"old x\n\n", 400),
            (LOG.request(8, 7), 400),
            (SmallLog(STRANGER, 7).request(0, 7), 404),
            (SmallLog(signed_by_another, 70).request(7, 70), 403),
            (FORK.request(7, 70), 422),
            (b"x" * (MOST_BYTES + 1), 413),
        )
        for request, status in expected:
            answer = await ask(http, request)
            assert (answer.status_code, answer.headers["content-language"]) == (status, "en")
        for request in (LOG.request(0, 70), FORK.request(7, 7)):
            answer = await ask(http, request)
            assert (answer.status_code, answer.content) == (409, b"7\n")
            assert answer.headers["content-type"] == "text/x.tlog.size"
        french = await http.post("/add-checkpoint", content=b"", headers={"Accept-Language": "fr"})
        assert french.text.startswith("Cette demande")
        assert (await http.get("/add-checkpoint")).status_code == 405
        assert (await http.get("/x")).status_code == 404
        assert (await http.get("/healthz")).status_code == 200


async def test_a_log_that_asks_too_often_waits_and_no_other_does(tmp_path: Path) -> None:
    """The rate is each log's own, and what is not signed by a log's key takes nothing of it."""
    made = create_witness(tmp_path / "slow", name=NAME, host="127.0.0.1", port=8444, logs=[SIGNER.vkey, STRANGER.vkey])
    folder = replace(made, settings=made.settings.model_copy(update={"rate_per_second": 0.001, "burst": 1}))
    unsigned = LOG.request(0, 7)
    async with serving(folder) as http:
        forged = replace(unsigned, note=unsigned.note.replace(b"\n7\n", b"\n8\n"))
        assert (await ask(http, forged)).status_code == 403
        assert (await ask(http, unsigned)).status_code == 200
        again = await ask(http, LOG.request(7, 70))
        assert again.status_code == 429
        assert int(again.headers["retry-after"]) > 1
        assert (await ask(http, SmallLog(STRANGER, 7).request(0, 7))).status_code == 200


async def test_two_at_once_never_both_go_on_from_one_state(folder: WitnessFolder) -> None:
    """Of many that ask at once to go on from one size, with two histories, one root of each size is cosigned."""
    async with serving(folder) as http:
        assert (await ask(http, LOG.request(0, 5))).status_code == 200
        requests = [LOG.request(5, size) for size in range(6, 30)]
        answers = await asyncio.gather(*(ask(http, each) for each in requests))
    assert [each.status_code for each in answers].count(200) == 1
    assert {each.status_code for each in answers} == {200, 409}


def test_what_was_admitted_is_remembered_by_the_next(folder: WitnessFolder) -> None:
    """Whoever opens the folder next goes on from the last checkpoint, and a fork leaves its evidence there once."""
    folder.memory.admit(LOG.request(0, 7))
    again = read_witness(folder.path).memory
    assert again.logs()[SIGNER.origin].size == 7
    for _ in range(2):
        with pytest.raises(StaleRequestError):
            again.admit(FORK.request(7, 7))
    (evidence,) = (folder.path / "logs").glob("*.fork")
    assert evidence.read_bytes() == FORK.note(7)
    with pytest.raises(ConfigurationError):
        again.trust(SIGNER.verifier)


def test_a_memory_that_is_lost_or_damaged_cosigns_nothing(folder: WitnessFolder) -> None:
    """Without its file a log is unknown; with one that was cut short, or another log's, the witness does not start."""
    folder.memory.admit(LOG.request(0, 7))
    (file,) = (folder.path / "logs").glob("*.log")
    whole = file.read_bytes()
    for damaged in (b"", whole[:-10], whole.replace(b"\n7\n", b"\n8\n"), STRANGER.vkey.encode() + b"\n"):
        file.write_bytes(damaged)
        with pytest.raises(ConfigurationError):
            folder.memory.logs()
        with pytest.raises(ConfigurationError):
            folder.memory.admit(LOG.request(7, 8))
    file.unlink()
    assert folder.memory.logs() == {}


def admit_both(path: Path, *, begin: Callable[[], object]) -> list[bytes]:
    """Offer two histories of growing sizes, at the same time and in turn; return the roots that were admitted."""
    memory, admitted = WitnessMemory(path), list[bytes]()
    begin()
    for size in range(1, 30):
        for log in (LOG, FORK):
            old = memory.logs()[SIGNER.origin].size
            try:
                admitted.append(memory.admit(log.request(old, max(size, old))).root)
            except AuditError:
                continue
    return admitted


def test_several_processes_or_threads_admit_one_history(folder: WitnessFolder) -> None:
    """Whoever shares the folder, roots of one history alone are ever admitted."""
    together = threading.Barrier(4)
    with ThreadPoolExecutor(4) as pool:
        running = [pool.submit(admit_both, folder.path / "logs", begin=together.wait) for _ in range(4)]
        roots = {root for each in running for root in each.result()}
    of_each = [roots & {log.root(size) for size in range(31)} for log in (LOG, FORK)]
    assert roots
    assert sorted(map(bool, of_each)) == [False, True]


def _admit_until_killed(path: Path, answers: int, log: SmallLog) -> None:
    memory = WitnessMemory(path)
    os.write(answers, bytes(_RECORD))
    while True:
        for size in range(1, 71):
            old = memory.logs()[SIGNER.origin].size
            try:
                checkpoint = memory.admit(log.request(old, max(size, old)))
            except AuditError:
                continue
            os.write(answers, checkpoint.size.to_bytes(2) + checkpoint.root)


def test_a_witness_that_is_killed_never_cosigns_another_root(folder: WitnessFolder) -> None:
    """Killed at any instant, and asked another history then, it never lets through two roots for one size."""
    context, roots = multiprocessing.get_context("fork"), dict[int, set[bytes]]()
    choices = random.Random(2026)  # noqa: S311 - when it is killed is no secret
    for turn in range(12):
        reading, writing = os.pipe()
        log = (LOG, FORK)[turn % 2]
        process = context.Process(target=_admit_until_killed, args=(folder.path / "logs", writing, log))
        process.start()
        os.close(writing)
        told = os.read(reading, _RECORD)
        time.sleep(choices.uniform(0.0, 0.01))
        assert process.pid is not None
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        while more := os.read(reading, 65536):
            told += more
        os.close(reading)
        process.close()
        for at in range(_RECORD, len(told) - _RECORD + 1, _RECORD):
            roots.setdefault(int.from_bytes(told[at : at + 2]), set()).add(told[at + 2 : at + _RECORD])
        assert folder.memory.logs()[SIGNER.origin].size >= max(roots, default=0)
    assert roots
    assert all(len(each) == 1 for each in roots.values())
