"""A partner without an endpoint: it reads its own topics on Kafka, verifies, acknowledges, and misses nothing."""

from __future__ import annotations

import asyncio
import fcntl
import sqlite3
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml

from bus.contract import Record
from bus.events import write_parcel
from bus.topics import parcels_topic
from lacolle import Client
from lacolle.client.book import ReceivedBook
from lacolle.client.consuming import Hands, KafkaUnreachableError, RefusedCopy, Trouble, Waits, consume
from lacolle.client.copies import ConsumedAlert
from lacolle.client.seen import SeenDeliveries
from lacolle.client.senders import ListedKeys, Owner, SenderKeys, SenderUnknownError, StatedKeys
from lacolle.client.surroundings import MACHINE
from lacolle.commands.registry import read_registry
from lacolle.errors import ConfigurationError, ExchangeUnreachableError, ProblemError
from lacolle.folder import read_folder
from lacolle.keyfiles import load_key_file
from lacolle.processes.node import open_node
from schemas.bilingual import Bilingual
from schemas.decisions import Lane
from schemas.ids import AlertType, KeyId, ParticipantId
from schemas.parcels import Parcel
from schemas.signing.jws import ALERT, sign_compact
from schemas.signing.keys import SigningKey
from schemas.withholding.copies import CopyForm
from tests.acceptance.agency import utc_now
from tests.acceptance.alerts import stolen_vehicle
from tests.acceptance.commands import lacolle
from tests.acceptance.test_reconciliation import past
from tests.contract.bus.kafka_records import bus_of
from tests.patience import GIVES_UP_AFTER
from tests.servers.guarded import GuardedKafka
from tests.servers.kafka import settings_for
from tests.unit.adapters.copies import derived, identifying, presented
from tests.unit.bus.parcels import parcel

SENDER, PARTNER = "ca-qc.sq", ParticipantId("us-ny.nysp")
PATIENCE = 2 * GIVES_UP_AFTER


@dataclass
class Desk:
    """The partner's side: what it handled, acknowledged and passed over. Topics may hold what other tests put there."""

    guarded: GuardedKafka
    client: Client
    keys: SenderKeys
    seen_file: Path
    handled: list[ConsumedAlert] = field(default_factory=list)
    acknowledged: list[str] = field(default_factory=list)
    refused: list[RefusedCopy] = field(default_factory=list)
    troubles: list[Trouble] = field(default_factory=list)
    waits: Waits = field(default_factory=lambda: Waits(key=PATIENCE, between=0.1))

    async def read(self, until: Callable[[], bool], *, group: str) -> None:
        """Consume until something holds."""
        with SeenDeliveries(self.seen_file, now=MACHINE.now()) as seen:
            consuming = asyncio.create_task(self._consume(seen, group))
            await _reached(lambda: until() or consuming.done())
            consuming.cancel()
            (result,) = await asyncio.gather(consuming, return_exceptions=True)
        if not isinstance(result, asyncio.CancelledError):
            raise result if isinstance(result, Exception) else AssertionError("consuming ended")

    async def _consume(self, seen: SeenDeliveries, group: str) -> None:
        await consume(
            self.guarded.settings(PARTNER),
            folder=self.guarded.folder,
            participant=PARTNER,
            keys=self.keys,
            exchange=self.client.exchange_keys,
            seen=seen,
            hands=Hands(handle=self.handle, refused=self.refuse, acknowledge=self.acknowledge, troubled=self.hear),
            now=MACHINE.now,
            group=group,
            waits=self.waits,
        )

    def alerts(self) -> list[str]:
        """Return the ids of the alerts that were handled."""
        return [each.alert_id for each in self.handled]

    async def handle(self, alert: ConsumedAlert) -> None:
        """Keep an alert."""
        self.handled.append(alert)

    async def refuse(self, copy: RefusedCopy) -> None:
        """Keep what was passed over."""
        self.refused.append(copy)

    async def hear(self, trouble: Trouble) -> None:
        """Keep what kept a delivery from being finished."""
        self.troubles.append(trouble)

    def acknowledge(self, alert: ConsumedAlert) -> None:
        """Tell the exchange."""
        self.client.acknowledge(alert.alert_id, alert.delivery_id, "received")
        self.acknowledged.append(alert.alert_id)


