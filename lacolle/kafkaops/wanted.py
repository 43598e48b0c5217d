"""What Kafka must hold for an exchange: its topics, who gets in, and what each may do. Pure.

==============================  ==============================================================
who                             may
==============================  ==============================================================
a receiving participant         read its own two topics, in groups named ``lacolle.<it>.…``
relay                           write all parcels, and recalls; read the outcomes, in the exchange's group
adapters                        read all parcels, in the adapters' groups, and recalls, in no group; write outcomes;
                                write dead records, and read them, in no group: for ``lacolle ops dead``
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
from typing import Final, Literal, TypeAlias, assert_never, get_args

from bus.kafka import AccessSettings, ExchangeRole, kafka_group
from bus.topics import (
    ADAPTER_GROUPS,
    DEAD,
    OUTCOMES,
    PARCELS,
    RECALLED,
    dead_topic,
    parcels_topics,
    partner_groups,
)
from gateway.relaying.outcomes import GROUP
from lacolle.kafkaops.errors import KafkaSetupError
from schemas.bilingual import Bilingual
from schemas.ids import ParticipantId
from schemas.registry import Registry
from schemas.statements import Role

ROLE_NAME: Final = "lacolle.{}"
"""The user of a role; no participant has such a name."""
ADMINISTRATOR: Final = ROLE_NAME.format("administrator")
"""Whom the brokers of ``deploy/`` let do everything."""
ANYWHERE: Final = "*"
"""The host of a right that counts from every host."""
_OURS: Final = ROLE_NAME.format("")
_ROLE_NAMES: Final = frozenset(ROLE_NAME.format(role) for role in get_args(ExchangeRole))

Resource: TypeAlias = Literal["topic", "group"]
Operation: TypeAlias = Literal["read", "write"]


@dataclass(frozen=True, slots=True, order=True)
class Grant:
    """One right: ``name`` is a resource's name, or what its name begins with where ``prefixed``.

    ``operation`` is what the brokers call it, so that rights that nobody of ours would give can be told of as well.
    ``host`` is from where it counts; those that we give count from anywhere.
    """

    principal: str
    resource: str
    name: str
    prefixed: bool
    operation: str
    host: str = ANYWHERE


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


def wanted(
    access: AccessSettings, participants: Collection[ParticipantId], *, administrator: str = ADMINISTRATOR
) -> Wanted:
    """Return what must be there for an exchange with these receiving participants.

    Raises ``KafkaSetupError`` where a certificate's name is somebody else's, whose rights it would bring with it.
    """
    certificates = {each.of: each.name for each in access.certificates}
    for owner, name in certificates.items():
        _require_own_name(owner, name, taken={*participants, *_ROLE_NAMES, ADMINISTRATOR, administrator})
    names: dict[str, str] = {
        **{participant: certificates.get(participant, participant) for participant in participants},
        **{role: certificates.get(role, ROLE_NAME.format(role)) for role in dict.fromkeys(access.roles)},
    }
    return Wanted(
        topics=(
            OUTCOMES,
            RECALLED,
            *(topic for each in participants for topic in (*parcels_topics(each), dead_topic(each))),
        ),
        users=tuple(name for owner, name in names.items() if owner not in certificates),
        principals=frozenset(names.values()),
        grants=tuple(dict.fromkeys(_grants(access, participants, names))),
    )


def made_for(user: str, grants: Collection[Grant]) -> bool:
    """Say whether a user is one that we make: a role's, or a participant's, which has the right to its own groups."""
    return user in _ROLE_NAMES or _beginning(user, "group", partner_groups(ParticipantId(user)), "read") in grants


def _require_own_name(owner: str, name: str, *, taken: Collection[str]) -> None:
    own = {owner, ROLE_NAME.format(owner)} if owner in get_args(ExchangeRole) else {owner}
    is_participants = owner not in get_args(ExchangeRole)
    if name not in own and (name in taken or (is_participants and name.startswith(_OURS))):
        raise KafkaSetupError(_taken(owner, name))


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
            yield _exactly(principal, "topic", RECALLED, "write")
            yield _exactly(principal, "topic", OUTCOMES, "read")
            yield _exactly(principal, "group", kafka_group(GROUP, OUTCOMES), "read")
        case "adapters":
            yield _beginning(principal, "topic", PARCELS, "read")
            yield _beginning(principal, "group", ADAPTER_GROUPS, "read")
            yield _exactly(principal, "topic", RECALLED, "read")
            yield _exactly(principal, "topic", OUTCOMES, "write")
            yield _beginning(principal, "topic", DEAD, "write")
            yield _beginning(principal, "topic", DEAD, "read")
        case "serve":
            yield from _role("relay", principal)
            yield from _role("adapters", principal)
        case _:
            assert_never(role)


def _exactly(principal: str, resource: Resource, name: str, operation: Operation) -> Grant:
    return Grant(principal, resource, name, prefixed=False, operation=operation)


def _beginning(principal: str, resource: Resource, name: str, operation: Operation) -> Grant:
    return Grant(principal, resource, name, prefixed=True, operation=operation)


def _taken(owner: str, name: str) -> Bilingual:
    return Bilingual(
        fr=f"Le certificat de {owner} porterait le nom {name}, qui est celui d'un autre et en donnerait les droits : "
        "corrigez bus.kafka.access.certificates, ou ssl.principal.mapping.rules chez les courtiers.",
        en=f"The certificate of {owner} would have the name {name}, which is somebody else's and would give their "
        "rights: correct bus.kafka.access.certificates, or the brokers' ssl.principal.mapping.rules.",
    )
