"""The demonstration's world, running: the node, the partners' servers, and a client for each agency."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import orjson

from lacolle.certificates import LocalAuthority
from lacolle.client import Client
from lacolle.demo.hosting import Host
from lacolle.demo.partners import PATH, MemberKeys, PartnerEndpoint
from lacolle.demo.scenario import Step, document_of
from lacolle.folder import ExchangeFolder, read_folder
from lacolle.processes.lineup import Part
from lacolle.samples import Cast, World, WorldOptions, build_world, everyone
from schemas.bilingual import Bilingual
from schemas.ids import ParticipantId

HOST: Final = "127.0.0.1"
SAMPLE_IDENTIFIER: Final = "SQ-DEMO-0001"
_SETTINGS: Final = {
    "limits": {"rate_per_second": 500.0, "burst": 2000, "body_bytes": 8 * 1024 * 1024},
    "delivery": {"ca_file": "tls/ca.pem"},
}


@dataclass(frozen=True, slots=True)
class RunningDemo:
    """Everything that runs, and everything that a visitor needs to talk to it."""

    directory: Path
    world: World
    folder: ExchangeFolder
    ca_file: Path
    host: Host
    exchange: Part
    clients: Mapping[ParticipantId, Client]
    partners: Mapping[ParticipantId, PartnerEndpoint]

    def description(self) -> dict[str, Any]:
        """Return what ``demo.json`` says: addresses, the log's verifier key, and each participant's keys."""
        return {
            "base_url": self.world.base_url,
            "ca_file": str(self.ca_file),
            "log_verifier_key": self.folder.keys.log.vkey,
            "exchange_folder": str(self.world.folder),
            "sample_alert": str(self.directory / "alert.json"),
            "sample_identifier": SAMPLE_IDENTIFIER,
            "participants": [
                {
                    "id": member.participant,
                    "kid": member.keys[0].kid,
                    "alg": member.keys[0].alg,
                    "private_key_file": str(member.key_files[0]),
                    "endpoint": member.endpoint,
                    "jurisdiction": member.jurisdiction,
                    "roles": list(member.roles),
                    "format": member.format,
                    "keys": [
                        {"kid": key.kid, "alg": key.alg, "private_key_file": str(file)}
                        for key, file in zip(member.keys, member.key_files, strict=True)
                    ],
                }
                for member in self.world.members.values()
            ],
        }

    def write_description(self) -> Path:
        """Write ``demo.json``, whole or not at all, with an alert to try beside it, and return its path."""
        step = Step(Bilingual(fr="Un essai", en="A trial"), "stolen-vehicle", changes={"identifier": SAMPLE_IDENTIFIER})
        now = datetime.now().astimezone().replace(microsecond=0)
        alert = document_of(step, number=0, now=now, original=None)
        (self.directory / "alert.json").write_bytes(orjson.dumps(alert, option=orjson.OPT_INDENT_2))
        path = self.directory / "demo.json"
        fresh = path.with_suffix(".new")
        fresh.write_bytes(orjson.dumps(self.description(), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
        fresh.replace(path)
        return path


@asynccontextmanager
async def running_demo(
    directory: Path, host: Host, *, environment: Mapping[str, str], cast: Cast | None = None
) -> AsyncIterator[RunningDemo]:
    """Make a sample world in ``directory``, start all of it on ``host``, and stop it when the block ends.

    ``cast`` is who is in it, the demonstration's own world where none is named. ``environment`` goes over the
    exchange's settings. Raises what the host raises, ``SettingsError`` for what can't be set so, and
    ``ConfigurationError`` where the directory is not empty.
    """
    cast = everyone() if cast is None else cast
    with ExitStack() as stack:
        bound = {
            ParticipantId(entry["participant"]): stack.enter_context(_bound())
            for entry in cast.participants
            if "receiver" in entry["roles"]
        }
        endpoints = {each: f"https://{HOST}:{sock.getsockname()[1]}{PATH}" for each, sock in bound.items()}
        settings = {**_SETTINGS, "listen": _TLS, **host.settings}
        options = WorldOptions(
            host=HOST, port=_free_port(), scheme="https", endpoints=endpoints, settings=settings, cast=cast
        )
        world = await asyncio.to_thread(build_world, directory, options)
        authority = LocalAuthority(world.folder / "tls")
        authority.issue("server")
        folder = read_folder(world.folder, environment)
        clients = {
            each: stack.enter_context(
                Client(world.base_url, participant=each, key=member.keys[0], ca_file=authority.ca_file)
            )
            for each, member in world.members.items()
        }
        senders = MemberKeys(world.members.values())
        partners = {
            each: PartnerEndpoint(
                world.members[each],
                bound=sock,
                certificate=authority.issue(each),
                exchange=folder.keys.transport.public,
                senders=senders,
                client=clients[each],
            )
            for each, sock in bound.items()
        }
        async with host.opened(folder) as exchange:
            demo = RunningDemo(directory, world, folder, authority.ca_file, host, exchange, clients, partners)
            async with _serving(demo):
                yield demo


@asynccontextmanager
async def _serving(demo: RunningDemo) -> AsyncIterator[None]:
    """Run the servers while the block lasts; should one of them fail, the block is cancelled and its error raised."""
    async with asyncio.TaskGroup() as group:
        exchange = group.create_task(demo.exchange.run())
        for partner in demo.partners.values():
            group.create_task(partner.run())
        try:
            yield
        finally:
            # whoever holds connections first: a server waits for its peers to let go
            for client in demo.clients.values():
                client.close()
            demo.exchange.stop()
            await asyncio.wait([exchange])
            for partner in demo.partners.values():
                partner.stop()


_TLS: Final = {"tls": {"certificate": "tls/server.pem", "key": "tls/server.key"}}


def _bound() -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.bind((HOST, 0))
    return sock


def _free_port() -> int:
    with _bound() as sock:
        return int(sock.getsockname()[1])
