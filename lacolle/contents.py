"""The door to an exchange's stored content, as commands and processes open it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from lacolle.errors import ConfigurationError

if TYPE_CHECKING:
    from gateway.sealing.contents import Contents
    from gateway.settings.exchange import Settings


def contents_of(settings: Settings, path: Path) -> Contents:
    """Return the door to the content of the exchange in a folder, whose settings are at hand.

    Raises ``ConfigurationError``.
    """
    # some commands start without a gateway
    from gateway.clock import system_clock  # noqa: PLC0415 - as above
    from gateway.sealing.errors import SealingError  # noqa: PLC0415 - as above
    from gateway.sealing.source import open_contents  # noqa: PLC0415 - as above

    try:
        return open_contents(settings, path, environment=os.environ, clock=system_clock)
    except SealingError as error:
        raise ConfigurationError(error.reason) from error
