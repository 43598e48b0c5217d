"""The typed client and the command against a real exchange."""

from __future__ import annotations

import time
import uuid
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import pytest

from audit.checkpoints import CheckpointBody
from audit.note import LogSigner, Verifier, open_note
from lacolle import Client
from lacolle.client import Accepted
from lacolle.client.documents import cap_time
from lacolle.errors import ProblemError
from lacolle.keyfiles import load_key_file
from lacolle.samples import WorldOptions
from schemas.ids import KeyId, ParticipantId
from schemas.signing.keys import SigningKey
from schemas.signing.strict_json import JsonValue
from tests.acceptance.commands import lacolle
from tests.acceptance.conftest import ServerProcess
from tests.patience import GIVES_UP_AFTER

SENDER, RECIPIENT = ParticipantId("ca-qc.sq"), ParticipantId("us-ny.nysp")


def client_of(server: ServerProcess, participant: ParticipantId, *, key: SigningKey | None = None) -> Client:
    """Return a participant's client of an exchange, with its own ES256 key unless told otherwise."""
    own = server.world.members[participant].keys[1]
    return Client(server.world.base_url, participant=participant, key=key or own, patience=5.0)


@pytest.fixture
def alert() -> dict[str, JsonValue]:
    """Return a stolen-vehicle alert of now that no test has sent before."""
    now = datetime.now(UTC)
    return {
        "type": "law-enforcement/stolen-vehicle/v1",
        "identifier": f"SQ-{uuid.uuid4().hex}",
        "sender": SENDER,
        "sent": cap_time(now),
        "status": "Actual",
        "msgType": "Alert",
        "scope": "Restricted",
        "expires": cap_time(now + timedelta(hours=1)),
        "handling": {"tlp": "GREEN", "purpose": "criminal-investigation"},
        "info": [
            {
                "language": "fr-CA",
                "category": ["Security"],
                "event": "Véhicule volé",
                "urgency": "Immediate",
                "severity": "Severe",
                "certainty": "Observed",
            }
        ],
        "body": {"vehicle": {"plate": {"number": "ABC 123", "jurisdiction": "CA-QC"}}, "circumstances": "Volé."},
    }


def test_an_alert_is_sent_followed_and_acknowledged(standing: ServerProcess, alert: dict[str, JsonValue]) -> None:
    """What a sender sends, it can read back by either name; its recipient acknowledges it, and the sender sees that."""
    with client_of(standing, SENDER) as sender, client_of(standing, RECIPIENT) as recipient:
        accepted = sender.send(alert)
        assert RECIPIENT in [each.participant for each in accepted.recipients]
        assert sender.status(identifier=str(alert["identifier"])).alert_id == sender.status(accepted.alert_id).alert_id
        (delivery,) = recipient.status(accepted.alert_id).deliveries
        word = recipient.acknowledge(accepted.alert_id, delivery.delivery_id, "acted-on", note="Retrouvé.")
        seen = next(
            each for each in sender.status(accepted.alert_id).deliveries if each.delivery_id == delivery.delivery_id
        )
    assert [(each.status, each.log_index) for each in seen.acknowledgements] == [("acted-on", word.log_index)]


def test_sending_twice_makes_one_alert(standing: ServerProcess, alert: dict[str, JsonValue]) -> None:
    """The same bytes again, and the same alert signed again, both get the first answer."""
    with client_of(standing, SENDER) as sender:
        submission = sender.sign(alert)
        first = sender.send(submission)
        again = sender.send(submission)
        with client_of(standing, SENDER, key=standing.world.members[SENDER].keys[0]) as other_key:
            anew = other_key.send(alert)
    assert not first.replayed
    assert again.replayed
    assert anew.replayed
    assert {first.receipt_jws} == {again.receipt_jws, anew.receipt_jws}


