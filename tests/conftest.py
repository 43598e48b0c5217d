"""Servers that tests of every kind may ask for."""

from __future__ import annotations

pytest_plugins = ("tests.servers.postgres", "tests.servers.kafka", "tests.servers.guarded")
