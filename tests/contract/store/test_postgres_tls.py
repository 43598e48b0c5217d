"""PostgreSQL through TLS: the engine, the relay's lock and LISTEN all verify the server, or none of them connects."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import yaml
from sqlalchemy import make_url

from gateway.errors import LogUnavailableError, StoreError
from gateway.store.address import PostgresAddress, postgres_address
from gateway.store.changes import log_sizes
from gateway.store.contest import PostgresLeadership
from gateway.store.engine import open_postgres
from gateway.store.entries import EntryWriter
from gateway.store.schema import prepare
from lacolle.certificates import LocalAuthority
from lacolle.folder import create_folder, read_folder
from lacolle.processes.machinery import open_shared_database
from lacolle.secretfiles import write_secret
from tests.patience import GIVES_UP_AFTER
from tests.servers.tls_postgres import TlsPostgres, tls_postgres
from tests.unit.deploy.shipped import EXAMPLE
from tests.unit.gateway.ground import draft, open_ground


@pytest.fixture
def authority(tmp_path: Path) -> LocalAuthority:
    """Return who has issued the server's certificate, for ``localhost`` and loopback."""
    return LocalAuthority(tmp_path / "authority")


@pytest.fixture
async def guarded(postgres_database: str, authority: LocalAuthority) -> AsyncIterator[TlsPostgres]:
    """Yield the database's server as it is reached through TLS, and not otherwise."""
    async with tls_postgres(postgres_database, authority.issue("postgres")) as seen:
        yield seen


async def test_every_connection_is_encrypted_and_verified(
    guarded: TlsPostgres, authority: LocalAuthority, postgres_database: str
) -> None:
    """A gateway's statements, the relay's lock and the word of a growth go through TLS, to the name in the address."""
    address = postgres_address(guarded.url_of(postgres_database, host="localhost"), ca_file=authority.ca_file)
    store = open_postgres(address)
    await prepare(store)
    term = await PostgresLeadership(address).won_at_once()
    assert term is not None
    assert await PostgresLeadership(address).won_at_once() is None
    sizes = log_sizes(store, poll=10 * GIVES_UP_AFTER)
    assert await anext(sizes) == 0
    async with open_ground(postgres_database) as other, asyncio.timeout(GIVES_UP_AFTER):
        await other.committer.submit(EntryWriter(), draft("a"))
        assert await anext(sizes) == 1
    await sizes.aclose()  # type: ignore[attr-defined]  # a generator, which says less of itself
    await term.end()
    await store.close()
    assert len(guarded.names) >= 4
    assert set(guarded.names) == {"localhost"}
    assert guarded.in_the_clear == 0


@pytest.mark.parametrize("wrong", ["authority", "name"])
async def test_a_server_that_cannot_show_who_it_is_gets_nothing(
    guarded: TlsPostgres, authority: LocalAuthority, postgres_database: str, tmp_path: Path, wrong: str
) -> None:
    """Another authority, or a name that the certificate has not: no kind of connection is made, and TLS is named."""
    ca_file = LocalAuthority(tmp_path / "another").ca_file if wrong == "authority" else authority.ca_file
    host = "localhost" if wrong == "authority" else "0.0.0.0"  # noqa: S104 - called so, for it is no name of the certificate
    await _gets_nothing(
        postgres_address(guarded.url_of(postgres_database, host=host), ca_file=ca_file), "TLS with the database fails"
    )


async def test_a_server_without_tls_gets_nothing(postgres_database: str, authority: LocalAuthority) -> None:
    """Whoever answers that there is no TLS is told neither role nor password."""
    asked: list[bytes] = []

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            asked.append(await reader.read(1024))
            writer.write(b"N")
            asked.append(await reader.read(1024))
        finally:
            writer.transport.abort()

    server = await asyncio.start_server(refuse, "127.0.0.1", 0)
    url = TlsPostgres(server.sockets[0].getsockname()[1]).url_of(postgres_database, host="localhost")
    await _gets_nothing(postgres_address(url, ca_file=authority.ca_file), "takes TLS")
    server.close()
    assert {len(each) for each in asked} == {8, 0}  # the question whether there is TLS, and no more


async def _gets_nothing(address: PostgresAddress, reason: str) -> None:
    store = open_postgres(address)
    with pytest.raises(StoreError, match=reason):
        await prepare(store)
    with pytest.raises(LogUnavailableError):
        async with store.reading():
            pass
    assert await PostgresLeadership(address).won_at_once() is None
    sizes = log_sizes(store, poll=0.05)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await anext(sizes)
    await store.close()


async def test_the_example_of_kubernetes_connects(
    guarded: TlsPostgres, authority: LocalAuthority, postgres_database: str, tmp_path: Path
) -> None:
    """Its settings reach a server with TLS: host, database and role are this one's, all else is as it is shipped."""
    store_section = yaml.safe_load((EXAMPLE / "lacolle.yaml").read_text(encoding="utf-8"))["store"]
    there = make_url(guarded.url_of(postgres_database, host="localhost"))
    here = make_url(store_section["url"]).set(
        host=there.host, port=there.port, database=there.database, username=there.username
    )
    settings = create_folder(
        tmp_path / "exchange", base_url="https://localhost:8443", origin="lacolle.example/log", host="localhost", port=1
    )
    write_secret(settings.with_name("password"), str(there.password))
    document = yaml.safe_load(settings.read_text(encoding="utf-8"))
    document["store"] = {**store_section, "url": str(here), "password_file": "password"}
    document["store"]["ca_file"] = str(authority.ca_file)
    settings.write_text(yaml.safe_dump(document), encoding="utf-8")
    store, leadership = open_shared_database(read_folder(settings.parent))
    await prepare(store)
    term = await leadership.won_at_once()
    assert term is not None
    await term.end()
    await store.close()
    assert guarded.in_the_clear == 0
