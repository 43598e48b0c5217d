"""The exchange on the other side of the bus."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from bus.embedded import EmbeddedBus
from bus.topics import OUTCOMES, adapter_group, parcels_topics
from tests.unit.adapters.hands import Exchange
from tests.unit.bus.parcels import NYSP


@pytest.fixture
async def exchange() -> AsyncIterator[Exchange]:
    """Yield an exchange that has asked for outcomes, on a bus on which the partner's group is known."""
    bus = EmbeddedBus()
    await (await bus.subscribe(parcels_topics(NYSP), group=adapter_group(NYSP))).close()
    yield Exchange(bus, await bus.subscribe([OUTCOMES], group="exchange"))
    await bus.close()