def test_updates_and_cancellations_reach_the_thread(standing: ServerProcess, alert: dict[str, JsonValue]) -> None:
    """An Update and a Cancel join the thread of the alert they name, and go to those it reached."""
    with client_of(standing, SENDER) as sender:
        first = sender.send(alert)
        changed = {**alert, "identifier": f"{alert['identifier']}-2"}
        update = sender.update(alert, changed)
        cancel = sender.cancel(changed, identifier=f"{alert['identifier']}-3")
        threads = {sender.status(each.alert_id).thread for each in (first, update, cancel)}
    assert threads == {first.alert_id}
    assert {each.participant for each in cancel.recipients} >= {each.participant for each in first.recipients}


def test_a_preview_sends_nothing(standing: ServerProcess, alert: dict[str, JsonValue]) -> None:
    """A preview tells every decision, and the alert is unknown afterwards."""
    with client_of(standing, SENDER) as sender:
        decisions = {each.participant: each.decision for each in sender.preview(alert).decisions}
        assert decisions[RECIPIENT] == "permit"
        assert "deny" in decisions.values()
        with pytest.raises(ProblemError) as unknown:
            sender.status(identifier=str(alert["identifier"]))
    assert unknown.value.name == "not-found"


def test_refusals_are_told_by_name(standing: ServerProcess, alert: dict[str, JsonValue]) -> None:
    """A stranger's key, another's alert, other content under a used name: each is the problem of its own name."""
    with client_of(standing, SENDER) as sender, client_of(standing, RECIPIENT) as recipient:
        stranger = SigningKey.generate(KeyId("stranger"), "ES256")
        with client_of(standing, SENDER, key=stranger) as forger, pytest.raises(ProblemError) as untrusted:
            forger.send(alert)
        with pytest.raises(ProblemError) as foreign:
            recipient.send(alert)
        sender.send(alert)
        with pytest.raises(ProblemError) as reused:
            sender.send({**alert, "scope": "Public"})
    names = [each.value.name for each in (untrusted, foreign, reused)]
    assert names == ["signature-not-trusted", "not-permitted", "identifier-reused"]
    assert all(each.value.request_id for each in (untrusted, foreign, reused))


def test_the_command_sends_and_reads_back(standing: ServerProcess, alert: dict[str, JsonValue], tmp_path: Path) -> None:
    """``lacolle send`` and ``lacolle status`` do the same from a shell, and remember the exchange's keys."""
    (tmp_path / "alert.json").write_bytes(orjson.dumps(alert))
    environment = {
        "LACOLLE_URL": standing.world.base_url,
        "LACOLLE_PARTICIPANT": SENDER,
        "LACOLLE_KEY": str(standing.world.members[SENDER].key_files[0]),
        "LACOLLE_EXCHANGE_KEYS": str(tmp_path / "exchange.json"),
    }
    answers = [
        orjson.loads(lacolle(*words, "--json", environment=environment).out)
        for words in (["send", str(tmp_path / "alert.json")], ["status", "--identifier", str(alert["identifier"])])
    ]
    assert answers[0]["alert_id"] == answers[1]["alert_id"]
    assert orjson.loads((tmp_path / "exchange.json").read_bytes())["keys"]


def test_a_folder_is_sent_together(standing: ServerProcess, alert: dict[str, JsonValue], tmp_path: Path) -> None:
    """Several files, or a folder, go out as one batch: each is told of by its file, and one refusal stops no other."""
    folder, receipts = tmp_path / "alerts", tmp_path / "receipts"
    folder.mkdir()
    receipts.mkdir()
    for number in range(3):
        changes = {
            "identifier": f"{alert['identifier']}-{number}",
            **({"expires": alert["sent"]} if number == 1 else {}),
        }
        (folder / f"{number}.json").write_bytes(orjson.dumps({**alert, **changes}))
    member = standing.world.members[SENDER]
    words = ["send", str(folder), "--receipt", str(receipts), "--json", "--lang", "en"]
    told = lacolle(
        *words,
        environment={
            "LACOLLE_URL": standing.world.base_url,
            "LACOLLE_PARTICIPANT": SENDER,
            "LACOLLE_KEY": str(member.key_files[0]),
        },
    )
    assert told.status == 1, told.err
    results = orjson.loads(told.out)["results"]
    assert [Path(each["file"]).name for each in results] == ["0.json", "1.json", "2.json"]
    assert ["accepted" in each for each in results] == [True, False, True]
    assert results[1]["refused"]["errors"][0]["pointer"] == "/expires"
    assert sorted(file.stem for file in receipts.iterdir()) == sorted(
        each["accepted"]["alert_id"] for each in results if "accepted" in each
    )


