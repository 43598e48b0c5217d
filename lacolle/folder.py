"""An exchange's folder: everything one exchange is made of, as files.

    lacolle.yaml         settings
    jurisdictions.yaml   the jurisdictions and their public authority keys, pinned at the first start
    partners.yaml        how each partner is reached, and in which format
    statements/*.jws     authority statements: participants and revocations, as signed
    agreements/*.json    signed agreements (JWS General JSON Serialization)
    keys/*.jwk           the exchange's own private keys, mode 0600
    keys/content.kek     the key that wraps the content keys, mode 0600
    content-keys/        the keys that wrap the keys to stored content, and that end: in no backup of the database
    data/                the database, and the last published checkpoint

``create_folder`` makes one with new keys; ``read_folder`` checks one whole before anything is started, and
``read_adapters_folder`` what the adapters may know of it: no agreement, no database, one key.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Final, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from adapters.registry import PartnerProfile
from audit.note import LogSigner
from gateway.roles.founding import Founding
from gateway.roles.front import ExchangeKeys
from gateway.sealing.kek import KEY_SIZE, key_text
from gateway.sealing.source import KEK_FILE
from gateway.settings.exchange import Files, Settings, read_settings
from lacolle.errors import ConfigurationError
from lacolle.keyfiles import load_key_file, write_key_file
from lacolle.secretfiles import write_secret
from lacolle.yamlfiles import joined, read_yaml, unreadable
from schemas.bilingual import Bilingual
from schemas.faults import BrokenRuleError
from schemas.ids import JurisdictionCode, KeyId, ParticipantId
from schemas.located_yaml import YamlError, errors_of, load_yaml
from schemas.registry import Registry
from schemas.signing.keys import SigningKey
from schemas.statements import Jurisdiction, ParticipantStatement, StatementError, VerifiedStatement, read_statement

SETTINGS: Final = "lacolle.yaml"
DATABASE: Final = "exchange.sqlite3"
PUBLISHED: Final = "published-checkpoint"
KEYS: Final = ("receipt", "transport", "log", "pseudonyms")
_LONGEST_KID: Final = 64


@dataclass(frozen=True, slots=True)
class ExchangeFolder:
    """What a folder holds, read and checked."""

    path: Path
    settings: Settings
    keys: ExchangeKeys
    founding: Founding
    partners: tuple[PartnerProfile, ...]

    @property
    def data(self) -> Path:
        """The folder of what the exchange writes."""
        return self.path / self.settings.files.data

    @property
    def database(self) -> Path:
        """The SQLite file, where the store is SQLite."""
        named = self.settings.store.sqlite
        return self.data / DATABASE if named is None else self.path / named

    @property
    def published_checkpoint(self) -> Path:
        """The last checkpoint that was given out, kept apart from the database."""
        return self.data / PUBLISHED


@dataclass(frozen=True, slots=True)
class AdaptersFolder:
    """What the adapters know of an exchange: its settings, the key it hands over with, who its participants are."""

    path: Path
    settings: Settings
    key: SigningKey
    registry: Registry
    partners: tuple[PartnerProfile, ...]

    def participant(self, participant: ParticipantId) -> ParticipantStatement | None:
        """Return the statement that stands for a participant; None for an unknown one."""
        known = self.registry.participants.get(participant)
        return None if known is None else known.statement


class _Jurisdictions(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)
    jurisdictions: Annotated[tuple[Jurisdiction, ...], Field(strict=False)]

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        _require_each_once(each.code for each in self.jurisdictions)
        return self


class _Partners(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)
    partners: Annotated[tuple[PartnerProfile, ...], Field(strict=False)]

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        _require_each_once(each.participant for each in self.partners)
        return self


def _require_each_once(names: Iterable[str]) -> None:
    twice = sorted(name for name, times in Counter(names).items() if times > 1)
    if twice:
        told = ", ".join(twice)
        raise BrokenRuleError(Bilingual(fr=f"Figure plus d'une fois : {told}.", en=f"Stands here twice: {told}."))


def require_empty(path: Path) -> None:
    """Make a folder where it is missing. Raises ``ConfigurationError`` where it can't be, or holds anything already."""
    try:
        path.mkdir(parents=True, exist_ok=True)
        empty = not any(path.iterdir())
    except OSError as error:
        raise ConfigurationError(
            Bilingual(
                fr=f"Le dossier {path} ne peut être créé ({error.strerror}) : choisissez-en un où vous pouvez écrire.",
                en=f"The folder {path} can't be made ({error.strerror}): choose one where you may write.",
            )
        ) from None
    if not empty:
        raise ConfigurationError(
            Bilingual(
                fr=f"{path} existe déjà et n'est pas vide : choisissez un autre dossier.",
                en=f"{path} exists already and is not empty: choose another folder.",
            )
        )


