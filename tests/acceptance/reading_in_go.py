"""Readers of a log in Go: built once for a module, and run."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest

from tests.patience import GIVES_UP_AFTER
from tests.servers.availability import unavailable

OWN_READER: Final = Path(__file__).parent / "golog"


def built(folder: Path, *packages: str, source: Path = OWN_READER) -> Path:
    """Return the folder of a module's commands, built there: its own, and ``packages`` of the modules that it names.

    Go keeps what it fetched and compiled in caches of its own.
    """
    go = shutil.which("go")
    if go is None:
        pytest.skip("Go is not installed")
    environment = {**os.environ, "GOFLAGS": "-mod=readonly", "GOTOOLCHAIN": "local"}
    ran = subprocess.run(
        [go, "build", "-o", f"{folder}/", ".", *packages],
        cwd=source,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=4 * GIVES_UP_AFTER,
    )
    if ran.returncode != 0:
        unavailable(f"the reader in Go can't be built: {ran.stderr[-500:]}")
    return folder


def run_in_go(command: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command that was built."""
    return subprocess.run(
        [str(command), *arguments], capture_output=True, text=True, check=False, timeout=GIVES_UP_AFTER
    )
