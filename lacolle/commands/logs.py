"""``lacolle log verify``: recompute the whole exchange log, from its database or from what it shows the public."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from audit.cosignature import Cosignature
from audit.policy import WitnessPolicy
from audit.sharing import Sharing
from audit.verify import Progress as Report
from audit.verify import VerifiedLog, verify_database, verify_remote
from lacolle.client.public import fetching
from lacolle.commands.auditing import LogKey
from lacolle.commands.databases import NO_DATABASE, Database, DatabaseAuthorities, DatabaseTls, PasswordFile
from lacolle.commands.frame import framed
from lacolle.commands.inputs import InputError, read_input
from lacolle.commands.voice import Voice
from lacolle.commands.witnessed import read_policy
from schemas.bilingual import Bilingual

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection


def add_to(app: typer.Typer) -> None:
    """Add the group of commands."""
    group = typer.Typer(help="The exchange log.", no_args_is_help=True)
    group.command("verify")(framed(verify))
    app.add_typer(group, name="log")


def verify(
    *,
    voice: Voice,
    log_key: LogKey,
    url: Annotated[
        str | None, typer.Option("--url", envvar="LACOLLE_URL", help="A running exchange, read over HTTP.")
    ] = None,
    database: Annotated[
        str | None,
        typer.Option("--database", help="The exchange's database: postgresql://role@host/database, or a SQLite file."),
    ] = None,
    password_file: PasswordFile = None,
    tls: DatabaseTls = None,
    database_ca_file: DatabaseAuthorities = None,
    ca_file: Annotated[
        Path | None,
        typer.Option("--ca-file", envvar="LACOLLE_CA_FILE", help="Certificate authority of the exchange (PEM)."),
    ] = None,
    known: Annotated[
        Path | None, typer.Option("--known", help="A checkpoint kept from earlier, which the log must continue.")
    ] = None,
    witness_policy: Annotated[
        Path | None,
        typer.Option("--witness-policy", help="Who must have cosigned: a YAML file, as docs/witnesses.md shows."),
    ] = None,
) -> None:
    """Recompute every entry, every tile and every root, and check the signatures. Nobody needs to be trusted for it."""
    if url is None and database is None:
        raise InputError(_ONE_SOURCE)
    earlier = None if known is None else read_input(known)
    demanded = _Demanded(log_key, earlier, None if witness_policy is None else read_policy(witness_policy))
    with _watched(voice) as progress:
        if database is not None:
            named = Database(database, password_file, tls, database_ca_file)
            log = asyncio.run(_from_database(named, demanded, progress))
        else:
            log = asyncio.run(_from_exchange(url or "", ca_file, demanded, progress))
    voice.answer(
        {
            "verified": True,
            "origin": log.origin,
            "log_size": log.size,
            "root": log.root.hex(),
            "signed_size": log.signed_size,
            "checkpoints": log.checkpoints,
            "cosigned_size": log.cosigned_size,
            "cosigned_by": [{"witness": each.name, "time": each.time} for each in log.cosigned],
        },
        [
            Bilingual(
                fr=f"Le journal {log.origin} est vérifié : {log.size} inscriptions, racine {log.root.hex()}.",
                en=f"The log {log.origin} verifies: {log.size} entries, root {log.root.hex()}.",
            ),
            Bilingual(
                fr=f"Signatures : {log.checkpoints} points de contrôle, le dernier à {log.signed_size} inscriptions.",
                en=f"Signatures: {log.checkpoints} checkpoints, the last for {log.signed_size} entries.",
            ),
            *(_cosigned(each, log.cosigned_size) for each in log.cosigned),
        ],
    )


@dataclass(frozen=True, slots=True)
class _Demanded:
    """What a log must be: signed by a key, continuing a checkpoint that is known, cosigned as a policy says."""

    log_key: str
    known: bytes | None
    policy: WitnessPolicy | None


def _cosigned(given: Cosignature, size: int) -> Bilingual:
    at = datetime.fromtimestamp(given.time, tz=UTC).isoformat()
    return Bilingual(
        fr=f"Cosigné par {given.name} le {at} : {size} inscriptions.",
        en=f"Cosigned by {given.name} at {at}: {size} entries.",
    )


async def _from_database(database: Database, demanded: _Demanded, progress: Report) -> VerifiedLog:
    from sqlalchemy.exc import DatabaseError  # noqa: PLC0415 - verifying over HTTP needs no database

    from gateway.store.schema import current_revision  # noqa: PLC0415 - verifying over HTTP needs no database

    store = database.open()
    try:
        if store.shared:
            await current_revision(store.reader)  # says in words why a server can't be reached
        async with store.reading() as connection:
            return await verify_database(
                connection,
                vkey=demanded.log_key,
                progress=progress,
                known=demanded.known,
                policy=demanded.policy,
                sharing=Sharing(len(os.sched_getaffinity(0)), partial(_reading, database)),
            )
    except DatabaseError:
        raise InputError(NO_DATABASE) from None
    finally:
        await store.close()


@asynccontextmanager
async def _reading(database: Database) -> AsyncIterator[AsyncConnection]:
    """Open a database in a process that takes part in the work."""
    store = database.open()
    try:
        async with store.reading() as connection:
            yield connection
    finally:
        await store.close()


async def _from_exchange(url: str, ca_file: Path | None, demanded: _Demanded, progress: Report) -> VerifiedLog:
    async with fetching(f"{url.rstrip('/')}/log", ca_file=ca_file) as fetch:
        return await verify_remote(
            fetch, vkey=demanded.log_key, progress=progress, known=demanded.known, policy=demanded.policy
        )


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
        task = progress.add_task(voice.words(_VERIFYING), total=None)

        def report(done: int, total: int) -> None:
            progress.update(task, completed=done, total=total)

        yield report


_VERIFYING: Final = Bilingual(fr="vérification", en="verifying")
_ONE_SOURCE: Final = Bilingual(
    fr="Indiquez une source : --url d'une plateforme en marche, ou --database.",
    en="Name one source: --url of a running exchange, or --database.",
)