def create_folder(path: Path, *, base_url: str, origin: str, host: str, port: int) -> Path:
    """Make a new exchange's folder and return its settings file.

    ``base_url`` is how the outside will reach the exchange, ``origin`` the name of its log. Raises
    ``ConfigurationError`` where the folder holds anything already, or where the exchange could not start with these.
    """
    content = _SETTINGS.format(base_url=base_url, origin=origin, host=host, port=port)
    _check_settings(content, path / SETTINGS)
    require_empty(path)
    for folder in ("keys", "content-keys", "data", "statements", "agreements"):
        (path / folder).mkdir(parents=True, exist_ok=True, mode=0o700)
    for name in KEYS:
        write_key_file(path / "keys" / f"{name}.jwk", SigningKey.generate(_kid_of(origin, name), "Ed25519"))
    write_secret(path / "keys" / KEK_FILE, key_text(os.urandom(KEY_SIZE)))
    settings = path / SETTINGS
    settings.write_text(content, encoding="utf-8")
    (path / "jurisdictions.yaml").write_text(_JURISDICTIONS, encoding="utf-8")
    (path / "partners.yaml").write_text(_PARTNERS, encoding="utf-8")
    return settings


def _check_settings(content: str, path: Path) -> None:
    try:
        document = load_yaml(content, file=str(path))
    except YamlError as error:
        raise ConfigurationError(joined([error])) from error
    try:
        Settings.model_validate(document.value)
    except ValidationError as error:
        raise ConfigurationError(joined(errors_of(document, error))) from error


def _kid_of(origin: str, name: str) -> KeyId:
    """Return the name of one of the exchange's keys: its log's origin, as much of its end as fits, and its use."""
    return KeyId(f"{origin}:{name}".replace("/", ".")[-_LONGEST_KID:])


def read_folder(path: Path, environment: Mapping[str, str] = MappingProxyType({})) -> ExchangeFolder:
    """Return what an exchange's folder holds, with the environment's settings over the file's.

    Raises ``SettingsError``, ``ConfigurationError`` or ``KeyFileError``; each names the file, and the line where it
    can, and says what to do.
    """
    settings = read_settings(path / SETTINGS, environment)
    files = settings.files
    keys = {name: load_key_file(path / files.keys / f"{name}.jwk") for name in KEYS}
    return ExchangeFolder(
        path=path,
        settings=settings,
        keys=ExchangeKeys(
            receipt=keys["receipt"],
            transport=keys["transport"],
            log=LogSigner(settings.origin, keys["log"]),
            pseudonyms=keys["pseudonyms"],
        ),
        founding=Founding(
            jurisdictions=read_jurisdictions(path / files.jurisdictions),
            statements=_contents(path / files.statements, "*.jws"),
            agreements=_contents(path / files.agreements, "*.json"),
        ),
        partners=read_partners(path / files.partners),
    )


def read_adapters_folder(path: Path, environment: Mapping[str, str] = MappingProxyType({})) -> AdaptersFolder:
    """Return what the adapters need of an exchange's folder; the rest need not be there.

    Raises as ``read_folder``, and ``ConfigurationError`` for a statement whose signature does not hold.
    """
    settings = read_settings(path / SETTINGS, environment)
    files = settings.files
    return AdaptersFolder(
        path=path,
        settings=settings,
        key=load_key_file(path / files.keys / "transport.jwk"),
        registry=read_registry(path, files),
        partners=read_partners(path / files.partners),
    )


