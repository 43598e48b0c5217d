"""Asking each jurisdiction's witness for its cosignature (C2SP tlog-witness): a task of the relay role.

Each witness is asked by a task of its own, so that one that is slow or dead delays no other, and nobody waits for any:
a checkpoint is published before it is cosigned. A witness is asked about the newest checkpoint as soon as there is one,
and about the same one again now and then, since its word is also that there was no other at that time.

What a witness says that contradicts this log is a doubt about the log, and stops the exchange (``gateway.log.doubts``).
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Final

import structlog
from sqlalchemy.exc import SQLAlchemyError

from audit.checkpoints import Checkpoint, CheckpointBody, read_checkpoint, read_latest
from audit.cosignature import Cosignature, CosignerKey
from audit.cosigned import cosigned_line, last_cosigned, store_cosignature
from audit.errors import AuditError, MalformedNoteError, UntrustedNoteError
from audit.log import read_head
from audit.note import read_note, read_signatures
from audit.proofs import consistency, root_at
from audit.witness import AddCheckpoint
from gateway.backoff import Backoff
from gateway.clock import Clock
from gateway.errors import LogUnavailableError
from gateway.log.doubts import SIGNER, Doubt, Doubts
from gateway.log.witness_calls import AskWitness, WitnessTroubleError
from gateway.settings.witnesses import WitnessesSettings, WitnessSettings
from gateway.store.engine import DRIVER_TROUBLE, Store

log = structlog.get_logger(__name__)

PATIENCE: Final = 5.0
"""Seconds that a witness has for its answer."""
FIRST_PATIENCE: Final = 2.0
"""Seconds that the start waits for the witnesses: what they say then keeps a restored backup from being signed."""
SKEW: Final = 300
"""Seconds by which a witness's clock may differ from ours."""
REFRESHES: Final = 3
"""How many times a witness is asked, of a log that does not grow, while a cosignature counts."""
_UNHURRIED: Final = 60
"""Seconds that a cosignature counts where no policy says otherwise."""


class WitnessTask:
    """One witness: what it is asked, and what it said last."""

    def __init__(
        self,
        witness: WitnessSettings,
        *,
        ask: AskWitness,
        store: Store,
        doubts: Doubts,
        clock: Clock,
        counts_for: int,
        writing: asyncio.Lock,
        on_cosigned: Callable[[Checkpoint], None],
    ) -> None:
        """Write to the database under ``writing`` alone: all witnesses together take one connection."""
        self._writing = writing
        self.key: Final[CosignerKey] = witness.key
        self.time: int | None = None
        self._url = witness.url or ""
        self._ask = ask
        self._store = store
        self._doubts = doubts
        self._clock = clock
        self._refresh = counts_for / REFRESHES
        self._on_cosigned = on_cosigned
        self._backoff = Backoff(base=0.5, cap=30.0)
        self._wanted: Checkpoint | None = None
        self._size = 0
        self._new = asyncio.Event()

    def offer(self, checkpoint: Checkpoint) -> None:
        """Have the witness asked about a checkpoint; about an older one no more."""
        self._wanted = checkpoint
        self._new.set()

    async def start(self) -> None:
        """Remember what this witness has cosigned, also before a restart."""
        async with self._store.reading() as connection:
            last = await last_cosigned(connection, self.key.name)
        if last is not None:
            self._size, self.time = last

    async def run(self) -> None:
        """Ask until cancelled."""
        failures = 0
        while True:
            if failures:
                fraction = random.random()  # noqa: S311 - jitter
                await asyncio.sleep(self._backoff.delay(attempt=failures, fraction=fraction, retry_after=None))
            else:
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._refresh):
                        await self._new.wait()
            self._new.clear()
            failures = 0 if await self.ask_now() else failures + 1

    async def ask_now(self) -> bool:
        """Ask about the checkpoint that is wanted, if there is one; say whether that went well."""
        wanted = self._wanted
        if wanted is None:
            return True
        try:
            async with asyncio.timeout(PATIENCE):
                await self._ask_about(wanted)
        except (WitnessTroubleError, AuditError, TimeoutError) as error:
            said = str(error) if isinstance(error, WitnessTroubleError) else type(error).__name__
            log.warning("witness_not_cosigning", witness=self.key.name, reason=said)
            return False
        except (SQLAlchemyError, LogUnavailableError, *DRIVER_TROUBLE) as error:
            log.warning("witness_waits_for_the_database", witness=self.key.name, error=type(error).__name__)
            return False
        return True

    async def _ask_about(self, wanted: Checkpoint) -> None:
        old = min(self._size, wanted.size)
        for _ in range(2):
            answer = await self._ask(
                self._url, AddCheckpoint(old, await self._proof(old, wanted), wanted.note.encode()).body
            )
            match answer.status:
                case 200:
                    await self._take(wanted, answer.body)
                    return
                case 409 if (cosigned := _size_in(answer.body)) is not None:
                    if not await self._is_ours(cosigned, wanted, refused=old):
                        return
                    old = cosigned
                case 422 if 0 < old < wanted.size:
                    await self._refused_proof(CheckpointBody(wanted.origin, old, await self._root_at(old)))
                    return
                case status:
                    raise WitnessTroubleError(f"status {status}")
        raise WitnessTroubleError("goes on from neither size")

    async def _proof(self, old: int, wanted: Checkpoint) -> tuple[bytes, ...]:
        if old in (0, wanted.size):
            return ()
        async with self._store.reading() as connection:
            return await consistency(connection, old, wanted.size)

    async def _take(self, wanted: Checkpoint, body: bytes) -> None:
        """Keep the cosignature that an answer holds, if it is this witness's own over this very checkpoint."""
        text = read_note(wanted.note.encode()).text
        given = self.key.cosignature(text, read_signatures(body.decode(errors="replace")))
        if given is None:
            raise WitnessTroubleError("no cosignature of its key")
        if abs(given.time - self._clock().timestamp()) > SKEW:
            raise WitnessTroubleError("its clock is another")
        cosigned = await self._store_cosignature(wanted.size, given)
        self._size, self.time = wanted.size, given.time
        await self._doubts.settle(self.key.name)
        if cosigned is not None:
            self._on_cosigned(cosigned)

    async def _store_cosignature(self, size: int, given: Cosignature) -> Checkpoint | None:
        async with self._writing, self._store.writer.begin() as connection:
            await store_cosignature(connection, size, given)
            return await read_checkpoint(connection, size)

    async def _is_ours(self, cosigned: int, wanted: Checkpoint, *, refused: int) -> bool:
        """Say whether the witness may be asked again from the size that it names; where not, take note of why."""
        if cosigned == refused == wanted.size:
            # not stale, so it has another root for the checkpoint's own size (tlog-witness)
            await self._doubt(Doubt.OTHER_THAN_WITNESS)
        if cosigned <= wanted.size:
            return True
        async with self._store.reading() as connection:
            head = await read_head(connection)
        if cosigned > head.size:
            await self._doubt(Doubt.BEHIND_WITNESS)
        return False  # else another relay's term has asked about a newer checkpoint, and this one comes to it

    async def _root_at(self, size: int) -> bytes:
        async with self._store.reading() as connection:
            return await root_at(connection, size)

    async def _refused_proof(self, beginning: CheckpointBody) -> None:
        """Blame the log for a proof that the witness refuses, unless it has cosigned the tree that it begins from.

        That is the tree as the log has it now: a cosignature of what stood there once is none of it.
        """
        async with self._store.reading() as connection:
            line = await cosigned_line(connection, self.key.name, beginning.size)
        try:
            contradicts_itself = self.key.cosignature(beginning.text, read_signatures(line or "")) is not None
        except (MalformedNoteError, UntrustedNoteError):
            contradicts_itself = False
        if contradicts_itself:
            raise WitnessTroubleError("refuses a proof from its own cosignature")
        await self._doubt(Doubt.OTHER_THAN_WITNESS)

    async def _doubt(self, doubt: Doubt) -> None:
        """Stop the exchange. Raises ``WitnessTroubleError``: the witness is asked again, more and more seldom."""
        await self._doubts.have(self.key.name, doubt)
        raise WitnessTroubleError(str(doubt))


