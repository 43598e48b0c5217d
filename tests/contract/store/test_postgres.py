"""What PostgreSQL alone does: connections are cut, servers stop, settings betray, and several processes write."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from audit.entry import time_text
from audit.log import lock_head, read_head
from audit.note import LogSigner
from audit.verify import verify_database
from gateway.errors import LogUnavailableError, StoreError
from gateway.store.changes import log_sizes
from gateway.store.engine import open_postgres
from gateway.store.entries import EntryWriter
from gateway.store.schema import current_revision, head_revision, prepare, upgrade
from lacolle.local.postgres import Stop
from schemas.ids import KeyId
from schemas.signing.keys import SigningKey
from tests.patience import GIVES_UP_AFTER
from tests.servers.postgres import Postgres, local_postgres
from tests.unit.gateway.ground import (
    NYSP,
    ORIGIN,
    Ground,
    acceptance,
    acceptances,
    accepted,
    draft,
    open_ground,
    permit,
)


async def _end_writers(ground: Ground) -> None:
    """Have the server cut every connection that writes to the ground's database."""
    async with ground.store.reading() as connection:
        await connection.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        )


async def _others(ground: Ground) -> int:
    """Return how many connections to the ground's database there are beside the one that asks."""
    async with ground.store.reading() as connection:
        statement = (
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        return int(await connection.scalar(text(statement)) or 0)


async def test_a_connection_that_was_cut_while_nobody_used_it_is_made_anew(on_postgres: Ground) -> None:
    """After a restart of the server nobody is told to come again for a connection that has long been dead."""
    item = acceptance("A-1", permit(NYSP))
    await accepted(on_postgres, acceptance("A-0", permit(NYSP)))
    await _end_writers(on_postgres)
    async with asyncio.timeout(GIVES_UP_AFTER):
        while await _others(on_postgres):  # noqa: ASYNC110 - the server tells nobody
            await asyncio.sleep(0.02)
    await asyncio.sleep(0.2)  # so that word of it is here
    assert not (await on_postgres.committer.submit(acceptances(), item)).replayed
    assert on_postgres.committer.failure is None
    assert await on_postgres.kinds() == ["accepted", "routed"] * 2


async def test_a_connection_that_is_cut_within_a_batch_stores_nothing(on_postgres: Ground) -> None:
    """Cut after the head was locked and before the commit, the whole batch never was, and the log goes on."""

    class CutWriter:
        async def write(self, batch: object, items: object) -> list[None]:  # noqa: ARG002 - the port's
            await _end_writers(on_postgres)
            return [None]

    results = await asyncio.gather(
        on_postgres.committer.submit(CutWriter(), None),
        *(on_postgres.committer.submit(acceptances(), acceptance(f"A-{number}")) for number in range(3)),
        return_exceptions=True,
    )
    assert {type(result) for result in results} == {LogUnavailableError}
    assert await on_postgres.kinds() == []
    assert await on_postgres.committer.submit(EntryWriter(), draft("a")) == 0


async def test_a_server_that_is_stopped_at_once_and_started_again_has_all_that_was_answered() -> None:
    """While it is away there are 503s and no receipts; afterwards every answer is in the log at its index."""
    with local_postgres() as server:
        template = Postgres(server.url("postgres"), local=server)
        await template.make_template()
        async with open_ground(template.url_of(template.template)) as ground:
            answered: dict[str, int] = {}
            posting = asyncio.create_task(_post_for_ever(ground, answered))
            for _ in range(3):
                await asyncio.sleep(0.3)
                await asyncio.to_thread(server.stop, Stop.IMMEDIATE)
                with pytest.raises(LogUnavailableError):
                    await ground.committer.submit(acceptances(), acceptance("AWAY"))
                with pytest.raises(LogUnavailableError):
                    await ground.kinds()
                await asyncio.to_thread(server.start)
            await asyncio.sleep(0.3)
            posting.cancel()
            entries = await _patiently(ground)
            assert ground.committer.failure is None
    at = {entry["content"]["digest"]: entry["index"] for entry in entries if entry["kind"] == "accepted"}
    assert len(answered) > 3
    digests = {identifier: acceptance(identifier).submission_digest.hex() for identifier in answered}
    assert {identifier: at[f"sha-256:{digest}"] for identifier, digest in digests.items()} == answered
    assert [entry["index"] for entry in entries] == list(range(len(entries)))


async def _post_for_ever(ground: Ground, answered: dict[str, int]) -> None:
    number = 0
    while True:
        number += 1
        try:
            answer = await ground.committer.submit(acceptances(), acceptance(f"A-{number}", permit(NYSP)))
        except LogUnavailableError:
            await asyncio.sleep(0.01)
            continue
        answered[f"A-{number}"] = int(answer.body.partition(b'"log_index":')[2].partition(b",")[0])


async def _patiently(ground: Ground) -> list[dict[str, Any]]:
    for _ in range(5):
        try:
            return await ground.entries()
        except LogUnavailableError:  # a connection of before the stop
            continue
    pytest.fail("the database did not come back")


@pytest.mark.parametrize("name", ["fsync", "full_page_writes"])
async def test_a_server_that_gives_up_durability_is_refused(name: str) -> None:
    """A receipt would promise what a power cut takes back: no exchange starts, and the reason says what to set."""
    with local_postgres(**{name: "off"}) as server:
        await _refused(server.url("postgres"), name)


async def test_no_setting_of_a_role_or_database_takes_durability_away(postgres: Postgres) -> None:
    """A session that writes waits for its disk, whatever a database or a role has as its default, now or later."""
    database = await postgres.new_database()
    await postgres.run(f'ALTER DATABASE "{database}" SET synchronous_commit = off')
    store = open_postgres(postgres.url_of(database))
    await prepare(store)
    async with store.writer.connect() as connection:
        assert await connection.scalar(text("SHOW synchronous_commit")) == "on"
    await store.close()
    await postgres.drop(database)


async def test_a_server_that_gives_up_durability_while_it_runs_ends_the_writing() -> None:
    """The next connection that would write finds it out: nothing more is answered, and the reason is kept."""
    with local_postgres() as server:
        template = Postgres(server.url("postgres"), local=server)
        await template.make_template()
        async with open_ground(template.url_of(template.template)) as ground:
            await accepted(ground, acceptance("A-0", permit(NYSP)))
            await template.run("ALTER SYSTEM SET fsync = off")
            await template.run("SELECT pg_reload_conf()")
            await _end_writers(ground)
            for number in (1, 2):  # the first meets the connection that was cut
                with pytest.raises(LogUnavailableError):
                    await ground.committer.submit(acceptances(), acceptance(f"A-{number}"))
            assert "fsync" in str(ground.committer.failure)


async def _refused(url: str, what: str) -> None:
    store = open_postgres(url)
    try:
        for act in (prepare(store), upgrade(store.writer)):
            with pytest.raises(StoreError, match=what) as refused:
                await act
            assert what in refused.value.reason.fr
    finally:
        await store.close()


async def test_a_database_without_a_schema_is_refused_until_it_is_upgraded(postgres_bare_database: str) -> None:
    """A gateway makes no tables in a database that others share: it names the command that does."""
    store = open_postgres(postgres_bare_database)
    assert await current_revision(store.writer) is None
    with pytest.raises(StoreError, match="lacolle db upgrade"):
        await prepare(store)
    assert await upgrade(store.writer) == head_revision() == await current_revision(store.writer)
    await prepare(store)
    await store.close()


async def test_a_newer_schema_is_refused_by_both(on_postgres: Ground) -> None:
    """Neither a gateway nor an upgrade touches what a later program made."""
    await on_postgres.tamper("UPDATE alembic_version SET version_num = '9999'")
    for act in (prepare(on_postgres.store), upgrade(on_postgres.store.writer)):
        with pytest.raises(StoreError, match=r"9999.*newer"):
            await act


async def test_two_upgrades_at_once_are_one(postgres_bare_database: str) -> None:
    """Whoever comes second waits, and finds the work done."""
    first, second = open_postgres(postgres_bare_database), open_postgres(postgres_bare_database)
    revisions = await asyncio.gather(upgrade(first.writer), upgrade(second.writer))
    assert set(revisions) == {head_revision()}
    await first.close()
    await second.close()


async def test_a_server_that_is_away_is_named_in_words() -> None:
    """Who starts an exchange on a server that does not answer reads what to check, and no password."""
    store = open_postgres("postgresql://someone:secret-word@127.0.0.1:1/exchange")
    with pytest.raises(StoreError, match="does not answer") as refused:
        await prepare(store)
    assert "secret-word" not in f"{refused.value}{refused.value.reason.fr}"
    with pytest.raises(LogUnavailableError):
        async with store.reading():
            pass
    await store.close()


@pytest.mark.parametrize("url", ["sqlite:///file", "postgresql://host", "no url:secret-word@", "mysql://a/b"])
def test_an_address_of_something_else_is_refused(url: str) -> None:
    """What is no PostgreSQL URL is refused before anything is opened, and is not repeated."""
    with pytest.raises(StoreError) as refused:
        open_postgres(url)
    assert url not in str(refused.value)


async def test_two_processes_write_one_log(on_postgres: Ground, postgres_database: str) -> None:
    """Two committers on one database take turns at the head: the log has no gap, and each answer its own index."""
    async with open_ground(postgres_database, seed=2027) as other:
        answers = await asyncio.gather(
            *(
                ground.committer.submit(acceptances(), acceptance(f"{name}-{number}", permit(NYSP)))
                for number in range(100)
                for name, ground in (("A", on_postgres), ("B", other))
            )
        )
    assert len({answer.alert_id for answer in answers}) == 200
    entries = await on_postgres.entries()
    assert [entry["index"] for entry in entries] == list(range(400))


async def test_a_batch_takes_what_comes_while_another_process_holds_the_log(
    on_postgres: Ground, postgres_database: str
) -> None:
    """What is submitted until the head is free is one transaction, whose time is the instant at which it got it."""
    other = open_postgres(postgres_database)
    async with other.writer.begin() as holding:
        await lock_head(holding)
        first = asyncio.create_task(on_postgres.committer.submit(EntryWriter(), draft("a")))
        async with asyncio.timeout(GIVES_UP_AFTER):
            while not await _waits_for_the_head(on_postgres):  # noqa: ASYNC110 - a lock tells nobody who waits for it
                await asyncio.sleep(0.02)
        others = [asyncio.create_task(on_postgres.committer.submit(EntryWriter(), draft(name))) for name in "bc"]
        on_postgres.clock.advance(1.0)
        await asyncio.sleep(0)
    assert await asyncio.gather(first, *others) == [0, 1, 2]
    assert on_postgres.batches[-1] == 3
    assert {entry["time"] for entry in await on_postgres.entries()} == {time_text(on_postgres.clock())}
    await other.close()


async def _waits_for_the_head(ground: Ground) -> bool:
    statement = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    async with ground.store.reading() as connection:
        return bool(await connection.scalar(text(statement)))


async def test_two_processes_that_are_given_the_same_alert_store_it_once(
    on_postgres: Ground, postgres_database: str
) -> None:
    """The database's constraint says which came first, and both answer the same bytes."""
    async with open_ground(postgres_database, seed=2027) as other:
        for number in range(10):
            item = acceptance(f"A-{number}", permit(NYSP))
            first, second = await asyncio.gather(
                on_postgres.committer.submit(acceptances(), item), other.committer.submit(acceptances(), item)
            )
            assert first.body == second.body
            assert first.replayed != second.replayed
    assert (await on_postgres.kinds()).count("accepted") == 10


async def test_another_process_hears_of_a_growth_at_once(on_postgres: Ground, postgres_database: str) -> None:
    """Long before the next look is due, and also after the listening connection was cut."""
    store = open_postgres(postgres_database)
    sizes = log_sizes(store, poll=10 * GIVES_UP_AFTER)
    assert await anext(sizes) == 0
    for expected in (1, 2):
        index = await on_postgres.committer.submit(EntryWriter(), draft("a"))
        async with asyncio.timeout(GIVES_UP_AFTER):
            assert await anext(sizes) == index + 1 == expected
    await _end(sizes)
    await store.close()


async def test_a_growth_is_seen_where_nobody_says_so(on_postgres: Ground) -> None:
    """The log is looked at now and then all the same."""
    await on_postgres.tamper("DROP TRIGGER tells ON log_head")
    sizes = log_sizes(on_postgres.store, poll=0.05)
    assert await anext(sizes) == 0
    await on_postgres.committer.submit(EntryWriter(), draft("a"))
    async with asyncio.timeout(GIVES_UP_AFTER):
        assert await anext(sizes) == 1
    await _end(sizes)


async def _end(sizes: AsyncIterator[int]) -> None:
    closing = getattr(sizes, "aclose", None)
    if closing is not None:
        await closing()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE log_entries SET kind = 'refused'",
        "DELETE FROM log_entries",
        "TRUNCATE log_parties",
        "DELETE FROM log_parties",
        "UPDATE log_tiles SET root = data",
        "DELETE FROM checkpoints",
        "DELETE FROM log_head",
        "UPDATE log_head SET size = size - 1",
        "UPDATE log_head SET root = frontier",
    ],
)
async def test_the_log_only_grows(on_postgres: Ground, statement: str) -> None:
    """Not even the owner changes what was logged without first lifting a trigger, and the log verifies as before."""
    await accepted(on_postgres, acceptance("A-1", permit(NYSP)))
    async with on_postgres.store.writer.connect() as connection:
        with pytest.raises(DBAPIError, match="only grows"):
            await connection.execute(text(statement))
    async with on_postgres.store.reading() as connection:
        assert (await read_head(connection)).size == 2
        verified = await verify_database(connection, vkey=_VKEY, progress=lambda _done, _of: None)
    assert verified.size == 2


