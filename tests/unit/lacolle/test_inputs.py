"""What commands read before anything leaves this machine, and where they may write."""

from __future__ import annotations

from pathlib import Path

import pytest

from lacolle.commands.inputs import InputError, read_alert
from lacolle.errors import ConfigurationError
from lacolle.folder import require_empty


@pytest.mark.parametrize(
    "content", [b"root:x:0:0", b"a.b", b"a.b.c.d", b"a.b.c=", b"a.b.c~d", b"a.b.c~~", b"~", b"\xff.\xfe.\xfd", b""]
)
def test_what_nobody_signed_is_not_sent(tmp_path: Path, content: bytes) -> None:
    """A file that is no alert and no compact JWS is refused here, and not by the exchange that got it."""
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(InputError, match="nothing was sent"):
        read_alert(tmp_path / "file", cap=None, participant="ca-qc.sq")


def test_a_folder_that_holds_anything_is_left_alone(tmp_path: Path) -> None:
    """A new folder is made, an empty one taken; one that holds a file, and what is no folder, are refused in words."""
    require_empty(tmp_path / "new" / "folder")
    require_empty(tmp_path / "new" / "folder")
    for taken in (tmp_path / "new", _file(tmp_path / "file")):
        with pytest.raises(ConfigurationError, match="choose"):
            require_empty(taken)


def _file(path: Path) -> Path:
    path.touch()
    return path
