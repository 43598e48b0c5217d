"""What was measured, as one JSON object and as tables for people.

Names end in their unit: ``_per_s`` a second, ``_ms`` milliseconds, ``_mb`` MiB, ``_s_per_1000`` seconds of processor
time for a thousand accepted alerts (of everything the processes did in the window), ``_cpu_ms`` milliseconds of it for
one item, ``_stolen_share`` how much of the machine's processor time its host gave to others meanwhile. A name with
``ratio`` says what a service accepts over what the naive one accepts, on the same engine in the same run.
"""

from __future__ import annotations

import os
import platform
import sqlite3
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version

from rich.console import Console

from benchmarks.deciding import GRANTS, JURISDICTIONS, PARTICIPANTS, Deciding
from benchmarks.exporting import Exported
from benchmarks.log_verification import Verification
from benchmarks.searching import Searching
from benchmarks.simulating import Simulation
from benchmarks.stage import Figures, Seen
from benchmarks.telling_apart import Likeness

_LIBRARIES = (
    *("fastapi", "uvicorn", "uvloop", "httptools", "pydantic", "joserfc", "cryptography", "sqlalchemy"),
    *("asyncpg", "aiokafka"),
)


def circumstances(engines: Mapping[str, str], *, now: datetime) -> Seen:
    """Return where and with what the figures were taken; ``date`` is RFC 3339 in UTC."""
    figures: Figures = {
        "cores": os.cpu_count() or 1,
        "machine": platform.machine(),
        "versions": versions(),
        "engines": dict(engines),
        "date": now.astimezone(UTC).isoformat(timespec="seconds"),
    }
    told = ", ".join(f"{name} {number}" for name, number in versions().items())
    lines = [f"{figures['date']}, {figures['cores']} cores ({figures['machine']}), {told}"]
    lines += [f"{name}: {settings}" for name, settings in engines.items()]
    return Seen(figures, tuple(lines))


def verified(verification: Verification) -> Seen:
    """Return how long a large log took to verify."""
    per_s = round(verification.entries / verification.seconds)
    figures: Figures = {
        "verify_entries": verification.entries,
        "verify_seconds": round(verification.seconds, 2),
        "verify_entries_per_s": per_s,
        "verify_processes": verification.processes,
        "verify_cpu_us_per_entry": round(verification.cpu_seconds / verification.entries * 1e6, 2),
        "verify_peak_mb": round(verification.peak_mb, 1),
        "verify_stolen_share": round(verification.stolen_share, 2),
    }
    line = (
        f"Log verified: {verification.entries:,} entries in {verification.seconds:.2f} s, {per_s:,} entries/s by "
        f"{verification.processes} processes, {figures['verify_cpu_us_per_entry']} µs of processor time each, none "
        f"over {verification.peak_mb:.0f} MiB; {verification.stolen_share:.0%} stolen"
    )
    return Seen(figures, (line,))


def searched(searching: Searching) -> Seen:
    """Return how long auditors' pages and proofs took in a log of one size, and what it costs."""
    prefix = f"search_{searching.engine}_{searching.entries}"
    verified_per_s = round(searching.entries / searching.verification.seconds)
    figures: Figures = {
        f"{prefix}_append_entries_per_s": round(searching.entries / searching.append_seconds),
        f"{prefix}_index_entries_per_s": round(searching.entries / searching.index_seconds),
        f"{prefix}_index_bytes_per_entry": round(searching.index_bytes, 1),
        f"{prefix}_bytes_per_entry": round(searching.entry_bytes, 1),
        f"{prefix}_checkpoint_ms": round(searching.checkpoint_ms, 1),
        f"{prefix}_proof_p99_ms": round(searching.proof[1], 2),
        f"{prefix}_proofs_p99_ms": round(searching.proofs[1], 2),
        f"{prefix}_page_p99_ms": round(max(p99 for _, p99 in searching.pages.values()), 2),
        f"{prefix}_verify_entries_per_s": verified_per_s,
        f"{prefix}_peak_mb": round(searching.peak_mb, 1),
        f"{prefix}_stolen_share": round(searching.stolen_share, 2),
    }
    rows = {**searching.pages, "a proof of inclusion": searching.proof, "a page's fifty proofs": searching.proofs}
    stolen, at_most = f"{searching.stolen_share:.0%} stolen", f"{searching.checkpoint_ms:.0f} ms at most"
    rates = f"appended at {figures[f'{prefix}_append_entries_per_s']:,} entries/s"
    rates += f", indexed at {figures[f'{prefix}_index_entries_per_s']:,}, verified at {verified_per_s:,}"
    size = f"{searching.entry_bytes:.0f} bytes an entry, {searching.index_bytes:.0f} of them the index's"
    lines = [
        f"Log of {searching.entries:,} entries on {searching.engine}, pages of fifty; {stolen}:",
        f"  {rates}; {size}; a checkpoint in {at_most}",
    ]
    lines += [f"  {name}: p50 {p50:.1f} ms, p99 {p99:.1f}" for name, (p50, p99) in rows.items()]
    return Seen(figures, tuple(lines))


