"""The directory transport: whole files under stable names, and the file system's refusals as outcomes."""

from __future__ import annotations

import asyncio
import errno
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from adapters.transports.directory import DirectoryTransport, file_name
from schemas.ids import DeliveryId
from schemas.parcels import Deferred, Delivered, Outcome
from tests.contract.transports.partner import MakeMessage
from tests.patience import GIVES_UP_AFTER


async def handed_over(directory: Path, make_message: MakeMessage, **how: bytes) -> Outcome:
    """Return the outcome of one message."""
    transport = DirectoryTransport(directory)
    outcome = await transport.deliver(make_message(**how))
    await transport.close()
    return outcome


def files(directory: Path) -> list[Path]:
    """Return what a partner finds in the directory, and anything that was left behind."""
    return list(directory.iterdir())


def sizes(directory: Path) -> list[int]:
    """Return the sizes of the files that a partner looks at."""
    return [path.stat().st_size for path in directory.glob("[!.]*")]


@pytest.fixture
def closed_directory(tmp_path: Path) -> Path:
    """Return a directory without write permission."""
    tmp_path.chmod(0o500)
    return tmp_path


def test_a_name_is_made_of_the_delivery_alone() -> None:
    """The time in a name is the delivery id's own, so names sort by time and no retry has another."""
    identifier = DeliveryId("019bcd58-d382-7000-8000-000100000001")
    assert file_name(identifier, "jws") == "20260117T190509250Z-019bcd58-d382-7000-8000-000100000001.jws"


def test_a_name_never_leaves_the_directory() -> None:
    """What is no delivery id makes no name, whatever path it spells."""
    with pytest.raises(ValueError, match="hexadecimal"):
        file_name(DeliveryId("../../etc/passwd"), "jws")


async def test_the_file_is_for_owner_and_group(tmp_path: Path, make_message: MakeMessage) -> None:
    """An alert on disk is nobody else's to read."""
    await handed_over(tmp_path, make_message)
    (path,) = files(tmp_path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


async def test_a_second_copy_replaces_the_first(tmp_path: Path, make_message: MakeMessage) -> None:
    """The same delivery again leaves one file, whole, and no temporary one."""
    await handed_over(tmp_path, make_message, body=b"first, and longer")
    assert await handed_over(tmp_path, make_message, body=b"second") == Delivered("file written")
    (path,) = files(tmp_path)
    assert path.read_bytes() == b"second"


async def test_no_reader_sees_half_a_message(tmp_path: Path, make_message: MakeMessage) -> None:
    """While messages are written, every name without a leading dot holds a whole message."""
    body = b"whole" * 200_000
    transport = DirectoryTransport(tmp_path)
    writing = asyncio.gather(*(transport.deliver(make_message(number, body=body)) for number in range(8)))
    seen = 0
    while not writing.done():
        found = sizes(tmp_path)
        assert set(found) <= {len(body)}
        seen += len(found)
        await asyncio.sleep(0)
    assert await writing == [Delivered("file written")] * 8
    assert seen > 0
    await transport.close()


async def test_a_missing_directory(tmp_path: Path, make_message: MakeMessage) -> None:
    """A directory that is not there is Deferred, and is not made: it may be a volume that is not mounted."""
    assert await handed_over(tmp_path / "missing", make_message) == Deferred("directory missing")
    assert files(tmp_path) == []


async def test_a_file_in_the_directorys_place(tmp_path: Path, make_message: MakeMessage) -> None:
    """A file where the directory should be counts as its absence."""
    (tmp_path / "file").write_bytes(b"")
    assert await handed_over(tmp_path / "file", make_message) == Deferred("directory missing")


@pytest.mark.parametrize(
    ("code", "detail"),
    [
        (errno.ENOSPC, "disk full"),
        (errno.EDQUOT, "disk full"),
        (errno.EACCES, "permission denied"),
        (errno.EROFS, "permission denied"),
        (errno.EIO, "storage error"),
    ],
)
async def test_what_the_file_system_refuses(
    tmp_path: Path, make_message: MakeMessage, monkeypatch: pytest.MonkeyPatch, code: int, detail: str
) -> None:
    """A write that can't be forced to disk is Deferred, and leaves neither the file nor a part of it."""

    def refuse(_descriptor: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", refuse)
    assert await handed_over(tmp_path, make_message) == Deferred(detail)
    assert files(tmp_path) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write anywhere")
async def test_a_directory_that_may_not_be_written(closed_directory: Path, make_message: MakeMessage) -> None:
    """A directory without write permission is Deferred."""
    assert await handed_over(closed_directory, make_message) == Deferred("permission denied")


HUNG = """
import asyncio, os, sys, time
from pathlib import Path
from adapters.formats import native
from adapters.transports.directory import DirectoryTransport
from tests.unit.bus.parcels import parcel

os.fsync = lambda _descriptor: time.sleep(600)  # as a mount whose server is gone


async def main():
    transport = DirectoryTransport(Path(sys.argv[1]))
    for _ in range(6):
        try:
            async with asyncio.timeout(0.1):
                await transport.deliver(native(parcel()))
        except TimeoutError:
            print("timed out")
    await transport.close()


asyncio.run(main())
"""


def test_a_process_ends_whose_directory_hangs(tmp_path: Path) -> None:
    """Whoever stops need not wait for a mount that never answers; its messages come again to the next process."""
    done = subprocess.run(
        [sys.executable, "-c", HUNG, str(tmp_path)], capture_output=True, text=True, timeout=GIVES_UP_AFTER, check=False
    )
    assert done.stdout.split("\n")[:-1] == ["timed out"] * 6, done.stderr
    assert done.returncode == 0
