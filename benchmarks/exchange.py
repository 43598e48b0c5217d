"""The exchange under measurement: the sample world with its four agreements, served by the product's own command."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from benchmarks.partner import Endpoint
from benchmarks.process import HOST, Server, free_port, serving
from benchmarks.sample import Jwk
from lacolle.certificates import LocalAuthority
from lacolle.samples import WorldOptions, build_world, participants
from schemas.ids import ParticipantId

SENDER = ParticipantId("ca-qc.sq")
_UNLIMITED = {"rate_per_second": 1e6, "burst": 1_000_000}
"""What a participant may post: more than the load can, for it is the exchange that is measured, not its limits."""


@dataclass(frozen=True, slots=True)
class World:
    """A prepared exchange, and one agency that may post stolen-vehicle alerts to it.

    ``keys`` are the agency's private keys as JWKs, one of each algorithm; ``partners`` is where the load is to
    listen as everyone the agency's alerts may reach.
    """

    folder: Path
    port: int
    sender: str
    keys: tuple[Jwk, ...]
    partners: tuple[Endpoint, ...]


def prepare_exchange(
    directory: Path,
    *,
    delivering: bool,
    dead: Collection[ParticipantId] = (),
    engines: Mapping[str, Any] = MappingProxyType({}),
) -> World:
    """Make a new sample world in an empty directory; ``engines`` are its settings of database and bus.

    Where it is ``delivering``, every partner listens at one HTTPS endpoint, but those that are ``dead``, where nobody
    does; else none is connected yet, and what the exchange accepts is decided, logged and kept for them.
    """
    port = free_port()
    authority = LocalAuthority(directory / "tls")
    certificate = authority.issue("partners")
    endpoint = Endpoint(port=free_port(), certificate=certificate.chain, private_key=certificate.key)
    members = [ParticipantId(entry["participant"]) for entry in participants()]
    endpoints = dict.fromkeys(members, f"https://{HOST}:{endpoint.port}/alerts")
    endpoints |= dict.fromkeys(dead, f"https://{HOST}:{free_port()}/alerts")
    options = WorldOptions(
        host=HOST,
        port=port,
        endpoints=endpoints if delivering else {},
        settings={"limits": _UNLIMITED, "delivery": {"ca_file": str(authority.ca_file)}, **engines},
    )
    world = build_world(directory, options)
    return World(
        folder=world.folder,
        port=port,
        sender=SENDER,
        keys=tuple(key.to_jwk() for key in world.members[SENDER].keys),
        partners=(endpoint,) if delivering else (),
    )


@contextmanager
def serving_exchange(world: World) -> Iterator[Server]:
    """Run ``lacolle serve`` for as long as the block lasts; raises ``ServerDiedError``."""
    with _running(world, "serve", "--insecure-http", port=world.port) as server:
        yield server


@contextmanager
def serving_gateway(world: World, *, workers: int) -> Iterator[Server]:
    """Run ``lacolle gateway`` for as long as the block lasts; raises ``ServerDiedError``."""
    words = ("--workers", str(workers), "--insecure-http")
    with _running(world, "gateway", *words, port=world.port) as server:
        yield server


@contextmanager
def running_role(world: World, role: Literal["relay", "adapters"], *words: str) -> Iterator[Server]:
    """Run ``lacolle relay`` or ``adapters`` for as long as the block lasts; raises ``ServerDiedError``."""
    port = free_port()
    with _running(world, role, *words, "--operation-port", str(port), port=port) as server:
        yield server


def log_of(world: World, role: str) -> Path:
    """Return the file of what a role has written, one JSON object a line."""
    return world.folder.parent / f"{role}.log"


@contextmanager
def _running(world: World, role: str, *words: str, port: int) -> Iterator[Server]:
    command = [sys.executable, "-m", "lacolle", role, str(world.folder), *words]
    with serving(command, port=port, log=log_of(world, role), ready="/readyz") as server:
        yield server
