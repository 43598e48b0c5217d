"""``lacolle consume``: a partner reads its own topics on the exchange's Kafka, and sees each alert."""

from __future__ import annotations

import asyncio
import signal
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from lacolle.client import Client
from lacolle.client.book import ReceivedBook
from lacolle.client.surroundings import MACHINE
from lacolle.commands.consumed import consumed, consumed_document
from lacolle.commands.frame import Connection, framed
from lacolle.commands.voice import Voice
from lacolle.yamlfiles import read_yaml
from schemas.bilingual import Bilingual
from schemas.evidence import AcknowledgementStatus
from schemas.ids import ParticipantId

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from bus.kafka import KafkaSettings
    from lacolle.client.consuming import Hands, RefusedCopy, Trouble
    from lacolle.client.copies import ConsumedAlert
    from lacolle.client.senders import SenderKeys


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(framed(consume))


def consume(
    *,
    voice: Voice,
    connection: Connection,
    kafka: Annotated[
        Path,
        typer.Option(
            "--kafka",
            envvar="LACOLLE_KAFKA",
            help="How to reach Kafka (YAML): bootstrap, security. See docs/partners.md.",
        ),
    ],
    statements: Annotated[
        Path | None,
        typer.Option(
            "--statements",
            help="A folder with jurisdictions.yaml and statements/: believe the authorities' own signatures, rather "
            "than the exchange's list of participants.",
        ),
    ] = None,
    acknowledge: Annotated[
        AcknowledgementStatus | None,
        typer.Option("--acknowledge", help="Tell the sender, signed, that each alert was received (or read …)."),
    ] = None,
    group: Annotated[
        str, typer.Option("--group", help="Processes of one group share the alerts; each group gets all of them.")
    ] = "default",
    seen: Annotated[
        Path | None,
        typer.Option("--seen", help="File of what was handled already. Default: beside --kafka, one for each group."),
    ] = None,
    book: Annotated[
        Path | None,
        typer.Option("--book", help="File that each delivery is written down in, for “lacolle reconcile”."),
    ] = None,
    once: Annotated[bool, typer.Option("--once", help="End after one alert.")] = False,
    count: Annotated[int | None, typer.Option("--count", min=1, help="End after so many alerts.")] = None,
) -> None:
    """Read the alerts on your own topics: each is verified, shown, and acknowledged if you say so."""
    from lacolle.client.consuming import consume as consuming  # noqa: PLC0415 - the other commands need no Kafka
    from lacolle.client.seen import SeenDeliveries  # noqa: PLC0415 - the same

    participant = ParticipantId(connection.participant)
    file = seen or kafka.with_name(f"{participant}.{group}.seen.sqlite3")
    with ExitStack() as stack:
        client = stack.enter_context(connection.client())
        handled = stack.enter_context(SeenDeliveries(file, now=MACHINE.now()))
        received = None if book is None else stack.enter_context(ReceivedBook(book))
        display = _Display(voice, client, acknowledge, received)
        work = consuming(
            _kafka_settings(kafka),
            folder=kafka.parent,
            participant=participant,
            keys=_keys(statements, client),
            exchange=client.exchange_keys,
            seen=handled,
            hands=display.hands(),
            now=MACHINE.now,
            group=group,
            count=1 if once else count,
        )
        asyncio.run(_until_told(work))
    if display.refusals:
        raise typer.Exit(1)


@dataclass(slots=True)
class _Display:
    """Shows what comes, and acknowledges it."""

    voice: Voice
    client: Client
    status: AcknowledgementStatus | None
    book: ReceivedBook | None
    refusals: int = field(default=0)

    def hands(self) -> Hands:
        """Return what to do with what comes."""
        from lacolle.client.consuming import Hands  # noqa: PLC0415 - the same

        return Hands(
            handle=self._show,
            refused=self._refuse,
            troubled=self._tell,
            acknowledge=None if self.status is None else self._acknowledge,
        )

    async def _show(self, alert: ConsumedAlert) -> None:
        self.voice.answer(consumed_document(alert), consumed(alert))
        if self.book is not None:
            self.book.record(
                alert.delivery_id,
                alert.submission,
                at=MACHINE.now(),
                agreement=alert.under.agreement,
                lane=alert.lane,
            )

    async def _refuse(self, refused: RefusedCopy) -> None:
        self.refusals += 1
        typer.echo(f"{refused.name}: {self.voice.words(refused.reason)}", err=True)

    async def _tell(self, trouble: Trouble) -> None:
        if not trouble.waits:
            self.refusals += 1
        consequence = _WAITS if trouble.waits else _NOT_ACKNOWLEDGED
        typer.echo(
            f"{trouble.name}: {self.voice.words(consequence)} {self.voice.words(trouble.reason)}",
            err=True,
        )

    def _acknowledge(self, alert: ConsumedAlert) -> None:
        if self.status is not None:
            self.client.acknowledge(alert.alert_id, alert.delivery_id, self.status)


def _kafka_settings(file: Path) -> KafkaSettings:
    from bus.kafka import KafkaSettings  # noqa: PLC0415 - the same

    return read_yaml(file, KafkaSettings)


def _keys(statements: Path | None, client: Client) -> SenderKeys:
    from lacolle.client.senders import ListedKeys, StatedKeys  # noqa: PLC0415 - the same

    if statements is None:
        return ListedKeys(client.participants, monotonic=MACHINE.monotonic)
    from lacolle.commands.registry import read_registry  # noqa: PLC0415 - the same

    return StatedKeys(lambda: read_registry(statements), monotonic=MACHINE.monotonic)


async def _until_told(work: Coroutine[Any, Any, None]) -> None:
    """Run until the work ends, or SIGINT or SIGTERM; what is done by then is committed."""
    task = asyncio.ensure_future(work)
    loop = asyncio.get_running_loop()
    for each in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(each, task.cancel)
    with suppress(asyncio.CancelledError):
        await task


_WAITS: Final = Bilingual(fr="en attente, rien n'est perdu.", en="waits, nothing is lost.")
_NOT_ACKNOWLEDGED: Final = Bilingual(
    fr="traitée, mais la plateforme refuse l'accusé de réception.",
    en="handled, but the exchange refuses the acknowledgement.",
)
