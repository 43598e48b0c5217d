"""Bundles that somebody altered: every change is found, by the product and by the program that stands alone.

Whoever alters a bundle may be a stranger, who can sign nothing, or the exchange itself, which signs the bundle anew and
writes its narrative to match. Against the exchange stand the agencies', the partners' and the authorities' signatures,
and the log.
"""

from __future__ import annotations

import json
import os
import struct
import tracemalloc
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import pytest

from audit.errors import AuditError
from audit.evidence import verify as standalone
from audit.evidence.archive import DOCUMENT, MANIFEST, NARRATIVE, MalformedBundleError, read_archive, write_archive
from audit.evidence.bundle import Bundle, Pins, open_bundle
from audit.evidence.document import Evidence, manifest_bytes
from gateway.narrative.page import narrative_page
from lacolle.evidence.pinning import read_pins
from lacolle.evidence.verifying import verify_bundle
from lacolle.keyfiles import load_key_file
from schemas.signing.jws import EVIDENCE, sign_compact
from schemas.signing.keys import SigningKey
from tests.acceptance.commands import lacolle
from tests.acceptance.evidence_stage import EvidenceStage, evidence_stage, outcomes, plain_outcomes

GOLDEN: Final = Path(__file__).resolve().parents[1] / "golden" / "evidence"
LATEST: Final = "v2"
Place = tuple[str | int, ...]
ITS_WORD: Final = frozenset(
    {
        "drawn/at/other",
        "drawn/by/other",
        "narrative/other",
        "exchange_keys/*/left out",
        "statements/*/index/other",
        "statements/*/left out",
        "entries/*/left out",
    }
)
"""What rests on the exchange's word alone: when it drew the bundle and for whom, the version of the narrative that it
claims, which of its keys it names, where a statement stands whose entry the reader may not see, and what it leaves out
of what nobody's signature and no decision depends on."""


@dataclass(frozen=True)
class Drawn:
    """Bundles by scene, and whom a verifier believes."""

    bundles: dict[str, bytes]
    pins: Pins
    plain: standalone.Pins
    key: SigningKey
    folder: Path
    vkey: str


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Drawn:
    """Return bundles of an exchange, which has ended since: nobody is asked to verify them."""
    with evidence_stage(tmp_path_factory.mktemp("altered")) as stage:
        bundles = {
            "whole": stage.draw("ca-qc.sq", "delivered"),
            "own": stage.draw("us-ny.nysp", "delivered"),
            "derived": stage.draw("us-nh.nhsp", "redacted"),
            "presented": stage.draw("us-nh.nhsp", "separable"),
            "consented": stage.draw("ca-qc.sq", "consented"),
        }
        return Drawn(
            bundles, stage.pins, stage.plain_pins, _receipt_key(stage), stage.server.world.folder, stage.log.vkey
        )


def _receipt_key(stage: EvidenceStage) -> SigningKey:
    return load_key_file(stage.keys / "receipt.jwk")


def is_refused(data: bytes, drawn: Drawn) -> bool:
    """Say whether both verifiers refuse a file; fail where one does alone, or they disagree about a check of both."""
    found, plain = read_by_both(data, drawn)
    if found is not None and plain is not None:
        for name, outcome in plain.items():
            assert (found[name] == "failed") == (outcome == "failed"), (name, found, plain)
        return "failed" in found.values()
    assert found is None or "failed" in found.values(), found
    assert plain is None or "failed" in plain.values(), plain
    return True


def read_by_both(data: bytes, drawn: Drawn) -> tuple[dict[str, str] | None, dict[str, str] | None]:
    """Return how the checks of each verifier end; None of one to which the file is no bundle."""
    found = plain = None
    with suppress(MalformedBundleError):
        found = outcomes(data, drawn.pins)
    with suppress(standalone.UnreadableError):
        plain = plain_outcomes(data, drawn.plain)
    return found, plain


