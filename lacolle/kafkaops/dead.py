"""What ``lacolle ops dead`` reads: a participant's dead topic, to its end, with the rights of the exchange itself.

Of the folder it reads the settings and what they name under ``security``. It is in no group, so nobody's place in the
topic moves, and what is told of a record is nothing of its content.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bus.contract import BusUnavailableError
from bus.dead import DeadLetter, read_dead
from bus.kafka import KafkaRefusedError, KafkaSettingsError, contents
from bus.topics import dead_topic
from gateway.settings.exchange import read_settings
from lacolle.errors import ConfigurationError
from lacolle.folder import SETTINGS
from lacolle.kafkaops.errors import NO_KAFKA, UNREACHABLE, KafkaSetupError
from schemas.ids import ParticipantId


@dataclass(frozen=True, slots=True)
class Found:
    """A dead record: when it went to the dead topic (milliseconds since the Unix epoch), where it is, what it says."""

    at_ms: int
    partition: int
    offset: int
    letter: DeadLetter


async def dead_letters(
    folder: Path, participant: ParticipantId, *, environment: Mapping[str, str]
) -> tuple[Found, ...]:
    """Return what a participant's dead topic holds, the oldest first.

    Raises ``SettingsError``, ``ConfigurationError`` and ``KafkaSetupError``.
    """
    kafka = read_settings(folder / SETTINGS, environment).bus.kafka
    if kafka is None:
        raise ConfigurationError(NO_KAFKA)
    try:
        found = [
            Found(each.at_ms, each.partition, each.offset, read_dead(each.record))
            async for each in contents(kafka, dead_topic(participant), folder=folder)
        ]
    except KafkaSettingsError as error:
        raise ConfigurationError(error.reason) from error
    except KafkaRefusedError as error:
        raise KafkaSetupError(error.reason) from error
    except BusUnavailableError as error:
        raise KafkaSetupError(UNREACHABLE) from error
    return tuple(sorted(found, key=lambda each: (each.at_ms, each.partition, each.offset)))
