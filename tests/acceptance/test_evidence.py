"""Evidence bundles over the wire: what each reader gets, and that all of it verifies without the exchange."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest
import rfc8785

from audit.evidence.archive import DOCUMENT, write_archive
from audit.evidence.bundle import open_bundle
from audit.evidence.findings import Check
from lacolle.evidence.verifying import verify_bundle
from schemas.ids import ParticipantId
from schemas.signing.disclosures import write_disclosure
from tests.acceptance.agency import problem_of
from tests.acceptance.alerts import stolen_vehicle
from tests.acceptance.commands import lacolle
from tests.acceptance.databases import exchange_database
from tests.acceptance.evidence_stage import (
    HOSTILE,
    WHY,
    EvidenceStage,
    entries_in,
    evidence_stage,
    outcomes,
    plain_outcomes,
)
from tests.acceptance.independent import Document
from tests.acceptance.test_holds import ERASURES, about, state
from tests.patience import GIVES_UP_AFTER

ABSENT = "01890a5d-ac96-774b-bcce-b302099a8057"
SQ = ParticipantId("ca-qc.sq")
SCENES = ("delivered", "updated", "cancelled", "redacted", "separable", "consented", "refused", "suspended")


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def stage(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[EvidenceStage]:
    """Return an exchange at which every scene was played, on either store."""
    directory = tmp_path_factory.mktemp("evidence")
    if request.param == "sqlite":
        with evidence_stage(directory) as played:
            yield played
        return
    with (
        exchange_database(request.getfixturevalue("postgres")) as url,
        evidence_stage(directory, database=url) as played,
    ):
        yield played


@pytest.mark.parametrize(
    ("reader", "scene"),
    [*(("ca-qc.sq", scene) for scene in SCENES), ("ca-qc.cai", "delivered"), ("ca-qc.cai", "consented")],
)
def test_whoever_sees_the_whole_can_verify_it(stage: EvidenceStage, reader: str, scene: str) -> None:
    """Of the sender's bundle and its auditor's every check passes but that of witnesses, decisions made again too."""
    found = outcomes(data := stage.draw(reader, scene), stage.pins)
    assert {name for name, outcome in found.items() if outcome != "passed"} == {"witnesses"}, found
    assert set(plain_outcomes(data, stage.plain_pins).values()) == {"passed"}


@pytest.mark.parametrize(
    ("scene", "reader"),
    [
        ("delivered", "us-ny.nysp"),
        ("delivered", "us-vt.vsp"),
        ("updated", "us-ny.nysp"),
        ("redacted", "us-nh.nhsp"),
        ("separable", "us-nh.nhsp"),
        ("consented", "us-vt.vsp"),
        ("consented", "us-ny.nysp"),
    ],
)
def test_a_recipient_can_verify_its_own_part(stage: EvidenceStage, scene: str, reader: str) -> None:
    """Of a recipient's bundle every check passes but those for which it would have to see others' decisions."""
    found = outcomes(data := stage.draw(reader, scene), stage.pins)
    assert {name for name, outcome in found.items() if outcome != "passed"} == {"witnesses", "replay"}, found
    assert set(plain_outcomes(data, stage.plain_pins).values()) == {"passed"}


def test_a_recipient_sees_no_others(stage: EvidenceStage) -> None:
    """A recipient gets its own entries, agreement and copy; who else received is nowhere in its file."""
    data = stage.draw("us-ny.nysp", "delivered")
    bundle = open_bundle(data)
    assert bundle.evidence.drawn.view == "own"
    about = [each for each in entries_in(bundle) if each["alert_id"] is not None and each["kind"] != "queried"]
    assert {each["content"]["recipient"] for each in about} == {"us-ny.nysp"}
    assert [each["kind"] for each in about] == ["routed", "delivered", "acknowledged", "acknowledged"]
    assert len(bundle.evidence.sealed) == 1
    assert len(bundle.evidence.agreements) == 1
    everything = b"".join(bundle.members.values()) + b"".join(each.canonical for each in bundle.evidence.entries)
    assert b"us-vt" not in everything
    assert b"US-VT" not in everything


@pytest.mark.parametrize(("scene", "media_type"), [("redacted", "redacted-alert+jws"), ("separable", "alert+sd-jwt")])
def test_a_redacted_copy_stays_redacted(stage: EvidenceStage, scene: str, media_type: str) -> None:
    """Whose copy lacked something gets that copy and its manifest, never the submission."""
    whole = open_bundle(stage.draw("ca-qc.sq", scene))
    own = open_bundle(stage.draw("us-nh.nhsp", scene))
    (content,) = own.evidence.contents
    assert content.media_type == f"application/{media_type}"
    assert len(content.deliveries) == 1
    (submission,) = (whole.members[each.file] for each in whole.evidence.contents)
    assert submission not in own.members.values()
    assert own.acceptance.digest == whole.acceptance.digest


def test_what_parties_stated_since_is_there(stage: EvidenceStage) -> None:
    """A suspension is enclosed as its party signed it, with its entry; an alert of before is none the worse for it."""
    bundles = [open_bundle(stage.draw("ca-qc.sq", scene)) for scene in ("delivered", "suspended")]
    for bundle in bundles:
        assert sum(len(each.steps) for each in bundle.evidence.agreements) == 1
        assert [each["kind"] for each in entries_in(bundle)].count("agreement-suspended") == 1
    withheld = next(each for each in entries_in(bundles[1]) if each["kind"] == "withheld")["content"]["withheld"]
    (maine,) = [each for each in withheld if each["recipient"] == "us-me.msp"]
    assert maine["considered"][0]["reason"]["code"] == "suspended"


def test_a_key_that_was_revoked_since(stage: EvidenceStage) -> None:
    """What a key signed before it was revoked is as good as it was; the revocation is enclosed all the same."""
    bundle = open_bundle(stage.draw("ca-qc.sq", "separable"))
    assert "key-revoked" in {each["kind"] for each in entries_in(bundle)}
    revoked = stage.agencies["ca-qc.sq"].keys[1].kid
    told = {str(each.check): each.words.en for each in verify_bundle(bundle, stage.pins).findings}
    assert revoked in told["content"]


def test_whoever_is_no_party_finds_nothing(stage: EvidenceStage) -> None:
    """To whom an alert is not shown its evidence is not there, as that of an alert that never was."""
    for reader, scene in (
        ("us-me.msp", "delivered"),
        ("us-ny.doh", "delivered"),
        ("us-vt.vsp", "refused"),
        ("ca-qc.cai", "nobody"),
    ):
        foreign, absent = (stage.ask(reader, each) for each in (stage.scenes[scene], ABSENT))
        assert problem_of(foreign, 404) == problem_of(absent, 404) == "not-found"
        assert [set(each.json()) for each in (foreign, absent)] == [set(foreign.json())] * 2


@pytest.mark.parametrize("justification", [None, "", "x" * 501])
def test_nobody_draws_without_saying_why(stage: EvidenceStage, justification: str | None) -> None:
    """Without a justification nothing is drawn, whether the alert is there or not."""
    for alert_id in (stage.scenes["delivered"], ABSENT):
        answer = stage.ask("ca-qc.sq", alert_id, justification=justification)
        assert problem_of(answer, 400) == "justification-required"


def test_a_token_is_needed(stage: EvidenceStage) -> None:
    """Without a token there is no evidence of anything."""
    answer = stage.agencies.http.get(f"/v1/alerts/{stage.scenes['delivered']}/evidence", headers={"Justification": "x"})
    assert problem_of(answer, 401) == "token-refused"


def test_that_it_was_drawn_is_in_the_log(stage: EvidenceStage) -> None:
    """A drawing is an entry about the alert with its reason and the digest of what was given, for auditors to find.

    The jurisdictions of agreements that are enclosed, from whom the alert was withheld, are no parties to it.
    """
    first = open_bundle(stage.draw("us-ny.nysp", "delivered"))
    entry = _last_drawing(stage)
    assert (entry["actor"], entry["content"]["justification"]) == ("us-ny.nysp", WHY)
    assert entry["content"]["shown"] == [each.index for each in first.evidence.entries]
    assert entry["content"]["evidence"] == f"sha-256:{sha256(first.members['evidence.json']).hexdigest()}"
    assert entry["jurisdictions"] == ["CA-QC", "US-NY"]
    own = _last_drawing(stage)
    assert own["actor"] == "ca-qc.cai"
    assert "US-ME" not in own["jurisdictions"]


def _last_drawing(stage: EvidenceStage) -> Document:
    """Return the last entry that says that evidence was drawn, before this call draws some itself."""
    return _drawings(stage, "ca-qc.cai", "delivered")[-1]


def _drawings(stage: EvidenceStage, reader: str, scene: str) -> list[Document]:
    return [each for each in entries_in(open_bundle(stage.draw(reader, scene))) if each["kind"] == "queried"]


def test_who_else_looked_is_for_auditors(stage: EvidenceStage) -> None:
    """A sender's bundle does not say who drew the alert's evidence but itself; its auditor's does."""
    stage.draw("ca-qc.cai", "updated")
    stage.draw("ca-qc.sq", "updated")
    seen = {
        reader: {each["actor"] for each in _drawings(stage, reader, "updated")} for reader in ("ca-qc.sq", "ca-qc.cai")
    }
    assert seen["ca-qc.sq"] == {"ca-qc.sq"}
    assert seen["ca-qc.cai"] >= {"ca-qc.sq", "ca-qc.cai"}


