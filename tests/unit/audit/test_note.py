"""Signed notes (C2SP signed-note), with the notes of tessera and the key of rekor."""

from __future__ import annotations

import base64
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest
import yaml
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from audit.errors import MalformedNoteError, UntrustedNoteError
from audit.note import LogSigner, Verifier, open_note
from schemas.ids import KeyId
from schemas.signing.keys import SigningKey
from tests.unit.audit.tessera import VKEY

TEXT = "exchange.example/log\n7\nroot\n"


def other_signature(name: str = "witness.example/w", size: int = 76) -> str:
    """Give a signature line of a key and a type that we don't know."""
    return f"\N{EM DASH} {name} {base64.b64encode(bytes(size)).decode()}\n"


def test_tesseras_checkpoints_verify(shared_data: Path) -> None:
    """Every checkpoint of tessera's log opens with its key, and not with one bit of its text or signature turned."""
    verifier = Verifier.from_vkey(VKEY)
    notes = sorted((shared_data / "conf-tlog" / "tessera" / "log").glob("checkpoint*"))
    assert len(notes) == 16
    for path in notes:
        note = path.read_bytes()
        assert open_note(note, verifier).startswith("example.com/log/testdata\n")
        for spoilt in (note.replace(b"testdata\n", b"testdatb\n", 1), turned(note, -8), turned(note, -40)):
            with pytest.raises((UntrustedNoteError, MalformedNoteError)):
                open_note(spoilt, verifier)


def test_rekors_verifier_key_is_that_of_its_pem_file(shared_data: Path) -> None:
    """A vkey made elsewhere is read, written again alike, and holds the key of the PEM beside it."""
    rekor = shared_data / "conf-tlog" / "rekor-tiles"
    vkey = yaml.safe_load((rekor / "witness" / "config.yaml").read_text())["Logs"][0]["PublicKey"]
    pem = load_pem_public_key((rekor / "pki" / "ed25519-pub-key.pem").read_bytes())
    assert isinstance(pem, Ed25519PublicKey)
    verifier = Verifier.from_vkey(vkey)
    assert verifier.vkey == vkey
    assert (verifier.name, verifier.public_key) == ("rekor-local", pem.public_bytes(Encoding.Raw, PublicFormat.Raw))


def test_a_note_opens_with_the_key_that_signed_it(signer: LogSigner) -> None:
    """What a signer signs, its verifier key opens, and the text comes back; it may hold empty lines."""
    for text in (TEXT, "one\n\nthree\n", "é\n"):
        note = signer.sign(text)
        assert open_note(note.encode(), Verifier.from_vkey(signer.vkey)) == text
        assert note.startswith(text + "\n\N{EM DASH} exchange.example/log ")


def test_the_key_id_is_the_standards(signer: LogSigner) -> None:
    """The id is the first four bytes of SHA-256(name, newline, 0x01, key), and leads the signature."""
    verifier = signer.verifier
    key_id = sha256(verifier.name.encode() + b"\n\x01" + verifier.public_key).digest()[:4]
    line = signer.sign(TEXT).splitlines()[-1]
    assert verifier.key_id == key_id
    assert base64.b64decode(line.rpartition(" ")[2])[:4] == key_id


def test_signatures_of_unknown_keys_are_ignored(signer: LogSigner) -> None:
    """Others' signatures, before or after, of our name or of our id but not both, change nothing."""
    head, _, own = signer.sign(TEXT).rpartition("\n\n")
    same_id = f"\N{EM DASH} else.example {base64.b64encode(signer.verifier.key_id + bytes(64)).decode()}\n"
    same_name = other_signature(signer.origin)
    note = head + "\n\n" + other_signature() + same_id + own + same_name
    assert open_note(note.encode(), signer.verifier) == TEXT


