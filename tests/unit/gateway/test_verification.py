"""Signatures are verified beside the loop: each caller hears its own verdict, whoever else waits or leaves."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from gateway.verification import AT_ONCE, Verifier
from schemas.ids import KeyId
from schemas.signing.jws import ALERT, SignatureNotTrustedError, Unverified, read_compact, sign_compact
from schemas.signing.keys import SigningKey

KEY = SigningKey.generate(KeyId("ca-qc.sq:1"), "Ed25519")
DOUBLE = SigningKey.generate(KEY.kid, "Ed25519")


@pytest.fixture
def executor() -> Iterator[ThreadPoolExecutor]:
    """Yield the thread of signatures."""
    with ThreadPoolExecutor(1) as thread:
        yield thread


def submission(content: str, *, key: SigningKey = KEY) -> Unverified:
    """Return a submission that nobody has vouched for."""
    return read_compact(sign_compact(content.encode(), key=key, profile=ALERT, iat=1_795_000_000), ALERT)


async def test_each_caller_gets_its_own_verdict(executor: ThreadPoolExecutor) -> None:
    """Good, forged and unknown are verified together, and none of them is taken for another."""
    verifier = Verifier(executor)
    calls = []
    for number in range(3 * AT_ONCE):
        key = (KEY, DOUBLE, KEY)[number % 3]
        known = (KEY.public, KEY.public, None)[number % 3]
        calls.append(verifier.verify(submission(f"{number}", key=key), known))
    results = await asyncio.gather(*calls, return_exceptions=True)
    for number, result in enumerate(results):
        if number % 3 == 0:
            assert result == str(number).encode()
        else:
            assert isinstance(result, SignatureNotTrustedError)


async def test_a_caller_that_leaves_takes_nobody_with_it(executor: ThreadPoolExecutor) -> None:
    """Whoever is cancelled while the thread works leaves the others their verdicts."""
    verifier, held = Verifier(executor), Event()
    executor.submit(held.wait, 5)
    leaving, staying = (asyncio.create_task(verifier.verify(submission(name), KEY.public)) for name in "ab")
    await asyncio.sleep(0.01)
    leaving.cancel()
    held.set()
    assert await staying == b"b"
    assert await verifier.verify(submission("c"), KEY.public) == b"c"


async def test_without_its_thread_everyone_is_told(executor: ThreadPoolExecutor) -> None:
    """Where nothing can be verified any more nobody waits for ever, however many came at once."""
    verifier = Verifier(executor)
    executor.shutdown()
    calls = [verifier.verify(submission(f"{number}"), KEY.public) for number in range(2 * AT_ONCE)]
    async with asyncio.timeout(5):
        results = await asyncio.gather(*calls, return_exceptions=True)
    assert {type(result) for result in results} == {RuntimeError}