def test_the_narrative_lets_nothing_through(stage: EvidenceStage) -> None:
    """What others wrote stands in the narrative as text, in both languages, with nothing that hides or turns it."""
    page = open_bundle(stage.draw("ca-qc.sq", "delivered")).members["narrative.html"].decode()
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; [U+202E]evil[U+202C] [U+007F]" in page
    assert not set(HOSTILE) & set(page) & {"\u202e", "\u202c", "\x7f"}
    assert "Vu. &lt;b&gt;&amp;&lt;/b&gt;" in page
    for words in ("Ce que ce dossier ne prouve pas", "What this bundle does not prove", 'lang="fr-CA"', 'lang="en-CA"'):
        assert words in page


def test_the_command_draws(stage: EvidenceStage, tmp_path: Path) -> None:
    """``lacolle evidence get`` writes the file that the exchange answers, byte for byte a bundle that verifies."""
    file = tmp_path / "drawn.zip"
    world = stage.server.world
    told = lacolle(
        *("evidence", "get", stage.scenes["delivered"], "--output", file, "--justification", WHY, "--lang", "en"),
        *("--url", world.base_url, "--participant", "ca-qc.sq", "--key", world.members[SQ].key_files[0]),
    )
    assert told.status == 0, told.err
    assert "entries" in told.out
    assert "failed" not in outcomes(file.read_bytes(), stage.pins).values()


