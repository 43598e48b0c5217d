"""The names of the topics, and reading them back.

One topic per recipient and lane, so that a partner may be let into its own and no other:

=====================================  ==================================================
``lacolle.to.<participant>.urgent``    its urgent parcels
``lacolle.to.<participant>.routine``   its routine parcels
``lacolle.outcomes``                   what the adapters report, all partners together
``lacolle.recalled``                   agreements under which nothing on the bus may go out any more
``lacolle.dead.<participant>``         records its adapter could not read
=====================================  ==================================================

A participant's identifier holds letters, digits, hyphens and one dot and is at most 70 characters long, so every
name is legal on Kafka (``[a-zA-Z0-9._-]``, at most 249). No name holds an underscore, which Kafka's metrics could
confuse with a dot.
"""

from __future__ import annotations

import re

from schemas.decisions import Lane
from schemas.ids import PARTICIPANT_PATTERN, ParticipantId

OUTCOMES = "lacolle.outcomes"
RECALLED = "lacolle.recalled"
BULLETINS = frozenset({RECALLED})
"""The topics that every reader reads whole (``bus.contract.Bulletin``)."""

PARCELS = "lacolle.to."
"""What the topics of all parcels begin with."""
DEAD = "lacolle.dead."
"""What the topics of all dead records begin with."""
ADAPTER_GROUPS = "lacolle.adapter."
"""What the groups of all adapters begin with."""


class UnknownTopicError(Exception):
    """The topic is not a recipient's."""


def parcels_topic(recipient: ParticipantId, lane: Lane) -> str:
    """Return the topic of a recipient's parcels in one lane."""
    return f"{PARCELS}{recipient}.{lane}"


def parcels_topics(recipient: ParticipantId) -> tuple[str, ...]:
    """Return all topics of a recipient's parcels, the most urgent first."""
    return tuple(parcels_topic(recipient, lane) for lane in Lane)


def dead_topic(participant: ParticipantId) -> str:
    """Return the topic for records that a participant's adapter could not read."""
    return f"{DEAD}{participant}"


def read_parcels_topic(topic: str) -> tuple[ParticipantId, Lane]:
    """Return whose parcels a topic carries, and in which lane. Raises ``UnknownTopicError``."""
    recipient, _, lane = topic.removeprefix(PARCELS).rpartition(".")
    # fullmatch: the pattern's own "$" would let a final newline through
    if not topic.startswith(PARCELS) or not re.fullmatch(PARTICIPANT_PATTERN, recipient) or lane not in set(Lane):
        raise UnknownTopicError("not a topic of parcels")
    return ParticipantId(recipient), Lane(lane)


def adapter_group(participant: ParticipantId) -> str:
    """Return the group in which every worker of one partner's adapter subscribes."""
    return f"{ADAPTER_GROUPS}{participant}"


def partner_groups(participant: ParticipantId) -> str:
    """Return what the names of the groups begin with in which a partner reads its own topics itself."""
    return f"lacolle.{participant}."
