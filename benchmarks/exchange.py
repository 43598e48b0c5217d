"""The exchange under measurement: the sample world with its four agreements, served by the product's own command."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

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


def prepare_exchange(directory: Path, *, delivering: bool) -> World:
    """Make a new sample world in an empty directory.

    Where it is ``delivering``, every partner listens at one HTTPS endpoint; else none is connected yet, and what the
    exchange accepts is decided, logged and kept for them.
    """
    port = free_port()
    authority = LocalAuthority(directory / "tls")
    certificate = authority.issue("partners")
    endpoint = Endpoint(port=free_port(), certificate=certificate.chain, private_key=certificate.key)
    url = f"https://{HOST}:{endpoint.port}/alerts"
    options = WorldOptions(
        host=HOST,
        port=port,
        endpoints={ParticipantId(entry["participant"]): url for entry in participants()} if delivering else {},
        settings={"limits": _UNLIMITED, "delivery": {"ca_file": str(authority.ca_file)}},
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
    command = [sys.executable, "-m", "lacolle", "serve", str(world.folder), "--insecure-http"]
    with serving(command, port=world.port, log=world.folder.parent / "serve.log", ready="/readyz") as server:
        yield server
