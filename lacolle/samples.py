"""The sample world: the jurisdictions, agencies and agreements of ``deploy/samples``, with keys made on the spot.

Everyone's keys are on one disk here, which is what makes it a sample: an authority signs its agencies' statements and
the agreements, each agency has a key of each algorithm, and the exchange gets a folder such as ``lacolle init`` makes.

    DIR/exchange/          the exchange's folder
    DIR/authorities/       the authorities' private keys
    DIR/participants/      the agencies' private keys
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import yaml

from agreements.signed import agreement_bytes
from agreements.written import read_agreement
from lacolle.folder import SETTINGS, create_folder
from lacolle.keyfiles import write_key_file
from schemas.bilingual import Bilingual
from schemas.ids import JurisdictionCode, KeyId, ParticipantId
from schemas.located_yaml import load_yaml
from schemas.signing.algorithms import Algorithm
from schemas.signing.canonical import canonical_bytes
from schemas.signing.jws import AGREEMENT, STATEMENT, join_signatures, sign_compact
from schemas.signing.keys import SigningKey
from schemas.timestamps import utc_text

SAMPLES: Final = Path(__file__).resolve().parent.parent / "deploy" / "samples"
ALGORITHMS: Final[tuple[Algorithm, ...]] = ("Ed25519", "ES256")
_STATEMENT_LASTS: Final = timedelta(days=3650)
_LOOPBACK: Final = ["127.0.0.1", "localhost"]


@dataclass(frozen=True, slots=True)
class Cast:
    """Who is in a sample world, as the files have them, and the files of the agreements that bind them."""

    jurisdictions: Sequence[Mapping[str, Any]]
    participants: Sequence[Mapping[str, Any]]
    agreements: Sequence[Path]


def everyone(folder: Path = SAMPLES) -> Cast:
    """Return all that stands in a folder of jurisdictions, participants and agreements."""
    return Cast(
        jurisdictions=_load(folder / "jurisdictions.yaml")["jurisdictions"],
        participants=_load(folder / "participants.yaml")["participants"],
        agreements=sorted((folder / "agreements").glob("*.yaml")),
    )


@dataclass(frozen=True, slots=True)
class Member:
    """One agency of the sample world. Its first key is Ed25519, its second ES256; ``endpoint`` is its partner URL."""

    participant: ParticipantId
    jurisdiction: JurisdictionCode
    name: Bilingual
    roles: tuple[str, ...]
    keys: tuple[SigningKey, ...]
    key_files: tuple[Path, ...]
    endpoint: str | None
    format: str | None


@dataclass(frozen=True, slots=True)
class World:
    """A sample world on disk: the exchange's folder and everyone who uses it."""

    folder: Path
    base_url: str
    members: Mapping[ParticipantId, Member]
    authorities: Mapping[JurisdictionCode, SigningKey]


@dataclass(frozen=True, slots=True)
class WorldOptions:
    """What a sample world is built for, and of whom.

    ``settings`` are merged over the folder's own, section by section.
    """

    host: str = "127.0.0.1"
    port: int = 8443
    scheme: str = "http"
    origin: str = "lacolle.example/log"
    endpoints: Mapping[ParticipantId, str] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    cast: Cast = field(default_factory=everyone)


def participants() -> list[dict[str, Any]]:
    """Return the agencies of the sample world, as ``participants.yaml`` has them."""
    return list(_load(SAMPLES / "participants.yaml")["participants"])


def build_world(directory: Path, options: WorldOptions) -> World:
    """Make a sample world in ``directory`` and return it; the exchange in it is ready to be served."""
    now = datetime.now(tz=UTC)
    base_url = f"{options.scheme}://{options.host}:{options.port}"
    folder = directory / "exchange"
    create_folder(folder, base_url=base_url, origin=options.origin, host=options.host, port=options.port)
    authorities = _authorities(directory / "authorities", folder, options.cast.jurisdictions)
    members = {
        member.participant: member
        for member in (
            _member(entry, directory / "participants", options.endpoints.get(ParticipantId(entry["participant"])))
            for entry in options.cast.participants
        )
    }
    for entry in options.cast.participants:
        member = members[ParticipantId(entry["participant"])]
        statement = _statement(entry, member, now)
        compact = _signed(statement, authorities[member.jurisdiction], now)
        (folder / "statements" / f"{member.participant}.jws").write_bytes(compact)
    _sign_agreements(options.cast.agreements, folder / "agreements", authorities, now)
    _write_partners(folder, members)
    _write_settings(folder, base_url, options)
    return World(folder=folder, base_url=base_url, members=members, authorities=authorities)


