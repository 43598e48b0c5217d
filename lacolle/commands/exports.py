"""``lacolle audit export``, ``accounting``, ``verify``: the log as a file, and what such a file is worth."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeElapsedColumn

from audit.exporting.formats import Format
from audit.logproof import LogProof, is_proof
from audit.note import Verifier
from gateway.inquiry.reports import Report
from lacolle.client.exports import VerifiedExport, Watch, verify_export
from lacolle.client.trust import read_key_set
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
    ToOption,
    TypeOption,
    UntilOption,
    WhyOption,
    given,
)
from lacolle.commands.frame import Connection, framed
from lacolle.commands.inputs import InputError, read_input
from lacolle.commands.proofs import tell_proven
from lacolle.commands.voice import Voice
from schemas.bilingual import Bilingual
from schemas.ids import KeyId
from schemas.signing.keys import PublicKey

OutOption = Annotated[Path, typer.Option("--out", help="The archive to write (ZIP).")]
FormatOption = Annotated[Format, typer.Option("--format", help="How the rows are written.")]


def add_to(group: typer.Typer) -> None:
    """Add the commands to the group ``audit``."""
    group.command()(framed(export))
    group.command()(framed(accounting))
    group.command()(framed(verify))


def export(
    *,
    voice: Voice,
    connection: Connection,
    justification: WhyOption,
    out: OutOption,
    form: FormatOption = Format.NDJSON,
    kind: KindOption = "",
    jurisdiction: JurisdictionOption = "",
    about: AboutOption = "",
    agreement: AgreementOption = "",
    clause: ClauseOption = "",
    alert_id: AlertOption = "",
    alert_type: TypeOption = "",
    to: ToOption = "",
    text: TextOption = "",
    since: SinceOption = "",
    until: UntilOption = "",
    log_key: LogKeyOption = None,
) -> None:
    """Save every entry that has all that is asked for, with a manifest that the exchange signed, and verify it."""
    filters = {
        "kind": kind,
        "jurisdiction": jurisdiction,
        "participant": about,
        "agreement": agreement,
        "clause": clause,
        "alert_id": alert_id,
        "type": alert_type,
        "to": to,
        "text": text,
        "from": since,
        "until": until,
    }
    asked = _asked(Report.ENTRIES, form, filters)
    _save(connection, voice, out, asked, justification=justification, log_key=log_key)


def accounting(
    *,
    voice: Voice,
    connection: Connection,
    justification: WhyOption,
    out: OutOption,
    form: FormatOption = Format.CSV,
    about: AboutOption = "",
    agreement: AgreementOption = "",
    alert_id: AlertOption = "",
    alert_type: TypeOption = "",
    since: SinceOption = "",
    until: UntilOption = "",
    log_key: LogKeyOption = None,
) -> None:
    """Save the accounting of disclosures: what about persons went to whom, when, for what purpose, on what basis."""
    filters = {
        "participant": about,
        "agreement": agreement,
        "alert_id": alert_id,
        "type": alert_type,
        "from": since,
        "until": until,
    }
    asked = _asked(Report.DISCLOSURES, form, filters)
    _save(connection, voice, out, asked, justification=justification, log_key=log_key)


def verify(
    *,
    voice: Voice,
    file: Annotated[Path, typer.Argument(help="An archive of export or accounting, or a proof of prove.")],
    exchange_keys: Annotated[
        Path | None,
        typer.Option(
            "--exchange-keys",
            envvar="LACOLLE_EXCHANGE_KEYS",
            help="The exchange's keys, as pinned (JWK Set); an archive needs them.",
        ),
    ] = None,
    log_key: LogKeyOption = None,
) -> None:
    """Verify offline what was saved: who signed it, that nothing in it was changed, and that it is the log's."""
    if is_proof(_beginning(file)):
        if log_key is None:
            raise InputError(_NEEDS_LOG_KEY)
        tell_proven(voice, file, LogProof.parse(read_input(file)), Verifier.from_vkey(log_key))
        return
    if exchange_keys is None:
        raise InputError(_NEEDS_KEYS)
    _tell(voice, file, _verified(voice, file, read_key_set(exchange_keys), log_key), log_key)


