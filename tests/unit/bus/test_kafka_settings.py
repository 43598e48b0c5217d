"""The Kafka bus's settings: what is unsafe or can't work is refused before anything is opened."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from bus.kafka import AccessSettings, KafkaSettings, TopicSettings
from schemas.faults import sentence_for


@pytest.mark.parametrize("address", ["127.0.0.1:9092", "[::1]:9092", "localhost:9092"])
def test_plain_text_is_for_loopback(address: str) -> None:
    """Brokers on this machine may be reached in plain text, which is the default."""
    assert KafkaSettings(bootstrap=(address,)).bootstrap == (address,)


@pytest.mark.parametrize(
    "members",
    [
        {"bootstrap": ["kafka.example:9092"]},
        {"bootstrap": ["127.0.0.1:9092", "10.0.0.1:9092"]},
        {"bootstrap": []},
        {"bootstrap": ["127.0.0.1"]},
        {"bootstrap": ["127.0.0.1:9092"], "security": {"protocol": "sasl_plaintext"}},
        {"bootstrap": ["127.0.0.1:9092"], "acks": "1"},
        {"bootstrap": ["127.0.0.1:9092"], "heartbeat": 4.0},
        {"bootstrap": ["127.0.0.1:9092"], "topics": {"replication": 1, "min_insync": 2}},
    ],
)
def test_what_is_unsafe_or_cannot_work_is_refused(members: dict[str, Any]) -> None:
    """Each is refused with a sentence in both languages."""
    with pytest.raises(ValidationError) as refused:
        KafkaSettings.model_validate(members)
    sentence = sentence_for(refused.value.errors()[0])
    assert sentence.fr
    assert sentence.en


def test_topics_say_what_they_are_created_with() -> None:
    """Retention, replicas and the largest record reach Kafka by its own names and units; dead topics take more."""
    settings = TopicSettings(replication=3, min_insync=2, retention_hours=2, max_record_bytes=70_000)
    parcels = settings.configuration("lacolle.to.us-ny.nysp.urgent")
    assert parcels == {
        "min.insync.replicas": "2",
        "retention.ms": "7200000",
        "segment.ms": "7200000",
        "max.message.bytes": "70000",
        "cleanup.policy": "delete",
    }
    assert settings.configuration("lacolle.dead.us-ny.nysp") == parcels | {"max.message.bytes": str(70_000 + 4_096)}


@pytest.mark.parametrize(
    "certificates",
    [
        [{"of": "us-ny.nysp", "name": "a"}, {"of": "us-vt.vsp", "name": "a"}],
        [{"of": "us-ny.nysp", "name": "a"}, {"of": "us-ny.nysp", "name": "b"}],
        [{"of": "us-ny.nysp", "name": "*"}],
        [{"of": "us-ny.nysp", "name": ""}],
        [{"of": "somebody", "name": "a"}],
    ],
)
def test_a_certificate_stands_for_one(certificates: list[dict[str, str]]) -> None:
    """Two that share a name, one with two names, everybody, nobody, and who can't take part are refused."""
    with pytest.raises(ValidationError):
        AccessSettings.model_validate({"certificates": certificates})
