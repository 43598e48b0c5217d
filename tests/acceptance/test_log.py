"""The exchange log as anyone verifies it: nothing here trusts what it can compute."""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import time

import httpx2
import pytest
import rfc8785

from tests.acceptance.agency import ALERTS, Agencies, Agency, members, problem_of
from tests.acceptance.alerts import outbreak, stolen_vehicle
from tests.acceptance.independent import (
    Document,
    Key,
    leaf_hash,
    node_hash,
    root_of_inclusion,
    roots_of_consistency,
    tree_hash,
)
from tests.acceptance.log_reader import WIDTH, LogReader


@pytest.fixture(scope="module")
def long_log(sq: Agency, log: LogReader) -> LogReader:
    """Return the reader of a log that has filled at least one tile."""
    while log.checkpoint().size < WIDTH + 20:
        log.holding(sq.send(stolen_vehicle())["log_index"])
        for _ in range(20):
            sq.submit(stolen_vehicle())
    return log


def test_checkpoint(agencies: Agencies, log: LogReader) -> None:
    """The checkpoint is a note of the log's origin, size and root, signed by the log's own key, as plain text."""
    answer = agencies.http.get("/log/checkpoint")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    checkpoint = log.checkpoint()
    assert checkpoint.size > 0
    assert len(checkpoint.root) == 32
    assert answer.text.startswith(f"{log.origin}\n")
    assert answer.text.endswith("\n")


def test_the_root_is_over_every_entry(long_log: LogReader) -> None:
    """The root of a checkpoint is the tree hash of all entries that the bundles hold, 32 bytes of commitment each."""
    checkpoint = long_log.checkpoint()
    entries = long_log.entries(checkpoint.size)
    assert all(len(entry) == 32 for entry in entries)
    assert len(set(entries)) == len(entries)
    leaves = [leaf_hash(entry) for entry in entries]
    assert tree_hash(leaves) == checkpoint.root
    assert long_log.hashes(0, checkpoint.size) == leaves
    upper = [tree_hash(leaves[start : start + WIDTH]) for start in range(0, len(leaves) - WIDTH + 1, WIDTH)]
    assert long_log.hashes(1, len(upper)) == upper


def test_tiles_can_be_kept(long_log: LogReader) -> None:
    """A full tile, and each partial one before it, may be cached for good, and says the same as the full one."""
    full = long_log.http.get("/log/tile/0/000")
    assert len(full.content) == WIDTH * 32
    assert "immutable" in full.headers["cache-control"]
    for width in (1, 7, 255):
        partial = long_log.http.get(f"/log/tile/0/000.p/{width}")
        if partial.status_code == 200:
            assert partial.content == full.content[: width * 32]
    bundle = long_log.http.get("/log/tile/entries/000")
    assert len(bundle.content) == WIDTH * 34
    assert "no-cache" in long_log.http.get("/log/checkpoint").headers["cache-control"]


@pytest.mark.parametrize(
    "name",
    [
        "0/000.p/0",
        "0/000.p/256",
        "0/000.p/257",
        "0/000.p/01",
        "0/000.p/-1",
        "0/000.p/x",
        "0/000.p/",
        "0/000.p",
        "0/0",
        "0/00",
        "0/0000",
        "0/x000/000",
        "0/x1/000",
        "0/999",
        "0/x999/x999/x999/999",
        "00/000.p/1",
        "-1/000",
        "64/000",
        "7/000.p/1",
        "x/000",
        "entries/999",
        "entries/x",
        "entries/",
        "entries",
        "",
        "0",
        "0/../checkpoint",
        "0/%2e%2e/checkpoint",
        "0/000%00",
        "9" * 5000,
        "/" * 100,
    ],
)
def test_tiles_that_are_none(agencies: Agencies, name: str) -> None:
    """A tile that is empty, beyond the log or spelled in another way is not there."""
    answer = agencies.http.get(f"/log/tile/{name}")
    assert problem_of(answer, 404) == "not-found"


def test_inclusion(sq: Agency, log: LogReader) -> None:
    """Each receipt's entry is in the tree of the checkpoint after it, and of every later one."""
    indexes = [sq.send(stolen_vehicle())["log_index"] for _ in range(3)]
    checkpoint = log.holding(indexes[-1])
    entries = log.entries(checkpoint.size)
    for index in (0, *indexes, checkpoint.size - 1):
        leaf = leaf_hash(entries[index])
        proof = log.inclusion(index, checkpoint.size)
        assert root_of_inclusion(leaf, index, checkpoint.size, proof) == checkpoint.root
        assert len(proof) <= checkpoint.size.bit_length()
    smaller = indexes[0] + 1
    old_root = tree_hash([leaf_hash(entry) for entry in entries[:smaller]])
    proof = log.inclusion(indexes[0], smaller)
    assert root_of_inclusion(leaf_hash(entries[indexes[0]]), indexes[0], smaller, proof) == old_root


