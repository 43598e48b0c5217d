"""What a witness cosigns and what not (C2SP tlog-witness, add-checkpoint)."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from audit.checkpoints import CheckpointBody
from audit.errors import (
    AuditError,
    ForkedLogError,
    MalformedRequestError,
    ProofError,
    StaleRequestError,
    UntrustedNoteError,
)
from audit.note import LogSigner
from audit.witness import MOST_PROOF_LINES, AddCheckpoint, WitnessedLog
from schemas.ids import KeyId
from schemas.signing.keys import SigningKey
from tests.unit.audit.logs import SmallLog

SIGNER = LogSigner("exchange.example/log", SigningKey.generate(KeyId("log"), "Ed25519"))
LOG = SmallLog(SIGNER, 70)
FORK = SmallLog(SIGNER, 70, seed="other")
NEW = WitnessedLog(SIGNER.verifier)


def witnessed(size: int) -> WitnessedLog:
    """Return what a witness remembers that has cosigned a size."""
    return NEW.judge(LOG.request(0, size))[1]


@pytest.mark.parametrize(
    ("old", "size"), [(old, size) for size in (0, 1, 2, 7, 64, 70) for old in (0, 1, 2, 7, 64, 70)]
)
def test_a_log_that_grows_is_cosigned(old: int, size: int) -> None:
    """From any size to any that is not smaller, and what is remembered then is that checkpoint."""
    if old > size:
        return
    checkpoint, then = witnessed(old).judge(LOG.request(old, size))
    assert (checkpoint.size, checkpoint.root) == (then.size, then.root) == (size, LOG.root(size))
    assert WitnessedLog.parse(then.text) == then


def test_another_size_than_the_last_is_stale() -> None:
    """Whoever goes on from another size than was cosigned last is told that size, for larger and for smaller ones."""
    for old, size in ((0, 70), (6, 70), (8, 70), (0, 0), (5, 5)):
        with pytest.raises(StaleRequestError) as refused:
            witnessed(7).judge(LOG.request(old, size))
        assert refused.value.size == 7


def test_another_root_for_the_same_size_is_a_fork() -> None:
    """The log has signed two roots for one size: that is told apart, and never cosigned."""
    with pytest.raises(ForkedLogError) as refused:
        witnessed(7).judge(FORK.request(7, 7))
    assert refused.value.size == 7


def test_a_history_that_is_not_continued_is_not_proven() -> None:
    """No proof leads from what was cosigned to another history: not its own, not the right one, not none."""
    for proof in (FORK.proof(7, 70), LOG.proof(7, 70), ()):
        with pytest.raises(ProofError):
            witnessed(7).judge(FORK.request(7, 70, proof=proof))
    wrong = list(LOG.proof(7, 70))
    wrong[0] = bytes(32)
    for proof in (tuple(wrong), LOG.proof(7, 70)[:-1], (*LOG.proof(7, 70), bytes(32))):
        with pytest.raises(ProofError):
            witnessed(7).judge(LOG.request(7, 70, proof=proof))


def test_a_proof_from_nothing_is_empty() -> None:
    """The first checkpoint has no proof, the same one again has none, and the empty tree has one root."""
    with pytest.raises(ProofError):
        NEW.judge(LOG.request(0, 7, proof=[bytes(32)]))
    with pytest.raises(ProofError):
        witnessed(7).judge(LOG.request(7, 7, proof=[bytes(32)]))
    note = SIGNER.sign(CheckpointBody(SIGNER.origin, 0, bytes(32)).text).encode()
    with pytest.raises(ProofError):
        NEW.judge(AddCheckpoint(0, (), note))


def test_an_old_size_that_is_the_larger_is_malformed() -> None:
    """The old size must not exceed the checkpoint's, whatever was cosigned last."""
    for cosigned in (7, 64):
        with pytest.raises(MalformedRequestError):
            witnessed(cosigned).judge(LOG.request(64, 7))


