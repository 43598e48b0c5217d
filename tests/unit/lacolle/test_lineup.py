"""How a process ends: what it works with may be in any state by then."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

from tests.patience import GIVES_UP_AFTER

PROGRAM = """
import asyncio
from lacolle.logs import write_logs
from lacolle.processes.lineup import run_until_told

class Part:
    async def run(self):
        self.told = asyncio.Event()
        print("running", flush=True)
        await self.told.wait()

    def stop(self):
        self.told.set()

async def main():
    try:
        await run_until_told(Part(), grace=1.0, closing=0.2)
    finally:
        print("closing", flush=True)
        await asyncio.Event().wait()

write_logs(as_json=True)
asyncio.run(main())
"""


def test_what_can_not_be_closed_holds_up_no_stop() -> None:
    """A process whose bus never lets it go ends by itself, says so, and its status tells that it was cut short."""
    with subprocess.Popen([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"running\n"
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=GIVES_UP_AFTER)
    assert out == b"closing\n"
    assert process.returncode == os.EX_SOFTWARE
    assert b"closing_over" in err