def test_an_alert_and_its_update_together(standing: ServerProcess, alert: dict[str, JsonValue]) -> None:
    """What belongs together may be sent together: the Update finds its alert, and each has a verified receipt."""
    with client_of(standing, SENDER) as client:
        update = {**alert, "identifier": f"{alert['identifier']}-u", "msgType": "Update"}
        update["references"] = [f"{SENDER},{alert['identifier']},{alert['sent']}"]
        first, second = client.send_batch([alert, update])
        assert isinstance(first, Accepted)
        assert isinstance(second, Accepted)
        assert (second.warnings, client.status(second.alert_id).thread) == ((), first.alert_id)
        assert client.send_batch([]) == []


def test_consent_from_the_command(standing: ServerProcess, alert: dict[str, JsonValue]) -> None:
    """Whoever is asked lists, shows and answers from a shell; the sender sees whose consent is awaited and given."""
    source = {**alert, "sender": RECIPIENT}
    passing = {**alert, "identifier": f"{alert['identifier']}-p"}
    passing["references"] = [f"{RECIPIENT},{source['identifier']},{source['sent']}"]
    with client_of(standing, RECIPIENT) as originator, client_of(standing, SENDER) as sender:
        originator.send(source)
        accepted = sender.send(passing)
        (awaited,) = [each for recipient in accepted.recipients for each in recipient.awaits]
        assert awaited.asked == RECIPIENT
        assert sender.consent(awaited.consent_id).passes_on == (source["identifier"],)
        environment = {
            "LACOLLE_URL": standing.world.base_url,
            "LACOLLE_PARTICIPANT": RECIPIENT,
            "LACOLLE_KEY": str(standing.world.members[RECIPIENT].key_files[0]),
        }
        listed = lacolle("consent", "list", "--json", environment=environment)
        assert awaited.consent_id in [each["consent_id"] for each in orjson.loads(listed.out)["consents"]]
        shown = lacolle("consent", "show", awaited.consent_id, "--lang", "fr", environment=environment)
        assert "au plus tard le" in shown.out
        given = lacolle("consent", "give", awaited.consent_id, "--lang", "en", environment=environment)
        assert (given.status, "Consent given" in given.out) == (0, True)
        refused = lacolle("consent", "refuse", awaited.consent_id, "--lang", "fr", environment=environment)
        assert (refused.status, "plus demandé" in refused.err) == (1, True)
        (asked,) = [each for delivery in sender.status(accepted.alert_id).deliveries for each in delivery.consents]
        assert (asked.state, originator.consent(awaited.consent_id).state) == ("given", "given")


