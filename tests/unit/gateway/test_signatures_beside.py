"""Signatures are verified and made in a process of their own: each caller hears its own answer, whatever befalls."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gateway.errors import LogUnavailableError
from gateway.signatures import process
from gateway.signatures.beside import AT_ONCE, SignatureProcess
from schemas.ids import KeyId
from schemas.signing.algorithms import Algorithm
from schemas.signing.jws import ALERT, SignatureNotTrustedError, Unverified, read_compact, sign_compact
from schemas.signing.keys import SigningKey
from tests.patience import GIVES_UP_AFTER, PATIENCE

ALGORITHMS: tuple[Algorithm, ...] = ("ES256", "Ed25519")
RECEIPT_KEY = SigningKey.generate(KeyId("exchange:receipt"), "Ed25519")


@asynccontextmanager
async def running(key: SigningKey = RECEIPT_KEY) -> AsyncIterator[SignatureProcess]:
    """Yield a process of signatures that is kept going."""
    signatures = SignatureProcess(key)
    await signatures.start()
    keeping = asyncio.create_task(signatures.run())
    try:
        yield signatures
    finally:
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)
        await signatures.close()


def submission(content: str, *, key: SigningKey) -> Unverified:
    """Return a submission that nobody has vouched for."""
    return read_compact(sign_compact(content.encode(), key=key, profile=ALERT, iat=1_795_000_000), ALERT)


def children() -> list[int]:
    """Return the processes that this one has started and that have not ended."""
    return [int(pid) for path in Path("/proc/self/task").glob("*/children") for pid in path.read_text().split()]


@pytest.mark.parametrize("alg", ALGORITHMS)
async def test_each_caller_gets_its_own_verdict(alg: Algorithm) -> None:
    """Good, forged, of another algorithm and unknown go over together, and none of them is taken for another."""
    key = SigningKey.generate(KeyId("ca-qc.sq:1"), alg)
    double = SigningKey.generate(key.kid, alg)
    other = SigningKey.generate(key.kid, ALGORITHMS[1 - ALGORITHMS.index(alg)])
    known = (key.public, double.public, other.public, None)
    async with running() as signatures:
        calls = [
            signatures.verify(submission(f"{number}", key=key), known[number % 4]) for number in range(8 * AT_ONCE + 3)
        ]
        results = await asyncio.gather(*calls, return_exceptions=True)
    for number, result in enumerate(results):
        if number % 4 == 0:
            assert result == str(number).encode()
        else:
            assert isinstance(result, SignatureNotTrustedError)


@pytest.mark.parametrize("alg", ALGORITHMS)
async def test_it_signs_what_it_is_given_in_order(alg: Algorithm) -> None:
    """Each message gets the receipt key's own signature, many at once and one alone."""
    key = SigningKey.generate(KeyId("exchange:receipt"), alg)
    messages = [f"{number}".encode() * 700 for number in range(3 * AT_ONCE + 1)]
    async with running(key) as signatures:
        made = await signatures.sign(messages)
        (alone,) = await signatures.sign([b""])
    assert all(key.public.verify(message, signature) for message, signature in zip(messages, made, strict=True))
    assert key.public.verify(b"", alone)
    assert await _nothing_signed(key) == []


async def _nothing_signed(key: SigningKey) -> list[bytes]:
    async with running(key) as signatures:
        return await signatures.sign([])


async def test_a_caller_that_leaves_takes_nobody_with_it() -> None:
    """Whoever is cancelled while the process works leaves the others their own answers."""
    key = SigningKey.generate(KeyId("ca-qc.sq:1"), "Ed25519")
    async with running() as signatures:
        leaving, staying = (
            asyncio.create_task(signatures.verify(submission(name, key=key), key.public)) for name in "ab"
        )
        await asyncio.sleep(0)
        leaving.cancel()
        assert await staying == b"b"
        assert await signatures.verify(submission("c", key=key), key.public) == b"c"


