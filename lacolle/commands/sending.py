"""``lacolle sign``, ``send``, ``preview``, ``status``, ``ack``: what an agency does with alerts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final

import typer

from lacolle.client import Accepted
from lacolle.client.submissions import SubmissionForm, signed_submission
from lacolle.client.surroundings import MACHINE
from lacolle.commands import told
from lacolle.commands.frame import Connection, KeyOption, ParticipantOption, framed
from lacolle.commands.inputs import InputError, alert_files, read_alert, write_output
from lacolle.commands.voice import Voice
from lacolle.keyfiles import load_key_file
from schemas.bilingual import Bilingual
from schemas.evidence import AcknowledgementStatus

FileArgument = Annotated[
    Path | None, typer.Argument(help="An alert in its native form, or one signed before; - is standard input.")
]
FilesArgument = Annotated[
    list[Path] | None,
    typer.Argument(help="Alerts in their native form, or signed before; a folder stands for those in it."),
]
FormOption = Annotated[
    SubmissionForm | None,
    typer.Option(
        "--form",
        show_default="sd-jwt where the type has fields about persons, else jose",
        help="How to sign: as a whole (jose), or so that fields can be left out under your signature (sd-jwt).",
    ),
]
CapOption = Annotated[Path | None, typer.Option("--cap", help="A CAP 1.2 file to send instead.")]

_NOT_NATIVE: Final = Bilingual(
    fr="Ce n'est pas une alerte sous sa forme native (un objet JSON) : si elle est déjà signée, "
    "« lacolle send » l'envoie.",
    en="This is no alert in its native form (a JSON object): if it is signed already, “lacolle send” sends it.",
)


def add_to(app: typer.Typer) -> None:
    """Add this module's commands to an application."""
    for command in (sign, send, preview, status, ack):
        app.command()(framed(command))


def sign(
    *,
    voice: Voice,
    participant: ParticipantOption,
    key: KeyOption,
    file: FileArgument = None,
    cap: CapOption = None,
    form: FormOption = None,
    out: Annotated[Path | None, typer.Option("--out", help="Where to write it, instead of standard output.")] = None,
) -> None:
    """Check an alert and sign it; what comes out can be sent within five minutes."""
    alert = read_alert(file, cap=cap, participant=participant)
    if isinstance(alert, bytes):
        raise InputError(_NOT_NATIVE)
    submission = signed_submission(
        alert, form=form, key=load_key_file(key), now=MACHINE.now(), randomness=MACHINE.randomness
    )
    if out is not None:
        write_output(out, submission)
    voice.answer({"submission": submission.decode("ascii")}, [] if out is not None else [submission.decode("ascii")])


def send(
    *,
    voice: Voice,
    connection: Connection,
    files: FilesArgument = None,
    cap: CapOption = None,
    form: FormOption = None,
    receipt: Annotated[
        Path | None,
        typer.Option("--receipt", help="Where to keep the signed receipt; a folder for those of several alerts."),
    ] = None,
) -> None:
    """Send alerts to the exchange, and check the receipts it answers with. Sending twice makes no second alert."""
    named = alert_files(files or ())
    if len(named) > 1 and cap is None:
        _send_together(voice, connection, named, form=form, receipts=receipt)
        return
    alert = read_alert(named[0] if named else None, cap=cap, participant=connection.participant)
    with connection.client(form) as client:
        accepted = client.send(alert)
    if receipt is not None:
        write_output(receipt, accepted.receipt_jws.encode("ascii"))
    voice.answer(told.accepted_document(accepted), told.accepted(accepted))


def _send_together(
    voice: Voice, connection: Connection, files: Sequence[Path], *, form: SubmissionForm | None, receipts: Path | None
) -> None:
    alerts = [read_alert(file, cap=None, participant=connection.participant) for file in files]
    with connection.client(form) as client:
        results = list(zip(files, client.send_batch(alerts), strict=True))
    for _, result in results:
        if receipts is not None and isinstance(result, Accepted):
            write_output(receipts / f"{result.alert_id}.jws", result.receipt_jws.encode("ascii"))
    voice.answer(told.batch_document(results), told.batch(results))
    if not all(isinstance(result, Accepted) for _, result in results):
        raise typer.Exit(1)


def preview(
    *,
    voice: Voice,
    connection: Connection,
    file: FileArgument = None,
    cap: CapOption = None,
    form: FormOption = None,
) -> None:
    """Ask the exchange who would receive an alert, and why; nothing is sent on."""
    alert = read_alert(file, cap=cap, participant=connection.participant)
    with connection.client(form) as client:
        considered = client.preview(alert)
    voice.answer(considered.model_dump(mode="json"), told.preview(considered))


def status(
    *,
    voice: Voice,
    connection: Connection,
    alert_id: Annotated[str | None, typer.Argument(help="The exchange's id of the alert.")] = None,
    identifier: Annotated[str | None, typer.Option("--identifier", help="Its own identifier, instead.")] = None,
    sender: Annotated[str | None, typer.Option("--sender", help="Whose identifier; yours if not given.")] = None,
) -> None:
    """Show where an alert stands: who received it, when, and what they answered."""
    if (alert_id is None) == (identifier is None):
        raise typer.BadParameter("give an alert id, or --identifier / donnez un id d'alerte, ou --identifier")
    with connection.client() as client:
        found = client.status(alert_id, sender=sender, identifier=identifier)
    voice.answer(found.model_dump(mode="json"), told.status(found))


def ack(
    *,
    voice: Voice,
    connection: Connection,
    alert_id: Annotated[str, typer.Argument(help="The exchange's id of the alert.")],
    delivery_id: Annotated[str, typer.Argument(help="The id of the delivery to you.")],
    word: Annotated[AcknowledgementStatus, typer.Argument(metavar="STATUS", help="What you did with it.")],
    note: Annotated[str | None, typer.Option("--note", help="More, in words; the sender reads it.")] = None,
) -> None:
    """Tell the sender, signed, what you did with an alert that was delivered to you."""
    with connection.client() as client:
        acknowledged = client.acknowledge(alert_id, delivery_id, word, note=note)
    voice.answer(acknowledged.model_dump(mode="json"), told.acknowledged(acknowledged))