class Witnessing:
    """All witnesses of a log that have an address. ``start`` before anything is signed, ``run`` beside the rest."""

    def __init__(
        self,
        settings: WitnessesSettings,
        *,
        ask: AskWitness,
        store: Store,
        doubts: Doubts,
        clock: Clock,
        on_cosigned: Callable[[Checkpoint], None],
        on_ages: Callable[[Mapping[str, float], bool], None],
    ) -> None:
        """``on_ages`` is told how old each witness's last word is, in seconds, and whether the policy is met."""
        self._store = store
        self._doubts = doubts
        self._clock = clock
        self._on_ages = on_ages
        self._policy = settings.witness_policy
        self._met = True
        writing = asyncio.Lock()
        counts_for = _UNHURRIED if self._policy is None else self._policy.within
        self._tasks = [
            WitnessTask(
                each,
                ask=ask,
                store=store,
                doubts=doubts,
                clock=clock,
                counts_for=counts_for,
                writing=writing,
                on_cosigned=on_cosigned,
            )
            for each in settings.known
            if each.url is not None
        ]

    async def start(self) -> None:
        """Ask every witness about the last checkpoint there is, before another is signed, and wait a moment for them.

        A backup that was restored is so found behind what they have cosigned, also where the file that remembers what
        was published is as old.
        """
        await self._doubts.refresh()
        await self._doubts.keep_only(frozenset({SIGNER, *(each.key.name for each in self._tasks)}))
        for each in self._tasks:
            await each.start()
        async with self._store.reading() as connection:
            latest = await read_latest(connection)
        if latest is None or not self._tasks:
            return
        self.offer(latest)
        asking = [asyncio.create_task(each.ask_now()) for each in self._tasks]
        _, late = await asyncio.wait(asking, timeout=FIRST_PATIENCE)
        for task in late:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)

    def offer(self, checkpoint: Checkpoint) -> None:
        """Have every witness asked about a checkpoint that was published."""
        for each in self._tasks:
            each.offer(checkpoint)

    async def run(self) -> None:
        """Ask until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for each in self._tasks:
                tasks.create_task(each.run())
            tasks.create_task(self._watch())

    async def _watch(self) -> None:
        while True:
            now = self._clock().timestamp()
            ages = {each.key.name: now - each.time for each in self._tasks if each.time is not None}
            policy = self._policy
            met = policy is None or policy.is_met_by([name for name, age in ages.items() if age <= policy.within])
            self._on_ages(ages, met)
            if met is not self._met:
                self._met = met
                (log.info if met else log.error)("witness_policy", met=met)
            await asyncio.sleep(1.0)


def _size_in(body: bytes) -> int | None:
    text = body.removesuffix(b"\n")
    return int(text) if text.isdigit() and len(text) <= _LONGEST_SIZE else None


_LONGEST_SIZE: Final = 18
