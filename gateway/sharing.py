"""What a process needs where others write to the same log: it follows them, and they hear of what it does."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from audit.checkpoints import Checkpoint
from gateway.following import CheckpointFeed, RegistryFollower
from gateway.founding import Founded
from gateway.leadership import Contest
from gateway.ledger import Ledger
from gateway.store.dispatches import Route


class Sharing:
    """One process's share in a log of several: what it reads of the others, and what it tells them."""

    def __init__(self, ledger: Ledger, contest: Contest, founded: Founded | None = None) -> None:
        """Follow the checkpoints, and the registry too where it was ``founded`` here."""
        follower = None if founded is None else RegistryFollower(founded)
        self._feed = CheckpointFeed(ledger.store, follower)
        self._notifier = contest.notifier()
        if follower is not None:
            ledger.committer.opened = follower.opened

    @property
    def latest(self) -> Checkpoint | None:
        """The checkpoint that was published last, by whichever process."""
        return self._feed.latest

    def routed(self, routes: Iterable[Route]) -> None:
        """Tell whoever relays that dispatches were stored."""
        self._notifier.routed(routes)

    def head_moved(self) -> None:
        """Tell whoever signs that the log has grown."""
        self._notifier.head_moved()

    async def start(self) -> None:
        """Read what there is."""
        await self._feed.look()

    async def run(self) -> None:
        """Follow, and pass on, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._feed.run())
            tasks.create_task(self._notifier.run())
