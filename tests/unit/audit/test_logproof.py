"""Proofs of logging in one text (C2SP tlog-proof): read as written, and believed only where all of it holds."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest

from audit.cosignature import Cosigner
from audit.errors import AuditError, MalformedProofError, ProofError, UnmetPolicyError, UntrustedNoteError
from audit.logproof import LogProof
from audit.merkle import Node, complete_root, inclusion_proof
from audit.note import LogSigner, read_note
from audit.policy import Group, WitnessPolicy
from schemas.ids import JurisdictionCode, KeyId
from schemas.signing.keys import SigningKey
from tests.unit.audit.logs import SmallLog

SIGNER = LogSigner("exchange.example/log", SigningKey.generate(KeyId("log"), "Ed25519"))
QC = Cosigner("witness.example/qc", SigningKey.generate(KeyId("witness"), "Ed25519"))
POLICY = WitnessPolicy({QC.key: JurisdictionCode("CA-QC")}, (Group(("CA-*",)),))
LOG = SmallLog(SIGNER, 11)


def entry(index: int) -> bytes:
    """Return an entry of the log."""
    return hashlib.sha256(str(index).encode()).digest()


def proof_of(index: int, *, cosigned: bool = True) -> LogProof:
    """Return the proof of an entry."""

    def read(node: Node) -> bytes:
        return complete_root(LOG.leaves[node.index << node.level : (node.index + 1) << node.level])

    note = LOG.note(11)
    line = QC.cosign(read_note(note).text, time=1_800_000_000).encode()
    return LogProof(index, inclusion_proof(index, 11, read), note + line if cosigned else note)


@pytest.mark.parametrize("index", range(11))
def test_each_entry_is_proven_with_its_witnesses(index: int) -> None:
    """The text is read as it was written, leads to the signed root, and names who has cosigned it and when."""
    proof = LogProof.parse(proof_of(index).text)
    assert proof == proof_of(index)
    body, (cosigned,) = proof.verify(entry(index), log=SIGNER.verifier, policy=POLICY)
    assert (body.size, cosigned.name, cosigned.time) == (11, QC.key.name, 1_800_000_000)


def test_extra_data_changes_nothing_of_what_is_proven() -> None:
    """The line that an application may add changes nothing of what is proven."""
    text = proof_of(3).text.replace(b"\nindex", b"\nextra aGVsbG8=\nindex")
    assert LogProof.parse(text) == replace(proof_of(3), extra=b"hello")


def test_what_does_not_hold_is_not_believed() -> None:
    """Another entry, another place, another key, another origin, or a witness that is missing: each is refused."""
    proof, log = proof_of(3), SIGNER.verifier
    with pytest.raises(ProofError):
        proof.verify(entry(4), log=log)
    with pytest.raises(ProofError):
        replace(proof, index=4).verify(entry(3), log=log)
    with pytest.raises(ProofError):
        replace(proof, proof=proof.proof[:-1]).verify(entry(3), log=log)
    other = LogSigner(SIGNER.origin, SigningKey.generate(KeyId("log"), "Ed25519"))
    with pytest.raises(UntrustedNoteError):
        proof.verify(entry(3), log=other.verifier)
    with pytest.raises(UnmetPolicyError):
        proof_of(3, cosigned=False).verify(entry(3), log=log, policy=POLICY)
    assert proof_of(3, cosigned=False).verify(entry(3), log=log)[1] == ()


TEXT = proof_of(3).text


@pytest.mark.parametrize(
    "text",
    [
        b"",
        TEXT.replace(b"@v1", b"@v2"),
        TEXT.replace(b"index 3", b"index 03"),
        TEXT.replace(b"index 3", b"index x"),
        TEXT.replace(b"index 3\n", b""),
        TEXT.replace(b"index 3\n", b"index 3\nAAAA\n"),
        TEXT.replace(b"index 3\n", b"index 3\n" + b"A" * 42 + b"B=\n"),
        TEXT.partition(b"\n\n")[0],
        TEXT.partition(b"\n\n")[0] + b"\n\n",
        "é".encode("latin-1") + TEXT,
    ],
    ids=lambda _text: "",  # a key's own bytes differ from process to process
)
def test_what_is_no_proof_is_refused(text: bytes) -> None:
    """Anything that a proof would be written otherwise is malformed."""
    with pytest.raises(MalformedProofError):
        LogProof.parse(text)


def test_no_byte_of_a_proof_is_free() -> None:
    """Whatever byte is changed, of place, path, text or signatures, the proof is refused."""
    for at in range(len(TEXT)):
        changed = bytearray(TEXT)
        changed[at] ^= 1
        with pytest.raises(AuditError):
            LogProof.parse(bytes(changed)).verify(entry(3), log=SIGNER.verifier, policy=POLICY)
