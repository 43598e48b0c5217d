"""The brokers' administrator: looks at topics, users, rights and groups, and changes them.

The one module that uses librdkafka (``confluent_kafka``): aiokafka's administrator knows neither rights nor users.
Calls block; every one raises ``KafkaSetupError`` where the brokers can't be reached or refuse.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, assert_never

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
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
    UserScramCredentialDeletion,
    UserScramCredentialUpsertion,
)
from confluent_kafka.cimpl import NewTopic

from bus.kafka import KafkaSettings, MutualTls, Plaintext, Scram, TopicSettings
from lacolle.kafkaops.errors import (
    BAD_CERTIFICATES,
    NO_RIGHTS_HERE,
    NOT_ALLOWED,
    NOT_LET_IN,
    NOT_TRUSTED,
    TOO_FEW_BROKERS,
    UNREACHABLE,
    KafkaSetupError,
)
from lacolle.kafkaops.wanted import Grant
from lacolle.secretfiles import read_secret
from schemas.bilingual import Bilingual

ITERATIONS: Final = 4_096
"""How often SCRAM hashes a password: the least that RFC 7677 section 4 allows. More protects passwords that people
think of; ours are random, 256 bits long, and every new connection pays."""
_USER: Final = "User:"
_BATCH: Final = 200
"""Topics, rights or users in one request."""


@dataclass(frozen=True, slots=True)
class TopicFound:
    """A topic as it is; ``configuration`` by Kafka's names."""

    partitions: int
    replication: int
    configuration: Mapping[str, str]


