"""``lacolle demo``: tell the scenario, or send a folder of CAP, then account for all of it."""

from __future__ import annotations

import asyncio
import signal
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from audit.errors import LogVerificationError
from audit.queries import LoggedEntry, entry_at
from audit.verify import VerifiedLog, verify_database
from lacolle.client import Accepted, Client, Status
from lacolle.demo.capfolder import CapFile, Mover, in_order
from lacolle.demo.exchange import RunningDemo, running_demo
from lacolle.demo.hosting import Host
from lacolle.demo.scenario import FORGER, STEPS, Deed, Document, Step, document_of
from lacolle.demo.tally import Sent, Tally
from lacolle.demo.view import View
from lacolle.errors import ProblemError
from lacolle.folder import require_empty
from schemas.alerts.catalogue import InvalidAlertError
from schemas.bilingual import Language
from schemas.ids import ParticipantId

PATIENCE: Final = 15.0
"""Seconds that an alert's deliveries and acknowledgements may take."""
POLL: Final = 0.05
_PASSABLE: Final = 0o711
CAP_SENDER: Final = ParticipantId("ca-qc.msp")


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """What the command was asked for.

    ``directory`` is where everything is made, ``alerts`` what is sent instead of the scenario, ``environment`` what
    sets the exchange otherwise.
    """

    language: Language
    as_json: bool
    keep: bool
    directory: Path
    alerts: Sequence[CapFile] | None
    environment: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class DemoResult:
    """The summary, and what does not add up."""

    summary: dict[str, Any]
    unaccounted: list[str]


@contextmanager
def demo_folder(directory: Path | None) -> Iterator[Path]:
    """Yield the directory, made where it is missing, or a temporary one that goes with the block; absolute.

    Raises ``ConfigurationError`` where it can't be made, or holds anything already. Other accounts may pass it, though
    not list it: a database that refuses to run as root lies in it.
    """
    if directory is not None:
        require_empty(directory)
        yield directory.absolute()
        return
    with tempfile.TemporaryDirectory(prefix="lacolle-demo-") as temporary:
        Path(temporary).chmod(_PASSABLE)
        yield Path(temporary)


async def run_demo(
    options: DemoOptions, host: Host, *, announce: Callable[[RunningDemo, DemoResult], None]
) -> DemoResult:
    """Run the demonstration on ``host`` and return its result; with ``keep``, ``announce`` it and run until told."""
    view = View(Console(stderr=options.as_json, quiet=options.as_json), options.language)
    async with running_demo(options.directory, host, environment=options.environment) as demo:
        tally = Tally()
        if options.alerts is None:
            await _tell(demo, tally, view)
        else:
            await _send_folder(demo, tally, view, options.alerts)
        result = await _account(demo, tally, view)
        view.console.print(view.summary(result.summary, result.unaccounted))
        if options.keep:
            demo.write_description()
            announce(demo, result)
            await _told_to_stop()
        return result


async def _told_to_stop() -> None:
    """Return at SIGINT or SIGTERM."""
    told, loop = asyncio.Event(), asyncio.get_running_loop()
    for each in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(each, told.set)
    await told.wait()


async def _tell(demo: RunningDemo, tally: Tally, view: View) -> None:
    """Send the scenario step by step, and show each alert until all of its partners have answered."""
    originals: dict[str, Document] = {}
    for number, step in enumerate(STEPS, start=1):
        now = datetime.now().astimezone().replace(microsecond=0)
        alert = document_of(step, number=number, now=now, original=originals.get(step.sample))
        if step.deed is not Deed.FORGE:  # whatever becomes of it, later steps name it
            originals.setdefault(step.sample, alert)
        heading = view.heading(step.caption, alert)
        with Live(view.outcome(heading, None), console=view.console, refresh_per_second=20) as live:

            def show(status: Status, live: Live = live, heading: Text = heading) -> None:
                live.update(view.outcome(heading, status))

            try:
                sent = await _send(demo, step, alert, on_change=show)
            except ProblemError as refusal:
                tally.refused += 1
                live.update(view.refusal(heading, refusal.title))
                continue
        tally.sent.append(sent)


