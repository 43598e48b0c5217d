"""Cosignatures (C2SP tlog-cosignature): their bytes, and that nothing but a witness's own word is believed."""

from __future__ import annotations

import base64
from dataclasses import replace

import pytest

from audit.cosignature import Cosigner, CosignerKey, cosignatures
from audit.errors import MalformedNoteError, UntrustedNoteError
from audit.note import LogSigner, open_note, read_note
from schemas.ids import KeyId
from schemas.signing.keys import SigningKey
from tests.unit.audit.logs import SmallLog

TIME = 1_763_841_600
SIGNER = LogSigner("exchange.example/log", SigningKey.generate(KeyId("log"), "Ed25519"))
QC = Cosigner("witness.example/qc", SigningKey.generate(KeyId("witness"), "Ed25519"))
NY = Cosigner("witness.example/ny", SigningKey.generate(KeyId("witness"), "Ed25519"))
NOTE = SmallLog(SIGNER, 5).note(5)
TEXT = read_note(NOTE).text
EXAMPLE_TEXT = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
EXAMPLE_LINE = (
    "— witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0"
    "xUe+mbIUBkBIfZ+qnA==\n"
)
"""The specification's own example of a checkpoint and its cosignature."""


def test_a_cosigned_checkpoint_is_the_log_s_and_the_witness_s() -> None:
    """The log's signature holds with cosignatures after it, and each known witness's word is found with its time."""
    note = NOTE + QC.cosign(TEXT, time=TIME).encode() + NY.cosign(TEXT, time=TIME + 1).encode()
    assert open_note(note, SIGNER.verifier) == TEXT
    found = cosignatures(read_note(note), [NY.key, QC.key])
    assert [(each.name, each.time) for each in found] == [(NY.key.name, TIME + 1), (QC.key.name, TIME)]
    assert cosignatures(read_note(NOTE), [QC.key]) == ()


def test_the_example_of_the_specification_has_its_time_and_layout() -> None:
    """The published line is read as a time of eight bytes and a signature of 64 under the published key id."""
    (signature,) = read_note(f"{EXAMPLE_TEXT}\n{EXAMPLE_LINE}".encode()).signatures
    assert (signature.name, signature.key_id.hex()) == ("witness.example.com/w1", "8d66cf3f")
    assert int.from_bytes(signature.signature[:8]) == 1679315147
    assert len(signature.signature) == 72
    assert signature.line == EXAMPLE_LINE


def test_a_verifier_key_is_read_as_it_is_written() -> None:
    """A witness's key is of type 0x04: a log's is refused in its place, and one with another's name or id."""
    vkey = QC.key.vkey
    assert CosignerKey.from_vkey(vkey) == QC.key
    assert base64.b64decode(vkey.split("+", 2)[2])[:1] == b"\x04"
    for wrong in (SIGNER.vkey, vkey.replace("witness.example", "other.example"), vkey[:-1], "", "a+b+c"):
        with pytest.raises(MalformedNoteError):
            CosignerKey.from_vkey(wrong)


def test_any_bit_of_a_cosignature_counts() -> None:
    """A time or a signature with one bit turned, another text, or another length, is not the witness's word."""
    (right,) = read_note(NOTE + QC.cosign(TEXT, time=TIME).encode()).signatures[1:]
    for bit in range(len(right.signature) * 8):
        turned = bytearray(right.signature)
        turned[bit // 8] ^= 1 << bit % 8
        with pytest.raises(UntrustedNoteError):
            QC.key.cosignature(TEXT, [replace(right, signature=bytes(turned))])
    for wrong in (right.signature[:-1], right.signature + b"\0", right.signature[:8]):
        with pytest.raises(UntrustedNoteError):
            QC.key.cosignature(TEXT, [replace(right, signature=wrong)])
    with pytest.raises(UntrustedNoteError):
        QC.key.cosignature(SmallLog(SIGNER, 5, seed="x").note(5).decode().partition("\n\n")[0] + "\n", [right])


def test_another_key_of_the_same_name_is_not_the_witness() -> None:
    """A line in a witness's name by another key has another key id, and counts for nothing."""
    stranger = Cosigner(QC.key.name, SigningKey.generate(KeyId("witness"), "Ed25519"))
    assert cosignatures(read_note(NOTE + stranger.cosign(TEXT, time=TIME).encode()), [QC.key]) == ()


def test_the_latest_of_two_counts() -> None:
    """Where a witness has cosigned twice, the later time is the one that it stands for now."""
    note = NOTE + QC.cosign(TEXT, time=TIME + 9).encode() + QC.cosign(TEXT, time=TIME).encode()
    assert [each.time for each in cosignatures(read_note(note), [QC.key])] == [TIME + 9]


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\nb"])
def test_a_name_that_no_note_can_carry_is_refused(name: str) -> None:
    """A witness can't be called what a signature line could not be read back from."""
    with pytest.raises(ValueError, match="no spaces"):
        Cosigner(name, SigningKey.generate(KeyId("witness"), "Ed25519"))