def altered(value: Any) -> Iterator[tuple[Place, Any]]:  # noqa: ANN401 - any JSON
    """Yield a JSON value with one thing changed, for each that can be, and where it is; of a list's, for three."""
    match value:
        case dict():
            for name, member in value.items():
                for place, other in altered(member):
                    yield (name, *place), {**value, name: other}
        case list():
            for index in sorted({0, len(value) // 2, len(value) - 1} & set(range(len(value)))):
                yield (index, "left out"), [*value[:index], *value[index + 1 :]]
                for place, other in altered(value[index]):
                    yield (index, *place), [*value[:index], other, *value[index + 1 :]]
        case bool() | None:
            yield ("other",), "x"
        case int():
            yield ("other",), value + 1
        case _:
            yield ("other",), _other_text(str(value))


def _other_text(text: str) -> str:
    """Return a text of the same form with its middle character changed."""
    at = len(text) // 2
    replaced = {"0": "1", "a": "b", "A": "B", "1": "0", ".": "_"}.get(text[at : at + 1])
    if replaced is None:
        replaced = "0" if text[at : at + 1].isdigit() else "a"
    return text[:at] + replaced + text[at + 1 :]


def parts_of(data: bytes) -> tuple[dict[str, bytes], dict[str, Any]]:
    """Return a bundle's members and its document."""
    members = read_archive(data)
    return members, json.loads(members[DOCUMENT])


def written(members: dict[str, bytes], document: dict[str, Any]) -> bytes:
    """Return a bundle with another document, as a stranger makes it."""
    return write_archive({**members, DOCUMENT: json.dumps(document).encode()})


def signed_anew(members: dict[str, bytes], document: dict[str, Any], key: SigningKey) -> bytes | None:
    """Return a bundle with another document, as the exchange could make it; None where it could not tell it."""
    others = {**members, DOCUMENT: json.dumps(document).encode()}
    del others[MANIFEST]
    try:
        evidence = Evidence.of_bytes(others[DOCUMENT])
        others[NARRATIVE] = narrative_page(Bundle(others, evidence))
        manifest = sign_compact(manifest_bytes(evidence.alert_id, others), key=key, profile=EVIDENCE)
    except (AuditError, ValueError):
        return None
    return write_archive({MANIFEST: manifest, **others})


@pytest.mark.parametrize("scene", ["whole", "own", "derived", "presented", "consented"])
def test_the_bundles_as_they_are(drawn: Drawn, scene: str) -> None:
    """What nobody altered is refused by neither."""
    assert not is_refused(drawn.bundles[scene], drawn)


@pytest.mark.parametrize("scene", ["own", "presented"])
def test_a_stranger_changes_anything_in_the_document(drawn: Drawn, scene: str) -> None:
    """Each value of the document that a stranger changes, and each that he leaves out, is found."""
    members, document = parts_of(drawn.bundles[scene])
    missed = [place for place, other in altered(document) if not is_refused(written(members, other), drawn)]
    assert missed == []


@pytest.mark.parametrize("scene", ["whole", "derived"])
def test_a_stranger_changes_any_file(drawn: Drawn, scene: str) -> None:
    """A byte changed at the beginning, in the middle or at the end of any member is found, and so is one added."""
    members = read_archive(drawn.bundles[scene])
    for name, content in members.items():
        for at in (0, len(content) // 2, len(content) - 1):
            changed = content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]
            assert is_refused(write_archive({**members, name: changed}), drawn), (name, at)
        assert is_refused(write_archive({**members, name: content + b" "}), drawn), name
        assert is_refused(write_archive({each: data for each, data in members.items() if each != name}), drawn), name
    assert is_refused(write_archive({**members, "other.txt": b"x"}), drawn)


@pytest.mark.parametrize("scene", ["whole", "own", "derived", "presented", "consented"])
def test_the_exchange_changes_anything_but_its_own_word(drawn: Drawn, scene: str) -> None:
    """Signed anew by the exchange itself, each change of the document is found all the same.

    What is left is ``ITS_WORD``, and docs/evidence.md says so.
    """
    members, document = parts_of(drawn.bundles[scene])
    missed = set()
    for place, other in altered(document):
        data = signed_anew(members, other, drawn.key)
        if data is not None and not is_refused(data, drawn):
            missed.add("/".join("*" if isinstance(step, int) else step for step in place))
    assert "drawn/at/other" in missed
    assert missed <= ITS_WORD


def reshaped(value: Any) -> Iterator[tuple[Place, Any]]:  # noqa: ANN401 - any JSON
    """Yield a JSON value with one thing in it of another shape: a member more, an integer that is none."""
    match value:
        case dict():
            yield ("more",), {**value, "more": "x"}
            for name, member in value.items():
                for place, other in reshaped(member):
                    yield (name, *place), {**value, name: other}
        case list():
            for index in sorted({0, len(value) - 1} & set(range(len(value)))):
                for place, other in reshaped(value[index]):
                    yield (index, *place), [*value[:index], other, *value[index + 1 :]]
            yield ("of one",), dict(enumerate(map(str, value)))
        case bool() | None:
            yield ("a list",), []
        case int():
            yield ("a float",), float(value)
            yield ("a boolean",), bool(value)
            yield ("a text",), str(value)
        case _:
            yield ("a list",), [value]


@pytest.mark.parametrize("scene", ["presented", "consented"])
def test_a_document_of_another_shape(drawn: Drawn, scene: str) -> None:
    """What one verifier would not even read the other refuses too, though the exchange itself signed it so.

    What decisions are made again from is for the one of them that does so.
    """
    members, document = parts_of(drawn.bundles[scene])
    del members[MANIFEST]
    refused_by_one, apart = [], ("exchange_keys", "basis")
    kept = {name: document[name] for name in apart}
    for place, other in reshaped({name: member for name, member in document.items() if name not in apart}):
        changed = {**members, DOCUMENT: json.dumps({**kept, **other}).encode()}
        payload = manifest_bytes(document["alert_id"], changed)
        data = write_archive({MANIFEST: sign_compact(payload, key=drawn.key, profile=EVIDENCE), **changed})
        found, plain = read_by_both(data, drawn)
        accepted = [each is not None and "failed" not in each.values() for each in (found, plain)]
        if any(accepted):
            refused_by_one.append((place, accepted))
    assert refused_by_one == []


@pytest.mark.parametrize("scene", ["whole", "own"])
def test_an_alert_whose_content_is_gone(drawn: Drawn, scene: str) -> None:
    """Without its content a bundle proves the rest, and both verifiers say what they can't check."""
    members, document = parts_of(drawn.bundles[scene])
    kept = {name: content for name, content in members.items() if not name.startswith(("submission", "copy"))}
    data = signed_anew(kept, {**document, "contents": [], "missing": "erased", "basis": None}, drawn.key)
    assert data is not None
    found = outcomes(data, drawn.pins)
    assert {name for name, outcome in found.items() if outcome != "passed"} == {"content", "replay", "witnesses"}
    assert "failed" not in found.values()
    assert not is_refused(data, drawn)


@pytest.mark.parametrize("form", ["v1", LATEST])
def test_a_bundle_of_before_still_verifies(drawn: Drawn, form: str) -> None:
    """A bundle of an exchange that is gone is verified by its three files of keys; no later version may refuse it.

    A narrative in the words of an earlier version is said to be one, and is no failure.
    """
    if form == LATEST and os.environ.get("LACOLLE_REFRESH_GOLDEN"):
        refresh(drawn)
    golden = GOLDEN / form
    data = (golden / "bundle.zip").read_bytes()
    vkey = (golden / "log.vkey").read_text(encoding="ascii")
    pins = read_pins(
        jurisdictions=golden / "jurisdictions.json", log_key=vkey, exchange_keys=golden / "exchange-keys.json"
    )
    plain = standalone.Pins(
        (golden / "jurisdictions.json").read_bytes(), vkey, (golden / "exchange-keys.json").read_bytes()
    )
    found = outcomes(data, pins)
    unmade = {"witnesses", "verifier"} if form == LATEST else {"witnesses", "verifier", "narrative"}
    assert {name for name, outcome in found.items() if outcome != "passed"} <= unmade
    assert "failed" not in found.values()
    assert set(plain_outcomes(data, plain).values()) == {"passed"}


def refresh(drawn: Drawn) -> None:
    """Write the golden anew: only where the narrative's words changed, and with a new ``NARRATIVE_VERSION``."""
    pinned = [each.model_dump(mode="json") for each in drawn.pins.jurisdictions.values()]
    keys = [dict(key.jwk) for key in (drawn.pins.exchange or {}).values()]
    golden = GOLDEN / LATEST
    golden.mkdir(parents=True, exist_ok=True)
    (golden / "bundle.zip").write_bytes(drawn.bundles["consented"])
    (golden / "log.vkey").write_text(drawn.vkey, encoding="ascii")
    (golden / "jurisdictions.json").write_text(json.dumps({"jurisdictions": pinned}, indent=1), encoding="ascii")
    (golden / "exchange-keys.json").write_text(json.dumps({"keys": keys}, indent=1), encoding="ascii")


def test_another_s_keys_vouch_for_nothing(drawn: Drawn) -> None:
    """With other pins than the true ones everything that rests on them fails, or is said not to be checked."""
    bundle = drawn.bundles["whole"]
    nobody = Pins({}, drawn.pins.log, {})
    found = outcomes(bundle, nobody)
    for name in ("manifest", "statements", "receipt", "content", "agreements", "acknowledgements"):
        assert found[name] == "failed", name
    unpinned = outcomes(bundle, Pins(drawn.pins.jurisdictions, drawn.pins.log))
    assert {name for name, outcome in unpinned.items() if outcome == "not-made"} == {"manifest", "receipt", "witnesses"}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"PK\x03\x04",
        b"PK\x05\x06" + bytes(18),
        b"\x00" * 1000,
        b"{" * 100_000,
    ],
)
def test_what_is_no_bundle(drawn: Drawn, data: bytes) -> None:
    """Files of any other kind are refused in words, by both."""
    assert is_refused(data, drawn)
    with pytest.raises(MalformedBundleError):
        open_bundle(data)


