"""Who may do what in PostgreSQL, tried by really logging in: the exchange, and auditors of several jurisdictions."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass

import asyncpg
import pytest
from sqlalchemy import event, text

from gateway.errors import StoreError
from gateway.store.address import postgres_address
from gateway.store.contest import LOCK, PostgresLeadership
from gateway.store.engine import open_postgres
from gateway.store.entries import EntryWriter
from gateway.store.roles import create_auditor_login, create_exchange_login, create_groups
from gateway.store.schema import prepare, upgrade
from schemas.ids import JurisdictionCode
from tests.servers.postgres import Postgres
from tests.unit.gateway.ground import NYSP, VSP, acceptance, accepted, draft, open_ground, permit

QC, NY, VT = (JurisdictionCode(code) for code in ("CA-QC", "US-NY", "US-VT"))


@dataclass(frozen=True, slots=True)
class Logins:
    """A database with a log in it, and the URLs by which each role connects."""

    owner: str
    exchange: str
    auditors: dict[JurisdictionCode, str]


@pytest.fixture
async def logins(postgres: Postgres) -> AsyncIterator[Logins]:
    """Yield logins to a log in which Québec writes to New York, to Vermont, and to nobody."""
    database = await postgres.new_database()
    run, owner = secrets.token_hex(3), postgres.url_of(database)
    store = open_postgres(owner)
    names = {code: f"auditor_{code.lower()}_{run}" for code in (QC, NY, VT)}
    async with store.writer.begin() as connection:
        await create_groups(connection)
        password = await create_exchange_login(connection, f"gateway_{run}")
        exchange = postgres.url_of(database, role=f"gateway_{run}", password=password)
        auditors = {
            code: postgres.url_of(
                database, role=name, password=await create_auditor_login(connection, name, jurisdiction=code)
            )
            for code, name in names.items()
        }
    await store.close()
    async with open_ground(exchange) as ground:
        items = (acceptance("A-1", permit(NYSP)), acceptance("A-2", permit(VSP)), acceptance("A-3"))
        await accepted(ground, *items)
    yield Logins(owner, exchange, auditors)
    await postgres.drop(database)
    for name in (f"gateway_{run}", *names.values()):
        await postgres.run(f'DROP ROLE "{name}"')


async def answer(url: str, statement: str) -> list[asyncpg.Record]:
    """Execute a statement as whoever the URL names."""
    connection = await asyncpg.connect(url)
    try:
        return list(await connection.fetch(statement))
    finally:
        await connection.close()


@pytest.mark.parametrize(
    ("jurisdiction", "entries"), [(QC, [0, 1, 2, 3, 4]), (NY, [0, 1]), (VT, [2, 3])], ids=["CA-QC", "US-NY", "US-VT"]
)
async def test_an_auditor_sees_what_its_jurisdiction_is_a_party_to(
    logins: Logins, jurisdiction: JurisdictionCode, entries: list[int]
) -> None:
    """Its own entries whole, another's not at all: not their content, their number, nor their parties."""
    url = logins.auditors[jurisdiction]
    rows = await answer(url, "SELECT log_index, content FROM log_entries ORDER BY log_index")
    assert [row["log_index"] for row in rows] == entries
    assert all(jurisdiction.encode() in row["content"] for row in rows)
    parties = await answer(url, "SELECT DISTINCT jurisdiction FROM log_parties")
    assert [row["jurisdiction"] for row in parties] == [jurisdiction]
    assert (await answer(url, "SELECT count(*) AS n FROM log_entries"))[0]["n"] == len(entries)
    assert (await answer(url, "SELECT size FROM log_head"))[0]["size"] == 5


@pytest.mark.parametrize("table", ["alerts", "dispatches", "acknowledgements", "authority_statements", "agreements"])
async def test_an_auditor_reads_no_other_table(logins: Logins, table: str) -> None:
    """Alerts themselves are not in the log, and not an auditor's."""
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await answer(logins.auditors[NY], f"SELECT * FROM {table}")  # noqa: S608 - the names stand above


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO log_parties VALUES ('US-NY', 4)",
        "UPDATE log_entries SET kind = 'refused'",
        "DELETE FROM log_entries",
        "UPDATE log_auditors SET jurisdiction = 'CA-QC'",
        "INSERT INTO log_auditors VALUES (current_user, 'CA-QC')",
        "SET ROLE lacolle_exchange",
        "ALTER TABLE log_entries DISABLE ROW LEVEL SECURITY",
        "CREATE TABLE mine (a INT)",
        f"SELECT pg_try_advisory_lock({LOCK})",
        f"SELECT pg_advisory_lock_shared({LOCK >> 32}, {LOCK & 0x7FFFFFFF})",
        f"SELECT pg_advisory_xact_lock({LOCK})",
    ],
)
async def test_an_auditor_changes_nothing(logins: Logins, statement: str) -> None:
    """Not the log, nor for whom it audits, nor the rules by which it sees."""
    connection = await asyncpg.connect(logins.auditors[NY])
    await connection.execute("SET default_transaction_read_only = off")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await connection.execute(statement)
    await connection.close()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE log_entries SET kind = 'refused'",
        "DELETE FROM log_entries",
        "UPDATE log_parties SET jurisdiction = 'US-ME'",
        "DELETE FROM log_parties",
        "TRUNCATE log_entries",
        "DELETE FROM checkpoints",
        "UPDATE log_tiles SET data = root",
        "DELETE FROM alerts",
        "UPDATE alerts SET submission = ''",
        "UPDATE acknowledgements SET compact = ''",
        "UPDATE agreements SET signed = ''",
        "UPDATE authority_statements SET compact = ''",
        "UPDATE jurisdictions SET document = ''",
        "UPDATE client_assertions SET expires_ms = 0",
        "ALTER TABLE log_entries DISABLE TRIGGER only_grows",
        "DROP TRIGGER only_grows ON log_entries",
        "SET session_replication_role = replica",
        "INSERT INTO log_auditors VALUES ('someone', 'CA-QC')",
    ],
)
async def test_the_exchange_can_not_take_back_what_it_logged(logins: Logins, statement: str) -> None:
    """Its own role adds, and has no right to change the log or to lift what guards it."""
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await answer(logins.exchange, statement)
    assert (await answer(logins.owner, "SELECT count(*) AS n FROM log_entries WHERE kind = 'accepted'"))[0]["n"] == 3


