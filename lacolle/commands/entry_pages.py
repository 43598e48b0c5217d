"""Entries of the log for a person: a table, whether they are proven, and what to ask for more."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from audit.kinds import KINDS, Kind
from gateway.store.decisions import in_words
from lacolle.client.entries import EntryPage, ShownEntry
from lacolle.commands.voice import Voice
from schemas.bilingual import Bilingual


def print_page(page: EntryPage, voice: Voice, *, believed: bool) -> None:
    """Say what came of a question; ``believed`` says that the checkpoint's signature was verified."""
    if voice.as_json:
        voice.answer(page.model_dump(mode="json"), ())
        return
    console = Console(
        highlight=False, markup=False, emoji=False
    )  # others' words are text, and no commands to a terminal
    if page.entries:
        table = Table()
        for head, least, most in zip(_HEADS, (None, None, _UUID), (None, _CAPTION, None), strict=True):
            table.add_column(voice.words(head), overflow="fold", min_width=least, max_width=most)
        for row in _rows(page.entries, voice):
            table.add_row(*row)
        console.print(table)
    else:
        console.print(voice.words(_NOTHING))
    console.print(voice.words(believed_words(page, believed=believed)), soft_wrap=True)
    if page.next is not None:
        console.print(voice.words(_more(page.next)), soft_wrap=True)


def _rows(entries: Iterable[ShownEntry], voice: Voice) -> Iterable[tuple[str, ...]]:
    for each in entries:
        entry = each.told
        time = str(entry["time"]).replace("T", " ")[:19]
        what = f"{voice.words(caption_of(str(entry['kind'])))}\n{time}"
        yield str(each.index), what, "\n".join((*_details(entry, voice), *withheld_words(each, voice)))


def _details(entry: Mapping[str, Any], voice: Voice) -> Iterable[str]:
    """Yield who did it to whom, under what, about which alert, and what else is worth a line."""
    content = entry["content"]
    about = content.get("recipient") or content.get("participant") or ""
    actors = [each for each in (entry["actor"], about) if each]
    yield from [" → ".join(dict.fromkeys(actors))] if actors else []
    yield from (each for each in (content.get("clause") or entry["agreement"], entry["alert_id"]) if each)
    yield from _notes(content, voice)


def _notes(content: Mapping[str, Any], voice: Voice) -> Iterable[str]:
    """Yield what else is worth a line: why something was withheld, what was answered, why somebody looked."""
    for denial in content.get("withheld", ()):
        yield f"{denial['recipient']}: {in_words(denial['reason'])[voice.language]}"
    for name in ("status", "detail", "deadline", "justification", "identifier", "reference"):
        if content.get(name):
            yield str(content[name])
    text = content.get("filters", {}).get("text")
    yield from (f"text: {text}",) if text else ()


def withheld_words(shown: ShownEntry, voice: Voice) -> Iterable[str]:
    """Yield that something of an entry is gone, or can't be read."""
    if shown.withheld in _GONE:
        yield voice.words(_GONE[shown.withheld])


def caption_of(kind: str) -> Bilingual:
    """Return the words for a kind of entry; of one that this program does not know, its name."""
    return KINDS[Kind(kind)].caption if kind in set(Kind) else Bilingual(fr=kind, en=kind)


def believed_words(page: EntryPage, *, believed: bool) -> Bilingual:
    """Return what the entries of a page are worth."""
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


_GONE: Final = {
    "erased": Bilingual(
        fr="(ce que l'inscription tait a été effacé : seules ses empreintes restent)",
        en="(what the entry withholds was erased: only its digests are left)",
    ),
    "unreadable": Bilingual(
        fr="(ce que l'inscription tait ne peut être lu : altéré, ou sa clé perdue)",
        en="(what the entry withholds can't be read: altered, or its key lost)",
    ),
}
_NOTHING: Final = Bilingual(fr="Rien de tel.", en="Nothing of the kind.")
_UUID: Final = 36
"""Characters of an alert's id, which is to be copied from one line."""
_CAPTION: Final = 24
_HEADS: Final = (
    Bilingual(fr="n°", en="index"),
    Bilingual(fr="quoi, quand (UTC)", en="what, when (UTC)"),
    Bilingual(fr="qui, selon quoi, pourquoi", en="who, under what, why"),
)