@pytest.mark.parametrize("scene", ["whole"])
def test_an_archive_is_read_in_one_way(drawn: Drawn, scene: str) -> None:
    """Bytes before or after, a second member of a name, a member that is packed: what two readers could read apart."""
    data = drawn.bundles[scene]
    assert is_refused(b"x" + data, drawn)
    assert is_refused(data + b"x", drawn)
    for at in range(0, len(data), 997):
        changed = data[:at] + bytes([data[at] ^ 0x10]) + data[at + 1 :]
        assert is_refused(changed, drawn), at


@pytest.mark.parametrize("listed", [65, 100_000])
def test_a_directory_without_end_is_not_gone_through(drawn: Drawn, listed: int) -> None:
    """An archive that lists more members than a bundle has is refused by what its end says, before it is read."""
    one = struct.pack("<4s6H3L5H2L", b"PK\x01\x02", 788, 20, 0, 0, 0, 33, 0, 0, 0, 6, 0, 0, 0, 0, 0o100644 << 16, 0)
    directory = b"".join(b"%b%06d" % (one, number) for number in range(listed))
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, listed & 0xFFFF, listed & 0xFFFF, len(directory), 0, 0)
    tracemalloc.start()
    assert is_refused(directory + end, drawn)
    assert tracemalloc.get_traced_memory()[1] < len(directory) + 1_000_000
    tracemalloc.stop()