class Administrator:
    """Speaks to the brokers of ``settings`` as whom their ``security`` names; paths are relative to ``folder``.

    Raises ``ConfigurationError`` for a password file that can't be used, and ``KafkaSetupError`` for certificates.
    """

    def __init__(self, settings: KafkaSettings, *, folder: Path) -> None:
        self._timeout = settings.delivery_timeout
        self.username = settings.security.username if isinstance(settings.security, Scram) else None
        """As whom it gets in with a password; None where it comes with a certificate, or in plain text."""
        self._trouble: KafkaError | None = None
        try:
            self._client = AdminClient(
                {
                    "bootstrap.servers": ",".join(settings.bootstrap),
                    "client.id": settings.client_id,
                    "error_cb": self._troubled,  # type: ignore[dict-item]  # its types know of no callbacks
                    "log_level": 0,  # what librdkafka would write on standard error, the errors say
                    **_security(settings, folder),
                }
            )
        except KafkaException as error:
            raise KafkaSetupError(BAD_CERTIFICATES) from error

    def topics(self, names: Collection[str]) -> dict[str, TopicFound]:
        """Return those of the topics that exist."""
        known = self._known()
        there = [name for name in names if name in known]
        resources = [ConfigResource(ResourceType.TOPIC, name) for name in there]
        described = {
            resource.name: entries
            for batch in _batches(resources)
            for resource, entries in self._all(
                self._client.describe_configs(batch, request_timeout=self._timeout)
            ).items()
        }
        return {
            name: TopicFound(
                partitions=len(known[name].partitions),
                replication=min((len(each.replicas) for each in known[name].partitions.values()), default=0),
                configuration={key: str(entry.value) for key, entry in described[name].items()},
            )
            for name in there
        }

    def create_topics(self, names: Iterable[str], settings: TopicSettings) -> None:
        """Create topics; one that somebody else has created since is no error."""
        topics = [
            NewTopic(
                name,
                num_partitions=settings.partitions,
                replication_factor=settings.replication,
                config=settings.configuration(name),
            )
            for name in names
        ]
        for batch in _batches(topics):
            self._all(
                self._client.create_topics(batch, request_timeout=self._timeout),
                passing=KafkaError.TOPIC_ALREADY_EXISTS,
            )

    def configure(self, topic: str, values: Mapping[str, str]) -> None:
        """Set values of a topic's configuration; the others stay (KIP-339)."""
        entries = [
            ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET) for name, value in values.items()
        ]
        resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=entries)
        self._all(self._client.incremental_alter_configs([resource], request_timeout=self._timeout))

    def users(self) -> frozenset[str]:
        """Return the users with a password by SCRAM-SHA-512 (KIP-554)."""
        return frozenset(name for name, found in self._mechanisms().items() if ScramMechanism.SCRAM_SHA_512 in found)

    def set_password(self, user: str, password: str) -> None:
        """Give a user this password, and no other; the user is made where there is none."""
        info = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, ITERATIONS)
        change = UserScramCredentialUpsertion(user, info, password.encode())
        self._all(self._client.alter_user_scram_credentials([change], request_timeout=self._timeout))

    def remove_users(self, users: Collection[str]) -> None:
        """Let the brokers forget every password of some users; who has none is no error."""
        found = self._mechanisms()
        changes = [UserScramCredentialDeletion(user, mechanism) for user in users for mechanism in found.get(user, ())]
        for batch in _batches(changes):
            self._all(self._client.alter_user_scram_credentials(batch, request_timeout=self._timeout))

    def grants(self) -> frozenset[Grant]:
        """Return every right that somebody was given by name, from whatever host."""
        anything: Any = None  # its types know of no filter that lets everything through
        everything = AclBindingFilter(
            ResourceType.ANY,
            anything,
            ResourcePatternType.ANY,
            anything,
            anything,
            AclOperation.ANY,
            AclPermissionType.ALLOW,
        )
        return frozenset(
            _grant(binding)
            for binding in self._one(self._client.describe_acls(everything, request_timeout=self._timeout))
        )

    def allow(self, grants: Iterable[Grant]) -> None:
        """Give rights."""
        for batch in _batches([_binding(grant) for grant in grants]):
            self._all(self._client.create_acls(batch, request_timeout=self._timeout))

    def withdraw(self, grants: Iterable[Grant]) -> None:
        """Take rights back."""
        filters = [_filter(grant) for grant in grants]
        for batch in _batches(filters):
            self._all(self._client.delete_acls(batch, request_timeout=self._timeout))

    def _mechanisms(self) -> dict[str, frozenset[ScramMechanism]]:
        described = self._one(self._client.describe_user_scram_credentials(request_timeout=self._timeout))
        return {
            name: frozenset(each.mechanism for each in user.scram_credential_infos) for name, user in described.items()
        }

    def _known(self) -> Mapping[str, Any]:
        """Return the brokers' topics; wait no longer than until it is clear why they don't answer."""
        for _ in range(int(self._timeout)):
            try:
                return self._client.list_topics(timeout=1.0).topics
            except KafkaException as error:
                told = self._explained(error)
                if self._trouble is not None or _code(error) not in _UNREACHED:
                    raise told from error
        try:
            return self._client.list_topics(timeout=1.0).topics
        except KafkaException as error:
            raise self._explained(error) from error

    def _all(self, futures: Mapping[Any, Future[Any]], *, passing: int | None = None) -> dict[Any, Any]:
        """Return what each request came to; librdkafka ends every one of them in the time it was given."""
        results = {}
        for asked, future in futures.items():
            try:
                results[asked] = future.result()
            except KafkaException as error:
                if passing is None or _code(error) != passing:
                    raise self._explained(error) from error
        return results

    def _one(self, future: Any) -> Any:  # noqa: ANN401 - what a call answers
        return self._all({None: future})[None]

    def _troubled(self, error: KafkaError) -> None:
        """Keep what kept librdkafka from connecting: its calls say no more than that their time is over."""
        if error.code() in _TELLING:
            self._trouble = error

    def _explained(self, error: Exception) -> KafkaSetupError:
        self._client.poll(0)  # hands over what _troubled is to hear
        code = _code(error)
        if code in _UNREACHED and self._trouble is not None:
            code = self._trouble.code()
        told = _REASONS.get(code, None) if code is not None else UNREACHABLE
        return KafkaSetupError(told or _refused(error))


