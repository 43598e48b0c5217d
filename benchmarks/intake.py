"""The batch endpoint: submissions that come many to a request, on SQLite and, where there is one, on PostgreSQL."""

from __future__ import annotations

from benchmarks.engines import Postgres, store_settings
from benchmarks.exchange import prepare_exchange, serving_exchange, serving_gateway
from benchmarks.load import Result
from benchmarks.stage import Figures, Seen, Stage, Window

_CEILING = 9_000
"""More a second than the exchange accepts here."""
_LINES = 250
_CONNECTIONS = 8
_WORKERS = 2


def batches(stage: Stage, postgres: Postgres | None) -> Seen:
    """Post batches; raises ``MeasurementError``."""
    figures: Figures = {"batch_lines": _LINES, "batch_connections": _CONNECTIONS}
    shown = []
    with stage.folder("batch-sqlite") as folder:
        world = prepare_exchange(folder, delivering=False)
        submissions = stage.sign(world, per_second=_CEILING)
        stage.say("batches, SQLite")
        with serving_exchange(world) as server:
            seen = stage.load(server, submissions, "--batch", str(_LINES), connections=_CONNECTIONS)
    figures |= _figures("sqlite", seen)
    shown.append(_line("SQLite, lacolle serve", seen))
    if postgres is not None:
        with stage.folder("batch-postgres") as folder:
            engines = {"store": store_settings(folder, postgres.fresh_exchange("exchange"))}
            world = prepare_exchange(folder, delivering=False, engines=engines)
            submissions = stage.sign(world, per_second=_CEILING)
            stage.say("batches, PostgreSQL")
            with serving_gateway(world, workers=_WORKERS) as server:
                seen = stage.load(server, submissions, "--batch", str(_LINES), connections=_CONNECTIONS)
        figures |= _figures("postgres", seen)
        shown.append(_line(f"PostgreSQL {postgres.version}, lacolle gateway --workers {_WORKERS}", seen))
    return Seen(figures, tuple(shown))


def _figures(engine: str, seen: Window) -> Figures:
    load: Result = seen.load
    return {
        f"batch_{engine}_per_s": round(load.accepted_per_s, 1),
        f"batch_{engine}_p50_ms": round(load.p50_ms, 1),
        f"batch_{engine}_p99_ms": round(load.p99_ms, 1),
        f"batch_{engine}_cpu_s_per_1000": round(load.cpu_s_per_1000, 2),
        f"batch_{engine}_peak_mb": round(seen.peak_mb, 1),
        f"batch_{engine}_stolen_share": round(load.stolen_share, 2),
    }


def _line(name: str, seen: Window) -> str:
    load = seen.load
    return (
        f"Batches of {_LINES}, {_CONNECTIONS} at a time, {name}: {load.accepted_per_s:,.0f} accepted/s; a batch p50 "
        f"{load.p50_ms:.0f} ms, p99 {load.p99_ms:.0f} ms; {load.cpu_s_per_1000:.2f} CPU s per 1,000, at most "
        f"{seen.peak_mb:.0f} MiB; {load.stolen_share:.0%} stolen"
    )