@pytest.fixture
async def exchange(guarded: GuardedKafka) -> AsyncIterator[str]:
    """Yield the address of an exchange in this process, on the guarded broker; one test at a time may have it."""
    with (guarded.folder / "node.lock").open("w") as turn:
        await asyncio.to_thread(fcntl.flock, turn, fcntl.LOCK_EX)
        folder = read_folder(guarded.exchange)
        async with open_node(folder, insecure_http=True) as node:
            running = asyncio.create_task(node.run())
            yield folder.settings.base_url
            node.stop()
            await running


@pytest.fixture
def desk(guarded: GuardedKafka, exchange: str, tmp_path: Path) -> Iterator[Desk]:
    """Yield the partner's side, which believes the exchange's list of participants."""
    with Client(exchange, participant=PARTNER, key=guarded.key(PARTNER)) as client:
        yield Desk(guarded, client, ListedKeys(client.participants, monotonic=MACHINE.monotonic), tmp_path / "seen")


@pytest.fixture
def send(guarded: GuardedKafka, exchange: str) -> Callable[[], str]:
    """Return a way to send an alert that the partner is to get; it returns the alert's id."""

    def send_one() -> str:
        with Client(exchange, participant=SENDER, key=guarded.key(SENDER)) as client:
            return client.send(stolen_vehicle()).alert_id

    return send_one


async def test_what_a_partner_reads_is_what_was_signed(
    guarded: GuardedKafka, exchange: str, desk: Desk, send: Callable[[], str]
) -> None:
    """It gets the sender's own bytes, verified; the sender sees the delivery and the acknowledgement.

    Another group gets all of it again, and what was handled is not handled twice.
    """
    first, second = [await asyncio.to_thread(send) for _ in range(2)]
    await desk.read(lambda: {first, second} <= set(desk.acknowledged), group="signed")
    got = next(each for each in desk.handled if each.alert_id == first)
    assert (got.sender, got.document["type"]) == (SENDER, "law-enforcement/stolen-vehicle/v1")
    for alert_id in (first, second):
        settled = await asyncio.to_thread(_settled, guarded, exchange, alert_id)
        assert settled == ("delivered", ["received"])
    third = await asyncio.to_thread(send)
    await desk.read(lambda: third in desk.acknowledged, group="signed-again")
    assert len(set(desk.alerts())) == len(desk.alerts())


async def test_an_alert_that_was_not_finished_comes_again(desk: Desk, send: Callable[[], str]) -> None:
    """Where the handler or the acknowledgement fails, consuming ends with its error and begins there the next time.

    What was handled already is then acknowledged, and not handled again.
    """
    desk.keys = StatedKeys(lambda: read_registry(desk.guarded.exchange), monotonic=MACHINE.monotonic)
    handle, acknowledge = desk.handle, desk.acknowledge
    alert_id = await asyncio.to_thread(send)

    async def fail(alert: ConsumedAlert) -> None:
        if alert.alert_id == alert_id:
            raise ArithmeticError
        await handle(alert)

    def fail_too(alert: ConsumedAlert) -> None:
        if alert.alert_id == alert_id:
            raise ZeroDivisionError

    desk.acknowledge = fail_too  # type: ignore[method-assign]  # the partner's own code
    desk.handle = fail  # type: ignore[method-assign]  # the same
    with pytest.raises(ArithmeticError):
        await desk.read(lambda: False, group="failing")
    desk.handle = handle  # type: ignore[method-assign]  # the same
    with pytest.raises(ZeroDivisionError):
        await desk.read(lambda: False, group="failing")
    desk.acknowledge = acknowledge  # type: ignore[method-assign]  # the same
    await desk.read(lambda: alert_id in desk.acknowledged, group="failing")
    assert desk.alerts().count(alert_id) == 1


