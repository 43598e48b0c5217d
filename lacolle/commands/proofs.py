"""``lacolle audit prove``, ``watch``: one entry proven in a file of its own, and a log held to its past."""

from __future__ import annotations

import asyncio
import base64
from pathlib import Path
from typing import Annotated, Final

import typer

from audit.durable import replace_file
from audit.errors import AuditError
from audit.logproof import LogProof
from audit.note import Verifier
from lacolle.client.entries import EntryPage
from lacolle.client.public import fetching
from lacolle.client.watching import Fetch, Seen, look, opened
from lacolle.commands.auditing import LogKey, WhyOption
from lacolle.commands.entry_pages import caption_of
from lacolle.commands.frame import Connection, framed
from lacolle.commands.inputs import InputError, read_input
from lacolle.commands.voice import Voice
from lacolle.errors import ExchangeUnreachableError, HistoryRewrittenError, UnexpectedAnswerError
from schemas.bilingual import Bilingual
from schemas.signing.canonical import canonical_bytes


def add_to(group: typer.Typer) -> None:
    """Add the commands to the group ``audit``."""
    group.command()(framed(prove))
    group.command()(framed(watch))


def prove(
    *,
    voice: Voice,
    connection: Connection,
    index: Annotated[int, typer.Argument(min=0, help="The entry's place in the log.")],
    justification: WhyOption,
    log_key: LogKey,
    out: Annotated[Path, typer.Option("--out", help="The file to write (c2sp.org/tlog-proof@v1).")],
) -> None:
    """Save one entry with its proof and the signed checkpoint: the log's key alone verifies it."""
    before = index - 1 if index else None
    with connection.client() as client:
        page = client.log_entries({}, justification=justification, after=before, limit=1, log_key=log_key)
    if not page.entries or page.entries[0].index != index:
        raise InputError(NOT_THERE)
    proof = _proof(page)
    log = Verifier.from_vkey(log_key)
    proof.verify_opened(log=log)
    try:
        out.write_bytes(proof.text)
    except OSError:
        raise InputError(_not_written(out)) from None
    tell_proven(voice, out, proof, log)


def tell_proven(voice: Voice, file: Path, proof: LogProof, log: Verifier) -> None:
    """Say what a proof proves. Raises ``AuditError`` where it does not."""
    entry, body, _ = proof.verify_opened(log=log)
    whole = entry.model_dump(mode="json")
    document = {"verified": True, "file": str(file), "log_size": body.size, "index": proof.index, "entry": whole}
    told = Bilingual(
        fr=f"L'inscription {entry.index} est au journal {body.origin} de {body.size} inscriptions, telle quelle :",
        en=f"Entry {entry.index} is in the log {body.origin} of {body.size} entries, as it stands here:",
    )
    voice.answer(document, [told, caption_of(str(entry.kind)), voice.json_text(whole)])


def watch(
    *,
    voice: Voice,
    log_key: LogKey,
    url: Annotated[str, typer.Option("--url", envvar="LACOLLE_URL", help="The exchange's address.")],
    known: Annotated[
        Path, typer.Option("--known", help="The file that keeps the last checkpoint; made the first time.")
    ],
    every: Annotated[float, typer.Option(min=0.1, help="Seconds between two looks.")] = 60.0,
    once: Annotated[bool, typer.Option("--once", help="Look once and end.")] = False,
    ca_file: Annotated[
        Path | None,
        typer.Option("--ca-file", envvar="LACOLLE_CA_FILE", help="Certificate authority of the exchange (PEM)."),
    ] = None,
) -> None:
    """Hold the log to what it said before, again and again; end with status 1 once its past was rewritten.

    An exchange that does not answer is asked again. A checkpoint that contradicts the one that was kept is kept, too;
    one of a smaller log that is its beginning only lags, and is told of.
    """
    log = Verifier.from_vkey(log_key)
    watching = _Watching(voice, log, known, _kept(known, log) if known.exists() else None)
    asyncio.run(watching.run(url.rstrip("/"), every=None if once else every, ca_file=ca_file))


