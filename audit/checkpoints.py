"""Checkpoints: the log's word on its own tree, signed and given out (C2SP tlog-checkpoint).

Whoever holds a checkpoint can catch the log contradicting it, so the log must never sign two roots for one size, nor a
size without what it signed before. The database alone can't see to that, for a backup that is restored has forgotten
what was published after it: ``PublishedState``, a file beside the database, remembers, and is written before a note
is given out. It trusts nobody: its note is verified like any other.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Row, bindparam, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from audit.durable import alone, replace_file
from audit.entry import time_text
from audit.errors import LogForkError, LogStateError, MalformedCheckpointError
from audit.log import Head, read_head
from audit.merkle import HASH_SIZE
from audit.note import LogSigner, open_note
from audit.proofs import root_at
from audit.tables import checkpoints, cosignatures
from schemas.bilingual import Bilingual


@dataclass(frozen=True, slots=True)
class CheckpointBody:
    """What a checkpoint says: the tree of ``origin`` has ``size`` leaves and this root.

    ``extensions`` are lines that we neither write nor understand; others may.
    """

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: str) -> CheckpointBody:
        """Read a note's text. Raises ``MalformedCheckpointError`` for anything that ``text`` would write otherwise."""
        lines = text.removesuffix("\n").split("\n")
        if len(lines) < _MANDATORY_LINES or not (text.endswith("\n") and all(lines) and _SIZE.fullmatch(lines[1])):
            raise MalformedCheckpointError(_MALFORMED)
        origin, size, root, *extensions = lines
        return cls(origin=origin, size=int(size), root=_root(root), extensions=tuple(extensions))

    @property
    def text(self) -> str:
        """The note's text."""
        return "".join(f"{line}\n" for line in (self.origin, self.size, _base64(self.root), *self.extensions))


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A checkpoint that was signed: the note with the log's own signature, and when (RFC 3339).

    ``cosignatures`` are the lines of witnesses over this very text.
    """

    origin: str
    size: int
    root: bytes
    note: str
    time: str
    cosignatures: tuple[str, ...] = ()

    @property
    def published(self) -> str:
        """The note with its cosignatures after the log's own signature (C2SP tlog-cosignature)."""
        return self.note + "".join(self.cosignatures)


class PublishedState:
    """The file that remembers the note that was published last.

    Relays share it. One writes at a time, and one whose turn is over writes nothing older than what the next one has:
    a thread that is writing is not stopped with its relay.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> bytes | None:
        """Return the note, or ``None`` where nothing was ever published. Raises ``OSError``."""
        try:
            return self._path.read_bytes()
        except FileNotFoundError:
            return None

    def write(self, note: bytes) -> bool:
        """Replace the note, whole or not at all; return, once it is on the disk, whether it is this one.

        It is not where a larger tree is remembered by now. Raises ``LogForkError`` where another of this size is,
        ``MalformedCheckpointError`` where no checkpoint is, and ``OSError``. Waits for whoever else is writing.
        """
        with alone(self._path):
            if not _is_progress(self.read(), note):
                return False
            replace_file(self._path, note)
        return True


async def publish(
    connection: AsyncConnection, signer: LogSigner, published: PublishedState, now: datetime
) -> Checkpoint | None:
    """Sign the log's head if it grew since the last checkpoint, remember it, store it and return it; else ``None``.

    ``None`` as well where another process has published a larger tree meanwhile.

    Begins and commits transactions of its own, so that nothing uncommitted is ever signed: the connection must not
    be in one. Signs nothing and raises ``LogForkError`` where the log is behind what was published, disagrees with
    it, or what was published has been forgotten; ``LogStateError`` where the head is not that of the tiles;
    ``MalformedNoteError``, ``UntrustedNoteError`` or ``MalformedCheckpointError`` where the file holds no checkpoint
    of this signer. Raises ``OSError`` where the file can't be written, after which the process had better stop.
    """
    note = await asyncio.to_thread(published.read)
    promised = None if note is None else CheckpointBody.parse(open_note(note, signer.verifier))
    async with connection.begin():
        stored = await read_latest(connection)
        head = await read_head(connection)  # later: what another process signs meanwhile is no fork of an older head
        await _require_continuation(connection, head, promised=promised, stored=stored)
    if head.size == 0 or (stored is not None and stored.size == head.size):
        return None
    signed = signer.sign(CheckpointBody(origin=signer.origin, size=head.size, root=head.root).text)
    checkpoint = Checkpoint(origin=signer.origin, size=head.size, root=head.root, note=signed, time=time_text(now))
    if not await asyncio.to_thread(published.write, signed.encode()):
        return None
    row = {"size": head.size, "root": head.root, "note": signed, "time": checkpoint.time}
    with suppress(IntegrityError):  # another process has signed this very head
        async with connection.begin():
            await connection.execute(insert(checkpoints), row)
    return checkpoint


async def require_memory(published: PublishedState, latest: Checkpoint | None) -> None:
    """Raise ``LogForkError`` where the log has published checkpoints and the file that remembers the last is gone.

    For a process that shall sign only later: it had better not start.
    """
    if latest is not None and await asyncio.to_thread(published.read) is None:
        raise LogForkError(_FORGOTTEN)


async def read_latest(connection: AsyncConnection) -> Checkpoint | None:
    """Return the checkpoint of the largest tree, or ``None`` before the first."""
    return await _with_cosignatures(connection, (await connection.execute(_SELECT_LATEST)).first())


async def read_checkpoint(connection: AsyncConnection, size: int) -> Checkpoint | None:
    """Return the checkpoint of a size, or ``None`` where none was signed."""
    return await _with_cosignatures(connection, (await connection.execute(_SELECT_ONE, {"of_size": size})).first())


async def _with_cosignatures(connection: AsyncConnection, row: Row[Any] | None) -> Checkpoint | None:
    if row is None:
        return None
    lines = await connection.scalars(_SELECT_LINES, {"of_size": row.size})
    return Checkpoint(
        origin=row.note.partition("\n")[0],
        size=row.size,
        root=row.root,
        note=row.note,
        time=row.time,
        cosignatures=tuple(lines),
    )


async def _require_continuation(
    connection: AsyncConnection, head: Head, *, promised: CheckpointBody | None, stored: Checkpoint | None
) -> None:
    if promised is None and stored is not None:
        raise LogForkError(_FORGOTTEN)
    said = dict.fromkeys((each.size, each.root) for each in (promised, stored) if each is not None)  # mostly the same
    for size, root in said:
        if size > head.size:
            raise LogForkError(_BEHIND)
        if await root_at(connection, size) != root:
            raise LogForkError(_CONTRADICTED)
    if await root_at(connection, head.size) != head.root:
        raise LogStateError(_DAMAGED)


def _is_progress(remembered: bytes | None, note: bytes) -> bool:
    """Say whether a note may take the place of what is remembered. No signature is looked at here."""
    if remembered is None:
        return True
    last, fresh = (CheckpointBody.parse(_text_of(each)) for each in (remembered, note))
    if fresh.size == last.size and fresh.root != last.root:
        raise LogForkError(_CONTRADICTED)
    return fresh.size >= last.size


def _text_of(note: bytes) -> str:
    """Return a signed note's text, which ends before its first empty line (C2SP signed-note)."""
    return note.decode(errors="replace").partition("\n\n")[0] + "\n"


