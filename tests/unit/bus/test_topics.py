"""The topics' names: legal on Kafka, and readable back."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.topics import (
    OUTCOMES,
    UnknownTopicError,
    adapter_group,
    dead_topic,
    parcels_topic,
    parcels_topics,
    read_parcels_topic,
)
from schemas.decisions import Lane
from schemas.ids import PARTICIPANT_PATTERN, ParticipantId

LEGAL_ON_KAFKA = re.compile(r"[a-zA-Z0-9._-]{1,249}")
SQ = ParticipantId("ca-qc.sq")

participants = st.from_regex(PARTICIPANT_PATTERN, fullmatch=True).map(str.strip).map(ParticipantId)


def test_names_are_those_of_the_wire() -> None:
    """The names are the ones that independent partners configure their access lists with."""
    assert parcels_topics(SQ) == ("lacolle.to.ca-qc.sq.urgent", "lacolle.to.ca-qc.sq.routine")
    assert OUTCOMES == "lacolle.outcomes"
    assert dead_topic(SQ) == "lacolle.dead.ca-qc.sq"
    assert adapter_group(SQ) == "lacolle.adapter.ca-qc.sq"


@given(participants, st.sampled_from(Lane))
def test_a_topic_reads_back(recipient: ParticipantId, lane: Lane) -> None:
    """Whatever the participant, its topic is legal on Kafka and names it and the lane without doubt."""
    topic = parcels_topic(recipient, lane)
    assert LEGAL_ON_KAFKA.fullmatch(topic)
    assert LEGAL_ON_KAFKA.fullmatch(dead_topic(recipient))
    assert read_parcels_topic(topic) == (recipient, lane)


@pytest.mark.parametrize(
    "topic",
    [
        "",
        OUTCOMES,
        "lacolle.dead.ca-qc.sq",
        "lacolle.to.ca-qc.sq",
        "lacolle.to.ca-qc.sq.later",
        "lacolle.to.ca-qc.sq.URGENT",
        "lacolle.to..urgent",
        "lacolle.to.ca-qc.urgent",
        "lacolle.to.CA-QC.sq.urgent",
        "lacolle.to.ca-qc.sq.us-ny.urgent",
        "lacolle.to.ca-qc.sq\n.urgent",
        "x.lacolle.to.ca-qc.sq.urgent",
        "ca-qc.sq.urgent",
    ],
)
def test_other_names_are_no_topic_of_parcels(topic: str) -> None:
    """A name that the exchange does not give is refused rather than guessed at."""
    with pytest.raises(UnknownTopicError):
        read_parcels_topic(topic)
