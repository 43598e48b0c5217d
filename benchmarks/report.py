"""What was measured, as one JSON object and as tables for people.

Names end in their unit: ``_per_s`` a second, ``_ms`` milliseconds, ``_mb`` MiB, ``_s_per_1000`` seconds of processor
time for a thousand accepted alerts (of everything the process did in the window), ``_cpu_ms`` milliseconds of it for
one delivery, ``_stolen_share`` how much of the machine's processor time its host gave to others meanwhile.
"""

from __future__ import annotations

import os
import platform
import sqlite3
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from typing import TypeAlias

from rich.console import Console
from rich.table import Table

from benchmarks.load import Result
from benchmarks.log_verification import Verification
from benchmarks.suite import DELIVERY_RATE, Comparison, Windows

Figures: TypeAlias = dict[str, float | int | str | dict[str, str]]

_LIBRARIES = ("fastapi", "uvicorn", "uvloop", "httptools", "pydantic", "joserfc", "cryptography", "sqlalchemy")
_ROWS = (
    ("accepted/s", "sqlite_per_s", "{:,.0f}"),
    ("p50, ms", "p50_ms", "{:.1f}"),
    ("p99, ms", "p99_ms", "{:.1f}"),
    ("CPU s per 1,000", "cpu_s_per_1000", "{:.2f}"),
    ("peak memory, MiB", "peak_mb", "{:.0f}"),
)


def figures(comparison: Comparison, verification: Verification, *, now: datetime) -> Figures:
    """Return every figure by its name; ``date`` is RFC 3339 in UTC."""
    naive, exchange = _service("naive", comparison.naive), _service("exchange", comparison.exchange)
    return {
        **naive,
        **exchange,
        "ratio_sqlite": round(exchange["exchange_sqlite_per_s"] / naive["naive_sqlite_per_s"], 2),
        "delivery_p50_ms": round(comparison.delivery.delivery_p50_ms, 2),
        "delivery_p99_ms": round(comparison.delivery.delivery_p99_ms, 2),
        "delivery_rate_per_s": DELIVERY_RATE,
        "delivered_per_s": round(comparison.delivery.delivered_per_s, 1),
        "delivery_cpu_ms_per_alert": round(comparison.delivery.cpu_s_per_1000, 2),
        "delivery_partner_cpu_ms": round(comparison.delivery.partner_cpu_ms, 3),
        "delivery_load_cpu_share": round(comparison.delivery.load_cpu_share, 2),
        "delivery_stolen_share": round(comparison.delivery.stolen_share, 2),
        **_saturated(comparison.delivering),
        "adapter_deliveries_per_s": round(comparison.adapter.per_s, 1),
        "adapter_cpu_ms": round(comparison.adapter.adapter_cpu_ms, 3),
        "adapter_partner_cpu_ms": round(comparison.adapter.partner_cpu_ms, 3),
        "adapter_stolen_share": round(comparison.adapter.stolen_share, 2),
        "verify_entries": verification.entries,
        "verify_seconds": round(verification.seconds, 2),
        "verify_entries_per_s": round(verification.entries / verification.seconds),
        "verify_peak_mb": round(verification.peak_mb, 1),
        "load_cpu_share": round(max(window.load.load_cpu_share for window in comparison.exchange.each), 2),
        "cores": os.cpu_count() or 1,
        "machine": platform.machine(),
        "versions": versions(),
        "date": now.astimezone(UTC).isoformat(timespec="seconds"),
    }


def versions() -> dict[str, str]:
    """Return the versions of what the figures depend on."""
    return {
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        **{library: version(library) for library in _LIBRARIES},
    }


def print_tables(measured: Figures, *, console: Console) -> None:
    """Print the figures for people."""
    services = Table(title="The naive service and the exchange, side by side", title_justify="left")
    for heading in ("", "naive", "exchange"):
        services.add_column(heading, justify="left" if not heading else "right")
    for caption, name, form in _ROWS:
        services.add_row(caption, *(form.format(measured[f"{who}_{name}"]) for who in ("naive", "exchange")))
    services.add_row("ratio", "1", f"{measured['ratio_sqlite']}")
    console.print(services)
    console.print(
        f"201 to the partner's endpoint at {measured['delivery_rate_per_s']} alerts/s: "
        f"p50 {measured['delivery_p50_ms']} ms, p99 {measured['delivery_p99_ms']} ms "
        f"({measured['delivered_per_s']} deliveries/s; processor time: exchange "
        f"{measured['delivery_cpu_ms_per_alert']} ms an alert with its deliveries, partner "
        f"{measured['delivery_partner_cpu_ms']} ms a delivery; {measured['delivery_stolen_share']:.0%} stolen)",
        f"One adapter alone, to an HTTPS partner: {measured['adapter_deliveries_per_s']:,} deliveries/s (processor "
        f"time: adapter {measured['adapter_cpu_ms']} ms, partner {measured['adapter_partner_cpu_ms']} ms; "
        f"{measured['adapter_stolen_share']:.0%} stolen)",
        *_saturated_line(measured),
        f"Log verified: {measured['verify_entries']:,} entries in {measured['verify_seconds']} s, "
        f"{measured['verify_entries_per_s']:,} entries/s, at most {measured['verify_peak_mb']} MiB",
        _circumstances(measured),
        sep="\n",
        highlight=False,
    )


def _service(name: str, windows: Windows) -> dict[str, float]:
    means: Mapping[str, float] = {
        "sqlite_per_s": windows.mean(lambda load: load.accepted_per_s),
        "p50_ms": windows.mean(lambda load: load.p50_ms),
        "p99_ms": windows.mean(lambda load: load.p99_ms),
        "cpu_s_per_1000": windows.mean(lambda load: load.cpu_s_per_1000),
        "peak_mb": windows.peak_mb(),
    }
    return {f"{name}_{figure}": round(value, 2) for figure, value in means.items()}


def _saturated(load: Result | None) -> dict[str, float]:
    if load is None:
        return {}
    accepted, delivered = round(load.accepted_per_s, 1), round(load.delivered_per_s, 1)
    return {"delivering_accepted_per_s": accepted, "delivering_delivered_per_s": delivered}


def _saturated_line(measured: Figures) -> list[str]:
    if "delivering_accepted_per_s" not in measured:
        return []
    accepted, delivered = measured["delivering_accepted_per_s"], measured["delivering_delivered_per_s"]
    return [f"At full load with partners connected: {accepted:,} accepted/s, {delivered:,} deliveries/s"]


def _circumstances(measured: Figures) -> str:
    libraries = measured["versions"]
    named = " ".join(f"{name} {number}" for name, number in libraries.items()) if isinstance(libraries, dict) else ""
    return f"{measured['date']}, {measured['cores']} cores ({measured['machine']}), {named}"
