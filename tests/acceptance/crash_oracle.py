"""What must hold once the last of many kills is over: each function holds one promise against what clients kept."""

from __future__ import annotations

import asyncio
import base64
import os
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from operator import itemgetter
from pathlib import Path
from typing import Any, Final

import httpx2
import orjson
import pytest
from sqlalchemy import select

from audit.checkpoints import CheckpointBody
from audit.entry import commitment
from audit.kinds import Kind as EntryKind
from audit.merkle import verify_consistency
from audit.note import Verifier, open_note
from audit.tables import log_entries, log_head
from audit.verify import VerifiedLog, verify_database, verify_remote
from gateway.store.engine import open_postgres, open_sqlite
from lacolle.client.tokens import assertion
from lacolle.samples import World
from schemas.decisions import Lane
from schemas.evidence import read_receipt
from schemas.ids import ParticipantId
from schemas.signing.canonical import canonical_plain_bytes
from schemas.signing.keys import PublicKey
from tests.acceptance.crash_agencies import Submission, client
from tests.acceptance.crash_partners import Handed

_ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_POLL: Final = 0.1
_LAST_FEW: Final = 20


async def settled(world: World, submissions: Sequence[Submission], *, within: float) -> dict[str, dict[str, Any]]:
    """Return what each sender reads of its alerts, by identifier, once no delivery of theirs is open."""
    read: dict[str, dict[str, Any]] = {}
    open_ones, until = list(submissions), time.monotonic() + within
    async with client(world) as connection:
        tokens = {
            sender: await _token(connection, world, sender) for sender in {each.kind.sender for each in submissions}
        }
        while open_ones:
            for each in open_ones:
                read[each.identifier] = await _status(connection, each, tokens[each.kind.sender])
            open_ones = [each for each in open_ones if read[each.identifier]["state"] != "settled"]
            if open_ones and time.monotonic() > until:
                pytest.fail(f"{len(open_ones)} alerts are open still, such as {read[open_ones[0].identifier]}")
            await asyncio.sleep(_POLL)
    return read


async def _token(connection: httpx2.AsyncClient, world: World, participant: ParticipantId) -> str:
    signed = assertion(
        participant=participant,
        key=world.members[participant].keys[0],
        issuer=world.base_url,
        now=datetime.now(tz=UTC),
        randomness=os.urandom(16),
    )
    form = {
        "grant_type": "client_credentials",
        "client_assertion_type": _ASSERTION_TYPE,
        "client_assertion": signed.decode("ascii"),
    }
    response = await connection.post("/oauth/token", data=form)
    response.raise_for_status()
    return str(orjson.loads(response.content)["access_token"])


async def _status(connection: httpx2.AsyncClient, submission: Submission, token: str) -> dict[str, Any]:
    response = await connection.get(
        "/v1/alerts",
        params={"sender": submission.kind.sender, "identifier": submission.identifier},
        headers={"Authorization": f"Bearer {token}"},
    )
    response.raise_for_status()
    document: dict[str, Any] = orjson.loads(response.content)
    return document


async def receipts_are_honoured(
    world: World, submissions: Sequence[Submission], read: dict[str, dict[str, Any]]
) -> None:
    """Every receipt names an alert that its sender reads, under this id and index, with this digest in the log."""
    async with client(world) as connection:
        published = orjson.loads((await connection.get("/.well-known/jwks.json")).content)["keys"]
    keys = {key["kid"]: _public(key) for key in published}
    receipt_key = next(key for kid, key in keys.items() if kid.endswith(":receipt"))
    for submission in submissions:
        answer = submission.answer
        assert answer is not None, f"{submission.identifier} has no answer"
        receipt = read_receipt(answer["receipt"].encode("ascii"), receipt_key)
        assert receipt.digest in submission.digests
        assert (receipt.sender, receipt.identifier) == (submission.kind.sender, submission.identifier)
        status = read[submission.identifier]
        assert status["alert_id"] == answer["alert_id"] == receipt.alert_id
        assert status["log_index"] == answer["log_index"] == receipt.log_index
        logged = status["log_entry"]
        content = canonical_plain_bytes(logged["entry"])
        assert logged["index"] == receipt.log_index
        assert logged["entry"]["content"]["digest"] == receipt.digest
        assert logged["commitment"] == commitment(bytes.fromhex(logged["salt"]), content).hex()


def _public(jwk: dict[str, str]) -> PublicKey:
    return PublicKey.from_jwk({name: value for name, value in jwk.items() if name != "use"})


