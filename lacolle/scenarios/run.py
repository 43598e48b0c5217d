"""Playing a scenario: its world is started, both alerts are sent, and what each side saw is held against it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import orjson

from audit.entry import read_entry
from audit.kinds import Kind
from audit.queries import entries_of_alert
from lacolle.client import Client
from lacolle.client.documents import signed_alert
from lacolle.demo.exchange import RunningDemo, running_demo
from lacolle.demo.hosting import Host
from lacolle.demo.run import follow
from lacolle.demo.scenario import Document
from lacolle.demo.tally import Sent
from lacolle.scenarios.document import Scenario, ScenarioAlert
from lacolle.scenarios.evidence import Held, denial, permit
from lacolle.scenarios.outcomes import Outcome, differences
from lacolle.scenarios.staging import alert_of, cast_of
from schemas.bilingual import Bilingual
from schemas.consents import Answer
from schemas.ids import AlertId, ParticipantId, home_of


@dataclass(frozen=True, slots=True)
class Played:
    """One alert as it went: what was sent, what each other participant saw of it, and what is not as it should be."""

    part: str
    alert: ScenarioAlert
    sent: Document
    alert_id: str
    outcomes: Mapping[ParticipantId, Outcome]
    differences: tuple[tuple[ParticipantId, Bilingual], ...]


@dataclass(frozen=True, slots=True)
class ScenarioResult:
    """A scenario that was played."""

    scenario: Scenario
    played: tuple[Played, ...]

    @property
    def as_expected(self) -> bool:
        """Whether everything happened as the scenario says."""
        return not any(each.differences for each in self.played)


async def run_scenario(
    scenario: Scenario, host: Host, *, directory: Path, environment: Mapping[str, str]
) -> ScenarioResult:
    """Play a scenario on ``host``, in a world of its own in ``directory``.

    Raises as ``running_demo``, and ``ProblemError`` where the exchange does not take an alert at all.
    """
    async with running_demo(directory, host, environment=environment, cast=cast_of(scenario)) as demo:
        parts = (("passes", scenario.passes), ("stops", scenario.stops))
        played = [await _play(demo, part, alert, number) for number, (part, alert) in enumerate(parts, start=1)]
        return ScenarioResult(scenario, tuple(played))


async def _play(demo: RunningDemo, part: str, alert: ScenarioAlert, number: int) -> Played:
    now = datetime.now().astimezone().replace(microsecond=0)
    document = alert_of(alert, number=number, now=now)
    sender = ParticipantId(str(document["sender"]))
    client = demo.clients[sender]
    # a plain submission: pseudonyms, years and regions can stand in a copy that the exchange signs, and in no other
    submission = signed_alert(document, key=demo.world.members[sender].keys[0], now=now)
    accepted = await asyncio.to_thread(client.send, submission)
    for participant, answer in alert.consents.items():
        await asyncio.to_thread(_consent, demo.clients[participant], accepted.alert_id, answer)
    sent = await follow(client, accepted, lambda _status: None)
    outcomes = await _outcomes(demo, sent, sender)
    found = tuple(differences(alert, document, outcomes))
    return Played(part, alert, document, accepted.alert_id, outcomes, found)


def _consent(client: Client, alert_id: str, answer: Answer) -> None:
    """Answer everything that a participant is asked about an alert."""
    for question in client.consents():
        if question.alert_id == alert_id:
            client.answer_consent(question, answer)


async def _outcomes(demo: RunningDemo, sent: Sent, sender: ParticipantId) -> dict[ParticipantId, Outcome]:
    """Return what came to each participant: by the log as its sender may read it, and by what each partner holds."""
    alert_id = AlertId(sent.accepted.alert_id)
    store = demo.host.open_store(demo.folder)
    try:
        async with store.reading() as connection:
            entries = await entries_of_alert(connection, alert_id, jurisdiction=home_of(sender))
    finally:
        await store.close()
    outcomes: dict[ParticipantId, Outcome] = {}
    for entry in entries:
        logged = read_entry(entry.canonical)
        content = orjson.loads(orjson.dumps(logged.content))
        if logged.kind in (Kind.CONSENT_REQUESTED, Kind.ROUTED):  # the latter comes after the former, if it does
            recipient = ParticipantId(content["recipient"])
            outcomes[recipient] = permit(content, _held(demo, recipient, alert_id), demo.folder.keys.transport.public)
        elif logged.kind is Kind.WITHHELD:
            outcomes |= {ParticipantId(each["recipient"]): denial(each) for each in content["withheld"]}
    return outcomes


def _held(demo: RunningDemo, participant: ParticipantId, alert_id: AlertId) -> Held | None:
    inbox = demo.partners[participant].inbox
    held = [Held(taken.content_type, taken.body) for taken in inbox.taken.values() if taken.alert_id == alert_id]
    return held[0] if held else None
