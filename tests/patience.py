"""How long tests wait for what takes a moment: long, for how fast a machine is says nothing of what it computes.

Times are measured in ``benchmarks/``; here a wait ends as soon as what it waits for is there.
"""

from __future__ import annotations

from typing import Final

PATIENCE: Final = 8.0
"""How many times as long as a quiet machine needs a test waits before it gives up."""

GIVES_UP_AFTER: Final = 60.0
"""Seconds that a test waits for what a quiet machine does in a moment, and which nothing else would end."""