async def test_the_exchange_s_own_role_is_all_that_a_gateway_needs(logins: Logins) -> None:
    """It starts, writes and reads; an auditor's role is refused as a gateway's, in words."""
    store = open_postgres(logins.exchange)
    await prepare(store)
    await store.close()
    async with open_ground(logins.exchange, seed=1) as ground:
        await accepted(ground, acceptance("A-9", permit(NYSP)))
    auditors = open_postgres(logins.auditors[NY])
    with pytest.raises(StoreError):
        await prepare(auditors)
    await auditors.close()


async def test_the_exchange_s_own_role_contends_for_relaying(logins: Logins) -> None:
    """What is taken from everybody is granted to it: one of two relays wins."""
    contest = PostgresLeadership(postgres_address(logins.exchange))
    term = await contest.won_at_once()
    assert term is not None
    assert await contest.won_at_once() is None
    await term.end()


async def test_an_auditor_has_so_many_connections(logins: Logins) -> None:
    """One auditor can't use up the connections that gateways and relays need, and its forgotten sessions end."""
    held = [await asyncpg.connect(logins.auditors[NY]) for _ in range(10)]
    with pytest.raises(asyncpg.TooManyConnectionsError):
        await asyncpg.connect(logins.auditors[NY])
    assert await held[0].fetchval("SHOW idle_in_transaction_session_timeout") == "1min"
    for each in held:
        await each.close()


async def test_no_auditor_is_made_where_it_could_stop_the_relays(postgres: Postgres) -> None:
    """An owner that can't take the locks from everybody is told who can, and makes no login."""
    name = f"owner_{secrets.token_hex(3)}"
    await postgres.run(f"CREATE ROLE {name} LOGIN CREATEROLE BYPASSRLS PASSWORD 'plain'")
    database = await postgres.new_database(empty=True)
    await postgres.run(f'ALTER DATABASE "{database}" OWNER TO {name}')
    await postgres.run(f"ALTER SCHEMA public OWNER TO {name}", database=database)
    store = open_postgres(postgres.url_of(database, role=name, password="plain"))  # noqa: S106 - of this test alone
    await upgrade(store.writer)
    async with store.writer.connect() as connection:
        await create_groups(connection)
        with pytest.raises(StoreError, match="superuser"):
            await create_auditor_login(connection, f"auditor_{name}", jurisdiction=NY)
        roles = await connection.execute(
            text("SELECT 1 FROM pg_roles WHERE rolname = :name"), {"name": f"auditor_{name}"}
        )
        assert roles.all() == []
    await store.close()
    await postgres.drop(database)
    await postgres.run(f"DROP ROLE {name}")


async def test_a_role_that_can_not_copy_is_told_how_to_make_one(logins: Logins, postgres: Postgres) -> None:
    """A role with the exchange's grants, to which row-level security applies, is refused before it writes."""
    name = f"plain_{secrets.token_hex(3)}"
    await postgres.run(f"CREATE ROLE {name} LOGIN PASSWORD 'plain' IN ROLE lacolle_exchange")
    place = logins.owner.rpartition("@")[2]
    store = open_postgres(f"postgresql://{name}:plain@{place}")
    with pytest.raises(StoreError, match="lacolle db roles"):
        await prepare(store)
    await store.close()
    await postgres.run(f"DROP ROLE {name}")


async def test_no_statement_has_a_password(logins: Logins, postgres: Postgres) -> None:
    """A server that logs what it is told learns no new login's password, and lets that login in by it."""
    name, told = f'odd:"{secrets.token_hex(3)}', list[str]()
    store = open_postgres(logins.owner)
    event.listen(
        store.writer.sync_engine,
        "before_cursor_execute",
        lambda _connection, _cursor, statement, parameters, *_more: told.append(f"{statement} {parameters}"),
    )
    async with store.writer.begin() as connection:
        password = await create_exchange_login(connection, name)
    await store.close()
    assert password is not None
    assert any("CREATE ROLE" in statement for statement in told)
    assert not any(password in statement for statement in told)
    connected = await asyncpg.connect(logins.owner, user=name, password=password)
    await connected.close()
    quoted = name.replace('"', '""')
    await postgres.run(f'DROP ROLE "{quoted}"')


async def test_roles_made_again_stay_as_they_are(logins: Logins) -> None:
    """Making roles twice changes no password; an upgrade afterwards grants what is missing."""
    store = open_postgres(logins.owner)
    async with store.writer.begin() as connection:
        await create_groups(connection)
        name = logins.exchange.partition("//")[2].partition(":")[0]
        assert await create_exchange_login(connection, name) is None
    await upgrade(store.writer)
    await store.close()
    async with open_ground(logins.exchange, seed=2) as ground:
        assert await ground.committer.submit(EntryWriter(), draft("a")) == 5