def read_registry(path: Path, files: Files) -> Registry:
    """Return what a folder's statements say of who takes part; no private key is needed for that.

    Raises ``ConfigurationError``, also for a statement whose signature does not hold.
    """
    jurisdictions = {each.code: each for each in read_jurisdictions(path / files.jurisdictions)}
    return _registry(jurisdictions, _contents(path / files.statements, "*.jws"))


def _registry(jurisdictions: Mapping[JurisdictionCode, Jurisdiction], statements: Mapping[str, bytes]) -> Registry:
    """Return what the statements in files say together, in the order in which they were signed."""
    read: list[tuple[datetime, str, VerifiedStatement]] = []
    for name, compact in statements.items():
        try:
            statement = read_statement(compact, jurisdictions)
        except StatementError as error:
            raise _refused(name, error) from error
        read.append((statement.issued_at, name, statement))
    registry = Registry.of(jurisdictions, ())
    for _, name, statement in sorted(read, key=lambda each: each[:2]):
        try:
            registry = registry.with_statement(statement)
        except StatementError as error:
            raise _refused(name, error) from error
    return registry


def _refused(name: str, error: StatementError) -> ConfigurationError:
    reason = error.reason
    return ConfigurationError(Bilingual(fr=f"{name} est refusé : {reason.fr}", en=f"{name} is refused: {reason.en}"))


def read_jurisdictions(path: Path) -> tuple[Jurisdiction, ...]:
    """Return the jurisdictions in a file. Raises ``ConfigurationError`` with file, line and reason."""
    return read_yaml(path, _Jurisdictions).jurisdictions


def read_partners(path: Path) -> tuple[PartnerProfile, ...]:
    """Return the partners' profiles in a file. Raises ``ConfigurationError`` with file, line and reason."""
    return read_yaml(path, _Partners).partners


def _contents(folder: Path, pattern: str) -> dict[str, bytes]:
    """Return what the files of a folder hold, by their paths."""
    contents = {}
    if not folder.is_dir():
        raise unreadable(folder, FileNotFoundError())
    for path in sorted(folder.glob(pattern)):
        try:
            contents[str(path)] = path.read_bytes().strip()
        except OSError as error:
            raise unreadable(path, error) from error
    return contents


_SETTINGS: Final = """\
# The settings of one exchange; every member and its default stands in docs/settings.md.
# How the outside reaches the exchange: links, and the audience of client assertions.
base_url: {base_url}
# The name of the exchange log, for good: no scheme, unique to this log.
origin: {origin}
listen:
  host: "{host}"
  port: {port}
  # The server's certificate chain and key, PEM, relative to this folder. Without them `lacolle serve` needs
  # --insecure-http, and listens on loopback alone.
  # tls: {{certificate: tls/server.pem, key: tls/server.key}}
"""

_JURISDICTIONS: Final = """\
# The jurisdictions of this exchange and their authorities' public keys. What stands here at the first start is
# pinned: a later start refuses another key. Example (the public half of a key made by `lacolle keygen`):
#
# jurisdictions:
#   - code: CA-QC
#     name: {fr: Québec, en: Québec}
#     parent: CA
#     authority_keys:
#       - {kid: ca-qc.authority, alg: Ed25519, kty: OKP, crv: Ed25519, x: ...}
jurisdictions: []
"""

_PARTNERS: Final = """\
# How partners are reached, and in which format they read. Example:
#
# partners:
#   - participant: us-ny.nysp
#     format: native                     # native (the signed submission) or cap (CAP 1.2)
#     transport: {transport: https, url: "https://partner.example/alerts"}
#   - participant: us-vt.vsp
#     format: cap
#     transport: {transport: directory, path: /srv/outbox/us-vt.vsp}
partners: []
"""
