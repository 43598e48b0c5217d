"""Whose name is whose on the brokers: no certificate brings somebody else's rights with it."""

from __future__ import annotations

import pytest

from bus.kafka import AccessSettings
from lacolle.kafkaops.errors import KafkaSetupError
from lacolle.kafkaops.wanted import wanted
from schemas.ids import ParticipantId

NYSP, VSP = ParticipantId("us-ny.nysp"), ParticipantId("us-vt.vsp")


def _access(of: str, name: str) -> AccessSettings:
    return AccessSettings.model_validate({"certificates": [{"of": of, "name": name}]})


@pytest.mark.parametrize(
    ("of", "name"),
    [
        (VSP, NYSP),
        (VSP, "lacolle.relay"),
        (VSP, "lacolle.serve"),
        (VSP, "lacolle.administrator"),
        (VSP, "lacolle.anything"),
        (VSP, "kafka-admin"),
        ("gateway", "lacolle.relay"),
        ("gateway", "lacolle.administrator"),
        ("gateway", NYSP),
    ],
)
def test_a_name_that_is_taken_is_refused(of: str, name: str) -> None:
    """A certificate under another's user name, a role's or the administrator's is refused, and both are named."""
    with pytest.raises(KafkaSetupError) as refused:
        wanted(_access(of, name), [NYSP, VSP], administrator="kafka-admin")
    for language in (refused.value.reason.fr, refused.value.reason.en):
        assert of in language
        assert name in language


@pytest.mark.parametrize(
    ("of", "name"), [(VSP, VSP), (VSP, "alerts.vsp.example"), ("relay", "lacolle.relay"), ("relay", "relay.example")]
)
def test_a_name_of_ones_own_is_taken(of: str, name: str) -> None:
    """Whoever has a certificate under its own name, or a new one, has that name and no password."""
    there = wanted(_access(of, name), [NYSP, VSP])
    assert name in there.principals
    assert name not in there.users
    assert {grant.principal for grant in there.grants} == there.principals - {"lacolle.gateway"}
