"""Groups of consumers: what Kafka calls them, and how a member leaves.

A group that is new begins on every partition at the first record that the brokers still have. What the relay published
before an adapter was ever started is therefore delivered, and a group that the brokers forgot sees again what is
there: repeated is allowed, lost is not.
"""

from __future__ import annotations

import asyncio
from typing import Any


def kafka_group(group: str, topic: str) -> str:
    """Return the name that Kafka knows a group of the contract by, on one topic."""
    return f"{group}/{topic}"


async def stop_consumer(consumer: Any, *, within: float) -> None:  # noqa: ANN401 - aiokafka has no types
    """Leave the group, for so many seconds at most, and disconnect."""
    stopping = asyncio.ensure_future(consumer.stop())
    await asyncio.wait([stopping], timeout=within)
    if stopping.done() and not stopping.cancelled() and stopping.exception() is None:
        return
    # aiokafka's fetcher is cancelled by its own close() where it pauses after an error, and leaves the rest undone
    stopping.cancel()
    await consumer._client.close()  # noqa: SLF001 - see above
