"""What Kafka must hold for an exchange: its topics, who gets in, and what each may do. Pure.

==============================  ==============================================================
who                             may
==============================  ==============================================================
a receiving participant         read its own two topics, in groups named ``lacolle.<it>.…``
relay                           write all parcels; read the outcomes, in the exchange's group
adapters                        read all parcels, in the adapters' groups; write outcomes and dead records
serve                           what relay and adapters may
gateway                         connect, to see whether the brokers answer
==============================  ==============================================================

Nobody of them may create, change or delete anything. Describing comes with reading and writing (Kafka's
``StandardAuthorizer``), and so does the idempotent producer with writing (KIP-679).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, TypeAlias, assert_never

from bus.kafka import AccessSettings, ExchangeRole, kafka_group
from bus.topics import (
    ADAPTER_GROUPS,
    DEAD,
    OUTCOMES,
    PARCELS,
    dead_topic,
    parcels_topics,
    partner_groups,
)
from gateway.outcomes import GROUP
from schemas.ids import ParticipantId
from schemas.registry import Registry, Role

ROLE_NAME: Final = "lacolle.{}"
"""The user of a role; no participant has such a name."""

Resource: TypeAlias = Literal["topic", "group"]
Operation: TypeAlias = Literal["read", "write"]


@dataclass(frozen=True, slots=True, order=True)
class Grant:
    """One right: ``name`` is a resource's name, or what its name begins with where ``prefixed``.

    ``operation`` is what the brokers call it, so that rights that nobody of ours would give can be told of as well.
    """

    principal: str
    resource: str
    name: str
    prefixed: bool
    operation: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """All that must be there, in the order in which it is shown.

    ``users`` are those that get in with a password; ``principals`` everybody's names, by password or certificate.
    """

    topics: tuple[str, ...]
    users: tuple[str, ...]
    principals: frozenset[str]
    grants: tuple[Grant, ...]


def receivers(registry: Registry, *, now: datetime) -> tuple[ParticipantId, ...]:
    """Return the participants that may receive now, or once their statement begins."""
    return tuple(
        participant
        for participant, current in sorted(registry.participants.items())
        if Role.RECEIVER in current.statement.roles and now < current.statement.end
    )


def wanted(access: AccessSettings, participants: Collection[ParticipantId]) -> Wanted:
    """Return what must be there for an exchange with these receiving participants."""
    certificates = {each.of: each.name for each in access.certificates}
    names: dict[str, str] = {
        **{participant: certificates.get(participant, participant) for participant in participants},
        **{role: certificates.get(role, ROLE_NAME.format(role)) for role in dict.fromkeys(access.roles)},
    }
    return Wanted(
        topics=(OUTCOMES, *(topic for each in participants for topic in (*parcels_topics(each), dead_topic(each)))),
        users=tuple(name for owner, name in names.items() if owner not in certificates),
        principals=frozenset(names.values()),
        grants=tuple(dict.fromkeys(_grants(access, participants, names))),
    )


def _grants(
    access: AccessSettings, participants: Collection[ParticipantId], names: Mapping[str, str]
) -> Iterator[Grant]:
    for participant in participants:
        yield from _partner(participant, names[participant])
    for role in access.roles:
        yield from _role(role, names[role])


def _partner(participant: ParticipantId, principal: str) -> Iterator[Grant]:
    for topic in parcels_topics(participant):
        yield _exactly(principal, "topic", topic, "read")
    yield _beginning(principal, "group", partner_groups(participant), "read")


def _role(role: ExchangeRole, principal: str) -> Iterator[Grant]:
    match role:
        case "gateway":
            return
        case "relay":
            yield _beginning(principal, "topic", PARCELS, "write")
            yield _exactly(principal, "topic", OUTCOMES, "read")
            yield _exactly(principal, "group", kafka_group(GROUP, OUTCOMES), "read")
        case "adapters":
            yield _beginning(principal, "topic", PARCELS, "read")
            yield _beginning(principal, "group", ADAPTER_GROUPS, "read")
            yield _exactly(principal, "topic", OUTCOMES, "write")
            yield _beginning(principal, "topic", DEAD, "write")
        case "serve":
            yield from _role("relay", principal)
            yield from _role("adapters", principal)
        case _:
            assert_never(role)


def _exactly(principal: str, resource: Resource, name: str, operation: Operation) -> Grant:
    return Grant(principal, resource, name, prefixed=False, operation=operation)


def _beginning(principal: str, resource: Resource, name: str, operation: Operation) -> Grant:
    return Grant(principal, resource, name, prefixed=True, operation=operation)