def deliveries_are_right(
    submissions: Sequence[Submission], read: dict[str, dict[str, Any]], handed: set[Handed]
) -> None:
    """Each entitled partner took each alert, under one delivery id and as it was signed; nobody else took anything."""
    taken: defaultdict[tuple[str, str], set[Handed]] = defaultdict(set)
    for each in handed:
        taken[each.alert_id, each.recipient].add(each)
    expected: set[tuple[str, str]] = set()
    for submission in submissions:
        status = read[submission.identifier]
        deliveries = {delivery["participant"]: delivery for delivery in status["deliveries"]}
        assert deliveries.keys() == submission.kind.recipients, f"{submission.identifier} is for others"
        assert {delivery["state"] for delivery in deliveries.values()} <= {"delivered"}, submission.identifier
        for recipient, delivery in deliveries.items():
            expected.add((status["alert_id"], recipient))
            copies = taken[status["alert_id"], recipient]
            assert len(copies) == 1, f"{submission.identifier} reached {recipient} in several forms: {copies}"
            copy = next(iter(copies))
            assert copy.delivery_id == delivery["delivery_id"]
            if copy.content_type == "application/jose":
                assert f"sha-256:{copy.digest}" == status["log_entry"]["entry"]["content"]["digest"]
    assert taken.keys() == expected, "a partner took what no alert was to reach it with"


@dataclass(frozen=True, slots=True)
class Step:
    """An alert of a thread on its way to one recipient, and when that first took it."""

    submission: Submission
    log_index: int
    lane: str
    met: Handed


Threads = Mapping[tuple[str, ParticipantId], Sequence[Step]]


def threads_are_in_order(
    submissions: Sequence[Submission], read: dict[str, dict[str, Any]], arrivals: Sequence[Handed]
) -> Threads:
    """No partner met an alert of a thread before it had met those that the exchange accepted earlier.

    Return the steps of every thread to every recipient, in the order in which they were accepted. A copy that comes
    late, of what was met before, is no step: the partner knows it by its delivery id.
    """
    first: dict[tuple[str, str], tuple[int, Handed]] = {}
    for place, each in enumerate(arrivals):
        first.setdefault((each.alert_id, each.recipient), (place, each))
    threads: defaultdict[tuple[str, ParticipantId], list[tuple[int, int, Step]]] = defaultdict(list)
    roots = _roots(submissions)
    for submission in submissions:
        root = roots[submission.identifier]
        index = read[submission.identifier]["log_index"]
        for recipient, lane in submission.lanes.items():
            place, met = first[submission.alert_id, recipient]
            threads[root, recipient].append((index, place, Step(submission, index, lane, met)))
    for thread, steps in threads.items():
        steps.sort(key=itemgetter(0))
        places = [place for _, place, _ in steps]
        assert places == sorted(places), f"{thread} was not delivered in its order"
    return {thread: [step for _, _, step in steps] for thread, steps in threads.items()}


def _roots(submissions: Sequence[Submission]) -> dict[str, str]:
    """Return the first of each alert's thread, by identifier."""
    roots: dict[str, str] = {}
    for each in submissions:  # an update comes after what it follows
        followed = [name.split(",")[1] for name in each.document.get("references", ())]
        roots[each.identifier] = roots[followed[0]] if followed else each.identifier
    return roots


def _log_index(submission: Submission) -> int:
    assert submission.answer is not None
    return int(submission.answer["log_index"])


def untried(submissions: Sequence[Submission]) -> list[str]:
    """Return what order no two alerts of a thread have asked for yet: a Cancel, and either lane after either."""
    roots, tried = _roots(submissions), set[str]()
    last: dict[tuple[str, ParticipantId], str] = {}
    for each in sorted((each for each in submissions if each.answer is not None), key=_log_index):
        for recipient, lane in each.lanes.items():
            thread = roots[each.identifier], recipient
            if thread in last:
                tried |= {f"{lane} after {last[thread]}", *(["a Cancel"] if each.cancels else [])}
            last[thread] = lane
    return sorted({"a Cancel", *(f"{one} after {other}" for one in Lane for other in Lane)} - tried)


def waited_for_their_thread(threads: Threads) -> int:
    """Return how many alerts were answered before their recipient had met the one before them."""
    pairs = [pair for steps in threads.values() for pair in pairwise(steps)]
    return sum(later.submission.answered_at < earlier.met.at for earlier, later in pairs)