def test_an_entry_s_proof_from_the_command(
    standing: ServerProcess, alert: dict[str, JsonValue], tmp_path: Path
) -> None:
    """A proof is a file that the log's key alone verifies, without the exchange; no changed one is believed."""
    with client_of(standing, SENDER) as sender:
        accepted = sender.send(alert)
    folder, auditor = standing.world.folder, ParticipantId("ca-qc.cai")
    log_key = LogSigner(WorldOptions().origin, load_key_file(folder / "keys" / "log.jwk")).vkey
    environment = {
        "LACOLLE_URL": standing.world.base_url,
        "LACOLLE_PARTICIPANT": auditor,
        "LACOLLE_KEY": str(standing.world.members[auditor].key_files[0]),
        "LACOLLE_JUSTIFICATION": "Plainte 2026-9",
        "LACOLLE_LOG_KEY": log_key,
    }
    file, until = tmp_path / "entry.tlog-proof", time.monotonic() + GIVES_UP_AFTER
    index = str(accepted.log_index)
    while (made := lacolle("audit", "prove", index, "--out", str(file), environment=environment)).status:
        assert time.monotonic() < until, made.err  # a checkpoint covers it within a second
    verified = lacolle("audit", "verify", str(file), "--json", environment={"LACOLLE_LOG_KEY": log_key})
    assert orjson.loads(verified.out)["entry"]["alert_id"] == accepted.alert_id
    whole = file.read_bytes()
    for place in range(30, len(whole), len(whole) // 12):
        file.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        refused = lacolle("audit", "verify", str(file), environment={"LACOLLE_LOG_KEY": log_key})
        assert (refused.status, refused.out) == (1, ""), place


def test_a_log_is_watched_from_the_command(
    standing: ServerProcess, alert: dict[str, JsonValue], tmp_path: Path
) -> None:
    """What was seen is kept, and continued; a log that does not continue it is told, and what was kept stays."""
    with client_of(standing, SENDER) as sender:
        sender.send(alert)
    folder, known = standing.world.folder, tmp_path / "checkpoint"
    signer = LogSigner(WorldOptions().origin, load_key_file(folder / "keys" / "log.jwk"))
    environment = {"LACOLLE_URL": standing.world.base_url, "LACOLLE_LOG_KEY": signer.vkey}
    until = time.monotonic() + GIVES_UP_AFTER
    while (seen := lacolle("audit", "watch", "--known", str(known), "--once", environment=environment)).status:
        assert time.monotonic() < until, seen.err
    kept = known.read_bytes()
    with client_of(standing, SENDER) as sender:
        sender.send({**alert, "identifier": f"watched-{uuid.uuid4()}"})
    while known.read_bytes() == kept:
        assert time.monotonic() < until, "the log does not grow"
        seen = lacolle("audit", "watch", "--known", str(known), "--once", environment=environment)
        assert seen.status == 0, seen.err
    body = CheckpointBody.parse(open_note(kept, Verifier.from_vkey(signer.vkey)))
    another = replace(body, root=bytes(32))
    known.write_text(signer.sign(another.text), encoding="utf-8")
    forged = known.read_bytes()
    told = lacolle("audit", "watch", "--known", str(known), "--once", "--lang", "fr", environment=environment)
    assert (told.status, "récrit" in told.err) == (1, True)
    assert known.read_bytes() == forged
    evidence = known.with_name(f"{known.name}.contradiction")
    assert CheckpointBody.parse(open_note(evidence.read_bytes(), Verifier.from_vkey(signer.vkey))).size >= body.size


def _altered(archive: Path) -> Iterator[dict[str, bytes]]:
    """Yield what is in an archive with one byte of it changed, at some places of each file."""
    with zipfile.ZipFile(archive) as opened:
        files = {name: opened.read(name) for name in opened.namelist()}
    for name, data in files.items():
        for place in (0, *range(7, len(data) - 1, 1 + len(data) // 8), len(data) - 2):
            yield {**files, name: data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]}


def _write(archive: Path, files: Mapping[str, bytes]) -> None:
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as opened:
        for name, data in files.items():
            opened.writestr(name, data)


def test_an_auditor_s_export_from_the_command(standing: ServerProcess, tmp_path: Path) -> None:
    """An export is saved and verified; whoever changes a byte of it, or believes another exchange, is told."""
    folder, auditor = standing.world.folder, ParticipantId("ca-qc.cai")
    environment = {
        "LACOLLE_URL": standing.world.base_url,
        "LACOLLE_PARTICIPANT": auditor,
        "LACOLLE_KEY": str(standing.world.members[auditor].key_files[0]),
        "LACOLLE_JUSTIFICATION": "Plainte 2026-8",
        "LACOLLE_LOG_KEY": LogSigner(WorldOptions().origin, load_key_file(folder / "keys" / "log.jwk")).vkey,
        "LACOLLE_EXCHANGE_KEYS": str(tmp_path / "pinned.json"),
    }
    archive = tmp_path / "log.zip"
    saved = lacolle("audit", "export", "--out", str(archive), "--lang", "fr", environment=environment)
    assert (saved.status, "signé par la plateforme" in saved.out) == (0, True), saved.err
    table = tmp_path / "accounting.zip"
    assert lacolle("audit", "accounting", "--out", str(table), environment=environment).status == 0
    for each in (archive, table):
        verified = lacolle("audit", "verify", str(each), "--json", environment=environment)
        assert verified.status == 0, verified.err
        assert orjson.loads(verified.out)["log_signature_verified"] is True
    whole = archive.read_bytes()
    for files in list(_altered(archive)):
        _write(archive, files)
        refused = lacolle("audit", "verify", str(archive), environment=environment)
        assert (refused.status, refused.out) == (1, "")
    archive.write_bytes(whole[: len(whole) // 2])
    assert lacolle("audit", "verify", str(archive), environment=environment).status == 1
    key = SigningKey.generate(KeyId("another"), "Ed25519").public
    (tmp_path / "pinned.json").write_bytes(orjson.dumps({"keys": [dict(key.jwk)]}))
    assert lacolle("audit", "verify", str(table), environment=environment).status == 1


def test_an_auditor_s_query_from_the_command(standing: ServerProcess, alert: dict[str, JsonValue]) -> None:
    """An auditor finds an alert's entries from a shell, each proven under the log's own key, and sees that it asked."""
    with client_of(standing, SENDER) as sender:
        accepted = sender.send(alert)
    folder = standing.world.folder
    log_key = LogSigner(WorldOptions().origin, load_key_file(folder / "keys" / "log.jwk")).vkey
    auditor = ParticipantId("ca-qc.cai")
    environment = {
        "LACOLLE_URL": standing.world.base_url,
        "LACOLLE_PARTICIPANT": auditor,
        "LACOLLE_KEY": str(standing.world.members[auditor].key_files[0]),
        "LACOLLE_JUSTIFICATION": "Plainte 2026-7, accès à l'information",
        "LACOLLE_LOG_KEY": log_key,
    }
    told = {"entries": list[JsonValue]()}
    until = time.monotonic() + GIVES_UP_AFTER
    while not told["entries"] and time.monotonic() < until:  # a checkpoint covers it within a second
        asked = lacolle("audit", "query", "--alert", accepted.alert_id, "--json", environment=environment)
        assert asked.status == 0, asked.err
        told = orjson.loads(asked.out)
    first = told["entries"][0]
    assert isinstance(first, dict)
    assert first["index"] == accepted.log_index
    shown = lacolle("audit", "show", str(accepted.log_index), "--lang", "fr", environment=environment)
    assert "Alerte acceptée" in shown.out
    table = lacolle("audit", "query", "--kind", "queried", "--lang", "en", environment=environment)
    assert "Log queried" in table.out
    withheld = lacolle("audit", "withheld", "--alert", accepted.alert_id, "--lang", "fr", environment=environment)
    assert "us-me.msp" in withheld.out
    assert lacolle("audit", "looked", accepted.alert_id, environment=environment).status == 0
    for question in (("received", accepted.alert_id), ("sent", "--to", "US-NY"), ("overdue",)):
        asked = lacolle("audit", *question, "--json", environment=environment)
        assert (asked.status, "entries" in orjson.loads(asked.out)) == (0, True), asked.err
    other = {**environment, "LACOLLE_LOG_KEY": log_key.replace("+", "x+", 1)}
    assert lacolle("audit", "query", "--alert", accepted.alert_id, environment=other).status == 1