def test_evidence_of_what_was_erased(stage: EvidenceStage) -> None:
    """Of an erased alert all that is left verifies, by both verifiers; they say that content and receipt were erased.

    Neither the identifier nor the justification of who looked is anywhere in the sender's file.
    """
    sq, document = stage.agencies["ca-qc.sq"], stolen_vehicle()
    alert_id = str(sq.send(document)["alert_id"])
    stage.scenes["erased"] = alert_id
    until = time.monotonic() + GIVES_UP_AFTER
    while stage.agencies["us-ny.nysp"].read(alert_id)["deliveries"][0]["state"] != "delivered":
        assert time.monotonic() < until
        time.sleep(0.05)
    readers = {"ca-qc.sq": {"witnesses"}, "ca-qc.cai": {"witnesses"}, "us-ny.nysp": {"witnesses", "replay"}}
    for reader, unmade in readers.items():
        found = outcomes(stage.draw(reader, "erased"), stage.pins)
        assert {name for name, outcome in found.items() if outcome != "passed"} == unmade, (reader, found)
    order = about(sq.read(alert_id), "erasure-order", "CA-QC")
    assert state(stage.agencies, "CA-QC", ERASURES, order).status_code == 201
    for reader, unmade in readers.items():
        data = stage.draw(reader, "erased")
        assert str(document["identifier"]).encode() not in data, reader
        bundle, found = open_bundle(data), outcomes(data, stage.pins)
        assert (bundle.evidence.receipt, bundle.evidence.missing) == (None, "erased")
        gone = {name: outcome for name, outcome in found.items() if outcome != "passed"}
        assert gone == dict.fromkeys({*unmade, "receipt", "content", "replay"}, "not-made"), (reader, gone)
        plain = plain_outcomes(data, stage.plain_pins)
        assert {name for name, outcome in plain.items() if outcome == "not-made"} == {"receipt", "content"}
        assert "failed" not in plain.values()
        receipt = next(each for each in verify_bundle(bundle, stage.pins).findings if each.check is Check.RECEIPT)
        assert str(bundle.erased and bundle.erased.index) in receipt.words.en


@pytest.mark.parametrize("how", ["no receipt", "other words"])
def test_what_an_entry_withholds_is_held_against_it(stage: EvidenceStage, how: str) -> None:
    """Without the receipt of an alert that was not erased, or with words of another entry, both refuse a bundle."""
    bundle = open_bundle(stage.draw("ca-qc.sq", "delivered"))
    document = json.loads(bundle.members[DOCUMENT])
    if how == "no receipt":
        document["receipt"] = None
    else:
        shown = [each for each in document["entries"] if each["disclosures"]]
        shown[0]["disclosures"][0] = write_disclosure("identifier", "another", randomness=bytes).text.decode()
    members = {**bundle.members, DOCUMENT: rfc8785.dumps(document)}
    data = write_archive(members)
    check = "receipt" if how == "no receipt" else "entries"
    assert outcomes(data, stage.pins)[check] == "failed"
    assert plain_outcomes(data, stage.plain_pins)[check] == "failed"