@pytest.mark.parametrize("table", ["alerts", "acknowledgements", "agreements", "authority_statements", "jurisdictions"])
@pytest.mark.parametrize("how", ["UPDATE {} SET log_index = 0", "DELETE FROM {}", "TRUNCATE {}"])
async def test_what_was_signed_stays(on_postgres: Ground, table: str, how: str) -> None:
    """Nobody's signed word is changed or deleted, not by the owner either without first lifting a trigger."""
    async with on_postgres.store.writer.connect() as connection:
        with pytest.raises(DBAPIError, match="only grows"):
            await connection.execute(text(how.format(table)))


async def test_an_error_of_the_server_repeats_no_content(on_postgres: Ground) -> None:
    """PostgreSQL quotes the row that it refuses; nothing of it is left in an error that may reach a log."""
    async with on_postgres.store.writer.connect() as connection:
        with pytest.raises(DBAPIError) as failed:
            await connection.execute(text("INSERT INTO alerts (alert_id) VALUES (:secret)"), {"secret": "ABC 123"})
    error: BaseException | None = failed.value
    while error is not None:
        assert "ABC 123" not in str(error)
        error = error.__cause__


_VKEY = LogSigner(ORIGIN, SigningKey.generate(KeyId("log"), "Ed25519")).vkey