def _security(settings: KafkaSettings, folder: Path) -> dict[str, str]:
    match settings.security:
        case Plaintext():
            return {"security.protocol": "PLAINTEXT"}
        case Scram() as scram:
            return {
                "security.protocol": "SASL_SSL",
                "sasl.mechanism": "SCRAM-SHA-512",
                "sasl.username": scram.username,
                "sasl.password": read_secret(folder / scram.password_file),
                **_authorities(folder, scram.ca_file),
            }
        case MutualTls() as mutual:
            return {
                "security.protocol": "SSL",
                "ssl.certificate.location": str(folder / mutual.certificate),
                "ssl.key.location": str(folder / mutual.key),
                **_authorities(folder, mutual.ca_file),
            }
        case _:
            assert_never(settings.security)


def _authorities(folder: Path, ca_file: str | None) -> dict[str, str]:
    return {} if ca_file is None else {"ssl.ca.location": str(folder / ca_file)}


def _binding(grant: Grant) -> AclBinding:
    return AclBinding(*_parts(grant))


def _filter(grant: Grant) -> AclBindingFilter:
    return AclBindingFilter(*_parts(grant))


def _parts(grant: Grant) -> tuple[Any, ...]:
    return (
        ResourceType[grant.resource.upper()],
        grant.name,
        ResourcePatternType.PREFIXED if grant.prefixed else ResourcePatternType.LITERAL,
        f"{_USER}{grant.principal}",
        grant.host,
        AclOperation[grant.operation.upper()],
        AclPermissionType.ALLOW,
    )


def _grant(binding: AclBinding) -> Grant:
    return Grant(
        principal=binding.principal.removeprefix(_USER),
        resource=ResourceType(binding.restype).name.lower(),
        name=binding.name,
        prefixed=binding.resource_pattern_type == ResourcePatternType.PREFIXED,
        operation=AclOperation(binding.operation).name.lower(),
        host=binding.host,
    )


def _batches(items: list[Any]) -> Iterable[list[Any]]:
    return (items[start : start + _BATCH] for start in range(0, len(items), _BATCH))


def _code(error: BaseException | None) -> int | None:
    if isinstance(error, KafkaException) and error.args and isinstance(error.args[0], KafkaError):
        return int(error.args[0].code())
    return None


def _refused(error: Exception) -> Bilingual:
    told = error.args[0].str() if _code(error) is not None else type(error).__name__
    return Bilingual(fr=f"Kafka refuse : {told}", en=f"Kafka refuses: {told}")


_UNREACHED: Final = (KafkaError._TRANSPORT, KafkaError._TIMED_OUT, KafkaError._ALL_BROKERS_DOWN)  # noqa: SLF001 - the same
_TELLING: Final = (KafkaError._AUTHENTICATION, KafkaError._SSL)  # noqa: SLF001 - the same
_REASONS: Final[Mapping[int, Bilingual]] = {
    **dict.fromkeys(_UNREACHED, UNREACHABLE),
    KafkaError._AUTHENTICATION: NOT_LET_IN,  # noqa: SLF001 - the same
    KafkaError.SASL_AUTHENTICATION_FAILED: NOT_LET_IN,
    KafkaError._SSL: NOT_TRUSTED,  # noqa: SLF001 - the same
    KafkaError.CLUSTER_AUTHORIZATION_FAILED: NOT_ALLOWED,
    KafkaError.TOPIC_AUTHORIZATION_FAILED: NOT_ALLOWED,
    KafkaError.GROUP_AUTHORIZATION_FAILED: NOT_ALLOWED,
    KafkaError.SECURITY_DISABLED: NO_RIGHTS_HERE,
    KafkaError.INVALID_REPLICATION_FACTOR: TOO_FEW_BROKERS,
}
