"""Whether any broker can be reached, asked without putting anything on it."""

from __future__ import annotations

from pathlib import Path

from bus.contract import BusUnavailableError
from bus.kafka.connection import Connection
from bus.kafka.settings import KafkaSettings


class KafkaProbe:
    """For processes that have no bus of their own and whose operator asks. Raises ``KafkaSettingsError``."""

    def __init__(self, settings: KafkaSettings, *, folder: Path) -> None:
        self._connection = Connection(settings, folder)

    async def reachable(self) -> bool:
        """Connect to a broker, as who we are to it, and let go again."""
        try:
            await self._connection.reach()
        except BusUnavailableError:
            return False
        return True
