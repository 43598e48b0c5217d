"""The exchange beside the naive service, on SQLite and on PostgreSQL, in turns.

Both are measured at what both do: taking an alert. The exchange verifies, validates, decides over four agreements,
commits the alert with its decisions, dispatches and log entries, and signs the receipt; no partner is connected, since
the naive service has none, and no relay runs.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

from rich.table import Table
from sqlalchemy import URL

from benchmarks.engines import Postgres, store_settings
from benchmarks.exchange import World, prepare_exchange, serving_exchange, serving_gateway
from benchmarks.load import Result
from benchmarks.naive import postgres_url, serving_naive, sqlite_url
from benchmarks.process import Server
from benchmarks.sample import write_public_keys
from benchmarks.stage import Figures, Seen, Stage, Windows

CEILING = 5_000
"""More a second than any service accepts here: how many submissions a closed loop is given."""

_DATABASE = "exchange"
_ROWS = (
    ("accepted/s", "{}_{}_per_s", "{:,.0f}"),
    ("ratio to naive", "ratio_{}_{}", "{:.2f}"),
    ("p50, ms", "{}_{}_p50_ms", "{:.1f}"),
    ("p99, ms", "{}_{}_p99_ms", "{:.1f}"),
    ("CPU s per 1,000", "{}_{}_cpu_s_per_1000", "{:.2f}"),
    ("peak memory, MiB", "{}_{}_peak_mb", "{:.0f}"),
    ("stolen", "{}_{}_stolen_share", "{:.0%}"),
)
_Service = Callable[[World], AbstractContextManager[Server]]


def on_sqlite(stage: Stage) -> Seen:
    """Compare ``lacolle serve`` with the naive service."""

    def naive(world: World) -> AbstractContextManager[Server]:
        return _naive(world, sqlite_url(world.folder.parent / "naive.sqlite"))

    figures = _compare(stage, "sqlite", {"naive": naive, "exchange": serving_exchange}, engines=lambda _: {})
    # the name that others read this figure by
    return Seen({**figures, "ratio_sqlite": figures["ratio_exchange_sqlite"]}, (_table("SQLite", "sqlite", figures),))


def on_postgres(stage: Stage, postgres: Postgres) -> Seen:
    """Compare ``lacolle gateway``, with one worker and with two, with the naive service on the same PostgreSQL."""

    def naive(world: World) -> AbstractContextManager[Server]:
        return _naive(world, postgres_url(postgres.fresh("naive")))

    @contextmanager
    def gateway(world: World, workers: int) -> Iterator[Server]:
        postgres.fresh_exchange(_DATABASE)
        with serving_gateway(world, workers=workers) as server:
            yield server

    services: dict[str, _Service] = {
        "naive": naive,
        "gateway1": partial(gateway, workers=1),
        "gateway2": partial(gateway, workers=2),
    }

    def engines(folder: Path) -> dict[str, Any]:
        return {"store": store_settings(folder, postgres.url(_DATABASE))}

    figures = _compare(stage, "postgres", services, engines=engines)
    return Seen(figures, (_table(f"PostgreSQL {postgres.version}", "postgres", figures),))


def _compare(
    stage: Stage, engine: str, services: Mapping[str, _Service], *, engines: Callable[[Path], Mapping[str, Any]]
) -> Figures:
    """Measure the services in turns; the first is what the others are a ratio to."""
    windows = {name: Windows() for name in services}
    with stage.folder(engine) as folder:
        prepared = prepare_exchange(folder, delivering=False, engines=engines(folder))
        submissions = stage.sign(prepared, per_second=CEILING)
        for turn, (name, service) in product(range(1, stage.scale.rounds + 1), services.items()):
            stage.say(f"{engine}, round {turn} of {stage.scale.rounds}: {name}")
            world = replace(prepared, folder=folder / f"{turn}-{name}" / "exchange")
            shutil.copytree(prepared.folder, world.folder)
            with service(world) as server:
                windows[name].each.append(stage.load(server, submissions))
    figures: Figures = {}
    for name, seen in windows.items():
        figures |= _figures(f"{name}_{engine}", seen)
    first, *others = services
    for name in others:
        measured, by = windows[name].mean(_accepted), windows[first].mean(_accepted)
        figures[f"ratio_{name}_{engine}"] = round(measured / by, 2)
    return figures


def _figures(prefix: str, windows: Windows) -> Figures:
    values = {
        "per_s": windows.mean(_accepted),
        "p50_ms": windows.mean(lambda load: load.p50_ms),
        "p99_ms": windows.mean(lambda load: load.p99_ms),
        "cpu_s_per_1000": windows.mean(lambda load: load.cpu_s_per_1000),
        "peak_mb": windows.peak_mb(),
        "load_cpu_share": windows.mean(lambda load: load.load_cpu_share),
        "stolen_share": windows.mean(lambda load: load.stolen_share),
    }
    return {f"{prefix}_{name}": round(value, 2) for name, value in values.items()}


def _accepted(load: Result) -> float:
    return load.accepted_per_s


def _table(title: str, engine: str, figures: Figures) -> Table:
    services = [name.removesuffix(f"_{engine}_per_s") for name in figures if name.endswith(f"_{engine}_per_s")]
    table = Table(title=f"{title}: the naive service and the exchange, in turns", title_justify="left")
    for heading in ("", *services):
        table.add_column(heading, justify="right" if heading else "left")
    for caption, name, form in _ROWS:
        values = (figures.get(name.format(service, engine), 1.0) for service in services)
        table.add_row(caption, *(form.format(value) for value in values))
    return table


@contextmanager
def _naive(world: World, database: URL) -> Iterator[Server]:
    keys = world.folder.parent / "keys.json"
    write_public_keys(keys, sender=world.sender, keys=world.keys)
    with serving_naive(keys=keys, database=database) as server:
        yield server
