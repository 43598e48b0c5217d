"""``lacolle ops kafka`` on a real broker: everybody gets what is theirs, and a second run has nothing to do."""

from __future__ import annotations

import stat
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml
from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)
from typer.testing import Result

from bus.contract import Record
from bus.kafka import KafkaBus, KafkaRefusedError, KafkaSettings
from bus.topics import OUTCOMES, RECALLED, dead_topic, parcels_topics
from lacolle.certificates import LocalAuthority
from lacolle.local.ports import free_ports
from lacolle.passwordfolder import PasswordFolder
from lacolle.samples import participants
from schemas.ids import ParticipantId
from tests.contract.bus.kafka_records import PATIENCE, bus_of, numbered, read_until
from tests.servers.guarded import BY_CERTIFICATE, TOPICS, GuardedKafka
from tests.servers.kafka import settings_for

NYSP, DOH, VSP = ParticipantId("us-ny.nysp"), ParticipantId("us-ny.doh"), ParticipantId(BY_CERTIFICATE)
RECEIVERS = [ParticipantId(each["participant"]) for each in participants() if "receiver" in each["roles"]]


def steps(done: Result) -> list[dict[str, str]]:
    """Return what a run says it did."""
    assert done.exit_code == 0, done.output
    told: list[dict[str, str]] = orjson.loads(done.stdout)["steps"]
    return told


def changes(told: Sequence[dict[str, str]]) -> list[tuple[str, str, str]]:
    """Return the steps that were more than finding a thing there."""
    return [(each["kind"], each["name"], each["state"]) for each in told if each["state"] != "there"]


async def put(guarded: GuardedKafka, topic: str, value: str) -> Record:
    """Put a record on a topic, as the administrator."""
    bus = bus_of(settings_for(guarded.plain))
    record = Record(topic, b"key", value.encode(), ())
    await bus.publish(record)
    await bus.close()
    return record


async def assert_reads(settings: KafkaSettings, topic: str, record: Record, *, group: str) -> None:
    """See that somebody gets a record in a group."""
    bus = KafkaBus(settings, folder=Path())
    subscription = await bus.subscribe([topic], group=group)
    await read_until(subscription, [(record.key, record.value)])
    await bus.close()


async def assert_may_not_read(settings: KafkaSettings, topic: str, *, group: str) -> None:
    """See that somebody is refused a topic, or a group."""
    bus = KafkaBus(settings, folder=Path())
    with pytest.raises(KafkaRefusedError, match="does not allow"):
        await bus.subscribe([topic], group=group)
    await bus.close()


async def assert_may_not_write(settings: KafkaSettings, topic: str) -> None:
    """See that somebody is refused to write."""
    bus = bus_of(settings)
    with pytest.raises(KafkaRefusedError, match="does not allow"):
        await bus.publish(numbered(topic, "key", 0))
    await bus.close()


def test_the_first_run_makes_everything(guarded: GuardedKafka) -> None:
    """Three topics for each receiver and two for all, users for all but the one with a certificate, and rights."""
    told = orjson.loads((guarded.folder / "first.json").read_bytes())["steps"]
    assert {each["state"] for each in told} == {"created"}
    names = {kind: [each["name"] for each in told if each["kind"] == kind] for kind in Counter(e["kind"] for e in told)}
    topics = {topic for each in RECEIVERS for topic in (*parcels_topics(each), dead_topic(each))}
    assert set(names["topic"]) == topics | {OUTCOMES, RECALLED}
    roles = {"lacolle.gateway", "lacolle.relay", "lacolle.adapters", "lacolle.serve"}
    assert set(names["user"]) == {*RECEIVERS, *roles} - {VSP}
    assert len(names["right"]) == len(RECEIVERS) * 3 + 4 + 6 + 10


def test_passwords_are_in_files_of_their_owner(guarded: GuardedKafka) -> None:
    """Each user's password is in a file that nobody else may read, and nowhere in what the command says."""
    printed = (guarded.folder / "first.json").read_text(encoding="utf-8")
    files = list(guarded.passwords.iterdir())
    assert len(files) == len(RECEIVERS) - 1 + 4
    assert stat.S_IMODE(guarded.passwords.stat().st_mode) == 0o700
    for file in files:
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        password = file.read_text(encoding="utf-8").strip()
        assert len(password) >= 43
        assert password not in printed


