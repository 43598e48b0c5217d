"""Who may use Kafka: users with a password, clients with a certificate, and nobody else."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID

from bus.contract import Record
from bus.kafka import KafkaBus, KafkaRefusedError, KafkaSettings, KafkaSettingsError, MutualTls, Scram
from lacolle.certificates import LocalAuthority
from tests.contract.bus.kafka_records import bus_of, publish_persistently, read_until
from tests.servers.kafka import ADMIN, ADMIN_PASSWORD, EXCHANGE, TestKafka, settings_for


def scram(kafka: TestKafka, folder: Path, *, password: str = ADMIN_PASSWORD, username: str = ADMIN) -> KafkaSettings:
    """Return the settings of a user with a password."""
    file = folder / "password"
    file.touch(mode=0o600)
    file.write_text(password + "\n", encoding="utf-8")
    security = Scram(protocol="scram", username=username, password_file=str(file), ca_file=str(kafka.ca_file))
    return settings_for(kafka.addresses["SCRAM"], security=security)


def mutual(kafka: TestKafka, certificate: Path, key: Path) -> KafkaSettings:
    """Return the settings of a client with a certificate."""
    security = MutualTls(protocol="mtls", certificate=str(certificate), key=str(key), ca_file=str(kafka.ca_file))
    return settings_for(kafka.addresses["MTLS"], security=security)


async def there_and_back(bus: KafkaBus, topic: str) -> None:
    """Publish a record and receive it."""
    await bus.create_topics([topic])
    subscription = await bus.subscribe([topic], group=f"group.{topic}")
    sent = Record(topic, b"key", b"value", ())
    await publish_persistently(bus, sent)
    assert await read_until(subscription, [(b"key", b"value")]) == {b"key": [b"value"]}


async def test_a_user_with_a_password_is_let_in(kafka: TestKafka, tmp_path: Path) -> None:
    """SASL_SSL with SCRAM-SHA-512 publishes and receives; the password's file may end in a newline."""
    bus = bus_of(scram(kafka, tmp_path))
    await there_and_back(bus, "security.scram")
    await bus.close()


async def test_a_client_with_a_certificate_is_let_in(kafka: TestKafka) -> None:
    """Mutual TLS publishes and receives."""
    bus = bus_of(mutual(kafka, kafka.folder / f"{EXCHANGE}.pem", kafka.folder / f"{EXCHANGE}.key"))
    await there_and_back(bus, "security.mtls")
    await bus.close()


@pytest.mark.parametrize("username", [ADMIN, "nobody"])
async def test_a_wrong_password_is_refused_and_says_so(kafka: TestKafka, tmp_path: Path, username: str) -> None:
    """Every call says what to check, in both languages and without the password, and a user's absence looks alike."""
    bus = bus_of(scram(kafka, tmp_path, password="wrong and secret", username=username))  # noqa: S106 - it opens nothing
    with pytest.raises(KafkaRefusedError) as publishing:
        await bus.publish(Record("security.refused", b"key", b"value", ()))
    with pytest.raises(KafkaRefusedError) as subscribing:
        await bus.subscribe(["security.refused"], group="g")
    with pytest.raises(KafkaRefusedError) as creating:
        await bus.create_topics(["security.refused"])
    for refused in (publishing, subscribing, creating):
        assert "password_file" in refused.value.reason.en
        assert "mot de passe" in refused.value.reason.fr
        assert "secret" not in str(refused.value)
    assert not bus.available
    assert bus.refusal is not None
    assert "password_file" in bus.refusal.en
    await bus.close()


async def test_a_certificate_of_a_stranger_is_refused(kafka: TestKafka, tmp_path: Path) -> None:
    """A client certificate that another authority issued is refused, and the error names the certificate."""
    files = LocalAuthority(tmp_path).issue(EXCHANGE, purpose=ExtendedKeyUsageOID.CLIENT_AUTH)
    bus = bus_of(mutual(kafka, files.chain, files.key))
    with pytest.raises(KafkaRefusedError, match="refuses the certificate"):
        await bus.publish(Record("security.refused", b"key", b"value", ()))
    await bus.close()


async def test_a_broker_of_another_authority_is_not_trusted(kafka: TestKafka, tmp_path: Path) -> None:
    """A broker whose certificate our authority did not issue gets no password from us."""
    settings = scram(kafka, tmp_path)
    assert isinstance(settings.security, Scram)
    stranger = str(LocalAuthority(tmp_path).ca_file)
    security = settings.security.model_copy(update={"ca_file": stranger})
    bus = bus_of(settings.model_copy(update={"security": security}))
    with pytest.raises(KafkaRefusedError, match="broker's certificate is not trusted"):
        await bus.publish(Record("security.refused", b"key", b"value", ()))
    await bus.close()


@pytest.mark.parametrize("content", [None, b"", b"\n", b"\xff"])
def test_a_password_that_cannot_be_read_is_refused_at_once(tmp_path: Path, content: bytes | None) -> None:
    """A missing, empty or unreadable password file is a mistake of the settings, said before anything is opened."""
    if content is not None:
        (tmp_path / "password").touch(mode=0o600)
        (tmp_path / "password").write_bytes(content)
    security = Scram(protocol="scram", username="user", password_file="password")  # noqa: S106 - a name
    with pytest.raises(KafkaSettingsError, match="password"):
        KafkaBus(settings_for("kafka.example:9093", security=security), folder=tmp_path)


def test_secrets_that_everybody_may_read_are_refused(tmp_path: Path) -> None:
    """A password or a private key that anybody on the machine may read is refused; their group may read them."""
    files = LocalAuthority(tmp_path).issue(EXCHANGE, purpose=ExtendedKeyUsageOID.CLIENT_AUTH)
    password = tmp_path / "password"
    password.write_text("secret", encoding="utf-8")
    scram = Scram(protocol="scram", username="user", password_file="password")  # noqa: S106 - a name
    mutual = MutualTls(protocol="mtls", certificate=str(files.chain), key=str(files.key))
    for security, secret in ((scram, password), (mutual, files.key)):
        settings = settings_for("kafka.example:9093", security=security)
        secret.chmod(0o644)
        with pytest.raises(KafkaSettingsError, match="chmod 600") as refused:
            KafkaBus(settings, folder=tmp_path)
        assert str(secret) in refused.value.reason.fr
        secret.chmod(0o640)
        KafkaBus(settings, folder=tmp_path)
