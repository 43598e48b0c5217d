"""The committer, with a span for each wait: where spans are recorded, and at no cost where they are not."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.sealing.words import NewKeeper
from gateway.store.committer import Committer, ItemT, ResultT, Writer
from schemas.tracing import Tracing


class TracedCommitter(Committer):
    """Records, as a child of the span around it, how long an item waits for its commit."""

    def __init__(
        self,
        engine: AsyncEngine,
        *,
        clock: Callable[[], datetime],
        randomness: Callable[[int], bytes],
        new_keeper: NewKeeper | None,
        tracing: Tracing,
    ) -> None:
        super().__init__(engine, clock=clock, randomness=randomness, new_keeper=new_keeper)
        self._tracing = tracing

    async def submit(self, writer: Writer[ItemT, ResultT], item: ItemT, *, decided_at: int | None = None) -> ResultT:
        """Write one item and return its result after the commit."""
        with self._tracing.span("commit", parent=""):
            return await super().submit(writer, item, decided_at=decided_at)