def _kept(known: Path, log: Verifier) -> Seen:
    """Return what was kept. Raises ``InputError``: that a file was damaged is no sign of what the log did."""
    try:
        return opened(read_input(known), log)
    except AuditError:
        raise InputError(_not_kept(known)) from None


class _Watching:
    """A log that is looked at, and the file of what it said last."""

    def __init__(self, voice: Voice, log: Verifier, known: Path, kept: Seen | None) -> None:
        self._voice = voice
        self._log = log
        self._known = known
        self._kept = kept

    async def run(self, url: str, *, every: float | None, ca_file: Path | None) -> None:
        """Look every so many seconds; once, where there is no such number."""
        async with fetching(url, ca_file=ca_file) as fetch:
            if every is None:
                await self._look(fetch)
                return
            while True:
                try:
                    await self._look(fetch)
                except (ExchangeUnreachableError, UnexpectedAnswerError) as error:
                    self._voice.complain(error)
                await asyncio.sleep(every)

    async def _look(self, fetch: Fetch) -> None:
        try:
            seen = await look(fetch, self._log, self._kept)
        except HistoryRewrittenError as error:
            if error.note is not None:
                self._voice.mention(_evidence(evidence := self._known.with_name(f"{self._known.name}.contradiction")))
                _write(evidence, error.note)
            raise
        if self._kept is not None and seen.lags:
            _tell_lag(self._voice, seen, kept=self._kept)
            return
        if self._kept is not None and seen.note == self._kept.note:
            return
        _write(self._known, seen.note)
        self._kept = seen
        _tell(self._voice, seen)


def _write(file: Path, note: bytes) -> None:
    try:
        replace_file(file, note)
    except OSError:
        raise InputError(_not_written(file)) from None


def _tell(voice: Voice, seen: Seen) -> None:
    body = seen.body
    told = Bilingual(
        fr=f"{body.size} inscriptions, racine {body.root.hex()[:16]}… : le journal continue ce qui était connu.",
        en=f"{body.size} entries, root {body.root.hex()[:16]}…: the log continues what was known.",
    )
    voice.answer({"consistent": True, "origin": body.origin, "size": body.size, "root": body.root.hex()}, [told])


def _tell_lag(voice: Voice, seen: Seen, *, kept: Seen) -> None:
    body, known = seen.body, kept.body.size
    told = Bilingual(
        fr=f"{body.size} inscriptions : en retard sur les {known} qui étaient connues, dont elles sont le début. Une "
        "passerelle retarde peut-être sur les autres; ce qui est conservé le reste.",
        en=f"{body.size} entries: behind the {known} that were known, of which they are the beginning. A gateway may "
        "lag behind the others; what was kept is kept.",
    )
    document = {"consistent": True, "lags": True, "origin": body.origin, "size": body.size, "known_size": known}
    voice.answer(document, [told])


def _proof(page: EntryPage) -> LogProof:
    shown = page.entries[0]
    return LogProof(
        index=shown.index,
        proof=tuple(base64.b64decode(each) for each in shown.proof),
        checkpoint=page.checkpoint.encode(),
        extra=bytes.fromhex(shown.salt) + canonical_bytes(shown.entry),
    )


NOT_THERE: Final = Bilingual(
    fr="Le journal n'a pas d'inscription à cette place, ou votre administration n'y est pas partie.",
    en="The log has no entry at that place, or your jurisdiction is no party to it.",
)


def _evidence(file: Path) -> Bilingual:
    return Bilingual(
        fr=f"Le point de contrôle qui contredit celui qui était conservé est dans {file}.",
        en=f"The checkpoint that contradicts the one that was kept is in {file}.",
    )


def _not_kept(file: Path) -> Bilingual:
    return Bilingual(
        fr=f"{file} ne contient pas de point de contrôle de ce journal : vérifiez la clé, ou rétablissez le fichier.",
        en=f"{file} holds no checkpoint of this log: check the key, or put the file back.",
    )


def _not_written(file: Path) -> Bilingual:
    return Bilingual(
        fr=f"{file} ne peut être écrit : choisissez un autre endroit.",
        en=f"{file} can't be written: choose another place.",
    )