async def _send(demo: RunningDemo, step: Step, alert: Document, *, on_change: Callable[[Status], None]) -> Sent:
    client = demo.clients[ParticipantId(str(alert["sender"]))]
    if step.deed is Deed.FORGE:
        submission = demo.clients[FORGER].sign(alert)
        accepted = await asyncio.to_thread(client.send, submission)
    else:
        accepted = await asyncio.to_thread(client.send, alert)
    return await follow(client, accepted, on_change)


async def follow(client: Client, accepted: Accepted, on_change: Callable[[Status], None]) -> Sent:
    """Read an alert back until each delivery has ended, or is held, and each partner that took it has acknowledged."""
    loop = asyncio.get_running_loop()
    until = loop.time() + PATIENCE
    while True:
        status = await asyncio.to_thread(client.status, accepted.alert_id)
        on_change(status)
        if loop.time() > until or all(
            _answered(delivery.state, delivery.acknowledgements) for delivery in status.deliveries
        ):
            return Sent(accepted, status)
        await asyncio.sleep(POLL)


def _answered(state: str, acknowledgements: tuple[object, ...]) -> bool:
    return state in ("held", "refused", "expired", "withheld") or (state == "delivered" and bool(acknowledgements))


async def _send_folder(demo: RunningDemo, tally: Tally, view: View, files: Sequence[CapFile]) -> None:
    """Send every CAP file as one agency, with a progress bar, then wait for what they led to."""
    client = demo.clients[CAP_SENDER]
    for each in files:
        if each.fault is not None:
            tally.refused += 1
            view.console.print(Text(f"✗ {each.path.name}  {each.fault}", style="dim"))
    ready, mover = in_order(files), Mover()
    accepted: list[Accepted] = []
    with _progress(view) as progress:
        sending = progress.add_task(view.words("envoi", "sending"), total=len(ready))
        for each in ready:
            try:
                alert = mover.move(each.alert or {}, now=datetime.now().astimezone().replace(microsecond=0))
                accepted.append(await asyncio.to_thread(client.send, alert))
            except (ProblemError, InvalidAlertError) as refusal:
                tally.refused += 1
                view.console.print(Text(f"✗ {each.path.name}  {refusal}", style="dim"))
            progress.advance(sending)
        following = progress.add_task(view.words("remise", "delivering"), total=len(accepted))
        for each_accepted in accepted:
            tally.sent.append(await follow(client, each_accepted, lambda _status: None))
            progress.advance(following)


async def _account(demo: RunningDemo, tally: Tally, view: View) -> DemoResult:
    """Verify the log offline and hold everything that was sent against it."""
    store = demo.host.open_store(demo.folder)
    entries: dict[int, LoggedEntry] = {}
    faults: list[str] = []
    log: VerifiedLog | None = None
    try:
        async with store.reading() as connection:
            try:
                log = await _verify(connection, demo, view)
            except LogVerificationError as error:
                faults.append(str(error))
            for sent in tally.sent:
                entry = await entry_at(connection, sent.accepted.log_index)
                if entry is not None:
                    entries[entry.index] = entry
    finally:
        await store.close()
    summary = {**tally.summary(log), "bus": demo.host.bus, "store": demo.host.store}
    return DemoResult(summary=summary, unaccounted=[*faults, *tally.unaccounted(demo.partners, entries)])


async def _verify(connection: Any, demo: RunningDemo, view: View) -> VerifiedLog:  # noqa: ANN401 - an AsyncConnection, which audit alone needs to know
    with _progress(view) as progress:
        task = progress.add_task(view.words("vérification du journal", "verifying the log"), total=None)
        return await verify_database(
            connection,
            vkey=demo.folder.keys.log.vkey,
            progress=lambda done, total: progress.update(task, completed=done, total=total),
        )


def _progress(view: View) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=view.console, transient=True)
