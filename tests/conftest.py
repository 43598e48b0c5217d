"""What holds for tests of every kind, and the servers that any of them may ask for."""

from __future__ import annotations

from hypothesis import settings

pytest_plugins = ("tests.servers.postgres", "tests.servers.kafka")

settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")  # how long an example takes says nothing on a machine that others work on
