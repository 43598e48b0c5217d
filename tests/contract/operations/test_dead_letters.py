"""``lacolle ops dead`` on a real broker: what lies on a dead topic, told to who may read it; nothing of its content."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml
from confluent_kafka.admin import AdminClient
from typer.testing import CliRunner, Result

from bus.contract import Record
from bus.dead import DEAD_REASON, dead_record
from bus.events import write_parcel
from bus.topics import dead_topic
from lacolle.cli import application
from lacolle.local.ports import free_ports
from schemas.ids import ParticipantId
from tests.contract.bus.kafka_records import bus_of, publish_persistently
from tests.servers.guarded import GuardedKafka
from tests.unit.bus.parcels import BODY, ORIGIN, parcel

MSP, VDH = ParticipantId("us-me.msp"), ParticipantId("us-vt.vdh")
REASONS = ["ce_sender is missing", "the key is not as it should be", "adapter fault: ValueError"]


def run(guarded: GuardedKafka, *words: str, role: str = "adapters", **others: str) -> Result:
    """Run the command as a role of the exchange that has a user of its own."""
    user = f"lacolle.{role}"
    environment = {
        "LACOLLE_BUS__KAFKA__SECURITY__USERNAME": user,
        "LACOLLE_BUS__KAFKA__SECURITY__PASSWORD_FILE": str(guarded.passwords / f"{user}.password"),
        **{f"LACOLLE_BUS__KAFKA__{name.upper()}": value for name, value in others.items()},
    }
    return CliRunner().invoke(application(), ["ops", "dead", str(guarded.exchange), *words], env=environment)


async def listed(guarded: GuardedKafka, participant: ParticipantId, *, role: str = "adapters") -> list[dict[str, Any]]:
    """Return the objects that a run says, one a line."""
    done = await asyncio.to_thread(run, guarded, "--participant", participant, "--json", role=role)
    assert done.exit_code == 0, done.output
    return [orjson.loads(line) for line in done.stdout.splitlines()]


def groups(guarded: GuardedKafka) -> set[str]:
    """Return every consumer group that the broker knows."""
    listed: Any = AdminClient({"bootstrap.servers": guarded.plain}).list_consumer_groups()
    return {group.group_id for group in listed.result().valid}


async def bury(guarded: GuardedKafka, participant: ParticipantId, count: int) -> list[Record]:
    """Put so many parcels on a dead topic as the adapters do, one after the other."""
    bus = bus_of(guarded.settings("lacolle.adapters"))
    dead = []
    for number in range(count):
        sent = replace(parcel(number, thread=number), recipient=participant)
        record = write_parcel(sent, origin=ORIGIN)
        dead.append(dead_record(record, participant=participant, reason=REASONS[number % len(REASONS)]))
        await publish_persistently(bus, dead[-1])  # a user that was just made may be refused for a moment
    await bus.close()
    return dead


async def test_each_record_is_told_of_and_nobody_moves(guarded: GuardedKafka) -> None:
    """Of every record on all partitions, in the order of their times: when, why, which delivery; the same each time."""
    before = groups(guarded)
    buried = await bury(guarded, MSP, 40)
    bus = bus_of(guarded.settings("lacolle.adapters"))
    await bus.publish(Record(dead_topic(MSP), b"", BODY, ((DEAD_REASON, b"\x1b[2J"), ("ce_id", BODY))))
    await bus.close()
    letters = await listed(guarded, MSP)
    assert [letter["delivery_id"] for letter in letters] == [
        *(dict(record.headers)["ce_id"].decode() for record in buried),
        None,
    ]
    assert [letter["reason"] for letter in letters[:-1]] == [REASONS[number % len(REASONS)] for number in range(40)]
    assert {letter["topic"] for letter in letters[:-1]} == {f"lacolle.to.{MSP}.urgent"}
    assert {letter["partition"] for letter in letters} == {0, 1}
    assert (letters[-1]["reason"], letters[-1]["topic"]) == (None, None)
    assert letters == sorted(letters, key=lambda letter: letter["at"])
    assert await listed(guarded, MSP) == letters
    assert await listed(guarded, MSP, role="serve") == letters
    assert groups(guarded) == before


@pytest.mark.parametrize(
    ("language", "reasons", "count"),
    [
        ("en", ["ce_sender is missing"], f"Dead records for {VDH}: 1."),
        ("fr", ["ce_sender manque"], f"Enregistrements au rebut pour {VDH} : 1."),
    ],
)
async def test_a_person_reads_lines_in_their_language(
    guarded: GuardedKafka, language: str, reasons: list[str], count: str
) -> None:
    """An empty topic is said to be empty; then each record has a line, and none holds what the alert says."""
    words = ("--participant", VDH, "--lang", language)
    if not await listed(guarded, VDH):
        empty = await asyncio.to_thread(run, guarded, *words)
        assert empty.stdout.splitlines() == [count.replace("1", "0")]
        await bury(guarded, VDH, 1)
    done = await asyncio.to_thread(run, guarded, *words)
    *lines, last = done.stdout.splitlines()
    assert [re.split(r"  +", line, maxsplit=2)[2] for line in lines] == reasons
    assert last == count
    assert BODY.decode() not in done.output


@pytest.mark.parametrize("role", ["relay", "gateway"])
def test_other_roles_may_not_read(guarded: GuardedKafka, role: str) -> None:
    """Who puts nothing on a dead topic reads none, and is told that the right is missing."""
    done = run(guarded, "--participant", MSP, "--lang", "fr", role=role)
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.startswith("Kafka n'accorde pas ce droit")


@pytest.mark.parametrize(
    ("participant", "others", "reason"),
    [
        ("us-ny.nobody", {"request_timeout": "1.0"}, "There is no such topic on Kafka"),
        ("nobody", {}, "--participant is not a participant's identifier"),
        ("us-me.msp", {"bootstrap": "closed"}, "No Kafka broker answers"),
        ("us-me.msp", {"security__password_file": "missing"}, "missing"),
    ],
)
def test_what_cannot_be_read_is_said(
    guarded: GuardedKafka, participant: str, others: dict[str, str], reason: str
) -> None:
    """A participant without a topic, what is no participant, brokers that are away: each is named, on one line."""
    given = {
        name: f"['127.0.0.1:{free_ports(1)[0]}']" if value == "closed" else value for name, value in others.items()
    }
    done = run(guarded, "--participant", participant, "--lang", "en", **given)
    assert (done.exit_code, done.stdout) == (1, "")
    assert reason in done.stderr
    assert "Traceback" not in done.stderr


def test_a_failure_is_one_line(guarded: GuardedKafka) -> None:
    """Nothing but the command's own words is on standard error, whatever the Kafka client has to say."""
    words = ["ops", "dead", str(guarded.exchange), "--participant", MSP, "--lang", "fr"]
    environment = {**os.environ, "LACOLLE_BUS__KAFKA__BOOTSTRAP": f"['127.0.0.1:{free_ports(1)[0]}']"}
    program = [sys.executable, "-c", "from lacolle.cli import main; main()", *words]
    done = subprocess.run(program, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("Aucun courtier Kafka ne répond")


def test_the_embedded_bus_has_none(guarded: GuardedKafka, tmp_path: Path) -> None:
    """An exchange whose bus is its own has no topics to read, and says which setting names Kafka."""
    settings = yaml.safe_load((guarded.exchange / "lacolle.yaml").read_text(encoding="utf-8"))
    del settings["bus"]
    (tmp_path / "lacolle.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    words = ["ops", "dead", str(tmp_path), "--participant", MSP, "--lang", "en"]
    done = CliRunner().invoke(application(), words)
    assert done.exit_code == 1
    assert "bus.kafka" in done.stderr
