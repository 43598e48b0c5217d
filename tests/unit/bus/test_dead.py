"""Dead records: nothing of them is lost, and what is told of them is fit to be shown."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.contract import Record
from bus.dead import DEAD_REASON, DEAD_TOPIC, DeadLetter, dead_record, read_dead
from bus.events import write_parcel
from schemas.ids import ParticipantId
from tests.unit.bus.parcels import BODY, ORIGIN, parcel


def test_a_dead_record_keeps_everything_and_says_why() -> None:
    """An operator finds the record as it came, with the reason and where it came from; a second death replaces both."""
    record = Record("lacolle.to.ca-qc.sq.urgent", b"key", BODY, (("ce_id", b"\xff"), ("other", b"1")))
    sq = ParticipantId("ca-qc.sq")
    dead = dead_record(record, participant=sq, reason="ce_type is missing")
    assert dead.topic == "lacolle.dead.ca-qc.sq"
    assert (dead.key, dead.value) == (record.key, record.value)
    assert dead.headers == (
        *record.headers,
        (DEAD_REASON, b"ce_type is missing"),
        (DEAD_TOPIC, b"lacolle.to.ca-qc.sq.urgent"),
    )
    again = dead_record(replace(dead, topic=record.topic), participant=sq, reason="the key is not as it should be")
    assert [name for name, _ in again.headers] == ["ce_id", "other", DEAD_REASON, DEAD_TOPIC]


def test_a_dead_parcel_is_known_by_its_delivery() -> None:
    """A record that was a parcel once says why it is dead, which topic it came on, and whose delivery it was."""
    sent = parcel(1)
    record = write_parcel(sent, origin=ORIGIN)
    dead = dead_record(record, participant=sent.recipient, reason="ce_sender is missing")
    assert read_dead(dead) == DeadLetter("ce_sender is missing", record.topic, sent.delivery_id)


@pytest.mark.parametrize(
    "headers",
    [
        (),
        ((DEAD_REASON, b""), (DEAD_TOPIC, b""), ("ce_id", b"")),
        ((DEAD_REASON, b"\xff"), (DEAD_TOPIC, b"\xff"), ("ce_id", b"\xff")),
        ((DEAD_REASON, b"\x1b[2J"), (DEAD_TOPIC, b"lacolle.outcomes"), ("ce_id", b"7")),
        ((DEAD_REASON, b"x" * 1001), (DEAD_TOPIC, b"lacolle.to.us-ny.nysp.urgent\n"), ("ce_id", b"7\n")),
        ((DEAD_REASON, b"one"), (DEAD_REASON, b"two")),
    ],
)
def test_what_is_not_as_it_should_be_is_not_told(headers: tuple[tuple[str, bytes], ...]) -> None:
    """A header that is missing, doubled, no text, or text that a terminal would obey, counts as not there."""
    assert read_dead(Record("lacolle.dead.us-ny.nysp", b"", b"", headers)) == DeadLetter(None, None, None)


names = st.sampled_from([DEAD_REASON, DEAD_TOPIC, "ce_id", "other"])


@given(st.lists(st.tuples(names, st.binary(max_size=20) | st.text(max_size=20).map(str.encode))))
def test_anything_can_be_told_of(headers: list[tuple[str, bytes]]) -> None:
    """Whatever a record holds, reading it raises nothing, and what is told of it can be printed."""
    told = read_dead(Record("lacolle.dead.us-ny.nysp", b"", b"", tuple(headers)))
    for text in (told.reason, told.topic, told.delivery_id):
        assert text is None or text.isprintable()
