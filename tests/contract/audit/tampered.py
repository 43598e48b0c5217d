"""Logs to tamper with: their tables and the files that they serve, in memory, taken from a real database once."""

from __future__ import annotations

import hashlib
import random
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from audit.checkpoints import CheckpointBody
from audit.entry import commitment
from audit.errors import LogVerificationError, NotInLogError, Subject
from audit.growth import Growth
from audit.merkle import Frontier, leaf_hash
from audit.note import LogSigner
from audit.proofs import read_entry_bundle, read_tile
from audit.stored import StoredLog
from audit.tables import log_head, log_parties, log_tiles
from audit.tiles import EntryBundle, parse_tile_path
from audit.verify import verify_remote
from schemas.bilingual import Bilingual

INDEX, SALT, CONTENT, COMMITMENT = 0, 6, 7, 8
"""Where they stand in an entry's row."""
WHOLE: Final = 1 << 62
_BEYOND: Final = Bilingual(fr="hors du journal", en="outside the log")

Choices = random.Random


class GoneError(Exception):
    """The file is not served."""


@dataclass
class Kept:
    """A log's tables (``audit.stored.LogTables``), and the files that it serves, for anyone to change."""

    size: int
    root: bytes
    frontier: bytes
    rows: list[list[Any]]
    of_jurisdictions: dict[str, list[int]]
    full_tiles: dict[tuple[int, int], tuple[bytes, bytes]]
    signed: list[list[Any]]
    files: dict[str, bytes] = field(default_factory=dict)

    async def head(self) -> tuple[int, bytes, bytes]:
        """Return the head."""
        return self.size, self.root, self.frontier

    async def entries(self, start: int, stop: int) -> Sequence[Sequence[Any]]:
        """Return entries, in the order of their index."""
        return sorted((row for row in self.rows if start <= row[INDEX] < stop), key=lambda row: row[INDEX])

    async def checkpoints(self, start: int, stop: int) -> Sequence[Sequence[Any]]:
        """Return checkpoints."""
        return sorted((row for row in self.signed if start <= row[0] < stop), key=lambda row: row[0])

    async def jurisdictions(self) -> Sequence[str]:
        """Return the parties."""
        return list(self.of_jurisdictions)

    async def parties(self, jurisdictions: Sequence[str], start: int, stop: int) -> Mapping[str, Sequence[int]]:
        """Return who is party to what."""
        return {
            each: sorted(index for index in self.of_jurisdictions[each] if start <= index < stop)
            for each in jurisdictions
        }

    async def tiles(self, level: int, start: int, stop: int) -> Mapping[int, tuple[bytes, bytes]]:
        """Return full tiles."""
        return {tile: self.full_tiles[at, tile] for at, tile in self.full_tiles if at == level and start <= tile < stop}

    async def require_nothing_beyond(self, size: int) -> None:
        """Refuse what is outside a log of this size, as the database is asked to."""
        numbers = {
            Subject.ENTRY: [row[INDEX] for row in self.rows],
            Subject.PARTIES: [index for indexes in self.of_jurisdictions.values() for index in indexes],
            Subject.CHECKPOINT: [row[0] - 1 for row in self.signed],
            Subject.TILE: [((tile + 1) << 8 * (level + 1)) - 1 for level, tile in self.full_tiles],
        }
        for subject, found in numbers.items():
            if any(not 0 <= number < size for number in found):
                raise LogVerificationError(subject, _BEYOND)

    async def fetch(self, path: str) -> bytes:
        """Return a file that is served. Raises ``GoneError``."""
        if path not in self.files:
            raise GoneError
        return self.files[path]

    def copy(self) -> Kept:
        """Return one that may be changed."""
        return replace(
            self,
            rows=[row.copy() for row in self.rows],
            of_jurisdictions={name: indexes.copy() for name, indexes in self.of_jurisdictions.items()},
            full_tiles=self.full_tiles.copy(),
            signed=[row.copy() for row in self.signed],
            files=self.files.copy(),
        )

    def regrown(self) -> None:
        """Make tiles and head anew of the entries, as whoever rewrites history with care would."""
        growth = Growth(Frontier())
        tiles = growth.extend([leaf_hash(row[COMMITMENT]) for row in self.rows])
        self.full_tiles = {(tile.level, tile.index): (tile.root, tile.data) for tile in tiles}
        self.size = growth.frontier.size
        self.root, self.frontier = growth.frontier.root(), b"".join(growth.frontier.hashes)

    def resigned(self, signer: LogSigner) -> None:
        """Sign its checkpoints anew, as only the log's own operator can."""
        frontier, roots = Frontier(), dict[int, bytes]()
        for row in self.rows:
            frontier.append(leaf_hash(row[COMMITMENT]))
            roots[frontier.size] = frontier.root()
        self.signed = [
            [size, roots[size], signer.sign(CheckpointBody(signer.origin, size, roots[size]).text)]
            for size, _, _ in self.signed
            if size in roots
        ]


