"""What holds for tests of every kind, and the servers that any of them may ask for."""

from __future__ import annotations

import gc
import warnings

import pytest
from hypothesis import settings

pytest_plugins = ("tests.servers.postgres", "tests.servers.kafka", "tests.servers.guarded")

settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")  # how long an example takes says nothing on a machine that others work on


def pytest_runtest_logfinish(nodeid: str) -> None:
    """Collect at once what aiokafka leaves open where a connection fails halfway, lest another test be blamed."""
    if "kafka" in nodeid:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            gc.collect()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest, for the rest to be done meanwhile: a worker that is late is waited for."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)
