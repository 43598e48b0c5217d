"""Appending to the log, in the writer's transaction.

A batch holds the head's row from ``lock_head`` until the caller commits or rolls back, so there is one writer at a
time and the index has no gaps: what is rolled back never had a place. On SQLite, which locks no rows, the caller
begins with ``BEGIN IMMEDIATE``; a head that moved all the same is noticed at the write, and refused.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeAlias

from sqlalchemy import Row, bindparam, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from audit.bulk import insert_rows
from audit.entry import SALT_SIZE, Draft, canonical_entry, commitment, time_text
from audit.errors import LogStateError
from audit.growth import FullTile, Growth, filled_levels
from audit.kinds import KINDS
from audit.merkle import EMPTY_ROOT, Frontier, leaf_hash
from audit.proofs import read_tile
from audit.tables import log_entries, log_head, log_parties, log_tiles
from audit.tiles import TILE_HEIGHT, split_hashes, tile_width
from audit.withheld import Keeper, withhold
from schemas.bilingual import Bilingual

_Row: TypeAlias = tuple[int, str, str, str | None, str | None, str | None, bytes, bytes, bytes, bytes | None]


@dataclass(frozen=True, slots=True)
class Head:
    """How far the log has grown, and the root of its tree."""

    size: int
    root: bytes


async def initialise(connection: AsyncConnection) -> None:
    """Give an empty log its head, in tables that exist already. Harmless where it has one; the caller commits."""
    if (await connection.execute(_SELECT_HEAD)).first() is None:
        await connection.execute(insert(log_head), {"id": 1, "size": 0, "root": EMPTY_ROOT, "frontier": b""})


async def read_head(connection: AsyncConnection) -> Head:
    """Return the head that the connection sees. Raises ``LogStateError`` if the log was not initialised."""
    row = _present((await connection.execute(_SELECT_HEAD)).first())
    return Head(size=row.size, root=row.root)


async def open_batch(
    connection: AsyncConnection,
    *,
    now: datetime,
    randomness: Callable[[int], bytes],
    keeper: Keeper | None = None,
) -> LogBatch:
    """Lock the head in the caller's transaction and return a batch to append to.

    ``now`` is the time of every entry of the batch; ``randomness(n)`` gives n bytes fit for secrets; ``keeper`` keeps
    what entries withhold, and without one no such entry is taken. Raises ``LogStateError`` where the log was not
    initialised or its head is damaged.
    """
    frontier = await lock_head(connection)
    return LogBatch(connection, frontier=frontier, now=now, randomness=randomness, keeper=keeper)


async def lock_head(connection: AsyncConnection) -> Frontier:
    """Lock the head in the caller's transaction, once nobody else holds it, and return the edge of the tree.

    For a caller that begins a ``LogBatch`` by what is so only then, such as the time. Raises as ``open_batch``.
    """
    return _frontier(_present((await connection.execute(_LOCK_HEAD)).first()))


class LogBatch:
    """Entries that one transaction adds. Not for several tasks at once."""

    def __init__(
        self,
        connection: AsyncConnection,
        *,
        frontier: Frontier,
        now: datetime,
        randomness: Callable[[int], bytes],
        keeper: Keeper | None = None,
    ) -> None:
        self.time_text: Final = time_text(now)
        self._connection = connection
        self._frontier = frontier
        self._first = frontier.size
        self._randomness = randomness
        self._keeper = keeper
        self._entries: list[_Row] = []
        self._parties: list[tuple[str, int]] = []
        self._leaves: list[bytes] = []
        self._written = False

    @property
    def size(self) -> int:
        """The log's size with what was appended so far: the index that the next entry gets."""
        return self._first + len(self._leaves)

    def append(self, draft: Draft, *, keeper: Keeper | None = None) -> int:
        """Add an entry and return its index.

        ``keeper`` keeps what it withholds, where that is not the batch's own. Raises ``LogStateError`` once the batch
        is written, ``ValueError`` for an entry that withholds something where nobody keeps it, and what the keeper
        raises: nothing was added then.
        """
        self._require_unwritten()
        index = self.size
        time, kind, salt = self.time_text, str(draft.kind), self._randomness(SALT_SIZE)
        said, disclosures = withhold(draft.content, KINDS[draft.kind].withheld, randomness=self._randomness)
        content = canonical_entry(draft, index=index, time=time, content=said)
        committed = commitment(salt, content)
        kept = _kept(disclosures, keeper or self._keeper, committed) if disclosures else None
        self._entries.append(
            (index, kind, time, draft.actor, draft.alert_id, draft.agreement, salt, content, committed, kept)
        )
        self._parties += [(jurisdiction, index) for jurisdiction in draft.jurisdictions]
        self._leaves.append(leaf_hash(committed))
        return index

    async def insert(self) -> None:
        """Insert what was appended so far, for a caller that waits for something meanwhile; ``write`` does the rest.

        Raises ``LogStateError`` once the batch is written.
        """
        self._require_unwritten()
        entries, self._entries = self._entries, []
        parties, self._parties = self._parties, []
        await insert_rows(self._connection, log_entries, entries)
        await insert_rows(self._connection, log_parties, parties)

    async def write(self) -> Head:
        """Insert what was appended, with its tiles and the new head; return the head. The caller commits.

        Raises ``LogStateError`` on a second call, or where another writer moved the head in between.
        """
        await self.insert()
        self._written = True
        tiles = await self._grow()
        await insert_rows(
            self._connection, log_tiles, [(tile.level, tile.index, tile.root, tile.data) for tile in tiles]
        )
        head = Head(size=self._frontier.size, root=self._frontier.root())
        if self._leaves:
            await self._move_head(head)
        return head

    def _require_unwritten(self) -> None:
        if self._written:
            raise LogStateError(_WRITTEN)

    async def _grow(self) -> list[FullTile]:
        filled = filled_levels(self._frontier.size, len(self._leaves))
        growth = Growth(self._frontier, {level: await self._last_tile(level) for level in filled})
        return growth.extend(self._leaves)

    async def _last_tile(self, level: int) -> list[bytes]:
        size = self._frontier.size
        index = size >> TILE_HEIGHT * (level + 1)
        width = tile_width(level, index, size)
        return split_hashes(await read_tile(self._connection, level, index, width)) if width else []

    async def _move_head(self, head: Head) -> None:
        frontier = b"".join(self._frontier.hashes)
        values = {"before": self._first, "new_size": head.size, "new_root": head.root, "new_frontier": frontier}
        moved = await self._connection.execute(_MOVE_HEAD, values)
        if moved.rowcount != 1:
            raise LogStateError(_MOVED)