def test_each_statement_is_verified_once(drawn: Drawn) -> None:
    """However many words and entries ask who could sign what: a bundle of many is no work without end."""
    bundle = open_bundle(drawn.bundles["whole"])
    pins = replace(drawn.pins, vouched={})
    assert "failed" not in {str(each.outcome) for each in verify_bundle(bundle, pins).findings}
    assert len(pins.vouched) == len(bundle.evidence.statements)
    seen = list(pins.vouched.values())
    verify_bundle(bundle, pins)
    assert all(one is other for one, other in zip(pins.vouched.values(), seen, strict=True))


def test_the_command(drawn: Drawn, tmp_path: Path) -> None:
    """It ends with 0 where all holds, 1 where something fails, 2 where the file is no bundle; in either language."""
    good, bad, none = (tmp_path / name for name in ("good.zip", "bad.zip", "none.zip"))
    good.write_bytes(drawn.bundles["own"])
    members, document = parts_of(drawn.bundles["own"])
    bad.write_bytes(written(members, {**document, "drawn": {**document["drawn"], "at": "2020-01-01T00:00:00Z"}}))
    none.write_bytes(b"none")
    pinned = ("--jurisdictions", drawn.folder / "jurisdictions.yaml", "--log-key", drawn.vkey)
    told = {file: lacolle("evidence", "verify", file, *pinned, "--lang", "fr") for file in (good, bad, none)}
    assert [each.status for each in told.values()] == [0, 1, 2], told
    assert "Ce dossier ne prouve pas" in told[good].out
    assert "Qui d'autre a reçu l'alerte" in told[good].out
    assert "ÉCHEC" in told[bad].out
    assert "dossier de preuve" in told[none].err
    as_json = json.loads(lacolle("evidence", "verify", good, *pinned, "--json").out)
    assert (as_json["holds"], as_json["view"]) == (True, "own")
    narrative = tmp_path / "narrative.html"
    assert lacolle("evidence", "verify", good, *pinned, "--narrative", narrative).status == 0
    assert narrative.read_bytes() == members["narrative.html"]
    assert lacolle("evidence", "verifier").out.encode() == members["verify.py"]