def nothing_comes_late(threads: Threads, arrivals: Sequence[Handed]) -> None:
    """Where nobody died no partner was handed an alert again once it had the next of its thread."""
    last = {(each.alert_id, each.recipient): each.at for each in arrivals}
    for (_, recipient), steps in threads.items():
        for earlier, later in pairwise(steps):
            assert last[earlier.submission.alert_id, recipient] < later.met.at, earlier.submission.identifier


async def checkpoints_are_consistent(world: World, vkey: str, notes: Sequence[bytes]) -> int:
    """Every checkpoint that was ever given out is one of the final log's own history; they never went back."""
    verifier = Verifier.from_vkey(vkey)
    bodies = [CheckpointBody.parse(open_note(note, verifier)) for note in notes]
    sizes = [body.size for body in bodies]
    assert sizes == sorted(sizes), "a checkpoint came after a larger one"
    final = bodies[-1]
    async with client(world) as connection:
        for body in {body.size: body for body in bodies[:-1]}.values():
            response = await connection.get(
                "/v1/log/proofs/consistency", params={"first": body.size, "second": final.size}
            )
            response.raise_for_status()
            proof = [base64.b64decode(each) for each in orjson.loads(response.content)["proof"]]
            verify_consistency(
                first=body.size, second=final.size, proof=proof, first_root=body.root, second_root=final.root
            )
    roots = {body.size: body.root for body in bodies}
    assert all(roots[body.size] == body.root for body in bodies), "two roots for one size"
    return len(roots)


async def public_log_verifies(world: World, vkey: str) -> VerifiedLog:
    """Everything that the public may fetch gives the checkpoint's root."""
    async with client(world) as connection:

        async def fetch(path: str) -> bytes:
            response = await connection.get(f"/log/{path}")
            response.raise_for_status()
            return response.content

        return await verify_remote(fetch, vkey=vkey, progress=lambda _done, _of: None)


@asynccontextmanager
async def _reading(database: Path | str) -> AsyncIterator[Any]:
    store = open_postgres(database) if isinstance(database, str) else open_sqlite(database)
    try:
        async with store.reading() as connection:
            yield connection
    finally:
        await store.close()


async def stored_log_verifies(database: Path | str, vkey: str, notes: Sequence[bytes]) -> VerifiedLog:
    """Read by itself, the database holds a log without a gap that continues the checkpoints given out last."""
    async with _reading(database) as connection:
        for note in notes[-_LAST_FEW:-1:5]:
            await verify_database(connection, vkey=vkey, progress=lambda _done, _of: None, known=note)
        return await verify_database(connection, vkey=vkey, progress=lambda _done, _of: None, known=notes[-1])


async def indices_are_gapless(database: Path | str, submissions: Sequence[Submission]) -> int:
    """Return how many indices the log has: 0, 1, 2 and so on, none twice, as its head says; no receipts share one."""
    async with _reading(database) as connection:
        indices = list((await connection.execute(select(log_entries.c.log_index))).scalars())
        size = await connection.scalar(select(log_head.c.size))
    assert sorted(indices) == list(range(size))
    promised = [each.answer["log_index"] for each in submissions if each.answer is not None]
    assert len(promised) == len(set(promised)) == len(submissions)
    return len(indices)


async def one_alert_each(database: Path | str, submissions: Sequence[Submission]) -> None:
    """However often it was posted, each alert was accepted once and each delivery of it recorded once, in the log."""
    accepted: dict[str, int] = {}
    delivered: list[str] = []
    kinds = [str(EntryKind.ACCEPTED), str(EntryKind.DELIVERED)]
    async with _reading(database) as connection:
        rows = await connection.execute(
            select(log_entries.c.log_index, log_entries.c.kind, log_entries.c.content).where(
                log_entries.c.kind.in_(kinds)
            )
        )
        for index, kind, content in rows:
            said = orjson.loads(content)["content"]
            if kind == EntryKind.DELIVERED:
                delivered.append(said["delivery_id"])
                continue
            assert said["digest"] not in accepted, "accepted twice"
            accepted[said["digest"]] = index
    assert len(delivered) == len(set(delivered)) == sum(len(each.kind.recipients) for each in submissions)
    for submission in submissions:
        found = [accepted.pop(digest) for digest in submission.digests if digest in accepted]
        assert submission.answer is not None
        assert found == [submission.answer["log_index"]]
    assert accepted == {}, "accepted what nobody sent"