class Reluctant:
    """Keys of which one is unknown until somebody names it."""

    def __init__(self, keys: SenderKeys, stranger: SigningKey) -> None:
        self._keys = keys
        self._stranger = stranger
        self.named = False

    def find(self, kid: KeyId, *, at: datetime) -> Owner | None:
        """Return whose a key is."""
        if kid != self._stranger.kid:
            return self._keys.find(kid, at=at)
        if not self.named:
            raise SenderUnknownError(Bilingual(fr="Inconnue.", en="Unknown."))
        return ParticipantId(SENDER), self._stranger.public


async def test_an_alert_whose_key_is_not_known_yet_waits(desk: Desk, send: Callable[[], str]) -> None:
    """It is told, not done, and comes again to the next process; meanwhile other threads go on.

    Once the key is named it is handled, and what followed in its thread after it.
    """
    stranger = SigningKey.generate(KeyId("ca-qc.sq.new"), "Ed25519")
    desk.keys = keys = Reluctant(desk.keys, stranger)
    first = _parcel(11, _signed(stranger))
    second = replace(_parcel(12, _signed(desk.guarded.key(SENDER))), thread=first.thread)
    bus = bus_of(settings_for(desk.guarded.plain))
    for each in (first, second):
        await bus.publish(write_parcel(each, origin="lacolle.example/log"))
    await bus.close()
    acknowledge = desk.acknowledge
    desk.acknowledge = lambda alert: desk.acknowledged.append(alert.alert_id)  # type: ignore[method-assign]  # these are not the exchange's
    for _process in range(2):
        desk.troubles.clear()
        alert_id = await asyncio.to_thread(send)
        await desk.read(lambda: alert_id in desk.alerts(), group="waiting")  # noqa: B023 - awaited in its own turn
        await desk.read(lambda: any(each.name == first.delivery_id for each in desk.troubles), group="waiting")
        assert {each.waits for each in desk.troubles if each.name == first.delivery_id} == {True}
        assert {first.alert_id, second.alert_id}.isdisjoint(desk.alerts())
    keys.named = True
    await desk.read(lambda: second.alert_id in desk.alerts(), group="waiting")
    assert [each for each in desk.alerts() if each in (first.alert_id, second.alert_id)] == [
        first.alert_id,
        second.alert_id,
    ]
    desk.acknowledge = acknowledge  # type: ignore[method-assign]  # the same


async def test_an_alert_whose_key_nobody_names_is_passed_over_in_the_end(desk: Desk, send: Callable[[], str]) -> None:
    """It holds up its thread for as long as was said, and then is refused with a reason in both languages."""
    desk.waits = Waits(key=0.3, between=0.1)
    stranger = SigningKey.generate(KeyId("ca-qc.sq.stranger"), "Ed25519")
    forged = _parcel(21, _signed(stranger))
    bus = bus_of(settings_for(desk.guarded.plain))
    await bus.publish(write_parcel(forged, origin="lacolle.example/log"))
    await bus.close()
    alert_id = await asyncio.to_thread(send)
    await desk.read(
        lambda: alert_id in desk.alerts() and forged.delivery_id in [each.name for each in desk.refused],
        group="bounded",
    )
    (refused,) = [each for each in desk.refused if each.name == forged.delivery_id]
    assert refused.reason.fr != refused.reason.en
    assert forged.alert_id not in desk.alerts()