async def test_a_partner_reads_its_own_topics_and_nothing_else(guarded: GuardedKafka) -> None:
    """It reads both in groups of its own; another's topic, another's group, writing and creating are refused."""
    settings = guarded.settings(NYSP)
    for topic in parcels_topics(NYSP):
        record = await put(guarded, topic, "for them")
        await assert_reads(settings, topic, record, group=f"lacolle.{NYSP}.reading")
        await assert_may_not_read(settings, topic, group=f"lacolle.{DOH}.reading")
        await assert_may_not_read(settings, topic, group=f"lacolle.adapter.{NYSP}")
        await assert_may_not_write(settings, topic)
    for topic in (*parcels_topics(DOH), dead_topic(NYSP), OUTCOMES, RECALLED):
        await assert_may_not_read(settings, topic, group=f"lacolle.{NYSP}.reading")
        await assert_may_not_write(settings, topic)
    bus = bus_of(settings)
    with pytest.raises(Exception, match="does not allow"):
        await bus.create_topics([f"lacolle.to.{NYSP}.new"])
    await bus.close()


def test_a_partner_sees_no_other_topics(guarded: GuardedKafka) -> None:
    """Asked for all topics, the broker names those that are the partner's own; who else takes part stays untold."""
    client = AdminClient(
        {
            "bootstrap.servers": guarded.scram,
            "security.protocol": "SASL_SSL",
            "sasl.mechanism": "SCRAM-SHA-512",
            "sasl.username": NYSP,
            "sasl.password": (guarded.passwords / f"{NYSP}.password").read_text(encoding="utf-8").strip(),
            "ssl.ca.location": str(guarded.folder / "ca.pem"),
        }
    )
    assert set(client.list_topics(timeout=PATIENCE).topics) == set(parcels_topics(NYSP))


async def test_a_partner_with_a_certificate_has_the_same_rights(guarded: GuardedKafka) -> None:
    """The certificate's name in the settings stands for the participant: its own topics, and nobody else's."""
    settings = guarded.settings_by_certificate()
    topic = parcels_topics(VSP)[0]
    record = await put(guarded, topic, "for them")
    await assert_reads(settings, topic, record, group=f"lacolle.{VSP}.reading")
    await assert_may_not_read(settings, parcels_topics(NYSP)[0], group=f"lacolle.{VSP}.reading")
    await assert_may_not_write(settings, topic)


async def test_each_role_has_what_it_needs(guarded: GuardedKafka) -> None:
    """The relay writes parcels and recalls and reads outcomes, adapters the other way round, the gateway neither."""
    relay, adapters, gateway = (guarded.settings(f"lacolle.{role}") for role in ("relay", "adapters", "gateway"))
    parcels = parcels_topics(DOH)[1]
    writing, reporting = bus_of(relay), bus_of(adapters)
    record = numbered(parcels, "key", 1)
    await writing.publish(record)
    await assert_reads(adapters, parcels, record, group=f"lacolle.adapter.{DOH}")
    await reporting.publish(outcome := numbered(OUTCOMES, "key", 2))
    await reporting.publish(numbered(dead_topic(DOH), "key", 3))
    await assert_reads(relay, OUTCOMES, outcome, group="lacolle.exchange")
    assert await (bulletin := reporting.bulletin(RECALLED)).news() == []
    await writing.publish(recall := numbered(RECALLED, "key", 4))
    assert await bulletin.news() == [recall]
    with pytest.raises(KafkaRefusedError, match="does not allow"):
        await writing.bulletin(RECALLED).news()
    await assert_may_not_write(adapters, RECALLED)
    await assert_may_not_write(gateway, RECALLED)
    await assert_may_not_read(relay, parcels, group=f"lacolle.adapter.{DOH}")
    await assert_may_not_write(relay, OUTCOMES)
    await assert_may_not_write(adapters, parcels)
    await assert_may_not_read(adapters, OUTCOMES, group="lacolle.exchange")
    await assert_may_not_read(gateway, parcels, group=f"lacolle.adapter.{DOH}")
    await assert_may_not_write(gateway, parcels)
    for bus in (writing, reporting):
        await bus.close()


