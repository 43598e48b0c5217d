"""What an exchange is told when it starts: one YAML file and the environment over it, checked before anything opens.

A wrong setting is refused with the file, the line and the reason; nothing is guessed and no unknown member is passed
over. Paths are relative to the file's folder.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Literal, Self

from pydantic import Field, PlainValidator, StringConstraints, ValidationError, model_validator

from gateway.settings.engines import BusSettings, OperationSettings, StoreSettings, TelemetrySettings
from gateway.settings.environment import overlaid
from gateway.settings.sealing import RetentionSettings, SealingSettings
from gateway.settings.section import Section, SettingsError
from gateway.settings.witnesses import WitnessesSettings
from schemas.bilingual import Bilingual
from schemas.faults import BrokenRuleError
from schemas.ids import ParticipantField
from schemas.located_yaml import YamlError, load_yaml

Url = Annotated[str, StringConstraints(pattern=r"^https?://[^\s/?#]+(/[^\s?#]*[^\s?#/])?$", max_length=200)]
"""An address without a trailing slash, query or fragment."""
Origin = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9./-]{0,126}[a-z0-9])?$")]
"""A log's origin: a name without a scheme, unique to the log (C2SP tlog-checkpoint)."""

PROBLEM_BASE: Url = "https://lacolle.example/problems"
"""What every problem's ``type`` begins with unless the operator has pages of its own."""
RECORD_OVERHEAD = 16 * 1024
"""More bytes than a record has beside its alert: key, headers and framing."""


def _network(value: object) -> IPv4Network | IPv6Network:
    refusal = BrokenRuleError(
        Bilingual(
            fr="Il faut ici une adresse IP ou un réseau (CIDR) sans bit d'hôte, tel que 192.0.2.0/24.",
            en="This must be an IP address or a network (CIDR) without host bits, such as 192.0.2.0/24.",
        )
    )
    if not isinstance(value, str):
        raise refusal
    try:
        return ip_network(value)
    except ValueError:
        raise refusal from None


Network = Annotated[IPv4Network | IPv6Network, PlainValidator(_network)]
"""An address or a network in CIDR notation (RFC 4632, RFC 4291)."""


class Tls(Section):
    """The server's certificate chain and key, and whose client certificates it takes; PEM files.

    ``client_certificates``: ``none`` asks for none, ``optional`` verifies one that comes, ``required`` takes no
    connection without one. ``client_ca`` holds the authorities that they are verified against.
    """

    certificate: str
    key: str
    client_ca: str | None = None
    client_certificates: Literal["none", "optional", "required"] = "none"

    @model_validator(mode="after")
    def _authorities_where_asked(self) -> Self:
        if (self.client_ca is None) != (self.client_certificates == "none"):
            raise BrokenRuleError(
                Bilingual(
                    fr="client_ca va de pair avec client_certificates: optional ou required; l'un ne va pas sans "
                    "l'autre.",
                    en="client_ca goes with client_certificates: optional or required; neither stands without the "
                    "other.",
                )
            )
        return self


class Deadlines(Section):
    """How long a client may take, in seconds: none of them is renewed by a client that goes on slowly.

    ``handshake`` is TLS's; ``head`` a request's line and fields; ``body`` all of its body; ``idle`` the time between
    two requests; ``answer`` taking an answer that is ready, or as much of one that is streamed as fills the buffer.
    """

    handshake: float = Field(default=10.0, gt=0, le=600)
    head: float = Field(default=10.0, gt=0, le=600)
    body: float = Field(default=30.0, gt=0, le=3600)
    idle: float = Field(default=30.0, gt=0, le=3600)
    answer: float = Field(default=30.0, gt=0, le=3600)


class Connections(Section):
    """How many connections one process holds: in all, and of one address.

    A trusted proxy's, and those of ``shared_addresses``, behind which many clients are, are held to the first alone.
    """

    total: int = Field(default=1000, ge=1, le=100_000)
    per_address: int = Field(default=128, ge=1, le=100_000)
    shared_addresses: Annotated[tuple[Network, ...], Field(strict=False, max_length=64)] = ()


class Listen(Section):
    """Where the gateway listens. Without ``tls`` it serves plain HTTP, on loopback alone and only when told so.

    ``trusted_proxies`` are believed when they say which client certificate they were shown (RFC 9440).
    """

    host: str = "127.0.0.1"
    port: int = Field(default=8443, ge=0, le=65535)
    tls: Tls | None = None
    trusted_proxies: Annotated[tuple[Network, ...], Field(strict=False, max_length=64)] = ()
    deadlines: Deadlines = Deadlines()
    connections: Connections = Connections()


class Limits(Section):
    """What one participant, or one request, may take: the largest submission, and the largest batch of them.

    ``held_bytes`` is what all requests of a process may hold together, of bodies that are not small.
    """

    body_bytes: int = Field(default=2 * 1024 * 1024, ge=1024, le=64 * 1024 * 1024)
    batch_bytes: int = Field(default=16 * 1024 * 1024, ge=1024, le=256 * 1024 * 1024)
    held_bytes: int = Field(default=128 * 1024 * 1024, ge=1024, le=64 * 1024 * 1024 * 1024)
    rate_per_second: float = Field(default=50.0, ge=0.001, le=1_000_000)
    burst: int = Field(default=1000, ge=1)

    @model_validator(mode="after")
    def _one_of_each_at_least(self) -> Self:
        if self.held_bytes < max(self.body_bytes, self.batch_bytes):
            raise BrokenRuleError(
                Bilingual(
                    fr="held_bytes est inférieur à body_bytes ou à batch_bytes : ce qui est permis ne pourrait être "
                    "reçu.",
                    en="held_bytes is below body_bytes or batch_bytes: what is allowed could not be taken.",
                )
            )
        return self


