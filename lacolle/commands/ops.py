"""``lacolle ops``: what an operator does on the servers that an exchange runs on; here what it sets up on Kafka."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from lacolle.client.surroundings import MACHINE
from lacolle.commands.dead import dead
from lacolle.commands.frame import framed
from lacolle.commands.reopening import reopen
from lacolle.commands.told import Lines
from lacolle.commands.voice import Voice
from schemas.bilingual import Bilingual

if TYPE_CHECKING:
    from lacolle.kafkaops.setup import Step


def add_to(app: typer.Typer) -> None:
    """Add the group of commands."""
    group = typer.Typer(
        help="The servers that an exchange runs on: setting up, looking, mending.", no_args_is_help=True
    )
    for command in (kafka, dead, reopen):
        group.command(command.__name__)(framed(command))
    app.add_typer(group, name="ops")


def kafka(
    *,
    voice: Voice,
    directory: Annotated[Path, typer.Argument(metavar="DIRECTORY", help="The exchange's folder.")],
    administrator: Annotated[
        Path | None,
        typer.Option(
            "--as",
            metavar="FILE",
            help="Who sets it up (YAML: security, and bootstrap if it differs). Default: the exchange itself.",
        ),
    ] = None,
    passwords: Annotated[
        Path | None,
        typer.Option("--passwords", metavar="DIR", help="Where the users' passwords are written, mode 0600."),
    ] = None,
    renew: Annotated[
        list[str] | None, typer.Option("--renew", metavar="USER", help="Give a user a new password; may be repeated.")
    ] = None,
    prune: Annotated[
        bool, typer.Option("--prune", help="Take back rights that nobody should have, and remove users who have left.")
    ] = False,
    topics_only: Annotated[bool, typer.Option("--topics-only", help="Leave users and rights alone.")] = False,
    plan: Annotated[bool, typer.Option("--plan", help="Show what would be done, and do nothing.")] = False,
) -> None:
    """Create topics, users and rights on Kafka, so that everyone reads and writes what is theirs and nothing else."""
    from lacolle.kafkaops.command import Order, carry_out  # noqa: PLC0415 - the other commands need no librdkafka

    order = Order(
        folder=directory,
        administrator=administrator,
        passwords=passwords,
        renew=tuple(renew or ()),
        prune=prune,
        topics_only=topics_only,
        plan=plan,
    )
    steps = carry_out(order, environment=os.environ, now=MACHINE.now())
    document = {
        "planned": plan,
        "steps": [
            {"kind": step.kind, "name": step.name, "state": str(step.state), "detail": step.detail} for step in steps
        ],
    }
    voice.answer(document, _table(voice, steps, planned=plan))


def _table(voice: Voice, steps: Sequence[Step], *, planned: bool) -> Lines:
    """Yield one line for each step, in columns, and what to do about those that need somebody."""
    states = _PLANNED if planned else _STATES
    rows = [(voice.words(states[step.state]), voice.words(_KINDS[step.kind]), step.name, step.detail) for step in steps]
    widths = [max((len(row[column]) for row in rows), default=0) for column in range(3)]
    for row in rows:
        yield "  ".join([*(cell.ljust(width) for cell, width in zip(row[:3], widths, strict=True)), row[3]]).rstrip()
    yield from _advice({str(step.state) for step in steps})


def _advice(states: set[str]) -> Iterator[Bilingual]:
    if "differs" in states:
        yield _DIFFERS
    if "unwanted" in states:
        yield _UNWANTED


_KINDS: Final = {
    "topic": Bilingual(fr="sujet", en="topic"),
    "user": Bilingual(fr="utilisateur", en="user"),
    "right": Bilingual(fr="droit", en="right"),
}
_STATES: Final = {
    "there": Bilingual(fr="déjà là", en="there already"),
    "created": Bilingual(fr="créé", en="created"),
    "changed": Bilingual(fr="modifié", en="changed"),
    "removed": Bilingual(fr="retiré", en="removed"),
    "differs": Bilingual(fr="diffère", en="differs"),
    "unwanted": Bilingual(fr="de trop", en="unwanted"),
}
_PLANNED: Final = {
    **_STATES,
    "created": Bilingual(fr="à créer", en="to create"),
    "changed": Bilingual(fr="à modifier", en="to change"),
    "removed": Bilingual(fr="à retirer", en="to remove"),
}
_DIFFERS: Final = Bilingual(
    fr="Ce qui diffère est laissé tel quel : ajouter des partitions romprait l'ordre des alertes d'un fil, et la place "
    "des répliques relève de l'exploitant de Kafka.",
    en="What differs is left as it is: more partitions would break the order of a thread's alerts, and where replicas "
    "stand is for the operator of Kafka.",
)
_UNWANTED: Final = Bilingual(
    fr="Des droits ou des utilisateurs sont de trop : --prune les retire.",
    en="There are rights or users that should not be: --prune removes them.",
)