def grown(small: Searching, large: Searching) -> Seen:
    """Return what a larger log costs over a smaller one of the same engine and run; nothing of one size alone."""
    if small.entries == large.entries:
        return Seen({}, ())
    ratios = {
        **{name: large.pages[name][0] / p50 for name, (p50, _) in small.pages.items()},
        "proof": large.proof[0] / small.proof[0],
        "proofs": large.proofs[0] / small.proofs[0],
        "bytes": large.entry_bytes / small.entry_bytes,
        "append": large.append_seconds / large.entries / (small.append_seconds / small.entries),
        "index": large.index_seconds / large.entries / (small.index_seconds / small.entries),
        "verify": large.verification.seconds / large.entries / (small.verification.seconds / small.entries),
    }
    prefix = f"search_{large.engine}_grown"
    figures: Figures = {f"{prefix}_{name.replace(' ', '_')}_ratio": round(ratio, 2) for name, ratio in ratios.items()}
    told = ", ".join(f"{name} {ratio:.2f}" for name, ratio in ratios.items())
    times = large.entries / small.entries
    return Seen(figures, (f"{times:,.0f} times the entries on {large.engine}: p50, or an entry's share, times {told}",))


def told_apart(engine: str, measured: Sequence[Likeness]) -> Seen:
    """Return how long answers about another's objects took, and about absent ones, and how far apart these are."""
    figures: Figures = {}
    lines = [f"Another's objects and absent ones on {engine}, {measured[0].asked:,} of each kind in turns:"]
    for each in measured:
        prefix = f"apart_{engine.lower()}_{each.name}"
        figures |= {
            **{f"{prefix}_{kind.replace(' ', '_')}_p50_ms": round(ms, 2) for kind, ms in each.medians.items()},
            f"{prefix}_distance": round(each.distance, 3),
            f"{prefix}_distance_of_absent": round(each.distance_of_absent, 3),
        }
        medians = ", ".join(f"{kind} {ms:.2f} ms" for kind, ms in each.medians.items())
        lines.append(
            f"  {each.name}: p50 {medians}; distance {each.distance:.3f}, of absent ones from each other "
            f"{each.distance_of_absent:.3f}, by chance up to {each.chance:.3f}; {each.stolen_share:.0%} stolen"
        )
    return Seen(figures, tuple(lines))


def exported(measured: Sequence[Exported]) -> Seen:
    """Return how fast a log was exported in each format, and in how much memory."""
    figures: Figures = {}
    lines = [f"Log of {measured[0].entries:,} entries exported:"]
    for each in measured:
        per_s = round(each.entries / each.seconds)
        figures |= {
            f"export_{each.form}_entries_per_s": per_s,
            f"export_{each.form}_peak_mb": round(each.peak_mb, 1),
            f"export_{each.form}_archive_mb": round(each.archive_bytes / 2**20, 1),
        }
        lines.append(
            f"  {each.form}: {each.seconds:.1f} s, {per_s:,} entries/s, {each.archive_bytes / 2**20:.0f} MiB, at most "
            f"{each.peak_mb:.0f} MiB of memory, {each.grown_mb:.0f} more than before it; {each.stolen_share:.0%} stolen"
        )
    figures["export_entries"] = measured[0].entries
    return Seen(figures, tuple(lines))


def decided(measured: Sequence[Deciding]) -> Seen:
    """Return how long a decision takes, by how many agreements there are."""
    figures: Figures = {}
    lines = [f"Deciding for {PARTICIPANTS * JURISDICTIONS} candidates, {GRANTS} grants an agreement:"]
    for each in measured:
        figures |= {
            f"decide_{each.agreements}_p50_ms": round(each.p50_ms, 3),
            f"decide_{each.agreements}_p99_ms": round(each.p99_ms, 3),
            f"decide_{each.agreements}_busy_p99_ms": round(each.busy_p99_ms, 3),
            f"decide_{each.agreements}_route_ms": round(each.route_ms, 2),
        }
        lines.append(
            f"  {each.agreements:,} agreements: p50 {each.p50_ms:.2f} ms an alert, p99 {each.p99_ms:.2f} "
            f"({each.busy_p99_ms:.2f} of a processor's time); "
            f"{each.clauses:.0f} clauses about it, {each.permits:.0f} permits; its route {each.route_ms:.1f} ms, once"
        )
    growth = round(measured[-1].p50_ms / measured[0].p50_ms, 2)
    figures["decide_growth_ratio"] = growth
    lines.append(f"  {measured[-1].agreements // measured[0].agreements} times the agreements: {growth} times the time")
    return Seen(figures, tuple(lines))


def simulated(simulation: Simulation) -> Seen:
    """Return how long a draft took to be replayed over past alerts."""
    per_s = round(simulation.alerts / simulation.seconds)
    figures: Figures = {
        "simulate_alerts": simulation.alerts,
        "simulate_seconds": round(simulation.seconds, 2),
        "simulate_alerts_per_s": per_s,
        "simulate_cpu_ms": round(simulation.cpu_seconds / simulation.alerts * 1000, 3),
        "simulate_peak_mb": round(simulation.peak_mb, 1),
        "simulate_stolen_share": round(simulation.stolen_share, 2),
    }
    line = (
        f"Draft simulated over {simulation.alerts:,} alerts in {simulation.seconds:.2f} s, {per_s:,} alerts/s, no "
        f"process over {simulation.peak_mb:.0f} MiB; {simulation.stolen_share:.0%} stolen"
    )
    return Seen(figures, (line,))


def versions() -> dict[str, str]:
    """Return the versions of what the figures depend on."""
    return {
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        **{library: version(library) for library in _LIBRARIES},
    }


def show(seen: Seen, *, console: Console) -> None:
    """Print a part's figures for people."""
    for each in seen.shown:
        console.print(each, highlight=False)