class Delivery(Section):
    """How long and how often a delivery is tried; seconds. ``ca_file`` replaces the system's authorities."""

    give_up_after: int = Field(default=3 * 24 * 3600, ge=1, le=366 * 24 * 3600)
    retry_base: float = Field(default=1.0, gt=0, le=86_400)
    retry_cap: float = Field(default=60.0, gt=0, le=7 * 86_400)
    concurrency: int = Field(default=16, ge=1, le=1024)
    timeout: float = Field(default=10.0, gt=0, le=3600)
    ca_file: str | None = None

    @model_validator(mode="after")
    def _cap_above_base(self) -> Self:
        if self.retry_cap < self.retry_base:
            raise BrokenRuleError(
                Bilingual(
                    fr="retry_cap est inférieur à retry_base : le plus long délai serait plus court que le premier.",
                    en="retry_cap is below retry_base: the longest delay would be shorter than the first.",
                )
            )
        return self


class ReconciliationSettings(Section):
    """Which partners are expected to compare their books with the exchange's, and how often at least.

    Without ``within_days`` nobody is; a partner that never had anything is not overdue.
    """

    within_days: int | None = Field(default=None, ge=1, le=366)
    participants: Annotated[tuple[ParticipantField, ...], Field(strict=False, max_length=1000)] = ()


class Files(Section):
    """Where the exchange keeps what it is made of, relative to the settings file."""

    keys: str = "keys"
    content_keys: str = "content-keys"
    data: str = "data"
    jurisdictions: str = "jurisdictions.yaml"
    statements: str = "statements"
    agreements: str = "agreements"
    partners: str = "partners.yaml"


class Settings(Section):
    """Everything an exchange is told.

    ``base_url`` is how the outside reaches it, and the audience of client assertions; ``origin`` names its log.
    """

    base_url: Url
    origin: Origin
    problem_base: Url = PROBLEM_BASE
    listen: Listen = Listen()
    limits: Limits = Limits()
    delivery: Delivery = Delivery()
    reconciliation: ReconciliationSettings = ReconciliationSettings()
    files: Files = Files()
    sealing: SealingSettings = SealingSettings()
    retention: RetentionSettings = RetentionSettings()
    store: StoreSettings = StoreSettings()
    bus: BusSettings = BusSettings()
    operation: OperationSettings = OperationSettings()
    telemetry: TelemetrySettings | None = None
    witnesses: WitnessesSettings = WitnessesSettings()

    @model_validator(mode="after")
    def _kept_while_tried(self) -> Self:
        kafka = self.bus.kafka
        if kafka is not None and kafka.topics.retention_hours * 3600 < self.delivery.give_up_after:
            raise BrokenRuleError(
                Bilingual(
                    fr="bus.kafka.topics.retention_hours est plus court que delivery.give_up_after : une alerte "
                    "disparaîtrait du bus pendant qu'on essaie encore de la remettre.",
                    en="bus.kafka.topics.retention_hours is shorter than delivery.give_up_after: an alert would be "
                    "gone from the bus while its delivery is still being tried.",
                )
            )
        return self

    @model_validator(mode="after")
    def _the_bus_carries_what_is_accepted(self) -> Self:
        kafka = self.bus.kafka
        if kafka is not None and self.limits.body_bytes + RECORD_OVERHEAD > kafka.topics.max_record_bytes:
            raise BrokenRuleError(
                Bilingual(
                    fr="limits.body_bytes et 16 Kio dépassent bus.kafka.topics.max_record_bytes : une alerte acceptée "
                    "ne pourrait jamais être acheminée.",
                    en="limits.body_bytes and 16 KiB exceed bus.kafka.topics.max_record_bytes: an alert that was "
                    "accepted could never be carried.",
                )
            )
        return self


def read_settings(path: Path, environment: Mapping[str, str] = MappingProxyType({})) -> Settings:
    """Return the settings in a file, with the environment's over them.

    Raises ``SettingsError`` with file, line and reason for each fault, or the variable's name.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        kind = type(error).__name__
        raise SettingsError(
            Bilingual(
                fr=f"{path} ne peut être lu ({kind}); pour en créer un : lacolle init DIR",
                en=f"{path}: can't be read ({kind}); make one with: lacolle init DIR",
            )
        ) from error
    try:
        given = overlaid(load_yaml(text, file=str(path)), environment, Settings.model_fields)
    except YamlError as error:
        raise SettingsError(_told([error])) from error
    try:
        return Settings.model_validate(given.document.value)
    except ValidationError as error:
        raise SettingsError(_told(given.errors_of(error))) from error


def _told(problems: Sequence[YamlError]) -> Bilingual:
    return Bilingual(
        fr="\n".join(problem.in_language("fr") for problem in problems),
        en="\n".join(problem.in_language("en") for problem in problems),
    )