async def taken_from(connection: AsyncConnection, signer: LogSigner) -> Kept:
    """Return a copy of the log in a database, with all files that it serves."""
    stored = StoredLog(connection)
    size, root, frontier = await stored.head()
    of_jurisdictions = defaultdict[str, list[int]](list)
    for jurisdiction, index in await connection.execute(select(log_parties)):
        of_jurisdictions[jurisdiction].append(index)
    tiles = await connection.execute(select(log_tiles))
    assert (await connection.execute(select(log_head))).first() is not None
    kept = Kept(
        size=size,
        root=root,
        frontier=frontier,
        rows=[list(row) for row in await stored.entries(0, WHOLE)],
        of_jurisdictions=dict(of_jurisdictions),
        full_tiles={(level, tile): (top, data) for level, tile, top, data in tiles},
        signed=[list(row) for row in await stored.checkpoints(0, WHOLE)],
    )

    async def read(path: str) -> bytes:
        if path == "checkpoint":
            note = str(kept.signed[-1][2]).encode()
        else:
            try:
                wanted = parse_tile_path(path)
                if isinstance(wanted, EntryBundle):
                    note = await read_entry_bundle(connection, wanted.index, wanted.width)
                else:
                    note = await read_tile(connection, wanted.level, wanted.index, wanted.width)
            except NotInLogError:
                raise GoneError from None
        kept.files[path] = note
        return note

    await verify_remote(read, vkey=signer.vkey, progress=lambda _done, _of: None)
    return kept


def flipped(data: bytes, choices: Choices) -> bytes:
    """Return bytes with one bit turned."""
    turned = bytearray(data)
    turned[choices.randrange(len(turned))] ^= 1 << choices.randrange(8)
    return bytes(turned)


def swapped(data: bytes, width: int, choices: Choices) -> bytes:
    """Return bytes in which two pieces of a width have changed places; the same where there is one alone."""
    count = len(data) // width
    if count < 2:
        return data
    first, second = sorted(choices.sample(range(count), 2))
    pieces = [data[at * width : (at + 1) * width] for at in range(count)]
    pieces[first], pieces[second] = pieces[second], pieces[first]
    return b"".join(pieces) + data[count * width :]


Tampering = Callable[[Kept, Choices, LogSigner], None]


def _entry(kept: Kept, choices: Choices) -> list[Any]:
    return choices.choice(kept.rows)


def flip_entry(kept: Kept, choices: Choices, _signer: LogSigner) -> None:
    """Turn one bit of an entry: of its content, its salt or its commitment."""
    row, column = _entry(kept, choices), choices.choice((SALT, CONTENT, COMMITMENT))
    row[column] = flipped(row[column], choices)


def change_column(kept: Kept, choices: Choices, _signer: LogSigner) -> None:
    """Have an entry's column say what another entry's says."""
    row, column = _entry(kept, choices), choices.choice((1, 2, 3, 4, 5))
    row[column] = _entry(kept, choices)[column]


