"""``lacolle agreement simulate``: what a draft would have done with past alerts, beside what was in force."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from agreements.written import read_agreement
from lacolle.client.surroundings import MACHINE
from lacolle.commands import findings
from lacolle.commands.databases import (
    NO_DATABASE,
    Database,
    DatabaseAuthorities,
    DatabaseTls,
    ExchangeFolder,
    PasswordFile,
    database_of,
)
from lacolle.commands.inputs import InputError, read_input
from lacolle.commands.voice import Voice
from lacolle.contents import contents_of
from schemas.bilingual import Bilingual
from schemas.faults import BrokenRuleError
from schemas.timestamps import read_instant

if TYPE_CHECKING:
    from agreements.document import Agreement

Report = Callable[[int, int], None]


def simulate(
    *,
    voice: Voice,
    file: Annotated[Path, typer.Argument(help="The draft: YAML. - is standard input.")],
    since: Annotated[str, typer.Option("--since", help="The first day (UTC), or instant (RFC 3339).")],
    until: Annotated[
        str | None, typer.Option("--until", help="The day or instant that is no longer part of it. Default: now.")
    ] = None,
    exchange: ExchangeFolder,
    database: Annotated[
        str | None,
        typer.Option("--database", help="Another database than the folder's: postgresql://role@host/database."),
    ] = None,
    password_file: PasswordFile = None,
    tls: DatabaseTls = None,
    database_ca_file: DatabaseAuthorities = None,
) -> None:
    """Replay past alerts through a draft: who would have received what. Nothing is sent, nothing is stored."""
    draft = read_agreement(_text(read_input(file)), file=str(file))
    first, end = _instant(since), MACHINE.now() if until is None else _instant(until)
    named = database_of(exchange)
    if database is not None:
        named = Database(database, password_file, tls, database_ca_file)
    with _watched(voice) as report:
        found = asyncio.run(_simulated(named, exchange, draft, (first, end), report))
    if voice.as_json:
        voice.answer(found, ())
    else:
        findings.show(found, voice=voice, console=Console())


async def _simulated(
    database: Database, exchange: Path, draft: Agreement, within: tuple[datetime, datetime], report: Report
) -> dict[str, Any]:
    # the other commands start without a database's drivers
    from sqlalchemy.exc import DatabaseError  # noqa: PLC0415 - as above

    from agreements.simulation import Worlds  # noqa: PLC0415 - as above
    from gateway.settings.exchange import read_settings  # noqa: PLC0415 - as above
    from gateway.simulation.findings import findings_document  # noqa: PLC0415 - as above
    from gateway.simulation.simulating import simulate_past  # noqa: PLC0415 - as above
    from gateway.store.history import Stretch, count_alerts  # noqa: PLC0415 - as above
    from gateway.upkeep.rebuilding import rebuilt_registry  # noqa: PLC0415 - as above
    from lacolle.folder import SETTINGS, read_jurisdictions  # noqa: PLC0415 - as above

    settings = read_settings(exchange / SETTINGS, os.environ)
    jurisdictions = read_jurisdictions(exchange / settings.files.jurisdictions)
    contents = contents_of(settings, exchange)
    stretch = Stretch(*within)
    store = database.open()
    try:
        async with store.reading() as connection:
            registry = await rebuilt_registry(connection, jurisdictions)
        worlds = Worlds.of(registry.snapshot.candidates, registry.counting, draft)
        total = await count_alerts(store, stretch)
        report(0, total)
        found = await simulate_past(
            store,
            contents,
            worlds,
            stretch,
            workers=os.cpu_count() or 1,
            progress=lambda done: report(done, total),
        )
        return findings_document(draft, found, since=stretch.since, until=stretch.until)
    except DatabaseError:
        raise InputError(NO_DATABASE) from None
    finally:
        await store.close()


@contextmanager
def _watched(voice: Voice) -> Iterator[Report]:
    """Yield what shows how far the work is, on standard error, where a person watches."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=voice.as_json) as progress:
        task = progress.add_task(voice.words(_SIMULATING), total=None)

        def report(done: int, total: int) -> None:
            progress.update(task, completed=done, total=total)

        yield report


def _instant(text: str) -> datetime:
    day = f"{text}T00:00:00Z" if _DAY.fullmatch(text) else text
    try:
        return read_instant(day)
    except BrokenRuleError:
        raise InputError(_no_instant(text)) from None


def _text(content: bytes) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        raise InputError(_NOT_TEXT) from None


def _no_instant(text: str) -> Bilingual:
    return Bilingual(
        fr=f"« {text} » n'est ni un jour ni un instant : écrivez 2026-11-01 ou 2026-11-01T08:00:00-05:00.",
        en=f"“{text}” is neither a day nor an instant: write 2026-11-01 or 2026-11-01T08:00:00-05:00.",
    )


_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_SIMULATING: Final = Bilingual(fr="simulation", en="simulating")
_NOT_TEXT: Final = Bilingual(
    fr="Le fichier n'est pas du texte UTF-8 : enregistrez-le sous cet encodage.",
    en="The file is not UTF-8 text: save it in that encoding.",
)