def test_consistency(sq: Agency, log: LogReader) -> None:
    """Every later checkpoint continues every earlier one."""
    grown = (log.holding(sq.send(stolen_vehicle())["log_index"]) for _ in range(4))
    checkpoints = [log.checkpoint(), *grown]
    for first, second in itertools.combinations_with_replacement(checkpoints, 2):
        proof = log.consistency(first.size, second.size)
        roots = roots_of_consistency(first.root, first.size, second.size, proof)
        assert roots == (first.root, second.root)


def test_consistency_of_every_size(long_log: LogReader) -> None:
    """Proofs between sizes of every shape lead to the roots that the entries have."""
    size = long_log.checkpoint().size
    leaves = [leaf_hash(entry) for entry in long_log.entries(size)]
    for first, second in [
        (1, 2),
        (2, 3),
        (3, 7),
        (4, 7),
        (6, 8),
        (8, 13),
        (16, WIDTH),
        (WIDTH - 1, WIDTH),
        (WIDTH, size),
    ]:
        roots = roots_of_consistency(tree_hash(leaves[:first]), first, second, long_log.consistency(first, second))
        assert roots == (tree_hash(leaves[:first]), tree_hash(leaves[:second]))


@pytest.mark.parametrize(
    "question",
    ["inclusion?index=%s", "inclusion?index=0&size=%s", "consistency?first=%s", "consistency?first=1&second=%s"],
)
@pytest.mark.parametrize(
    "number", ["1_0", "%201", "1%20", "+1", "%2B1", "01", "1.0", "1e0", "0x1", "%D9%A1", "%EF%BC%91", "1%0A", ""]
)
def test_one_spelling_for_a_number(agencies: Agencies, question: str, number: str) -> None:
    """A number of a query is in ASCII decimal digits, as anyone writes it; what only Python reads as one is refused."""
    answer = agencies.http.get(f"/v1/log/proofs/{question.replace('%s', number)}")
    assert problem_of(answer, 422) == "invalid-query"
    assert agencies.http.get(f"/v1/log/proofs/{question.replace('%s', '1')}").status_code == 200


@pytest.mark.parametrize(
    "query",
    [
        "inclusion",
        "inclusion?index=x",
        "inclusion?index=-1",
        "inclusion?index=1.5",
        "inclusion?index=0&size=0",
        "inclusion?index=5&size=5",
        "inclusion?index=0&size=99999999",
        "inclusion?index=99999999",
        "inclusion?index=" + "9" * 400,
        "consistency",
        "consistency?first=x",
        "consistency?first=0",
        "consistency?first=-1&second=5",
        "consistency?first=5&second=4",
        "consistency?first=1&second=99999999",
    ],
)
def test_proofs_that_there_are_not(agencies: Agencies, query: str) -> None:
    """A proof of what is not in the log is refused as a question, in both languages."""
    for language in ("fr", "en"):
        answer = agencies.http.get(f"/v1/log/proofs/{query}", headers={"Accept-Language": language})
        assert problem_of(answer, 422) == "invalid-query"
        assert answer.headers["content-language"] == language


def test_a_checkpoint_within_a_second(sq: Agency, log: LogReader) -> None:
    """An accepted alert is under a checkpoint within a second, one alone as under load."""
    assert log.holding(sq.send(stolen_vehicle())["log_index"], within=1.0).size > 0
    begun, last = time.monotonic(), 0
    while time.monotonic() - begun < 1.5:
        last = sq.send(stolen_vehicle())["log_index"]
    log.holding(last, within=1.0)


def test_one_root_a_size(sq: Agency, log: LogReader) -> None:
    """Checkpoints that are read while the log grows never name two roots for one size, and never shrink."""
    roots: dict[int, bytes] = {}
    sizes = []
    for _ in range(30):
        sq.submit(stolen_vehicle())
        checkpoint = log.checkpoint()
        assert roots.setdefault(checkpoint.size, checkpoint.root) == checkpoint.root
        sizes.append(checkpoint.size)
    assert sizes == sorted(sizes)


def entry_of(agency: Agency, alert_id: str) -> Document:
    """Return the log entry that an agency is shown of an alert."""
    entry = agency.read(alert_id)["log_entry"]
    assert set(entry) == {"index", "salt", "commitment", "entry", "withheld", "disclosures"}
    assert isinstance(entry["entry"], dict)
    return dict(entry)


