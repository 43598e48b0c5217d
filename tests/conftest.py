"""What holds for tests of every kind, and the servers that any of them may ask for."""

from __future__ import annotations

import gc
import warnings

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
