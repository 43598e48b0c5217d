"""``lacolle decision replay``: make a past decision again and compare it, byte for byte, with what the log says."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from lacolle.commands.databases import (
    NO_DATABASE,
    Database,
    DatabaseAuthorities,
    DatabaseTls,
    ExchangeFolder,
    PasswordFile,
    database_of,
)
from lacolle.commands.frame import framed
from lacolle.commands.inputs import InputError
from lacolle.commands.voice import Voice
from lacolle.contents import contents_of
from schemas.bilingual import Bilingual
from schemas.ids import AlertId

if TYPE_CHECKING:
    from gateway.simulation.replaying import Difference, Replay


def add_to(app: typer.Typer) -> None:
    """Add the group of commands."""
    group = typer.Typer(help="The decisions of an exchange.", no_args_is_help=True)

    @group.callback()
    def _decision() -> None:
        """Keep ``replay`` a command of its group, alone as it is."""

    group.command("replay")(framed(replay))
    app.add_typer(group, name="decision")


def replay(
    *,
    voice: Voice,
    alert_id: Annotated[str, typer.Argument(help="The exchange's id of the alert.")],
    exchange: ExchangeFolder,
    database: Annotated[
        str | None,
        typer.Option("--database", help="Another database than the folder's: postgresql://role@host/database."),
    ] = None,
    password_file: PasswordFile = None,
    tls: DatabaseTls = None,
    database_ca_file: DatabaseAuthorities = None,
) -> None:
    """Decide a past alert anew with the agreements of its time, and compare. Nothing is written."""
    named = database_of(exchange)
    if database is not None:
        named = Database(database, password_file, tls, database_ca_file)
    told = asyncio.run(_replayed(named, exchange, AlertId(alert_id)))
    voice.answer(_document(told), _lines(told))
    if not (told.same_inputs and told.same_decisions):
        raise typer.Exit(1)


async def _replayed(database: Database, exchange: Path, alert_id: AlertId) -> Replay:
    # the other commands start without a database's drivers
    from sqlalchemy.exc import DatabaseError  # noqa: PLC0415 - as above

    from gateway.settings.exchange import read_settings  # noqa: PLC0415 - as above
    from gateway.simulation import replaying  # noqa: PLC0415 - as above
    from lacolle.folder import SETTINGS, read_jurisdictions  # noqa: PLC0415 - as above

    settings = read_settings(exchange / SETTINGS, os.environ)
    jurisdictions = read_jurisdictions(exchange / settings.files.jurisdictions)
    contents = contents_of(settings, exchange)
    store = database.open()
    try:
        return await replaying.replay(store, contents, alert_id, jurisdictions)
    except DatabaseError:
        raise InputError(NO_DATABASE) from None
    finally:
        await store.close()


def _document(told: Replay) -> dict[str, Any]:
    return {
        "alert_id": told.alert_id,
        "decided_at": told.logged.content()["decided_at"],
        "registry_version": told.logged.registry_version,
        "inputs": _compared(told.logged.inputs_digest, told.anew.inputs_digest, same=told.same_inputs),
        "decisions": _compared(told.logged.decisions_digest, told.anew.decisions_digest, same=told.same_decisions),
        "differences": [
            {"participant": each.recipient, "logged": _words(each.logged), "anew": _words(each.anew)}
            for each in told.differences
        ],
    }


def _compared(logged: str, anew: str, *, same: bool) -> dict[str, Any]:
    return {"same": same, "logged": f"sha-256:{logged}", "anew": f"sha-256:{anew}"}


def _words(told: Bilingual | None) -> dict[str, str] | None:
    return None if told is None else {"fr": told.fr, "en": told.en}


def _lines(told: Replay) -> Iterator[Bilingual | str]:
    content = told.logged.content()
    yield Bilingual(
        fr=f"Alerte {told.alert_id}, décidée le {content['decided_at']}, registre à la version "
        f"{told.logged.registry_version} :",
        en=f"Alert {told.alert_id}, decided {content['decided_at']}, registry at version "
        f"{told.logged.registry_version}:",
    )
    yield _INPUTS[told.same_inputs]
    yield f"    {told.anew.content()['inputs_digest']}"
    yield _DECISIONS[told.same_decisions]
    yield f"    {told.anew.content()['decisions_digest']}"
    for each in told.differences:
        yield from _difference(each)


def _difference(each: Difference) -> Iterator[Bilingual | str]:
    logged, anew = each.logged or _NOTHING, each.anew or _NOTHING
    yield f"  {each.recipient}"
    yield Bilingual(fr=f"    au journal : {logged.fr}", en=f"    logged: {logged.en}")
    yield Bilingual(fr=f"    de nouveau : {anew.fr}", en=f"    anew: {anew.en}")


_NOTHING: Final = Bilingual(fr="aucune décision", en="no decision")
_INPUTS: Final = {
    True: Bilingual(fr="  ✓ elle repose sur les mêmes données qu'alors", en="  ✓ it rests on the same inputs as then"),
    False: Bilingual(
        fr="  ✗ les données conservées ne sont pas celles qui ont servi alors (alerte, ententes, destinataires, fil)",
        en="  ✗ what is stored is not what it was decided from (alert, agreements, recipients, thread)",
    ),
}
_DECISIONS: Final = {
    True: Bilingual(
        fr="  ✓ les décisions sont les mêmes, octet pour octet", en="  ✓ the decisions are the same, byte for byte"
    ),
    False: Bilingual(
        fr="  ✗ les décisions ne sont pas celles que le journal énonce",
        en="  ✗ the decisions are not those that the log states",
    ),
}
