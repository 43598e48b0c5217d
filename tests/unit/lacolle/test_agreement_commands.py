"""``lacolle agreement`` beside an exchange's folder: what is linted, by whom it may be signed, what is proposed."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest
from typer.testing import CliRunner, Result

from agreements.signed import agreement_bytes
from agreements.written import read_agreement
from lacolle.cli import application
from lacolle.keyfiles import write_key_file
from lacolle.samples import SAMPLES, World, WorldOptions, build_world
from schemas.ids import JurisdictionCode, KeyId
from schemas.signing.jws import AGREEMENT, join_signatures, sign_compact
from schemas.signing.keys import SigningKey

VERMONT = SAMPLES / "agreements" / "ca-qc.us-vt.law-enforcement.yaml"
PAYLOAD = agreement_bytes(read_agreement(VERMONT.read_text(encoding="utf-8"), file="vermont"))
QC, NY = JurisdictionCode("CA-QC"), JurisdictionCode("US-NY")
SIGNED_AT = 1_795_000_000


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Return the sample world, in a folder that no test changes."""
    return build_world(tmp_path_factory.mktemp("agreements") / "world", WorldOptions())


def run(*words: str | Path) -> Result:
    """Run the command, in English."""
    return CliRunner().invoke(application(), ["agreement", *map(str, words), "--lang", "en"])


def signed(path: Path, key: SigningKey) -> Path:
    """Return a file with the agreement and one signature."""
    path.write_bytes(join_signatures([sign_compact(PAYLOAD, key=key, profile=AGREEMENT, iat=SIGNED_AT)]))
    return path


def test_of_a_signed_file_lint_says_who_has_yet_to_sign(world: World, tmp_path: Path) -> None:
    """It is linted as the document that it holds; a party without a signature is told at its place."""
    file = signed(tmp_path / "signed.json", world.authorities[QC])
    told = run("lint", file, "--exchange", world.folder, "--json")
    assert told.exit_code == 0, told.output
    findings = orjson.loads(told.stdout)["findings"]
    unsigned = [each["path"] for each in findings if "not signed yet" in each["reason"]["en"]]
    assert unsigned == ["parties[1]"]


def test_a_signed_file_that_nobody_vouches_for_is_not_linted(world: World, tmp_path: Path) -> None:
    """A signature by another key than the pinned one is said to be so."""
    stranger = SigningKey.generate(world.authorities[QC].kid, "Ed25519")
    told = run("lint", signed(tmp_path / "signed.json", stranger), "--exchange", world.folder)
    assert (told.exit_code, "not that of an authority key" in told.stderr) == (1, True)


def test_a_party_alone_signs(world: World, tmp_path: Path) -> None:
    """Beside the exchange's folder neither a third jurisdiction's authority signs, nor a key that it has not pinned."""
    strangers = (world.authorities[NY], SigningKey.generate(KeyId("nobody"), "Ed25519"))
    for number, key in enumerate((*strangers, SigningKey.generate(world.authorities[QC].kid, "Ed25519"))):
        write_key_file(tmp_path / f"{number}.jwk", key)
        out = tmp_path / f"{number}.json"
        told = run("sign", VERMONT, "--key", tmp_path / f"{number}.jwk", "--out", out, "--exchange", world.folder)
        assert (told.exit_code, "not that of any party's authority" in told.stderr, out.exists()) == (1, True, False)
    write_key_file(tmp_path / "own.jwk", world.authorities[QC])
    words = ("--key", tmp_path / "own.jwk", "--out", tmp_path / "own.json", "--exchange", world.folder)
    assert run("sign", VERMONT, *words).exit_code == 0


def test_a_new_draft_is_one_and_is_not_signed_as_it_is(world: World, tmp_path: Path) -> None:
    """It replaces no file, names two parties at least, and lint says what is to be filled in."""
    draft = tmp_path / "draft.yaml"
    assert run("new", "ca-qc.us-vt.test", "--party", "CA-QC", "--out", draft).exit_code == 1
    assert run("new", "Not an id", "--party", "CA-QC", "--party", "US-VT", "--out", draft).exit_code == 1
    assert not draft.exists()
    words = ("new", "ca-qc.us-vt.test", "--party", "CA-QC", "--party", "US-VT", "--out", draft)
    assert run(*words).exit_code == 0
    told = run("lint", draft, "--exchange", world.folder, "--json")
    assert told.exit_code == 1
    blank = {each["path"] for each in orjson.loads(told.stdout)["findings"] if each["severity"] == "error"}
    passages = ("title", "purpose", "legal_basis", "privacy_assessment")
    assert blank == {f"{passage}.{language}" for passage in passages for language in ("fr", "en")}
    draft.write_text("mine", encoding="utf-8")
    again = run(*words)
    assert (again.exit_code, "exists already" in again.stderr, draft.read_text(encoding="utf-8")) == (1, True, "mine")


def test_what_is_not_signed_is_not_proposed() -> None:
    """Whoever proposes YAML is told to sign it first, and nothing is sent."""
    told = run("propose", VERMONT, "--url", "https://exchange.invalid")
    assert (told.exit_code, "is not signed" in told.stderr) == (1, True)