async def test_copies_that_lack_something_are_believed(desk: Desk) -> None:
    """A copy that the exchange made, and an SD-JWT with its manifest, are verified under the keys that it publishes.

    What is signed by another key of the exchange's name is passed over.
    """
    own, transport = desk.guarded.key(SENDER), load_key_file(desk.guarded.exchange / "keys" / "transport.jwk")
    document = stolen_vehicle()
    withheld = identifying(document)
    copies = [
        derived(document, withheld, transport, number=31),
        presented(document, withheld, agency=own, exchange=transport, signed_at=int(time.time()), number=32),
    ]
    forged = derived(document, withheld, SigningKey.generate(transport.kid, "Ed25519"), number=33)
    bus = bus_of(settings_for(desk.guarded.plain))
    for each in (*copies, forged):
        await bus.publish(write_parcel(replace(each, recipient=PARTNER), origin="lacolle.example/log"))
    await bus.close()
    desk.acknowledge = lambda alert: desk.acknowledged.append(alert.alert_id)  # type: ignore[method-assign]  # these are not the exchange's
    names = [each.delivery_id for each in copies]
    await desk.read(
        lambda: (
            set(names) <= {each.delivery_id for each in desk.handled}
            and forged.delivery_id in {each.name for each in desk.refused}
        ),
        group="lacking",
    )
    got = [next(each for each in desk.handled if each.delivery_id == name) for name in names]
    assert [each.form for each in got] == [CopyForm.DERIVED, CopyForm.PRESENTED]
    assert all(each.manifest is not None and "plate" not in str(each.document) for each in got)


async def test_acknowledgements_end_nothing(desk: Desk, send: Callable[[], str]) -> None:
    """One that the exchange can't take now is made again until it does, and meanwhile alerts go on being handled.

    One that it refuses for good is told and not made again; no alert is handled twice.
    """
    refused, delayed, later = [await asyncio.to_thread(send) for _ in range(3)]
    acknowledge, away, tries = desk.acknowledge, True, 0

    def answer(alert: ConsumedAlert) -> None:
        nonlocal tries
        if alert.alert_id == refused:
            tries += 1
            raise ProblemError(type_="https://lacolle.example/problems/not-found", title="Not found", status=404)
        if alert.alert_id == delayed and away:
            raise ExchangeUnreachableError(Bilingual(fr="Absente.", en="Away."))
        acknowledge(alert)

    desk.acknowledge = answer  # type: ignore[method-assign]  # the partner's own code

    def troubled(alert_id: str) -> bool:
        names = {each.delivery_id for each in desk.handled if each.alert_id == alert_id}
        return any(each.waits and each.name in names for each in desk.troubles)

    await desk.read(
        lambda: {refused, delayed, later} <= set(desk.alerts()) and troubled(delayed),
        group="answering",
    )
    assert delayed not in desk.acknowledged
    away = False
    await desk.read(lambda: {delayed, later} <= set(desk.acknowledged), group="answering")
    assert tries == 1
    assert len(set(desk.alerts())) == len(desk.alerts())
    names = {str(each.alert_id): each.delivery_id for each in desk.handled}
    assert [each.waits for each in desk.troubles if each.name == names[refused]] == [False]
    assert True in [each.waits for each in desk.troubles if each.name == names[delayed]]


async def test_what_nobody_signed_is_passed_over(desk: Desk, send: Callable[[], str]) -> None:
    """A stranger's signature, another sender's, another type than announced, an unknown kind of copy, mere noise.

    Each is refused with a reason in both languages, none is handled, and what comes after it is.
    """
    own = desk.guarded.key(SENDER)
    forged = [
        _parcel(1, _signed(SigningKey.generate(own.kid, "Ed25519"))),
        _parcel(2, _signed(desk.guarded.key("us-vt.vdh"))),
        _parcel(3, _signed(own), alert_type=AlertType("law-enforcement/wanted-person/v1")),
        _parcel(4, _signed(own), content_type="application/json"),
        _parcel(5, b"no signature"),
    ]
    bus = bus_of(settings_for(desk.guarded.plain))
    for each in forged:
        await bus.publish(write_parcel(each, origin="lacolle.example/log"))
    await bus.publish(Record(topic := parcels_topic(PARTNER, Lane.URGENT), b"key", b"noise", ()))
    await bus.close()
    alert_id = await asyncio.to_thread(send)
    names = {topic, *(each.delivery_id for each in forged)}
    await desk.read(
        lambda: alert_id in desk.alerts() and names <= {each.name for each in desk.refused}, group="careful"
    )
    assert names.isdisjoint(each.delivery_id for each in desk.handled)
    assert all(each.reason.fr != each.reason.en for each in desk.refused)