def _asked(report: Report, form: Format, filters: Mapping[str, str]) -> tuple[Report, Format, Mapping[str, str]]:
    return report, form, given(filters)


def _save(
    connection: Connection,
    voice: Voice,
    out: Path,
    asked: tuple[Report, Format, Mapping[str, str]],
    *,
    justification: str,
    log_key: str | None,
) -> None:
    report, form, filters = asked
    with connection.client() as client:
        keys = client.exchange_keys()
        try:
            client.export_log(filters, out, report=report, form=form, justification=justification)
        except OSError:
            raise InputError(_not_writable(out)) from None
    _tell(voice, out, _verified(voice, out, keys, log_key), log_key)


def _verified(voice: Voice, archive: Path, keys: Mapping[KeyId, PublicKey], log_key: str | None) -> VerifiedExport:
    log = None if log_key is None else Verifier.from_vkey(log_key)
    with _watched(voice) as watch:
        return verify_export(archive, keys=keys, log=log, watch=watch)


def _tell(voice: Voice, archive: Path, verified: VerifiedExport, log_key: str | None) -> None:
    manifest = verified.manifest
    document: dict[str, Any] = {
        "verified": True,
        "archive": str(archive),
        "held": verified.held,
        "log_signature_verified": log_key is not None,
        "manifest": manifest.model_dump(mode="json"),
    }
    voice.answer(document, [_what(archive, manifest.file, manifest.rows), _worth(verified), _logged(verified)])


def _what(archive: Path, file: str, rows: int) -> Bilingual:
    return Bilingual(
        fr=f"{archive} : {file}, {rows} lignes, signé par la plateforme.",
        en=f"{archive}: {file}, {rows} rows, signed by the exchange.",
    )


def _worth(verified: VerifiedExport) -> Bilingual:
    manifest = verified.manifest
    if verified.held:
        return Bilingual(
            fr=f"Chacune des {verified.held} inscriptions correspond à son engagement public; journal "
            f"{manifest.log_origin}, {manifest.log_size} inscriptions.",
            en=f"Each of the {verified.held} entries makes its public commitment; log {manifest.log_origin}, "
            f"{manifest.log_size} entries.",
        )
    return Bilingual(
        fr=f"Rien n'y a été changé depuis; journal {manifest.log_origin}, {manifest.log_size} inscriptions.",
        en=f"Nothing in it was changed since; log {manifest.log_origin}, {manifest.log_size} entries.",
    )


def _logged(verified: VerifiedExport) -> Bilingual:
    begun, ended = verified.manifest.begun, verified.manifest.ended
    return Bilingual(
        fr=f"Cette exportation est au journal : inscriptions {begun} et {ended}.",
        en=f"This export is in the log: entries {begun} and {ended}.",
    )


@contextmanager
def _watched(voice: Voice) -> Iterator[Watch]:
    """Yield what shows how far verifying is, on standard error, where a person watches."""
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=voice.as_json) as progress:
        task = progress.add_task(voice.words(_VERIFYING), total=None)

        def report(done: int, total: int) -> None:
            progress.update(task, completed=done, total=total)

        yield report


def _beginning(file: Path) -> bytes:
    """Return the first bytes of a file, which may be a large one."""
    try:
        with file.open("rb") as opened:
            return opened.read(64)
    except OSError:
        raise InputError(_not_readable(file)) from None


def _not_readable(file: Path) -> Bilingual:
    return Bilingual(fr=f"{file} ne peut être lu.", en=f"{file} can't be read.")


def _not_writable(out: Path) -> Bilingual:
    return Bilingual(
        fr=f"{out} ne peut être écrit : choisissez un autre endroit avec --out.",
        en=f"{out} can't be written: choose another place with --out.",
    )


_VERIFYING: Final = Bilingual(fr="vérification", en="verifying")
_NEEDS_KEYS: Final = Bilingual(
    fr="Indiquez les clés de la plateforme, telles que vous les connaissez : --exchange-keys.",
    en="Name the exchange's keys, as you know them: --exchange-keys.",
)
_NEEDS_LOG_KEY: Final = Bilingual(
    fr="Une preuve se vérifie avec la clé du journal : --log-key.",
    en="A proof is verified with the log's key: --log-key.",
)