def _authorities(keys: Path, folder: Path, entries: Sequence[Mapping[str, Any]]) -> dict[JurisdictionCode, SigningKey]:
    keys.mkdir(mode=0o700)
    authorities = {}
    for entry in entries:
        code = JurisdictionCode(entry["code"])
        key = SigningKey.generate(KeyId(f"{code.lower()}.authority"), "Ed25519")
        write_key_file(keys / f"{code}.jwk", key)
        authorities[code] = key
    pinned = [{**entry, "authority_keys": [dict(authorities[entry["code"]].public.jwk)]} for entry in entries]
    _dump(folder / "jurisdictions.yaml", {"jurisdictions": pinned})
    return authorities


def _member(entry: Mapping[str, Any], folder: Path, endpoint: str | None) -> Member:
    folder.mkdir(mode=0o700, exist_ok=True)
    participant = ParticipantId(entry["participant"])
    keys, files = [], []
    for algorithm in ALGORITHMS:
        key = SigningKey.generate(KeyId(f"{participant}:{algorithm}"), algorithm)
        file = folder / f"{participant}.{algorithm}.jwk"
        write_key_file(file, key)
        keys.append(key)
        files.append(file)
    return Member(
        participant=participant,
        jurisdiction=JurisdictionCode(entry["jurisdiction"]),
        name=Bilingual(**entry["name"]),
        roles=tuple(entry["roles"]),
        keys=tuple(keys),
        key_files=tuple(files),
        endpoint=endpoint,
        format=entry.get("format"),
    )


def _statement(entry: Mapping[str, Any], member: Member, now: datetime) -> dict[str, Any]:
    window = {"from": utc_text(now - timedelta(hours=1)), "until": utc_text(now + _STATEMENT_LASTS)}
    return {
        "statement": "participant",
        "participant": member.participant,
        "jurisdiction": member.jurisdiction,
        "name": entry["name"],
        "roles": entry["roles"],
        "sends": entry["sends"],
        "keys": [{"jwk": dict(key.public.jwk), **window} for key in member.keys],
        "hosts": _LOOPBACK,
        **window,
    }


def _signed(document: Mapping[str, Any], key: SigningKey, now: datetime) -> bytes:
    return sign_compact(canonical_bytes(dict(document)), key=key, profile=STATEMENT, iat=int(now.timestamp()))


def _sign_agreements(
    paths: Sequence[Path], folder: Path, authorities: Mapping[JurisdictionCode, SigningKey], now: datetime
) -> None:
    for path in paths:
        document = read_agreement(path.read_text(encoding="utf-8"), file=path.name)
        payload = agreement_bytes(document)
        signatures = [
            sign_compact(payload, key=authorities[party], profile=AGREEMENT, iat=int(now.timestamp()))
            for party in document.parties
        ]
        (folder / f"{document.id}.{document.version}.json").write_bytes(join_signatures(signatures))


def _write_partners(folder: Path, members: Mapping[ParticipantId, Member]) -> None:
    partners = [
        {
            "participant": member.participant,
            "format": member.format,
            "transport": {"transport": "https", "url": member.endpoint},
        }
        for member in members.values()
        if member.endpoint is not None and member.format is not None
    ]
    _dump(folder / "partners.yaml", {"partners": partners})


def _write_settings(folder: Path, base_url: str, options: WorldOptions) -> None:
    settings: dict[str, Any] = {
        "base_url": base_url,
        "origin": options.origin,
        "listen": {"host": options.host, "port": options.port},
    }
    for section, values in options.settings.items():
        settings[section] = {**settings.get(section, {}), **values} if isinstance(values, Mapping) else values
    _dump(folder / SETTINGS, settings)


def _load(path: Path) -> Any:  # noqa: ANN401 - a YAML document of the samples
    return load_yaml(path.read_text(encoding="utf-8"), file=path.name).value


def _dump(path: Path, document: Mapping[str, Any]) -> None:
    path.write_text(yaml.safe_dump(document, allow_unicode=True, sort_keys=False), encoding="utf-8")