def delete_entry(kept: Kept, choices: Choices, _signer: LogSigner) -> None:
    """Delete an entry."""
    kept.rows.remove(_entry(kept, choices))


def close_the_gap(kept: Kept, choices: Choices, _signer: LogSigner) -> None:
    """Delete an entry and number those after it anew."""
    kept.rows.remove(_entry(kept, choices))
    for index, row in enumerate(kept.rows):
        row[INDEX] = index


def reorder_entries(kept: Kept, choices: Choices, _signer: LogSigner) -> None:
    """Let two entries change places."""
    first, second = choices.sample(kept.rows, 2)
    first[INDEX], second[INDEX] = second[INDEX], first[INDEX]


def repeat_entry(kept: Kept, choices: Choices, _signer: LogSigner) -> None:
    """Write an entry over another."""
    first, second = choices.sample(kept.rows, 2)
    first[1:] = second[1:]


def salt_anew(kept: Kept, choices: Choices, _signer: LogSigner) -> None:
    """Give an entry another salt, and the commitment that goes with it."""
    row = _entry(kept, choices)
    row[SALT] = choices.randbytes(32)
    row[COMMITMENT] = commitment(row[SALT], row[CONTENT])


def change_parties(kept: Kept, choices: Choices, _signer: LogSigner) -> None:
    """Let somebody read an entry that is not theirs, or nobody one that is."""
    indexes, index = kept.of_jurisdictions[choices.choice(sorted(kept.of_jurisdictions))], choices.randrange(kept.size)
    if index in indexes:
        indexes.remove(index)
    else:
        indexes.append(index)


def flip_tile(kept: Kept, choices: Choices, _signer: LogSigner) -> None:
    """Turn one bit of a tile, or of the root beside it."""
    if kept.full_tiles:
        name = choices.choice(sorted(kept.full_tiles))
        root, data = kept.full_tiles[name]
        kept.full_tiles[name] = (
            (root, flipped(data, choices)) if choices.random() < 0.8 else (flipped(root, choices), data)
        )


def reorder_tile(kept: Kept, choices: Choices, _signer: LogSigner) -> None:
    """Let two hashes of a tile change places."""
    if kept.full_tiles:
        name = choices.choice(sorted(kept.full_tiles))
        root, data = kept.full_tiles[name]
        kept.full_tiles[name] = root, swapped(data, 32, choices)


def delete_tile(kept: Kept, choices: Choices, _signer: LogSigner) -> None:
    """Delete a tile."""
    if kept.full_tiles:
        del kept.full_tiles[choices.choice(sorted(kept.full_tiles))]


def change_head(kept: Kept, choices: Choices, _signer: LogSigner) -> None:
    """Change the head: its size, its root or its frontier."""
    match choices.randrange(3):
        case 0:
            kept.size = max(0, kept.size + choices.choice((-2, -1, 1, 2)))
        case 1:
            kept.root = flipped(kept.root, choices)
        case _:
            kept.frontier = flipped(kept.frontier, choices)


def flip_checkpoint(kept: Kept, choices: Choices, _signer: LogSigner) -> None:
    """Turn one bit of a checkpoint: of its note, or of the root beside it."""
    row = choices.choice(kept.signed)
    if choices.random() < 0.8:
        row[2] = flipped(row[2].encode(), choices).decode(errors="replace")
    else:
        row[1] = flipped(row[1], choices)


def reorder_checkpoints(kept: Kept, choices: Choices, _signer: LogSigner) -> None:
    """Let the notes of two checkpoints change places."""
    first, second = choices.sample(kept.signed, 2)
    first[2], second[2] = second[2], first[2]


def sign_another_root(kept: Kept, choices: Choices, signer: LogSigner) -> None:
    """Have the log's own key sign another root for a size that it has signed: a fork."""
    row = choices.choice(kept.signed)
    row[1] = choices.randbytes(32)
    row[2] = signer.sign(CheckpointBody(signer.origin, row[0], row[1]).text)


