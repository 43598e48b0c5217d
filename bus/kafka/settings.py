"""What the Kafka bus is told: where the brokers are, who we are to them, what topics are like, how long to wait.

A section of the exchange's settings, so it is checked like all others: strict, whole, and before anything is opened.
"""

from __future__ import annotations

import ipaddress
from typing import Annotated, Final, Literal, Self, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from bus.topics import DEAD
from schemas.bilingual import Bilingual
from schemas.faults import BrokenRuleError
from schemas.ids import PARTICIPANT_PATTERN

_ADDRESS: Final = r"^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]{1,253}):[0-9]{1,5}$"
Address: TypeAlias = Annotated[str, StringConstraints(pattern=_ADDRESS)]
"""A broker, ``host:port``; an IPv6 address stands in brackets."""


class _Section(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class Plaintext(_Section):
    """No encryption and no name: for brokers on loopback alone."""

    protocol: Literal["plaintext"] = "plaintext"


class Scram(_Section):
    """TLS, and a user name with a password by SCRAM-SHA-512 (RFC 5802).

    ``password_file`` holds the password and nothing else; a final newline is not part of it. ``ca_file`` (PEM)
    replaces the system's certificate authorities.
    """

    protocol: Literal["scram"]
    username: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    password_file: str
    ca_file: str | None = None


class MutualTls(_Section):
    """TLS with a certificate of our own, whose subject is our name to the brokers. All files are PEM."""

    protocol: Literal["mtls"]
    certificate: str
    key: str
    ca_file: str | None = None


ExchangeRole: TypeAlias = Literal["gateway", "relay", "adapters", "serve"]
"""A part of the exchange that is a process of its own; ``serve`` is all of them in one."""
_ROLE: Final = r"^(gateway|relay|adapters|serve)$"
_PRINCIPAL: Final = r"^[^\x00-\x1f\x7f:*][^\x00-\x1f\x7f]{0,499}$"
"""Never the ``*`` that stands for everybody."""

Security: TypeAlias = Annotated[Plaintext | Scram | MutualTls, Field(discriminator="protocol")]

DEAD_ROOM: Final = 4 * 1024
"""Bytes by which a dead topic's records may be larger than others: the largest one has to fit with why it is dead."""


class TopicSettings(_Section):
    """What topics are created with.

    ``partitions`` bounds how many processes share one partner's lane; raising it later breaks the order of keys for a
    while. ``retention_hours`` must exceed the time for which deliveries are tried. ``max_record_bytes`` is the largest
    record, key and headers included; dead topics take ``DEAD_ROOM`` more.
    """

    partitions: Annotated[int, Field(ge=1, le=1000)] = 6
    replication: Annotated[int, Field(ge=1, le=15)] = 3
    min_insync: Annotated[int, Field(ge=1, le=15)] = 2
    retention_hours: Annotated[int, Field(ge=1, le=24 * 366)] = 7 * 24
    max_record_bytes: Annotated[int, Field(ge=65_536, le=100 * 1024 * 1024)] = 3 * 1024 * 1024

    @model_validator(mode="after")
    def _replicas_suffice(self) -> Self:
        if self.min_insync > self.replication:
            raise BrokenRuleError(_TOO_FEW_REPLICAS)
        return self

    def largest_record(self, topic: str) -> int:
        """Return the largest record that a topic takes, in bytes."""
        return self.max_record_bytes + (DEAD_ROOM if topic.startswith(DEAD) else 0)

    def configuration(self, topic: str) -> dict[str, str]:
        """Return a topic's configuration, by Kafka's names."""
        return {
            "min.insync.replicas": str(self.min_insync),
            "retention.ms": str(self.retention_hours * 3_600_000),
            # a record goes with its segment, which is kept for as long as its last record is: no more than a day longer
            "segment.ms": str(min(self.retention_hours, 24) * 3_600_000),
            "max.message.bytes": str(self.largest_record(topic)),
            "cleanup.policy": "delete",
        }


class CertificateName(_Section):
    """The name under which the brokers know the certificate of a participant, or of a role of the exchange.

    It is what ``ssl.principal.mapping.rules`` make of the certificate's subject, without ``User:``.
    """

    of: Annotated[str, StringConstraints(pattern=f"{PARTICIPANT_PATTERN}|{_ROLE}")]
    name: Annotated[str, StringConstraints(pattern=_PRINCIPAL)]


class AccessSettings(_Section):
    """Who besides its administrators gets into Kafka; ``lacolle ops kafka`` sets it up, and nothing else reads it.

    ``roles`` are those of the exchange that get a name of their own. Whoever has no entry under ``certificates`` gets a
    user with a password.
    """

    roles: Annotated[tuple[ExchangeRole, ...], Field(strict=False)] = ("gateway", "relay", "adapters")
    certificates: Annotated[tuple[CertificateName, ...], Field(strict=False)] = ()

    @model_validator(mode="after")
    def _each_its_own(self) -> Self:
        owners, names = {each.of for each in self.certificates}, {each.name for each in self.certificates}
        if len(owners) < len(self.certificates) or len(names) < len(self.certificates):
            raise BrokenRuleError(_SHARED_NAME)
        return self


class KafkaSettings(_Section):
    """How to reach Kafka, and how long to wait for it; all times are in seconds.

    ``request_timeout`` bounds one request, ``delivery_timeout`` the whole of a call to the bus. A member that was not
    heard of for ``session_timeout`` loses its partitions. Where partitions change hands, what is in hand has
    ``drain`` to be finished. ``commit_interval`` is how much of what was done a crash may have handed out again.
    """

    bootstrap: Annotated[tuple[Address, ...], Field(strict=False, min_length=1)]
    security: Security = Plaintext()
    topics: TopicSettings = TopicSettings()
    access: AccessSettings = AccessSettings()
    client_id: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,100}$")] = "lacolle"
    request_timeout: Annotated[float, Field(ge=0.1, le=300)] = 5.0
    delivery_timeout: Annotated[float, Field(ge=0.1, le=600)] = 15.0
    session_timeout: Annotated[float, Field(ge=1, le=300)] = 10.0
    heartbeat: Annotated[float, Field(ge=0.05, le=100)] = 1.0
    drain: Annotated[float, Field(ge=0, le=60)] = 5.0
    commit_interval: Annotated[float, Field(ge=0.01, le=60)] = 0.2

    @model_validator(mode="after")
    def _plaintext_on_loopback(self) -> Self:
        if isinstance(self.security, Plaintext) and not all(map(_is_loopback, self.bootstrap)):
            raise BrokenRuleError(_PLAINTEXT_ABROAD)
        return self

    @model_validator(mode="after")
    def _heartbeats_suffice(self) -> Self:
        if self.heartbeat * 3 > self.session_timeout:
            raise BrokenRuleError(_HEARTBEAT_TOO_SLOW)
        return self


def _is_loopback(address: str) -> bool:
    host = address.rpartition(":")[0].strip("[]")
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


_PLAINTEXT_ABROAD: Final = Bilingual(
    fr="Sans chiffrement, Kafka n'est joint que sur une adresse de bouclage : choisissez « scram » ou « mtls » sous "
    "security.",
    en="Kafka is reached without encryption on a loopback address alone: choose “scram” or “mtls” under security.",
)
_TOO_FEW_REPLICAS: Final = Bilingual(
    fr="min_insync dépasse replication : aucun enregistrement ne serait jamais confirmé.",
    en="min_insync exceeds replication: no record would ever be acknowledged.",
)
_SHARED_NAME: Final = Bilingual(
    fr="certificates nomme deux fois le même participant, le même rôle ou le même certificat : l'un lirait ce qui est "
    "à l'autre.",
    en="certificates names the same participant, role or certificate twice: one would read what is the other's.",
)
_HEARTBEAT_TOO_SLOW: Final = Bilingual(
    fr="heartbeat dépasse le tiers de session_timeout : un membre en bon état perdrait ses partitions.",
    en="heartbeat exceeds a third of session_timeout: a member in good health would lose its partitions.",
)