def test_dead_topics_take_larger_records(guarded: GuardedKafka) -> None:
    """A dead topic of an earlier version, which takes no more than a parcels' topic, is brought to what it needs."""
    dead, parcels = dead_topic(NYSP), parcels_topics(NYSP)[0]
    client = AdminClient({"bootstrap.servers": guarded.plain})
    largest = int(_configured(client, parcels, "max.message.bytes"))
    assert int(_configured(client, dead, "max.message.bytes")) == largest + 4_096
    _configure(client, dead, "max.message.bytes", str(largest))
    assert changes(steps(guarded.set_up("--json"))) == [("topic", dead, "changed")]
    assert int(_configured(client, dead, "max.message.bytes")) == largest + 4_096


async def test_only_what_differs_is_changed(guarded: GuardedKafka) -> None:
    """A second run changes nothing; a plan shows what would be done, and does nothing; then exactly that is done."""
    before = {file.name: file.read_bytes() for file in guarded.passwords.iterdir()}
    assert changes(steps(guarded.set_up("--json"))) == []
    topic = parcels_topics(ParticipantId("us-me.msp"))[0]
    client = AdminClient({"bootstrap.servers": guarded.plain})
    _give(client, topic, "User:us-ny.doh")
    _configure(client, topic, "retention.ms", "3600000")
    right = ("right", f"us-ny.doh: write topic {topic}")
    assert changes(steps(guarded.set_up("--json", "--plan"))) == [("topic", topic, "changed"), (*right, "unwanted")]
    expected = [("topic", topic, "changed"), ("user", "us-me.msp", "changed"), (*right, "removed")]
    options = ("--json", "--prune", "--renew", "us-me.msp")
    assert changes(steps(guarded.set_up(*options, "--plan"))) == expected
    assert {file.name: file.read_bytes() for file in guarded.passwords.iterdir()} == before
    assert changes(steps(guarded.set_up(*options))) == expected
    assert changes(steps(guarded.set_up("--json"))) == []
    after = {file.name: file.read_bytes() for file in guarded.passwords.iterdir()}
    assert [name for name in before if before[name] != after[name]] == ["us-me.msp.password"]
    record = await put(guarded, topic, "for them")
    await assert_reads(guarded.settings("us-me.msp"), topic, record, group="lacolle.us-me.msp.reading")


def test_whoever_has_left_is_removed(guarded: GuardedKafka) -> None:
    """Users of an earlier run and rights from one host are shown, then removed; other people's users are let be."""
    client = AdminClient({"bootstrap.servers": guarded.plain})
    left, kept = ParticipantId("us-me.left"), "their-monitoring"
    for user in (left, kept):
        _let_in(client, user)
    topic = parcels_topics(NYSP)[0]
    _give(client, topic, f"User:{DOH}", host="192.0.2.9")
    _give(client, topic, f"User:{NYSP}", host="192.0.2.9", operation=AclOperation.READ)
    _give(client, f"lacolle.{left}.", f"User:{left}", group=True, operation=AclOperation.READ)
    gone = [
        ("user", left),
        ("right", f"{DOH}: write topic {topic} @ 192.0.2.9"),
        ("right", f"{left}: read group lacolle.{left}.*"),
        ("right", f"{NYSP}: read topic {topic} @ 192.0.2.9"),
    ]
    assert sorted(changes(steps(guarded.set_up("--json")))) == sorted((*each, "unwanted") for each in gone)
    assert sorted(changes(steps(guarded.set_up("--json", "--prune")))) == sorted((*each, "removed") for each in gone)
    assert changes(steps(guarded.set_up("--json"))) == []
    told: Any = client.describe_user_scram_credentials()  # its types say nothing of a call for all users
    users = set(told.result())
    assert left not in users
    assert {kept, NYSP, DOH} <= users


async def test_a_renewal_that_was_cut_short_is_finished(guarded: GuardedKafka) -> None:
    """A new password that may or may not have reached the brokers is given to them by the next run, and kept then."""
    folder = PasswordFolder(guarded.passwords)
    before = folder.password(DOH)
    told = folder.next_password(DOH)
    assert folder.password(DOH) == before != told
    assert changes(steps(guarded.set_up("--json"))) == [("user", DOH, "changed")]
    assert folder.password(DOH) == told
    topic = parcels_topics(DOH)[0]
    record = await put(guarded, topic, "for them")
    await assert_reads(guarded.settings(DOH), topic, record, group=f"lacolle.{DOH}.reading")