def rewrite(kept: Kept, choices: Choices, _signer: LogSigner) -> None:
    """Rewrite an entry and everything that follows from it, but for what is signed."""
    salt_anew(kept, choices, _signer)
    kept.regrown()


def fork(kept: Kept, choices: Choices, signer: LogSigner) -> None:
    """Rewrite an entry and all that follows from it, and sign it as the log's operator could."""
    rewrite(kept, choices, signer)
    kept.resigned(signer)


def roll_back(kept: Kept, choices: Choices, signer: LogSigner) -> None:
    """Restore an older state whole: shorter, and right in itself."""
    size = choices.randrange(kept.size)
    del kept.rows[size:]
    kept.of_jurisdictions = {
        name: [index for index in indexes if index < size] for name, indexes in kept.of_jurisdictions.items()
    }
    kept.signed = [row for row in kept.signed if row[0] <= size]
    kept.regrown()
    kept.resigned(signer)


DATABASE: Final[tuple[Tampering, ...]] = (
    flip_entry,
    change_column,
    delete_entry,
    close_the_gap,
    reorder_entries,
    repeat_entry,
    salt_anew,
    change_parties,
    flip_tile,
    reorder_tile,
    delete_tile,
    change_head,
    flip_checkpoint,
    reorder_checkpoints,
    sign_another_root,
    rewrite,
    fork,
    roll_back,
)


def _named(kept: Kept, choices: Choices, prefix: str) -> str:
    return choices.choice(sorted(path for path in kept.files if path.startswith(prefix)))


def flip_served(kept: Kept, choices: Choices, _signer: LogSigner) -> None:
    """Turn one bit of a file."""
    path = _named(kept, choices, "")
    kept.files[path] = flipped(kept.files[path], choices)


def cut_served(kept: Kept, choices: Choices, _signer: LogSigner) -> None:
    """Serve a file shorter, or longer, than it is."""
    path = _named(kept, choices, "tile/")
    data = kept.files[path]
    kept.files[path] = data[: choices.randrange(len(data))] if choices.random() < 0.7 else data + bytes(1)


def delete_served(kept: Kept, choices: Choices, _signer: LogSigner) -> None:
    """Serve a file no more."""
    del kept.files[_named(kept, choices, "")]


def reorder_served(kept: Kept, choices: Choices, _signer: LogSigner) -> None:
    """Let two hashes, or two entries, of a file change places."""
    path = _named(kept, choices, "tile/")
    kept.files[path] = swapped(kept.files[path], 34 if "entries" in path else 32, choices)


def exchange_served(kept: Kept, choices: Choices, _signer: LogSigner) -> None:
    """Serve a file in the place of another."""
    kept.files[_named(kept, choices, "")] = kept.files[_named(kept, choices, "")]


def replace_entry_served(kept: Kept, choices: Choices, _signer: LogSigner) -> None:
    """Serve another commitment in the place of an entry's."""
    path = _named(kept, choices, "tile/entries/")
    data = kept.files[path]
    at = choices.randrange(len(data) // 34) * 34
    kept.files[path] = data[: at + 2] + hashlib.sha256(choices.randbytes(8)).digest() + data[at + 34 :]


def sign_another_root_served(kept: Kept, choices: Choices, signer: LogSigner) -> None:
    """Serve a checkpoint of the log's own key with another root."""
    text = CheckpointBody(signer.origin, kept.size, choices.randbytes(32)).text
    kept.files["checkpoint"] = signer.sign(text).encode()


def roll_back_served(kept: Kept, choices: Choices, _signer: LogSigner) -> None:
    """Serve an older checkpoint of the log's own, which is right in itself."""
    kept.files["checkpoint"] = choices.choice(kept.signed[:-1])[2].encode()


SERVED: Final[tuple[Tampering, ...]] = (
    flip_served,
    cut_served,
    delete_served,
    reorder_served,
    exchange_served,
    replace_entry_served,
    sign_another_root_served,
    roll_back_served,
)
