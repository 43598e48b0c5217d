"""Handing over by a directory: one file per message, there whole or not at all.

The bytes go to a temporary file of the same directory, a name that begins with a dot; the file is forced to disk,
renamed, and the rename forced to disk. Only then is the message delivered. A reader that ignores names with a leading
dot never sees half a message.

The name is ``<time>-<delivery id>.<extension>``, where the time is the one that the delivery id holds (RFC 9562
section 5.7), so names sort by time and the same delivery keeps one name however often it comes: a second copy
replaces the first. The file may be read by its owner and group, and by nobody else.

What a message's bytes lack, where they can't hold it themselves, is the file of the same name that ends in
``.manifest``. It is there before the message is, so whoever finds an SD-JWT without one got it whole.

====================================================  ================================================
what the file system does                             outcome
====================================================  ================================================
takes the file                                        Delivered
no space or quota left                                Deferred, ``disk full``
no such directory                                     Deferred, ``directory missing``
not permitted, read only                              Deferred, ``permission denied``
anything else                                         Deferred, ``storage error``
====================================================  ================================================

Nothing is Refused: whatever is wrong with a directory, somebody can mend.
"""

from __future__ import annotations

import asyncio
import errno
import os
import tempfile
import uuid
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Thread
from typing import Final

from adapters.contract import Message
from schemas.ids import DeliveryId
from schemas.parcels import Deferred, Delivered, Outcome

MANIFEST: Final = "manifest"
"""The ending of the file beside a message that says what the message lacks."""

_MODE: Final = 0o640
_THREADS: Final = 4


class DirectoryTransport:
    """See ``adapters.contract.Transport``; a partner recognises a message that comes again by its file's name."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        # Threads of its own: a directory that hangs holds back its partner and nobody else.
        self._threads = asyncio.Semaphore(_THREADS)

    async def deliver(self, message: Message) -> Outcome:
        """Put the message in the directory, and return once it will outlive a loss of power."""
        files = [(message.extension, message.body)]
        if message.manifest:
            files.insert(0, (MANIFEST, message.manifest.encode("ascii")))
        try:
            for extension, content in files:
                await self._written(self._directory / file_name(message.parcel.delivery_id, extension), content)
        except OSError as error:
            return Deferred(_detail(error))
        return Delivered("file written")

    async def close(self) -> None:
        """Do nothing: a file that is being written is still written, if it is before the process ends."""

    async def _written(self, path: Path, body: bytes) -> None:
        """Write a file in a daemon thread: Python waits for an executor's when it ends, and a hung mount never lets go.

        A thread keeps its place until it ends, also where nobody waits for it any more.
        """
        await self._threads.acquire()
        loop = asyncio.get_running_loop()
        written: asyncio.Future[None] = loop.create_future()

        def finish(error: Exception | None) -> None:
            self._threads.release()
            if written.done():
                return
            if error is None:
                written.set_result(None)
            else:
                written.set_exception(error)

        def write() -> None:
            error: Exception | None = None
            try:
                _write(path, body)
            except Exception as raised:  # noqa: BLE001 - it is raised where it is awaited
                error = raised
            with suppress(RuntimeError):  # the loop has ended since: nobody waits
                loop.call_soon_threadsafe(finish, error)

        Thread(target=write, name="directory", daemon=True).start()
        await written


def file_name(delivery_id: DeliveryId, extension: str) -> str:
    """Return the one name of a delivery's file: ``20260117T190509250Z-<delivery id>.<extension>``."""
    identifier = uuid.UUID(delivery_id)
    at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=identifier.int >> 80)
    return f"{at:%Y%m%dT%H%M%S}{at.microsecond // 1000:03}Z-{identifier}.{extension}"


def _write(path: Path, body: bytes) -> None:
    descriptor, temporary = tempfile.mkstemp(prefix=".", suffix=".part", dir=path.parent)
    try:
        with open(descriptor, "wb") as file:  # noqa: PTH123 - Path.open takes no descriptor
            os.fchmod(descriptor, _MODE)
            file.write(body)
            file.flush()
            os.fsync(descriptor)
        os.replace(temporary, path)  # noqa: PTH105 - the name is mkstemp's string
    except OSError:
        Path(temporary).unlink(missing_ok=True)
        raise
    _sync_directory(path.parent)


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _detail(error: OSError) -> str:
    match error.errno:
        case errno.ENOSPC | errno.EDQUOT:
            return "disk full"
        case errno.ENOENT | errno.ENOTDIR:
            return "directory missing"
        case errno.EACCES | errno.EPERM | errno.EROFS:
            return "permission denied"
        case _:
            return "storage error"
