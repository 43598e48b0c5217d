"""The bus on Apache Kafka, for exchanges of many processes. Nothing outside this package imports aiokafka.

How it keeps what ``bus.contract`` promises:

* *durable*: ``acks=all`` with an idempotent producer; what is not acknowledged in time counts as unavailable;
* *order*: the key chooses the partition, calls for one topic are queued first come, first served, and a producer that
  lost its place in a partition's sequence is closed for good before another takes over;
* *at least once*: offsets are committed up to the first record that is not done, never further;
* *groups*: a new group begins at the first record that the brokers still have, so nothing that was published before
  its first member joined is missed. Kafka keeps how far it has come while it has members, and for the brokers'
  ``offsets.retention.minutes`` after.

A group of the contract is one Kafka group for each topic, ``<group>/<topic>``, so that members that come and go on
one lane never stop the other.
"""

from __future__ import annotations

from bus.kafka.bus import KafkaBus
from bus.kafka.contents import Stored, contents
from bus.kafka.errors import KafkaRefusedError, KafkaSettingsError
from bus.kafka.groups import kafka_group
from bus.kafka.probe import KafkaProbe
from bus.kafka.settings import (
    AccessSettings,
    CertificateName,
    ExchangeRole,
    KafkaSettings,
    MutualTls,
    Plaintext,
    Scram,
    Security,
    TopicSettings,
)

__all__ = [
    "AccessSettings",
    "CertificateName",
    "ExchangeRole",
    "KafkaBus",
    "KafkaProbe",
    "KafkaRefusedError",
    "KafkaSettings",
    "KafkaSettingsError",
    "MutualTls",
    "Plaintext",
    "Scram",
    "Security",
    "Stored",
    "TopicSettings",
    "contents",
    "kafka_group",
]