def test_what_cannot_be_changed_is_told(guarded: GuardedKafka, tmp_path: Path) -> None:
    """Other partitions and replicas than the settings say are shown as differing, in a table, and left alone."""
    settings = yaml.safe_load((guarded.exchange / "lacolle.yaml").read_text(encoding="utf-8"))
    settings["bus"]["kafka"]["topics"] = {**TOPICS, "partitions": 5}
    folder = tmp_path / "exchange"
    folder.mkdir()
    for name in ("jurisdictions.yaml", "statements"):
        (folder / name).symlink_to(guarded.exchange / name)
    (folder / "lacolle.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    done = GuardedKafka(folder=tmp_path, plain="", scram="", mtls="").set_up_as(
        guarded.folder / "admin.yaml", "--topics-only", "--lang", "fr"
    )
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert len([line for line in lines if line.startswith("diffère") and line.endswith("partitions=2≠5")]) == (
        len(RECEIVERS) * 3 + 2
    )
    assert lines[-1].startswith("Ce qui diffère est laissé tel quel")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"password": "wrong"}, "Kafka refuse l'administrateur"),
        ({"username": "us-ny.nysp"}, "Kafka refuse l'administrateur"),
        ({"bootstrap": "closed"}, "Aucun courtier Kafka ne répond"),
        ({"ca_file": "another"}, "La liaison TLS avec Kafka échoue"),
    ],
)
def test_an_administrator_that_is_not_let_in_is_told_why(
    guarded: GuardedKafka, tmp_path: Path, change: dict[str, str], reason: str
) -> None:
    """A wrong password, user, address or authority is named, with what to check, and without a secret."""
    file = _administrator(guarded, tmp_path, change)
    done = guarded.set_up_as(file, "--lang", "fr")
    assert done.exit_code == 1
    assert done.stderr.startswith(reason), done.stderr
    assert "wrong" not in done.stderr
    assert done.stdout == ""


def test_a_partner_is_no_administrator(guarded: GuardedKafka, tmp_path: Path) -> None:
    """Somebody who is let in and may not set things up is told to name an administrator."""
    secret = tmp_path / "password"
    secret.write_bytes((guarded.passwords / f"{NYSP}.password").read_bytes())
    secret.chmod(0o600)
    done = guarded.set_up_as(_administrator(guarded, tmp_path, {"username": NYSP, "password": ""}), "--lang", "en")
    assert done.exit_code == 1
    assert "give the file of an administrator" in done.stderr


def _administrator(guarded: GuardedKafka, folder: Path, change: dict[str, str]) -> Path:
    told: dict[str, Any] = yaml.safe_load((guarded.folder / "admin.yaml").read_text(encoding="utf-8"))
    security = told["security"]
    for name in ("password_file", "ca_file"):
        security[name] = str(guarded.folder / security[name])
    security |= {name: value for name, value in change.items() if name == "username"}
    if "password" in change:
        if change["password"]:
            (folder / "password").write_text(change["password"], encoding="utf-8")
            (folder / "password").chmod(0o600)
        security["password_file"] = str(folder / "password")
    if "bootstrap" in change:
        told["bootstrap"] = [f"127.0.0.1:{free_ports(1)[0]}"]
    if "ca_file" in change:
        security["ca_file"] = str(LocalAuthority(folder).ca_file)
    file = folder / "admin.yaml"
    file.write_text(yaml.safe_dump(told), encoding="utf-8")
    return file


def _give(
    client: AdminClient,
    name: str,
    principal: str,
    *,
    group: bool = False,
    host: str = "*",
    operation: AclOperation = AclOperation.WRITE,
) -> None:
    resource = ResourceType.GROUP if group else ResourceType.TOPIC
    pattern = ResourcePatternType.PREFIXED if group else ResourcePatternType.LITERAL
    binding = AclBinding(resource, name, pattern, principal, host, operation, AclPermissionType.ALLOW)
    for future in client.create_acls([binding]).values():
        future.result()


def _let_in(client: AdminClient, user: str) -> None:
    change = UserScramCredentialUpsertion(user, ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096), b"anything")
    for future in client.alter_user_scram_credentials([change]).values():
        future.result()


def _configured(client: AdminClient, topic: str, name: str) -> str:
    (described,) = client.describe_configs([ConfigResource(ResourceType.TOPIC, topic)]).values()
    return str(described.result()[name].value)


def _configure(client: AdminClient, topic: str, name: str, value: str) -> None:
    entry = ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])
    for future in client.incremental_alter_configs([resource]).values():
        future.result()