def test_the_entry_opens_its_commitment(sq: Agency, log: LogReader) -> None:
    """Sender and auditor get the entry and its salt: together they make the commitment that the public log holds."""
    submission = sq.sign(stolen_vehicle())
    body = members(sq.post(submission))
    shown = entry_of(sq, body["alert_id"])
    salt = bytes.fromhex(shown["salt"])
    assert len(salt) == 32
    commitment = hashlib.sha256(salt + rfc8785.dumps(shown["entry"])).digest()
    assert commitment.hex() == shown["commitment"]
    assert shown["index"] == body["log_index"] == shown["entry"]["index"]
    assert log.entries(log.holding(shown["index"]).size)[shown["index"]] == commitment
    assert f"sha-256:{hashlib.sha256(submission).hexdigest()}" in str(shown["entry"])
    assert shown["entry"]["kind"] == "accepted"
    assert shown["entry"]["alert_id"] == body["alert_id"]


def test_entries_hold_no_content(sq: Agency) -> None:
    """The entry of an alert has its header's codes and none of its words; its name is disclosed beside it alone."""
    alert = stolen_vehicle()
    shown = entry_of(sq, sq.send(alert)["alert_id"])
    for text in ("Toyota", "H42 LKJ", "1M8GDM9AXKP042788", "Lacolle.", "Véhicule volé", str(alert["identifier"])):
        assert text not in str(shown["entry"])
    texts = [str(each) for each in shown["disclosures"]]
    told = [json.loads(base64.urlsafe_b64decode(each + "=" * (-len(each) % 4))) for each in texts]
    assert {name: value for _, name, value in told}["identifier"] == alert["identifier"]
    digests = [base64.urlsafe_b64encode(hashlib.sha256(each.encode()).digest()).rstrip(b"=").decode() for each in texts]
    assert sorted(digests) == shown["entry"]["content"]["_sd"]


def test_salts_differ(sq: Agency) -> None:
    """Every entry has a salt of its own."""
    salts = [entry_of(sq, sq.send(stolen_vehicle())["alert_id"])["salt"] for _ in range(3)]
    assert len(set(salts)) == 3


def test_refusals_of_the_identified_are_entries(sq: Agency, log: LogReader) -> None:
    """Each refusal of a sender who was identified is one entry; what was replayed is none."""
    alert = stolen_vehicle()
    first, second = (sq.send(each)["log_index"] for each in (stolen_vehicle(), alert))
    refusals = [
        sq.submit(stolen_vehicle({"status": "x"})),
        sq.submit(outbreak(sender="ca-qc.sq")),
        sq.submit({**alert, "note": "autre"}),
        sq.submit(stolen_vehicle(sender="us-ny.nysp")),
    ]
    assert [answer.status_code for answer in refusals] == [422, 403, 409, 403]
    third = sq.send(stolen_vehicle())["log_index"]
    assert third - second == second - first + len(refusals)
    assert sq.submit(alert).status_code == 200
    fourth = sq.send(stolen_vehicle())["log_index"]
    assert fourth - third == second - first
    log.holding(fourth)


def test_refusals_of_strangers_are_not(sq: Agency, log: LogReader) -> None:
    """Nobody floods the log without a registered key: strangers' refusals are counted, not logged."""
    before = log.settled().size
    counted = _refused_strangers(sq.http)
    stranger = Key.new("nobody.knows:this")
    for _ in range(10):
        assert sq.post(sq.sign(stolen_vehicle(), stranger)).status_code == 401
        assert sq.post(sq.sign(stolen_vehicle(), Key.new(sq.key.kid))).status_code == 401
        assert sq.post(b"x").status_code == 400
        assert sq.http.get(f"{ALERTS}/x").status_code == 401
    assert log.settled().size == before
    assert _refused_strangers(sq.http) >= counted + 30


def _refused_strangers(http: httpx2.Client) -> float:
    lines = http.get("/metrics").text.splitlines()
    told = [line for line in lines if line.startswith("lacolle_refused_total{") and 'sender="stranger"' in line]
    return sum(float(line.rpartition(" ")[2]) for line in told)


def test_inner_nodes(long_log: LogReader) -> None:
    """The full tile's hash is what its own 256 leaves make, node by node."""
    hashes = long_log.hashes(0, WIDTH)
    while len(hashes) > 1:
        hashes = [node_hash(left, right) for left, right in zip(hashes[::2], hashes[1::2], strict=True)]
    assert long_log.hashes(1, 1) == hashes