async def test_the_command_shows_each_alert(
    guarded: GuardedKafka, exchange: str, send: Callable[[], str], tmp_path: Path
) -> None:
    """``lacolle consume --json`` prints one object a line and acknowledges; ``--once`` ends after one that is new."""
    settings = guarded.settings(PARTNER).model_dump(mode="json", include={"bootstrap", "security"})
    (tmp_path / "kafka.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    options = ["--url", exchange, "--participant", PARTNER, "--key", str(guarded.key_file(PARTNER))]
    options += ["--kafka", str(tmp_path / "kafka.yaml"), "--statements", str(guarded.exchange), "--group", "command"]
    command = [sys.executable, "-m", "lacolle", "consume", *options]
    first = await asyncio.to_thread(send)
    running = await asyncio.create_subprocess_exec(
        *command, "--json", "--acknowledge", "read", stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert running.stdout is not None
    async with asyncio.timeout(PATIENCE):
        while (shown := orjson.loads(await running.stdout.readline()))["alert_id"] != first:
            pass
    assert (shown["sender"], shown["alert"]["type"]) == (SENDER, "law-enforcement/stolen-vehicle/v1")
    acknowledged = await asyncio.to_thread(_settled, guarded, exchange, first)
    assert acknowledged == ("delivered", ["read"])
    running.terminate()
    assert await running.wait() in {0, 1}  # 1 where another test's noise was passed over
    second = await asyncio.to_thread(send)
    shown_once = ""
    async with asyncio.timeout(PATIENCE):
        while second not in shown_once:  # what other tests sent may come before it
            done = await asyncio.to_thread(
                subprocess.run, [*command, "--once", "--lang", "fr"], capture_output=True, text=True, timeout=PATIENCE
            )
            assert done.returncode in {0, 1}, done.stderr  # 1 for the same reason
            shown_once = done.stdout
            assert first not in shown_once
    assert "signature de l'expéditeur vérifiée" in shown_once


async def test_the_command_keeps_a_book_that_agrees(
    guarded: GuardedKafka, exchange: str, send: Callable[[], str], tmp_path: Path
) -> None:
    """What ``lacolle consume --book`` wrote down of a time is what the exchange handed over in it, byte for byte.

    Read again by another group it stays one row each; where a row is gone, ``lacolle reconcile`` names the delivery.
    """
    begins = utc_now()
    settings = guarded.settings(PARTNER).model_dump(mode="json", include={"bootstrap", "security"})
    (tmp_path / "kafka.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    book = tmp_path / "book.sqlite3"
    speaker = ["--url", exchange, "--participant", PARTNER, "--key", str(guarded.key_file(PARTNER))]
    reading = ["--kafka", str(tmp_path / "kafka.yaml"), "--statements", str(guarded.exchange), "--book", str(book)]
    alerts = {await asyncio.to_thread(send) for _ in range(2)}
    for group in ("book", "book-again"):
        await _shown(["consume", *speaker, *reading, "--group", group, "--json"], alerts)
    with Client(exchange, participant=SENDER, key=guarded.key(SENDER)) as sender:
        for alert_id in alerts:
            await asyncio.to_thread(_delivered, sender, alert_id)
    period = await asyncio.to_thread(past, begins)
    words = ["reconcile", *speaker, "--book", str(book), "--from", period.start, "--until", period.until, "--json"]
    words += ["--exchange-keys", str(tmp_path / "exchange.json")]
    agreeing = await asyncio.to_thread(lacolle, *words)
    assert (agreeing.status, orjson.loads(agreeing.out)["agreed"]) == (0, True), agreeing.err
    with ReceivedBook(book) as written:
        (lines,) = written.lines(period).values()
    assert len(lines) == len(alerts)
    with closing(sqlite3.connect(book)) as database, database:
        database.execute("DELETE FROM received WHERE delivery_id = ?", (lines[0].delivery_id,))
    differing = await asyncio.to_thread(lacolle, *words)
    assert (differing.status, lines[0].delivery_id in differing.out) == (1, True)


async def _shown(command: Sequence[str], alerts: Collection[str]) -> None:
    """Run a consumer until it has shown some alerts, whatever others come between."""
    running = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "lacolle", *command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, limit=1 << 20
    )
    assert running.stdout is not None
    left = set(alerts)
    async with asyncio.timeout(PATIENCE):
        while left:
            left.discard(orjson.loads(await running.stdout.readline())["alert_id"])
    running.terminate()
    assert await running.wait() in {0, 1}  # 1 where another test's noise was passed over


async def test_a_partner_that_is_not_let_in_is_told_what_to_do(desk: Desk, tmp_path: Path) -> None:
    """Another's topics are refused with a reason, and a file of handled deliveries that is none is named."""
    stranger = ParticipantId("us-ny.doh")
    hands = Hands(handle=desk.handle, refused=desk.refuse)
    with SeenDeliveries(desk.seen_file, now=MACHINE.now()) as seen, pytest.raises(KafkaUnreachableError) as refused:
        await consume(
            desk.guarded.settings(PARTNER),
            folder=tmp_path,
            participant=stranger,
            keys=desk.keys,
            exchange=desk.client.exchange_keys,
            seen=seen,
            hands=hands,
            now=MACHINE.now,
        )
    assert refused.value.reason.en.startswith("Kafka does not allow")
    assert refused.value.reason.fr.startswith("Kafka n'accorde pas")
    (tmp_path / "other").write_text("no database, and long enough to be taken for one", encoding="utf-8")
    with pytest.raises(ConfigurationError, match="--seen"):
        SeenDeliveries(tmp_path / "other", now=MACHINE.now())


async def _reached(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not holds():  # noqa: ASYNC110 - what it waits for is nobody's event
            await asyncio.sleep(0.02)


def _delivered(sender: Client, alert_id: str) -> None:
    """Wait until the sender sees that the partner has an alert."""
    until = time.monotonic() + PATIENCE
    while "delivered" not in {each.state for each in sender.status(alert_id).deliveries if each.participant == PARTNER}:
        assert time.monotonic() < until
        time.sleep(0.05)


def _settled(guarded: GuardedKafka, exchange: str, alert_id: str) -> tuple[str, list[str]]:
    """Return the state of the partner's delivery and its acknowledgements, as the sender sees, once they are there."""
    until = time.monotonic() + PATIENCE
    with Client(exchange, participant=SENDER, key=guarded.key(SENDER)) as client:
        while True:
            deliveries = client.status(alert_id).deliveries
            delivery = next(each for each in deliveries if each.participant == PARTNER)
            statuses = [str(each.status) for each in delivery.acknowledgements]
            if delivery.state not in {"pending", "published"} and statuses:
                return delivery.state, statuses
            assert time.monotonic() < until, delivery.state
            time.sleep(0.05)


def _signed(key: SigningKey) -> bytes:
    payload = orjson.dumps(stolen_vehicle(sender=SENDER))
    return sign_compact(payload, key=key, profile=ALERT, iat=int(MACHINE.now().timestamp()))


def _parcel(number: int, body: bytes, **changes: Any) -> Parcel:  # noqa: ANN401 - any member
    return replace(parcel(number, body=body), recipient=PARTNER, sender=ParticipantId(SENDER), **changes)
