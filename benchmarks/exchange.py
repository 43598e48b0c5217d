"""The exchange under measurement: a sample world with four agreements, served by the product's own command."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from benchmarks.partner import Endpoint
from benchmarks.process import Server, serving
from benchmarks.sample import Jwk


@dataclass(frozen=True, slots=True)
class World:
    """A prepared exchange, and one agency that may post stolen-vehicle alerts to it.

    ``keys`` are the agency's private keys as JWKs with ``kid`` and ``alg``, one of each algorithm; ``partners`` is
    where the load is to listen as the agency's partners. The agency's rate limit lies above what can be posted.
    """

    base_url: str
    sender: str
    keys: tuple[Jwk, ...]
    partners: tuple[Endpoint, ...]


class BuildWorld(Protocol):
    """Makes a world."""

    def __call__(self, directory: Path) -> World:
        """Prepare a new exchange in an empty directory, so that ``lacolle serve`` can serve it on loopback."""


@contextmanager
def serving_exchange(world: World, directory: Path) -> Iterator[Server]:
    """Run ``lacolle serve`` on a prepared directory for as long as the block lasts; raises ``ServerDiedError``."""
    port = urlsplit(world.base_url).port
    if port is None:
        raise ValueError("a world's base_url names its port")
    command = [sys.executable, "-m", "lacolle", "serve", str(directory), "--insecure-http"]
    with serving(command, port=port, log=directory / "serve.log", ready="/readyz") as server:
        yield server
