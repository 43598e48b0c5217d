"""What a relay finds when it looks at everything: what nobody told it of.

A commit that stands although it seemed to fail told nobody; another process may have recorded an outcome, or have
reopened what it held lost; and a record may be gone from the bus with the disk that it was on. Whatever is published
and not reported on in time is published again, under the same attempt: partners deduplicate on the delivery id.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import structlog

from gateway.clock import Clock
from gateway.relaying.traffic import Sent, Traffic
from gateway.store.committer import Committer
from gateway.store.dispatches import REOPENED_AT_ONCE, Reopening, ReopenWriter, Route
from gateway.store.due import is_any_unanswered, next_due, pending_routes, published, still_published
from gateway.store.engine import Store

log = structlog.get_logger(__name__)

SWEEP = 5.0
"""Seconds between two looks at everything."""


@dataclass(frozen=True, slots=True)
class Found:
    """The routes with something pending, and when more will be due on some, in milliseconds since the Unix epoch."""

    routes: Sequence[Route]
    later: Mapping[Route, int]


class Sweeper:
    """Brings what a relay holds in memory together with what is in the database."""

    def __init__(self, traffic: Traffic, *, store: Store, committer: Committer, clock: Clock) -> None:
        self._traffic = traffic
        self._store = store
        self._committer = committer
        self._clock = clock
        self._reopening = ReopenWriter()

    async def adopt(self) -> None:
        """Take note of what is on its way since before this term. Raises ``LogUnavailableError``."""
        now_ms = self._now_ms()
        async with self._store.reading() as connection:
            for route, delivery_id, attempt in await published(connection):
                self._traffic.adopt(route, delivery_id, Sent(attempt, now_ms))

    async def sweep(self) -> Found:
        """Reopen what nobody reported on, forget what is not on its way, and return what is to be looked at.

        Raises ``LogUnavailableError``.
        """
        await self._reopen()
        async with self._store.reading() as connection:
            now_ms = self._now_ms()
            # those that were marked before this state of the database, so that it shows their marks
            marked = self._traffic.marked_before(now_ms - int(SWEEP * 1000))
            there = await still_published(connection, [delivery_id for _, delivery_id, _ in marked])
            for route, delivery_id, sent in marked:
                if there.get(delivery_id) != sent.attempt:
                    self._traffic.forget(route, delivery_id, sent)
            return Found(await pending_routes(connection), await next_due(connection, after_ms=now_ms))

    async def _reopen(self) -> None:
        async with self._store.reading() as connection:
            unanswered = await is_any_unanswered(connection, now_ms=self._now_ms())
        while unanswered:
            reopened = await self._committer.submit(self._reopening, Reopening.DUE)
            for each in reopened:
                self._traffic.reopened(each.route, each.delivery_id)
            for recipient, count in Counter(each.route.recipient for each in reopened).items():
                log.warning("unanswered_published_again", participant=recipient, dispatches=count)
            unanswered = len(reopened) == REOPENED_AT_ONCE

    def _now_ms(self) -> int:
        return int(self._clock().timestamp() * 1000)
