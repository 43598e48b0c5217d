"""One run of ``lacolle ops kafka``: from the exchange's folder to the steps that were taken.

Of the folder it reads the settings, the jurisdictions and the statements; no private key, no database.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from bus.kafka import KafkaSettings, Security
from bus.kafka.settings import Address
from gateway.settings.exchange import read_settings
from lacolle.errors import ConfigurationError
from lacolle.folder import SETTINGS, read_registry
from lacolle.kafkaops.administrator import Administrator
from lacolle.kafkaops.errors import NO_KAFKA, KafkaSetupError
from lacolle.kafkaops.setup import Choices, Step, set_up
from lacolle.kafkaops.wanted import ADMINISTRATOR, receivers, wanted
from lacolle.passwordfolder import PasswordFolder
from lacolle.yamlfiles import read_yaml
from schemas.bilingual import Bilingual


class AdministratorFile(BaseModel):
    """Who administers the brokers: ``security`` as in the settings; ``bootstrap`` where it is another listener."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    security: Security
    bootstrap: Annotated[tuple[Address, ...], Field(strict=False, min_length=1)] | None = None


@dataclass(frozen=True, slots=True)
class Order:
    """What the operator asks for, as on the command line."""

    folder: Path
    administrator: Path | None
    passwords: Path | None
    renew: tuple[str, ...]
    prune: bool
    topics_only: bool
    plan: bool


def carry_out(order: Order, *, environment: Mapping[str, str], now: datetime) -> tuple[Step, ...]:
    """Set up what the order asks for. Raises ``SettingsError``, ``ConfigurationError``, ``KafkaSetupError``."""
    settings = read_settings(order.folder / SETTINGS, environment)
    kafka = settings.bus.kafka
    if kafka is None:
        raise ConfigurationError(NO_KAFKA)
    if order.passwords is None and not order.topics_only:
        raise KafkaSetupError(_NO_PASSWORDS)
    passwords = None if order.topics_only or order.passwords is None else PasswordFolder(order.passwords)
    participants = receivers(read_registry(order.folder, settings.files), now=now)
    administrator = _administrator(kafka, order)
    return set_up(
        administrator,
        wanted(kafka.access, participants, administrator=administrator.username or ADMINISTRATOR),
        kafka.topics,
        Choices(passwords=passwords, renew=order.renew, prune=order.prune, plan=order.plan),
    )


def _administrator(kafka: KafkaSettings, order: Order) -> Administrator:
    if order.administrator is None:
        return Administrator(kafka, folder=order.folder)
    told = read_yaml(order.administrator, AdministratorFile)
    # validated anew: plain text is for loopback, whoever asks
    own = {"security": told.security, "bootstrap": told.bootstrap or kafka.bootstrap}
    return Administrator(
        KafkaSettings.model_validate(kafka.model_copy(update=own).model_dump()), folder=order.administrator.parent
    )


_NO_PASSWORDS = Bilingual(
    fr="Indiquez avec --passwords le dossier où écrire les mots de passe, ou --topics-only pour les sujets seuls.",
    en="Name the folder for the passwords with --passwords, or create the topics alone with --topics-only.",
)
