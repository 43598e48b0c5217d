"""The settings of what an exchange runs on: its database, its bus, and what its operator watches."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, Self
from urllib.parse import parse_qs, urlsplit

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from gateway.section import SECRET_IN_SETTINGS, Section
from schemas.bilingual import Bilingual
from schemas.faults import BrokenRuleError

_HostAndPort = Annotated[str, StringConstraints(pattern=r"^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):[0-9]{1,5}$")]


def _database(url: str) -> str:
    try:
        parts = urlsplit(url)
        secret = parts.password is not None or "password" in parse_qs(parts.query)
    except ValueError:
        raise BrokenRuleError(_NOT_A_DATABASE) from None
    if secret:
        raise BrokenRuleError(SECRET_IN_SETTINGS)
    if parts.scheme != "postgresql" or not parts.path.strip("/"):
        raise BrokenRuleError(_NOT_A_DATABASE)
    return url


class StoreSettings(Section):
    """The database: PostgreSQL at ``url``, or SQLite in the file ``sqlite``; neither is SQLite in ``files.data``."""

    url: Annotated[str, AfterValidator(_database)] | None = None
    password_file: str | None = None
    sqlite: str | None = None

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if self.sqlite is not None and (self.url is not None or self.password_file is not None):
            raise BrokenRuleError(
                Bilingual(
                    fr="sqlite ne va ni avec url ni avec password_file : une plateforme n'a qu'une base de données.",
                    en="sqlite goes with neither url nor password_file: an exchange has one database.",
                )
            )
        if self.password_file is not None and self.url is None:
            raise BrokenRuleError(
                Bilingual(fr="password_file ne va pas sans url.", en="password_file does not go without url.")
            )
        return self


class KafkaTls(Section):
    """TLS to the brokers: their authorities, and the client's own certificate and key for mutual TLS; PEM files."""

    ca_file: str | None = None
    certificate: str | None = None
    key: str | None = None

    @model_validator(mode="after")
    def _both_or_none(self) -> Self:
        if (self.certificate is None) != (self.key is None):
            raise BrokenRuleError(
                Bilingual(fr="certificate et key vont ensemble.", en="certificate and key go together.")
            )
        return self


class KafkaSasl(Section):
    """Who we are to the brokers, by SASL with SCRAM-SHA-512 (RFC 5802)."""

    username: Annotated[str, StringConstraints(min_length=1, max_length=249)]
    password_file: str


class KafkaTopics(Section):
    """How topics are made: their partitions, their copies, and how long a record is kept, in seconds."""

    partitions: int = Field(default=6, ge=1, le=1000)
    replication: int = Field(default=3, ge=1, le=9)
    retention: int = Field(default=7 * 24 * 3600, ge=60)


class KafkaSettings(Section):
    """Apache Kafka: where to reach it first, as whom, and how its topics are made."""

    bootstrap: Annotated[tuple[_HostAndPort, ...], Field(strict=False, min_length=1, max_length=16)]
    client_id: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,64}$")] = "lacolle"
    tls: KafkaTls | None = None
    sasl: KafkaSasl | None = None
    topics: KafkaTopics = KafkaTopics()

    @model_validator(mode="after")
    def _no_password_in_the_clear(self) -> Self:
        if self.sasl is not None and self.tls is None:
            raise BrokenRuleError(
                Bilingual(
                    fr="sasl ne va pas sans tls : n'importe qui sur le réseau pourrait se faire passer pour le "
                    "courtier. Pour les autorités du système, écrivez « tls: {} ».",
                    en="sasl does not go without tls: anybody on the network could pose as the broker. For the "
                    "system's authorities, write “tls: {}”.",
                )
            )
        return self


class BusSettings(Section):
    """The message bus: Apache Kafka, or ``embedded``, in this one process."""

    kafka: KafkaSettings | None = None

    @model_validator(mode="before")
    @classmethod
    def _embedded(cls, given: Any) -> Any:  # noqa: ANN401 - whatever the file says here
        return {} if given == "embedded" else given


class OperationSettings(Section):
    """What the operator has of each process: a listener for health and metrics, log lines, and how long a stop takes.

    Without ``port`` the gateway and ``serve`` answer for health and metrics on the port that they listen on, and the
    other roles on ``OPERATION_PORTS``. ``grace`` is the seconds that what is in hand may take when a process is told
    to stop.
    """

    host: str = "127.0.0.1"
    port: int | None = Field(default=None, ge=1, le=65_535)
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    grace: float = Field(default=10.0, gt=0, le=600)


class TelemetrySettings(Section):
    """Where spans go: an OTLP/HTTP collector's ``/v1/traces``, and which share of new traces is recorded."""

    endpoint: Annotated[str, StringConstraints(pattern=r"^https?://[^\s@]+$", max_length=200)]
    share: float = Field(default=1.0, ge=0, le=1)


OPERATION_PORTS: Final = {"relay": 9465, "adapters": 9466}
"""Where a role without a port of its own answers for health and metrics, unless ``operation.port`` says otherwise."""

_NOT_A_DATABASE: Final = Bilingual(
    fr="Il faut une adresse comme postgresql://lacolle@base.example:5432/lacolle, sans mot de passe.",
    en="This must be an address such as postgresql://lacolle@database.example:5432/lacolle, without a password.",
)
