"""Groups of consumers: what Kafka calls them, and how a member leaves.

A group that is new begins on every partition at the first record that the brokers still have. What the relay published
before an adapter was ever started is therefore delivered, and a group that the brokers forgot sees again what is
there: repeated is allowed, lost is not.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

_CANCELLED: Final = 1.0
"""Seconds that a cancelled stop may take to end."""


def kafka_group(group: str, topic: str) -> str:
    """Return the name that Kafka knows a group of the contract by, on one topic."""
    return f"{group}/{topic}"


async def stop_consumer(consumer: Any, *, within: float) -> None:  # noqa: ANN401 - aiokafka has no types
    """Leave the group, for so many seconds at most, and disconnect."""
    stopping = asyncio.ensure_future(consumer.stop())
    try:
        await asyncio.wait([stopping], timeout=within)
    finally:  # also where whoever waits is cancelled: nothing may go on stopping that nobody waits for
        if not stopping.done() or stopping.cancelled() or stopping.exception() is not None:
            # aiokafka's fetcher is cancelled by its own close() where it pauses after an error, and leaves the rest
            # undone
            stopping.cancel()
            await consumer._client.close()  # noqa: SLF001 - see above
            await asyncio.wait([stopping], timeout=_CANCELLED)
