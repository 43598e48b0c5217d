"""What can go wrong on Kafka beyond its being away."""

from __future__ import annotations

from bus.contract import BusUnavailableError
from schemas.bilingual import Bilingual


class KafkaSettingsError(Exception):
    """The settings name what can't be used; ``reason`` says what, never a secret."""

    def __init__(self, reason: Bilingual) -> None:
        super().__init__(reason.en)
        self.reason = reason


class KafkaRefusedError(BusUnavailableError):
    """The brokers answer, and refuse; somebody has to act before a further call can succeed. ``reason`` says how."""

    def __init__(self, reason: Bilingual) -> None:
        super().__init__(reason.en)
        self.reason = reason