def _kept(disclosures: bytes, keeper: Keeper | None, committed: bytes) -> bytes:
    if keeper is None:
        raise ValueError("nobody keeps what this entry withholds")
    return keeper.keep(disclosures, entry=committed)


def _present(row: Row[int, bytes, bytes] | None) -> Row[int, bytes, bytes]:
    if row is None:
        raise LogStateError(_NOT_INITIALISED)
    return row


def _frontier(row: Row[int, bytes, bytes]) -> Frontier:
    # A damaged head must not be built upon: the entries after it could never be verified.
    try:
        frontier = Frontier(size=row.size, hashes=split_hashes(row.frontier))
    except ValueError:
        raise LogStateError(_DAMAGED) from None
    if frontier.root() != row.root:
        raise LogStateError(_DAMAGED)
    return frontier


_SELECT_HEAD: Final = select(log_head.c.size, log_head.c.root, log_head.c.frontier)
_LOCK_HEAD: Final = _SELECT_HEAD.with_for_update()
_MOVE_HEAD: Final = (
    update(log_head)
    .where(log_head.c.size == bindparam("before"))
    .values(size=bindparam("new_size"), root=bindparam("new_root"), frontier=bindparam("new_frontier"))
)

_NOT_INITIALISED: Final = Bilingual(
    fr="Le journal n'a pas été initialisé dans cette base de données.",
    en="The log was not initialised in this database.",
)
_DAMAGED: Final = Bilingual(
    fr="La tête du journal est endommagée : vérifier le journal avant d'y inscrire quoi que ce soit.",
    en="The log's head is damaged: verify the log before anything is appended to it.",
)
_MOVED: Final = Bilingual(
    fr="Un autre processus a écrit au journal pendant cette transaction : rien ne doit en être conservé.",
    en="Another writer appended to the log during this transaction: none of it may be kept.",
)
_WRITTEN: Final = Bilingual(
    fr="Ce lot d'inscriptions a déjà été écrit.",
    en="This batch of entries has been written already.",
)
