"""A witness's folder: all that it is, as files.

witness.yaml     its name, where it listens, what it takes
witness.jwk      its private key, mode 0600
logs/            the logs that it knows, and what it cosigned of each last: never to be restored from a backup
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

from pydantic import Field, StringConstraints

from audit.cosignature import Cosigner
from audit.errors import MalformedNoteError
from audit.note import Verifier
from gateway.settings.exchange import Listen
from gateway.settings.section import Section
from lacolle.errors import ConfigurationError
from lacolle.folder import require_empty
from lacolle.keyfiles import load_key_file, write_key_file
from lacolle.witness.memory import WitnessMemory
from lacolle.yamlfiles import read_yaml
from schemas.bilingual import Bilingual
from schemas.ids import KeyId
from schemas.signing.keys import SigningKey

SETTINGS: Final = "witness.yaml"
_KEY: Final = "witness.jwk"
_LOGS: Final = "logs"

WitnessName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9./-]{0,126}[a-z0-9])?$")]
"""A schema-less URL (C2SP tlog-cosignature)."""


class WitnessSettings(Section):
    """What a witness is told. ``rate_per_second`` and ``burst`` are of each log; ``grace`` seconds a stop may take."""

    name: WitnessName
    listen: Listen = Listen(port=8444)
    rate_per_second: float = Field(default=20.0, ge=0.001, le=1_000_000)
    burst: int = Field(default=100, ge=1)
    grace: float = Field(default=5.0, gt=0, le=600)


@dataclass(frozen=True, slots=True)
class WitnessFolder:
    """What a folder holds, read and checked."""

    path: Path
    settings: WitnessSettings
    cosigner: Cosigner
    memory: WitnessMemory


def create_witness(path: Path, *, name: str, host: str, port: int, logs: Sequence[str]) -> WitnessFolder:
    """Make a new witness's folder, which knows ``logs`` by their verifier keys.

    Raises ``ConfigurationError`` where the folder holds anything already, or nothing could come of this.
    """
    verifiers = [read_log_key(each) for each in logs]
    require_empty(path)
    (path / SETTINGS).write_text(_SETTINGS.format(name=name, host=host, port=port), encoding="utf-8")
    read_yaml(path / SETTINGS, WitnessSettings)
    write_key_file(path / _KEY, SigningKey.generate(KeyId("witness"), "Ed25519"))
    (path / _LOGS).mkdir(mode=0o700)
    folder = read_witness(path)
    for verifier in verifiers:
        folder.memory.trust(verifier)
    return folder


def read_witness(path: Path) -> WitnessFolder:
    """Return what a witness's folder holds. Raises ``ConfigurationError`` and ``KeyFileError``."""
    settings = read_yaml(path / SETTINGS, WitnessSettings)
    try:
        cosigner = Cosigner(settings.name, load_key_file(path / _KEY))
    except ValueError as error:
        raise ConfigurationError(_NOT_ED25519) from error
    return WitnessFolder(path, settings, cosigner, WitnessMemory(path / _LOGS))


def read_log_key(vkey: str) -> Verifier:
    """Return a log's verifier key. Raises ``ConfigurationError``."""
    try:
        return Verifier.from_vkey(vkey)
    except MalformedNoteError as error:
        raise ConfigurationError(error.reason) from error


_SETTINGS: Final = """\
# A witness of the exchange log; docs/witnesses.md says what it is for and how it is run.
# Its name, for good: cosignatures carry it.
name: {name}
listen:
  host: "{host}"
  port: {port}
  # PEM files, relative to this folder. Without them `lacolle witness serve` needs --insecure-http, and listens on
  # loopback alone.
  # tls: {{certificate: tls/server.pem, key: tls/server.key}}
"""

_NOT_ED25519: Final = Bilingual(
    fr="La clé d'un témoin est une clé Ed25519.",
    en="A witness's key is an Ed25519 key.",
)