def test_only_the_log_s_key_counts() -> None:
    """A checkpoint without the log's signature is not trusted, nor one of another key in its name."""
    stranger = LogSigner(SIGNER.origin, SigningKey.generate(KeyId("log"), "Ed25519"))
    with pytest.raises(UntrustedNoteError):
        NEW.judge(SmallLog(stranger, 7).request(0, 7))
    request = LOG.request(0, 7)
    with pytest.raises(UntrustedNoteError):
        NEW.judge(replace(request, note=request.note.replace(b"\n7\n", b"\n8\n")))
    both = request.note + stranger.sign("x\n").encode().rpartition(b"\n\n")[2]
    assert NEW.judge(replace(request, note=both))[1].size == 7


def test_a_note_of_another_origin_is_malformed() -> None:
    """The log's key signs for one origin: under another one it is no checkpoint of this log."""
    for text in (CheckpointBody("other.example/log", 7, LOG.root(7)).text, "not a checkpoint\n"):
        with pytest.raises(MalformedRequestError):
            NEW.judge(AddCheckpoint(0, (), SIGNER.sign(text).encode()))


def test_a_request_is_read_as_it_is_written() -> None:
    """Each request has one spelling."""
    for old, size in ((0, 0), (0, 7), (7, 7), (7, 70)):
        request = LOG.request(old, size)
        assert AddCheckpoint.parse(request.body) == request
        assert request.origin == SIGNER.origin
    most = LOG.request(7, 70, proof=[bytes(32)] * MOST_PROOF_LINES)
    assert AddCheckpoint.parse(most.body) == most


BODY = LOG.request(7, 70).body


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\n\n",
        b"old 7\n",
        b"old 7\n\n",
        BODY.replace(b"old 7", b"old 07"),
        BODY.replace(b"old 7", b"old -7"),
        BODY.replace(b"old 7", b"old  7"),
        BODY.replace(b"old 7", b"old 7 "),
        BODY.replace(b"old 7", b"new 7"),
        BODY.replace(b"old 7", "old \N{ARABIC-INDIC DIGIT SEVEN}".encode()),
        BODY.replace(b"old 7", b"old 9999999999999999999"),
        BODY.replace(b"old 7\n", b"old 7\r\n"),
        BODY.replace(b"old 7\n", b"old 7\nAAAA\n"),
        BODY.replace(b"old 7\n", b"old 7\n!!!!\n"),
        BODY.replace(b"old 7\n", b"old 7\n" + b"A" * 43 + b"\n"),
        BODY.replace(b"old 7\n", b"old 7\n" + b"A" * 42 + b"B=\n"),
        LOG.request(7, 70, proof=[bytes(32)] * (MOST_PROOF_LINES + 1)).body,
        b"\n" + BODY,
    ],
    ids=lambda _body: "",  # their own bytes differ from process to process
)
def test_what_is_no_request_is_refused(body: bytes) -> None:
    """Anything that a request would be written otherwise is malformed."""
    with pytest.raises(MalformedRequestError):
        AddCheckpoint.parse(body)


def test_no_two_roots_of_a_size_whatever_is_asked() -> None:
    """Asked anything in any order, of two histories, a witness never cosigns two roots for one size, nor goes back."""
    choices = random.Random(2026)  # noqa: S311 - which requests are made is no secret
    remembered, roots = NEW, dict[int, bytes]()
    for _ in range(3000):
        log = choices.choice((LOG, FORK))
        old = remembered.size if choices.random() < 0.5 else choices.randrange(70)
        size = min(70, max(0, remembered.size + choices.randrange(-3, 4)))
        proof = (FORK if choices.random() < 0.2 else log).proof(old, size) if 0 < old <= size else ()
        try:
            checkpoint, following = remembered.judge(AddCheckpoint(old, proof, log.note(size)))
        except AuditError:
            continue
        assert roots.setdefault(checkpoint.size, checkpoint.root) == checkpoint.root
        assert following.size >= remembered.size
        remembered = following
    assert len(roots) > 10


@pytest.mark.parametrize(
    "content", [b"", b"x", b"x\n", SIGNER.vkey.encode(), SIGNER.vkey.encode() + b"\nnote"], ids=len
)
def test_a_memory_that_is_none_is_refused(content: bytes) -> None:
    """A file that was cut short, or is something else, is never taken for a log that was not cosigned yet."""
    with pytest.raises(AuditError):
        WitnessedLog.parse(content)
