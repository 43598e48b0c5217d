"""From what Kafka holds to what it must hold: compare, do what is missing, and say what was done and what was there.

Nothing is done twice, so a run that was cut short is run again. What can't be done without harm is told and left alone:
more partitions would break the order of keys, other replicas are the operator's to place, and rights that nobody should
have are taken back, and users who have left removed, only where that is asked for.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Literal, TypeAlias

from bus.kafka import TopicSettings
from lacolle.kafkaops.administrator import Administrator, TopicFound
from lacolle.kafkaops.errors import KafkaSetupError
from lacolle.kafkaops.wanted import ADMINISTRATOR, ANYWHERE, Grant, Wanted, made_for
from lacolle.passwordfolder import PasswordFolder
from schemas.bilingual import Bilingual

OURS: Final = "lacolle."
"""What the names of all our topics and groups begin with; what others have on the same brokers is not looked at."""

Kind: TypeAlias = Literal["topic", "user", "right"]


class State(StrEnum):
    """What became of one thing; where nothing is to be done but planned, what would become of it."""

    THERE = "there"
    CREATED = "created"
    CHANGED = "changed"
    REMOVED = "removed"
    DIFFERS = "differs"
    UNWANTED = "unwanted"


@dataclass(frozen=True, slots=True)
class Step:
    """One thing, and what became of it. ``detail`` never holds a secret."""

    kind: Kind
    name: str
    state: State
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Choices:
    """What the operator asks for.

    ``passwords`` is None where users and rights are left alone. ``renew`` are users that get a new password. ``prune``
    takes back rights on our topics and groups that nobody should have, and removes users who are no longer of ours.
    ``plan`` looks, and does nothing.
    """

    passwords: PasswordFolder | None
    renew: Collection[str] = field(default=())
    prune: bool = False
    plan: bool = False


def set_up(administrator: Administrator, wanted: Wanted, settings: TopicSettings, choices: Choices) -> tuple[Step, ...]:
    """Do what is missing and return every step, in order.

    Raises ``KafkaSetupError`` and ``ConfigurationError``; what was done before stands.
    """
    unknown = sorted(set(choices.renew) - set(wanted.users))
    if unknown:
        raise KafkaSetupError(_no_such_user(", ".join(unknown)))
    found = administrator.topics(wanted.topics)
    steps = [*_topics(administrator, wanted.topics, found, settings, choices)]
    if choices.passwords is not None:
        known, grants = administrator.users(), administrator.grants()
        steps += _users(administrator, known, wanted.users, choices.passwords, choices)
        steps += _former_users(administrator, _former(administrator, wanted, known, grants, choices.passwords), choices)
        steps += _rights(administrator, grants, wanted, choices)
    return tuple(steps)


def _topics(
    administrator: Administrator,
    topics: Iterable[str],
    found: dict[str, TopicFound],
    settings: TopicSettings,
    choices: Choices,
) -> Iterator[Step]:
    missing = [topic for topic in topics if topic not in found]
    if missing and not choices.plan:
        administrator.create_topics(missing, settings)
    for topic in topics:
        if topic not in found:
            yield Step("topic", topic, State.CREATED, f"partitions={settings.partitions}")
        else:
            yield from _existing(administrator, topic, found[topic], settings, choices)


def _existing(
    administrator: Administrator, topic: str, found: TopicFound, settings: TopicSettings, choices: Choices
) -> Iterator[Step]:
    changes = {
        name: value for name, value in settings.configuration(topic).items() if found.configuration.get(name) != value
    }
    fixed = {
        "partitions": (found.partitions, settings.partitions),
        "replicas": (found.replication, settings.replication),
    }
    differing = [f"{name}={has}≠{told}" for name, (has, told) in fixed.items() if has != told]
    if changes:
        if not choices.plan:
            administrator.configure(topic, changes)
        yield Step("topic", topic, State.CHANGED, ", ".join(f"{name}={value}" for name, value in changes.items()))
    if differing:
        yield Step("topic", topic, State.DIFFERS, ", ".join(differing))
    if not changes and not differing:
        yield Step("topic", topic, State.THERE, f"partitions={found.partitions}")


def _users(
    administrator: Administrator,
    known: Collection[str],
    users: Iterable[str],
    passwords: PasswordFolder,
    choices: Choices,
) -> Iterator[Step]:
    for user in users:
        file = str(passwords.file(user))
        if user in known and (user in choices.renew or passwords.awaits(user)):
            if not choices.plan:
                administrator.set_password(user, passwords.next_password(user))
                passwords.settle(user)
            yield Step("user", user, State.CHANGED, file)
        elif user in known:
            yield Step("user", user, State.THERE, file if passwords.holds(user) else "")
        else:
            if not choices.plan:
                administrator.set_password(user, passwords.password(user))
            yield Step("user", user, State.CREATED, file)


def _former(
    administrator: Administrator,
    wanted: Wanted,
    known: Collection[str],
    grants: Collection[Grant],
    passwords: PasswordFolder,
) -> list[str]:
    """Return the users whom an earlier run made and who should be no more; others' users on the brokers are theirs."""
    return [
        user
        for user in sorted(set(known) - set(wanted.users) - {administrator.username, ADMINISTRATOR})
        if passwords.holds(user) or made_for(user, grants)
    ]


def _former_users(administrator: Administrator, users: list[str], choices: Choices) -> Iterator[Step]:
    if choices.prune and not choices.plan and users:
        administrator.remove_users(users)
    for user in users:
        if choices.prune and not choices.plan and choices.passwords is not None:
            choices.passwords.remove(user)
        yield Step("user", user, State.REMOVED if choices.prune else State.UNWANTED)


def _rights(administrator: Administrator, found: frozenset[Grant], wanted: Wanted, choices: Choices) -> Iterator[Step]:
    missing = [grant for grant in wanted.grants if grant not in found]
    if missing and not choices.plan:
        administrator.allow(missing)
    for grant in wanted.grants:
        yield Step("right", named(grant), State.CREATED if grant in missing else State.THERE)
    unwanted = sorted(grant for grant in found - set(wanted.grants) if _is_ours(grant, wanted))
    if unwanted and choices.prune and not choices.plan:
        administrator.withdraw(unwanted)
    for grant in unwanted:
        yield Step("right", named(grant), State.REMOVED if choices.prune else State.UNWANTED)


def _is_ours(grant: Grant, wanted: Wanted) -> bool:
    """Whether a right concerns us: it reaches our topics or groups, or one of our principals has it."""
    on_ours = grant.name.startswith(OURS) or grant.name == "*" or (grant.prefixed and OURS.startswith(grant.name))
    return grant.principal in wanted.principals or (on_ours and grant.resource in {"topic", "group"})


def named(grant: Grant) -> str:
    """Return a right in one line: who, what, on which resource; a name that only begins so ends in an asterisk."""
    whence = "" if grant.host == ANYWHERE else f" @ {grant.host}"
    return f"{grant.principal}: {grant.operation} {grant.resource} {grant.name}{'*' if grant.prefixed else ''}{whence}"


def _no_such_user(names: str) -> Bilingual:
    return Bilingual(
        fr=f"Aucun utilisateur à mot de passe ne s'appelle ainsi : {names}. Corrigez --renew.",
        en=f"No user with a password has this name: {names}. Correct --renew.",
    )
