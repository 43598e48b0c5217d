"""``lacolle audit query``, ``show``: the log as an auditor reads it, each entry proven before it is shown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Final

import orjson
import typer
from rich.console import Console
from rich.table import Table

from audit.entry import KINDS, Kind
from lacolle.client.entries import EntryPage, ShownEntry
from lacolle.commands import exports
from lacolle.commands.auditing import (
    AboutOption,
    AgreementOption,
    AlertOption,
    ClauseOption,
    JurisdictionOption,
    KindOption,
    LogKeyOption,
    SinceOption,
    TextOption,
    TypeOption,
    UntilOption,
    WhyOption,
)
from lacolle.commands.frame import Connection, framed
from lacolle.commands.inputs import InputError
from lacolle.commands.voice import Voice
from schemas.bilingual import Bilingual


def add_to(app: typer.Typer) -> None:
    """Add the group ``audit`` to the command."""
    group = typer.Typer(help="The log as auditors ask it.", no_args_is_help=True)
    group.command()(framed(query))
    group.command()(framed(show))
    exports.add_to(group)
    app.add_typer(group, name="audit")


def query(
    *,
    voice: Voice,
    connection: Connection,
    justification: WhyOption,
    kind: KindOption = "",
    jurisdiction: JurisdictionOption = "",
    about: AboutOption = "",
    agreement: AgreementOption = "",
    clause: ClauseOption = "",
    alert_id: AlertOption = "",
    alert_type: TypeOption = "",
    text: TextOption = "",
    since: SinceOption = "",
    until: UntilOption = "",
    after: Annotated[int | None, typer.Option(min=0, help="Entries after this index: the next page.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=200, help="Entries at most.")] = 50,
    log_key: LogKeyOption = None,
) -> None:
    """Find entries that have all that is asked for, oldest first. Each is held against the signed checkpoint."""
    filters = {
        "kind": kind,
        "jurisdiction": jurisdiction,
        "participant": about,
        "agreement": agreement,
        "clause": clause,
        "alert_id": alert_id,
        "type": alert_type,
        "text": text,
        "from": since,
        "until": until,
    }
    given = {name: value for name, value in filters.items() if value}
    with connection.client() as client:
        page = client.log_entries(given, justification=justification, after=after, limit=limit, log_key=log_key)
    if voice.as_json:
        voice.answer(page.model_dump(mode="json"), ())
        return
    _print(page, voice, believed=log_key is not None)


def show(
    *,
    voice: Voice,
    connection: Connection,
    index: Annotated[int, typer.Argument(min=0, help="The entry's place in the log.")],
    justification: WhyOption,
    log_key: LogKeyOption = None,
) -> None:
    """Show one entry whole, proven."""
    before = index - 1 if index else None
    with connection.client() as client:
        page = client.log_entries({}, justification=justification, after=before, limit=1, log_key=log_key)
    if not page.entries or page.entries[0].index != index:
        raise InputError(_NOT_THERE)
    shown = page.entries[0]
    caption = _caption(str(shown.entry["kind"]))
    voice.answer(
        shown.model_dump(mode="json"),
        [caption, orjson.dumps(shown.entry, option=orjson.OPT_INDENT_2).decode(), _believed(page, log_key is not None)],
    )


def _print(page: EntryPage, voice: Voice, *, believed: bool) -> None:
    console = Console(highlight=False)
    if page.entries:
        table = Table()
        for head in _HEADS:
            table.add_column(voice.words(head), overflow="fold")
        for row in _rows(page.entries, voice):
            table.add_row(*row)
        console.print(table)
    else:
        console.print(voice.words(_NOTHING))
    console.print(voice.words(_believed(page, believed)), soft_wrap=True)
    if page.next is not None:
        console.print(voice.words(_more(page.next)), soft_wrap=True)


def _rows(entries: Iterable[ShownEntry], voice: Voice) -> Iterable[tuple[str, ...]]:
    for each in entries:
        entry: Mapping[str, Any] = each.entry
        content = entry["content"]
        about = content.get("recipient") or content.get("participant") or ""
        yield (
            str(each.index),
            str(entry["time"]),
            voice.words(_caption(str(entry["kind"]))),
            entry["actor"] or "",
            about,
            content.get("clause") or entry["agreement"] or "",
            entry["alert_id"] or "",
        )


def _caption(kind: str) -> Bilingual:
    """Return the words for a kind of entry; of one that this program does not know, its name."""
    return KINDS[Kind(kind)].caption if kind in set(Kind) else Bilingual(fr=kind, en=kind)


def _believed(page: EntryPage, believed: bool) -> Bilingual:  # noqa: FBT001 - the one fact that it says
    if believed:
        return Bilingual(
            fr=f"Chaque inscription est prouvée sous le point de contrôle signé de {page.size} inscriptions; votre "
            f"consultation est l'inscription {page.log_index}.",
            en=f"Each entry is proven under the signed checkpoint of {page.size} entries; your query is entry "
            f"{page.log_index}.",
        )
    return Bilingual(
        fr=f"Chaque inscription est prouvée sous le point de contrôle reçu ({page.size} inscriptions), dont la "
        f"signature n'a pas été vérifiée : donnez --log-key. Votre consultation est l'inscription {page.log_index}.",
        en=f"Each entry is proven under the checkpoint that was received ({page.size} entries), whose signature was "
        f"not verified: give --log-key. Your query is entry {page.log_index}.",
    )


def _more(after: int) -> Bilingual:
    return Bilingual(fr=f"La suite : --after {after}", en=f"More: --after {after}")


_NOTHING: Final = Bilingual(fr="Rien de tel.", en="Nothing of the kind.")
_NOT_THERE: Final = Bilingual(
    fr="Le journal n'a pas d'inscription à cette place, ou votre administration n'y est pas partie.",
    en="The log has no entry at that place, or your jurisdiction is no party to it.",
)
_HEADS: Final = (
    Bilingual(fr="n°", en="index"),
    Bilingual(fr="instant", en="time"),
    Bilingual(fr="genre", en="kind"),
    Bilingual(fr="de", en="by"),
    Bilingual(fr="concernant", en="about"),
    Bilingual(fr="selon", en="under"),
    Bilingual(fr="alerte", en="alert"),
)