def test_a_wrong_signature_beside_a_right_one_is_refused(signer: LogSigner) -> None:
    """One wrong signature under the key's name and id spoils the note, even with a right one; so does none at all."""
    wrong = f"\N{EM DASH} {signer.origin} {base64.b64encode(signer.verifier.key_id + bytes(64)).decode()}\n"
    longer = signer.sign(TEXT).replace("\n\n", "\n\n\n")
    for note in (signer.sign(TEXT) + wrong, TEXT + "\n" + wrong, TEXT + "\n" + other_signature(), longer):
        with pytest.raises(UntrustedNoteError):
            open_note(note.encode(), signer.verifier)


def test_another_key_of_the_same_name_does_not_open_a_note(signer: LogSigner) -> None:
    """A verifier of the same name and another key is another verifier."""
    other = LogSigner(signer.origin, SigningKey.generate(KeyId("log.other"), "Ed25519"))
    with pytest.raises(UntrustedNoteError):
        open_note(signer.sign(TEXT).encode(), other.verifier)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda note: note[:0],
        lambda note: note.removesuffix(b"\n"),
        lambda note: note + b"\n",
        lambda note: note.replace(b"\n\n", b"\n"),
        lambda note: note.replace("\N{EM DASH}".encode(), b"-"),
        lambda note: note.replace(b"\n", b"\r\n"),
        lambda note: note.replace(b"root", b"ro\x00t"),
        lambda note: note.replace(b"root", b"ro\tt"),
        lambda note: note.replace(b"root", b"ro\xfft"),
        lambda note: note + b"garbage\n",
        lambda note: note + other_signature("two words").encode(),
        lambda note: note + other_signature("a+b").encode(),
        lambda note: note + other_signature("").encode(),
        lambda note: note + other_signature(size=4).encode(),
        lambda note: note + "\N{EM DASH} w.example AAA\n".encode(),
        lambda note: note + "\N{EM DASH} w.example AAAAAAB=\n".encode(),
        lambda note: note + "\N{EM DASH} w.example AAAA_-AA\n".encode(),
        lambda note: note + other_signature().encode() * 100,
        lambda note: b"x" * (1 << 20) + note,
        lambda note: note[note.index(b"\n\n") :],
    ],
)
def test_what_is_no_note_is_refused(signer: LogSigner, spoil: Callable[[bytes], bytes]) -> None:
    """Text that the standard's form does not admit is refused before any signature is looked at."""
    with pytest.raises(MalformedNoteError):
        open_note(spoil(signer.sign(TEXT).encode()), signer.verifier)


@pytest.mark.parametrize(
    "vkey",
    [
        "",
        "name",
        VKEY.replace("33d7b496", "33d7b497"),
        VKEY.replace("33d7b496", "33D7B496"),
        VKEY.replace("testdata", "testdatb"),
        VKEY.replace("+Ae", "+Be"),
        VKEY[:-1],
        VKEY + "=",
        VKEY + "\n",
        " " + VKEY,
        VKEY.replace("/log/", "/lo g/"),
    ],
)
def test_what_is_no_verifier_key_is_refused(vkey: str) -> None:
    """A verifier key whose id is not that of its name and key, or in any other form, is refused."""
    with pytest.raises(MalformedNoteError):
        Verifier.from_vkey(vkey)


def test_a_log_signs_with_ed25519_under_a_name_that_notes_can_carry(signer: LogSigner) -> None:
    """Another algorithm, a name with a space or a plus, and a text that is no note's are refused at once."""
    with pytest.raises(ValueError, match="Ed25519"):
        LogSigner("exchange.example/log", SigningKey.generate(KeyId("log.es"), "ES256"))
    for name in ("", "a b", "a+b", "a\nb", "a\N{NO-BREAK SPACE}b"):
        with pytest.raises(ValueError, match="origin"):
            LogSigner(name, SigningKey.generate(KeyId("log.ed"), "Ed25519"))
    for text in ("", "no newline", "a\x01b\n"):
        with pytest.raises(ValueError, match="note's text"):
            signer.sign(text)


def turned(note: bytes, at: int) -> bytes:
    """Return the note with one base64 character replaced by another."""
    spoilt = bytearray(note)
    spoilt[at] = ord("A") if spoilt[at] != ord("A") else ord("B")
    return bytes(spoilt)
