"""``lacolle hold place``, ``release``, ``list``, and ``lacolle erase``: what authorities state of an alert's content.

The connection is a participant's, who reads the alert; what counts is the key of the authority of its jurisdiction.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Final

import typer
from pydantic import ValidationError

from lacolle.client import Hold
from lacolle.client.surroundings import MACHINE
from lacolle.commands.frame import Connection, framed
from lacolle.commands.inputs import InputError
from lacolle.commands.named import called
from lacolle.commands.voice import Voice
from lacolle.errors import ConfigurationError
from lacolle.keyfiles import load_key_file
from schemas.bilingual import Bilingual
from schemas.faults import first_fault
from schemas.holds import ErasureOrder, HoldRelease, LegalHold
from schemas.ids import AlertId, ParticipantId, home_of
from schemas.timestamps import utc_text

AlertArgument = Annotated[str, typer.Argument(help="The exchange's id of the alert.")]
AuthorityKey = Annotated[
    Path,
    typer.Option("--authority-key", help="The private key (JWK) of the authority of the participant's jurisdiction."),
]


def add_to(app: typer.Typer) -> None:
    """Add the group ``hold`` and the command ``erase``."""
    group = typer.Typer(help="Legal holds: content that is not erased for now.", no_args_is_help=True)
    group.command("list")(framed(listed))
    for command in (place, release):
        group.command(command.__name__)(framed(command))
    app.add_typer(group, name="hold")
    app.command()(framed(erase))


def listed(
    *,
    voice: Voice,
    connection: Connection,
    every: Annotated[bool, typer.Option("--all", help="Also those that were released.")] = False,
) -> None:
    """List the holds on what you sent and, for an auditor, all that concern its jurisdiction."""
    with connection.client() as client:
        holds = client.holds(every=every)
    voice.answer(
        {"holds": [each.model_dump(mode="json") for each in holds]},
        [line for each in holds for line in _lines(each)] or [_NONE],
    )


def place(
    *,
    voice: Voice,
    connection: Connection,
    alert_id: AlertArgument,
    authority_key: AuthorityKey,
    reference: Annotated[
        str | None, typer.Option("--reference", help="A file number, without spaces: it is logged, so no names.")
    ] = None,
) -> None:
    """Keep an alert's content from being erased until the hold is released."""
    authority = load_key_file(authority_key)
    with connection.client() as client:
        try:
            hold = LegalHold(
                statement="legal-hold",
                alert_id=AlertId(alert_id),
                digest=_digest(client.status(alert_id).digest),
                jurisdiction=home_of(ParticipantId(connection.participant)),
                reference=reference,
                at=utc_text(MACHINE.now()),
            )
        except ValidationError as error:
            raise InputError(first_fault(error)) from None
        stated = client.state_of_content(hold, authority=authority)
    voice.answer(
        stated.model_dump(mode="json"),
        [
            Bilingual(
                fr=f"Conservation demandée, inscription {stated.log_index}.", en=f"Held, log entry {stated.log_index}."
            ),
            str(stated.hold),
        ],
    )


def release(
    *,
    voice: Voice,
    connection: Connection,
    hold: Annotated[str, typer.Argument(help="What the hold is known by, as place and list show it: sha-256:…")],
    authority_key: AuthorityKey,
) -> None:
    """Release a hold of your jurisdiction: content whose time is over is erased at once."""
    authority = load_key_file(authority_key)
    with connection.client() as client:
        alert_id = next((each.alert_id for each in client.holds() if each.hold == hold), None)
        if alert_id is None:
            raise InputError(_UNKNOWN)
        word = HoldRelease(
            statement="hold-release",
            hold=hold,
            alert_id=alert_id,
            jurisdiction=home_of(ParticipantId(connection.participant)),
            at=utc_text(MACHINE.now()),
        )
        stated = client.state_of_content(word, authority=authority)
    voice.answer(
        stated.model_dump(mode="json"),
        [
            Bilingual(
                fr=f"Conservation levée, inscription {stated.log_index}.", en=f"Released, log entry {stated.log_index}."
            )
        ],
    )


def erase(*, voice: Voice, connection: Connection, alert_id: AlertArgument, authority_key: AuthorityKey) -> None:
    """Erase an alert's content now, by order of the authority of its sender's jurisdiction. It can't be undone."""
    authority = load_key_file(authority_key)
    with connection.client() as client:
        order = ErasureOrder(
            statement="erasure-order",
            alert_id=AlertId(alert_id),
            digest=_digest(client.status(alert_id).digest),
            jurisdiction=home_of(ParticipantId(connection.participant)),
            at=utc_text(MACHINE.now()),
        )
        stated = client.state_of_content(order, authority=authority)
    voice.answer(
        stated.model_dump(mode="json"),
        [
            Bilingual(
                fr=f"Contenu effacé, inscription {stated.log_index}; le journal en garde les preuves.",
                en=f"Content erased, log entry {stated.log_index}; the log keeps the proofs.",
            )
        ],
    )


def _digest(told: str | None) -> str:
    if told is None:
        raise ConfigurationError(_TOO_OLD)
    return told


def _lines(hold: Hold) -> Iterator[Bilingual | str]:
    yield hold.hold
    about = called(hold.sender, hold.identifier, hold.alert_id)
    yield Bilingual(fr=f"  {about.fr}", en=f"  {about.en}")
    yield Bilingual(
        fr=f"  demandée par {hold.jurisdiction}, inscription {hold.log_index}",
        en=f"  asked for by {hold.jurisdiction}, log entry {hold.log_index}",
    )
    if hold.released is not None:
        yield Bilingual(fr=f"  levée, inscription {hold.released}", en=f"  released, log entry {hold.released}")


_NONE: Final = Bilingual(fr="Aucune conservation en cours.", en="Nothing is on hold.")
_UNKNOWN: Final = Bilingual(
    fr="Aucune conservation en cours, que vous puissiez voir, ne porte cette empreinte.",
    en="No hold that stands and that you may see has this digest.",
)
_TOO_OLD: Final = Bilingual(
    fr="Cette plateforme ne donne pas l'empreinte de l'alerte : elle est d'une version antérieure.",
    en="This exchange does not tell the alert's digest: it is of an earlier version.",
)
