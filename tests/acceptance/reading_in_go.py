"""The reader of a log in Go: built once for a module, and run."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest

from tests.patience import GIVES_UP_AFTER
from tests.servers.availability import unavailable

SOURCE: Final = Path(__file__).parent / "golog"


def built(folder: Path) -> Path:
    """Return the reader, built from its source; Go keeps what it fetched and compiled in caches of its own."""
    go = shutil.which("go")
    if go is None:
        pytest.skip("Go is not installed")
    environment = {**os.environ, "GOFLAGS": "-mod=readonly", "GOTOOLCHAIN": "local"}
    ran = subprocess.run(
        [go, "build", "-o", str(folder / "golog"), "."],
        cwd=SOURCE,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=4 * GIVES_UP_AFTER,
    )
    if ran.returncode != 0:
        unavailable(f"the reader in Go can't be built: {ran.stderr[-500:]}")
    return folder / "golog"


def read_in_go(golog: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the reader."""
    return subprocess.run([str(golog), *arguments], capture_output=True, text=True, check=False, timeout=GIVES_UP_AFTER)