def _root(text: str) -> bytes:
    try:
        root = base64.b64decode(text, validate=True)
    except binascii.Error:
        raise MalformedCheckpointError(_MALFORMED) from None
    if len(root) != HASH_SIZE or _base64(root) != text:
        raise MalformedCheckpointError(_MALFORMED)
    return root


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


_MANDATORY_LINES: Final = 3
_SIZE: Final = re.compile(r"0|[1-9][0-9]{0,17}")
_SELECT_LATEST: Final = select(checkpoints).order_by(checkpoints.c.size.desc()).limit(1)
_SELECT_ONE: Final = select(checkpoints).where(checkpoints.c.size == bindparam("of_size"))
_SELECT_LINES: Final = (
    select(cosignatures.c.line).where(cosignatures.c.size == bindparam("of_size")).order_by(cosignatures.c.witness)
)

_MALFORMED: Final = Bilingual(
    fr="Ce texte n'est pas celui d'un point de contrôle (C2SP tlog-checkpoint).",
    en="This text is not that of a checkpoint (C2SP tlog-checkpoint).",
)
_BEHIND: Final = Bilingual(
    fr="Le journal est plus court que le dernier point de contrôle publié : une sauvegarde plus ancienne a "
    "probablement été restaurée. Rien ne sera signé tant que les inscriptions manquantes ne sont pas revenues.",
    en="The log is shorter than the last checkpoint that was published: an older backup was probably restored. "
    "Nothing is signed until the missing entries are back.",
)
_CONTRADICTED: Final = Bilingual(
    fr="Le journal contredit un point de contrôle publié : à cette taille, la racine était autre. Rien ne sera signé.",
    en="The log contradicts a checkpoint that was published: at that size the root was another. Nothing is signed.",
)
_FORGOTTEN: Final = Bilingual(
    fr="Le fichier qui retient le dernier point de contrôle publié a disparu, alors que le journal en a publié. "
    "Le remettre en place, ou y écrire le dernier point de contrôle connu d'un tiers.",
    en="The file that remembers the last published checkpoint is gone, though the log has published some. "
    "Put it back, or write into it the latest checkpoint that anyone outside holds.",
)
_DAMAGED: Final = Bilingual(
    fr="La tête du journal ne correspond pas à ses tuiles : vérifier le journal. Rien ne sera signé.",
    en="The log's head does not match its tiles: verify the log. Nothing is signed.",
)
