"""The settings of what an exchange runs on: its database, its bus, and what its operator watches."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, Self
from urllib.parse import parse_qs, urlsplit

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from bus.kafka.settings import KafkaSettings
from gateway.settings.section import SECRET_IN_SETTINGS, Section, is_secret
from schemas.bilingual import Bilingual
from schemas.faults import BrokenRuleError


def _database(url: str) -> str:
    try:
        parts = urlsplit(url)
        members = set(parse_qs(parts.query, keep_blank_values=True))
    except ValueError:
        raise BrokenRuleError(_NOT_A_DATABASE) from None
    if parts.password is not None or "password" in members:
        raise BrokenRuleError(SECRET_IN_SETTINGS)
    if members - {"host", "port"}:
        raise BrokenRuleError(_TOO_MUCH_OF_A_DATABASE)
    if parts.scheme != "postgresql" or not parts.path.strip("/"):
        raise BrokenRuleError(_NOT_A_DATABASE)
    return url


class StoreSettings(Section):
    """The database: PostgreSQL at ``url``, or SQLite in the file ``sqlite``; neither is SQLite in ``files.data``.

    ``tls`` is how PostgreSQL is reached: ``verify`` takes no server without a certificate for its name, of an authority
    of ``ca_file`` or of the system; ``none`` is in the clear. Without it only a server on this machine is.
    """

    url: Annotated[str, AfterValidator(_database)] | None = None
    password_file: str | None = None
    tls: Literal["verify", "none"] | None = None
    ca_file: str | None = None
    sqlite: str | None = None

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        of_postgres = {"password_file": self.password_file, "tls": self.tls, "ca_file": self.ca_file}
        given = sorted(name for name, value in of_postgres.items() if value is not None)
        if self.sqlite is not None and (self.url is not None or given):
            raise BrokenRuleError(
                Bilingual(
                    fr="sqlite ne va ni avec url ni avec ce qui concerne PostgreSQL (password_file, tls, ca_file) : "
                    "une plateforme n'a qu'une base de données.",
                    en="sqlite goes with neither url nor what concerns PostgreSQL (password_file, tls, ca_file): an "
                    "exchange has one database.",
                )
            )
        if given and self.url is None:
            raise BrokenRuleError(
                Bilingual(fr=f"{given[0]} ne va pas sans url.", en=f"{given[0]} does not go without url.")
            )
        if self.tls == "none" and self.ca_file is not None:
            raise BrokenRuleError(
                Bilingual(
                    fr="ca_file ne va pas avec tls: none : rien ne serait vérifié.",
                    en="ca_file does not go with tls: none: nothing would be verified.",
                )
            )
        return self


class BusSettings(Section):
    """The message bus: Apache Kafka, or ``embedded``, in this one process."""

    kafka: KafkaSettings | None = None

    @model_validator(mode="before")
    @classmethod
    def _embedded(cls, given: Any) -> Any:  # noqa: ANN401 - whatever the file says here
        if _holds_secret(given):
            raise BrokenRuleError(SECRET_IN_SETTINGS)
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


def _holds_secret(given: object) -> bool:
    """Say whether a secret stands anywhere within; the bus has sections of its own, which look for none."""
    return isinstance(given, Mapping) and any(
        is_secret(name, value) or _holds_secret(value) for name, value in given.items()
    )


_NOT_A_DATABASE: Final = Bilingual(
    fr="Il faut une adresse comme postgresql://lacolle@base.example:5432/lacolle, sans mot de passe.",
    en="This must be an address such as postgresql://lacolle@database.example:5432/lacolle, without a password.",
)
_TOO_MUCH_OF_A_DATABASE: Final = Bilingual(
    fr="Après le point d'interrogation, l'adresse n'admet que host et port; ce qui touche à TLS (sslmode, sslrootcert) "
    "se règle par store.tls et store.ca_file.",
    en="After its question mark the address takes host and port alone; what concerns TLS (sslmode, sslrootcert) is set "
    "by store.tls and store.ca_file.",
)
