"""``python -m benchmarks``: the exchange beside the naive service, deliveries, and the verification of a large log.

``--quick`` ends within 50 seconds, on a smaller log; ``--json`` prints one JSON object and nothing else.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import orjson
from rich.console import Console

from benchmarks import log_verification
from benchmarks.report import figures, print_tables
from benchmarks.suite import Scale, Suite

QUICK = Scale(seconds=2.5, warmup=0.5, rounds=2, connections=64, log_entries=20_000, parcels=2_000, saturate=False)
FULL = Scale(seconds=10.0, warmup=2.0, rounds=3, connections=64, log_entries=1_000_000, parcels=10_000, saturate=True)
_QUEBEC = timezone(timedelta(hours=-5))


def main() -> None:
    """Measure what the command line asks for, and print it."""
    options = _options()
    base = QUICK if options.quick else FULL
    scale = replace(base, seconds=options.seconds or base.seconds, connections=options.connections)
    console = Console(stderr=True, quiet=options.json)
    with tempfile.TemporaryDirectory(prefix="lacolle-bench-") as directory, console.status("") as status:
        suite = Suite(scale=scale, directory=Path(directory), clock=_now, say=status.update)
        comparison = suite.compare()
        status.update(f"verifying a log of {scale.log_entries:,} entries")
        verification = log_verification.measure(entries=scale.log_entries)
    measured = figures(comparison, verification, now=datetime.now(UTC))
    if options.json:
        print(orjson.dumps(measured).decode())
    else:
        print_tables(measured, console=Console())


def _now() -> datetime:
    return datetime.now(_QUEBEC).replace(microsecond=0)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="shorter windows, a smaller log: within 50 seconds")
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    parser.add_argument("--seconds", type=float, help="length of each window")
    parser.add_argument("--connections", type=int, default=64, help="how many post at once")
    return parser.parse_args()


if __name__ == "__main__":
    main()