async def test_a_process_that_dies_is_followed_by_another() -> None:
    """Who waits when it dies is told that nothing was stored; whoever comes a moment later is served again."""
    key = SigningKey.generate(KeyId("ca-qc.sq:1"), "Ed25519")
    before = set(children())
    async with running() as signatures:
        assert await signatures.verify(submission("a", key=key), key.public) == b"a"
        (child,) = set(children()) - before
        os.kill(child, signal.SIGSTOP)
        waiting = [asyncio.create_task(signatures.verify(submission("b", key=key), key.public)) for _ in range(20)]
        await asyncio.sleep(0.05)
        os.kill(child, signal.SIGKILL)
        async with asyncio.timeout(GIVES_UP_AFTER):
            results = await asyncio.gather(*waiting, return_exceptions=True)
            assert {type(result) for result in results} == {LogUnavailableError}
            while not signatures.available:
                with pytest.raises(LogUnavailableError):
                    await signatures.verify(submission("c", key=key), key.public)
                await asyncio.sleep(0.01)
            assert await signatures.verify(submission("d", key=key), key.public) == b"d"
            assert await signatures.sign([b"e"]) == [RECEIPT_KEY.sign(b"e")]


async def test_it_ends_with_whoever_started_it() -> None:
    """No process is left behind, and a signal to the whole group, as a terminal sends it, does not end it early."""
    key = SigningKey.generate(KeyId("ca-qc.sq:1"), "Ed25519")
    before = set(children())
    async with running() as signatures:
        assert await signatures.verify(submission("a", key=key), key.public) == b"a"
        (child,) = set(children()) - before
        for each in (signal.SIGINT, signal.SIGTERM):
            os.kill(child, each)
        assert await signatures.verify(submission("b", key=key), key.public) == b"b"
    assert child not in children()


@pytest.mark.parametrize("alg", ALGORITHMS)
async def test_a_stranger_s_signature_is_verified_too(alg: Algorithm) -> None:
    """Where there is no key, or one of the other algorithm, the process is asked all the same: time tells nothing."""
    key = SigningKey.generate(KeyId("ca-qc.sq:1"), alg)
    other = SigningKey.generate(key.kid, ALGORITHMS[1 - ALGORITHMS.index(alg)])
    before = set(children())
    async with running() as signatures:
        (child,) = set(children()) - before
        os.kill(child, signal.SIGSTOP)
        asked = [
            asyncio.create_task(signatures.verify(submission("a", key=key), known)) for known in (None, other.public)
        ]
        await asyncio.sleep(0.1)
        assert not any(each.done() for each in asked)
        os.kill(child, signal.SIGCONT)
        results = await asyncio.gather(*asked, return_exceptions=True)
    assert [type(result) for result in results] == [SignatureNotTrustedError] * 2


@pytest.mark.parametrize("broken", [0, 1], ids=["verifying", "signing"])
def test_either_half_ends_the_other(broken: int) -> None:
    """Where one of its threads fails, the whole process ends, so that another is started in its place."""
    ours, theirs = zip(socket.socketpair(), socket.socketpair(), strict=True)
    descriptors = [end.fileno() for end in theirs]
    child = subprocess.Popen(
        [sys.executable, "-m", process.__name__, *map(str, descriptors)], pass_fds=descriptors, stderr=subprocess.PIPE
    )
    for end in theirs:
        end.close()
    try:
        ours[broken].sendall(process.group([b"\x01\x03bad"]))
        _, told = child.communicate(timeout=10 * PATIENCE)
    finally:
        child.kill()
        child.communicate()
        for end in ours:
            end.close()
    assert b"ValueError" in told


async def test_closing_waits_for_no_process_that_hangs() -> None:
    """A process that does not end by itself is killed after its time."""
    before = set(children())
    signatures = SignatureProcess(RECEIPT_KEY)
    await signatures.start()
    (child,) = set(children()) - before
    os.kill(child, signal.SIGSTOP)
    async with asyncio.timeout(10 * PATIENCE):
        await signatures.close(within=0.1)
    assert child not in children()
