"""Signed submissions to load a service with: distinct stolen-vehicle alerts of about two kilobytes.

The alerts have the native form of the wire contract, in French and in English. They are signed with joserfc alone,
as a client that shares no code with the exchange would, half with Ed25519 and half with ES256 keys. People,
vehicles and places are invented.
"""

from __future__ import annotations

import json
import os
import random
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal, Protocol

from joserfc import jws
from joserfc.jwk import ECKey, Key, OKPKey
from joserfc.registry import HeaderParameter

from lacolle.samples import SAMPLES

Jwk = Mapping[str, str]
Subject = Literal["stolen-vehicle", "missing-person"]

_PROFILE = jws.JWSRegistry(
    header_registry={"iat": HeaderParameter("Signing time", "int", required=True)}, algorithms=["ES256", "Ed25519"]
)
_MISSING_PERSON = SAMPLES / "alerts" / "missing-person.json"
_VIN_LETTERS = "ABCDEFGHJKLMNPRSTUVWXYZ0123456789"
_VIN_VALUES = dict(zip("ABCDEFGHJKLMNPRSTUVWXYZ", (*range(1, 9), *range(1, 6), 7, 9, *range(2, 10)), strict=True))
_VIN_WEIGHTS = (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)
_MODELS = (("Toyota", "RAV4"), ("Honda", "CR-V"), ("Ford", "F-150"), ("Lexus", "RX 350"), ("Jeep", "Wrangler"))
_COLOURS = ("noir", "blanc", "gris", "rouge", "bleu")
_TOWNS = (("Lacolle", "2456060"), ("Saint-Bernard-de-Lacolle", "2468005"), ("Hemmingford", "2468010"))


def generate_keys(sender: str) -> tuple[dict[str, str], ...]:
    """Make one private key of each algorithm, as JWKs with ``kid`` and ``alg``."""
    ed25519 = OKPKey.generate_key("Ed25519", {"kid": f"{sender}:ed25519", "alg": "Ed25519"})
    es256 = ECKey.generate_key("P-256", {"kid": f"{sender}:es256", "alg": "ES256"})
    return tuple({name: str(value) for name, value in key.as_dict(private=True).items()} for key in (ed25519, es256))


def write_public_keys(path: Path, *, sender: str, keys: Sequence[Jwk]) -> None:
    """Write the public halves, and whose they are, for ``benchmarks.naive``."""
    public = [{name: value for name, value in key.items() if name != "d"} for key in keys]
    path.write_text(json.dumps({"keys": public, "senders": {key["kid"]: sender for key in keys}}))


def write_submissions(
    path: Path, *, count: int, sender: str, keys: Sequence[Jwk], now: datetime, about: Subject = "stolen-vehicle"
) -> None:
    """Sign ``count`` distinct alerts, sent at ``now``, and write them one compact JWS a line.

    The work is spread over all cores, so that it is over before a clock starts.
    """
    workers = os.cpu_count() or 1
    run = random.randbytes(4).hex().upper()
    shares = [range(first, count, workers) for first in range(workers)]
    arguments = (
        [(about, run)] * workers,
        shares,
        [sender] * workers,
        [list(keys)] * workers,
        [now] * workers,
    )
    with ProcessPoolExecutor(workers) as pool, path.open("wb") as file:
        for share in pool.map(_sign_share, *arguments):
            file.write(share)


def _sign_share(named: tuple[Subject, str], numbers: range, sender: str, keys: Sequence[Jwk], now: datetime) -> bytes:
    about, run = named
    made = _SUBJECTS[about](run, numbers, sender=sender, now=now)
    return b"".join(line + b"\n" for line in sign(made, keys=keys, now=now))


def sign(documents: Iterator[dict[str, Any]], *, keys: Sequence[Jwk], now: datetime) -> Iterator[bytes]:
    """Yield the compact JWS of each alert, the keys taking turns."""
    signers = [(key["alg"], key["kid"], _import(key)) for key in keys]
    for number, document in enumerate(documents):
        alg, kid, key = signers[number % len(signers)]
        header = {"alg": alg, "kid": kid, "typ": "alert+jws", "iat": int(now.timestamp())}
        payload = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
        yield jws.serialize_compact(header, payload, key, registry=_PROFILE).encode()


def alerts(run: str, numbers: range, *, sender: str, now: datetime) -> Iterator[dict[str, Any]]:
    """Yield one alert a number; ``run`` keeps the identifiers of two runs apart. Times carry ``now``'s offset."""
    dice = random.Random(f"{run}/{numbers.start}")
    for number in numbers:
        yield _alert(f"SQ-{run}-{number:07d}", dice, sender=sender, now=now)


def _alert(identifier: str, dice: random.Random, *, sender: str, now: datetime) -> dict[str, Any]:
    make, model = dice.choice(_MODELS)
    town, code = dice.choice(_TOWNS)
    plate = f"{''.join(dice.choices('ABCDEFGHJKLMNPRSTVWXYZ', k=3))} {dice.randrange(1000):03d}"
    year = dice.randrange(2012, 2027)
    described = f"{make} {model} {year}"
    area = {"areaDesc": town, "polygon": [], "circle": [], "geocode": [{"valueName": "SGC", "value": code}]}
    levels = {"urgency": "Immediate", "severity": "Severe", "certainty": "Observed"}
    return {
        "type": "law-enforcement/stolen-vehicle/v1",
        "identifier": identifier,
        "sender": sender,
        "sent": now.isoformat(timespec="seconds"),
        "status": "Actual",
        "msgType": "Alert",
        "scope": "Restricted",
        "references": [],
        "incidents": [identifier],
        "addresses": [],
        "expires": (now + timedelta(days=3)).isoformat(timespec="seconds"),
        "handling": {
            "tlp": "AMBER",
            "codes": [],
            "purpose": "criminal-investigation",
            "caveat": {
                "fr": "Ne pas communiquer à des tiers sans l'accord de l'expéditeur.",
                "en": "Do not pass on to third parties without the sender's consent.",
            },
        },
        "info": [
            {
                "language": "fr-CA",
                "category": ["Security"],
                "event": "Véhicule volé",
                **levels,
                "headline": f"Véhicule volé à {town} : {described}, plaque {plate}",
                "description": f"Un véhicule {described} portant la plaque {plate} a été volé dans un stationnement de "
                f"{town}. Il roulait en direction de la frontière lorsqu'il a été vu la dernière fois.",
                "instruction": "Ne pas intercepter seul. Communiquer avec le centre d'appels de la Sûreté du Québec.",
                "area": [area],
            },
            {
                "language": "en-CA",
                "category": ["Security"],
                "event": "Stolen vehicle",
                **levels,
                "headline": f"Vehicle stolen in {town}: {described}, plate {plate}",
                "description": f"A {described} with plate {plate} was stolen from a parking lot in {town}. When last "
                "seen it was heading for the border.",
                "instruction": "Do not intercept alone. Contact the call centre of the Sûreté du Québec.",
                "area": [area],
            },
        ],
        "body": {
            "vehicle": {
                "vin": _vin(dice),
                "plate": {"number": plate, "jurisdiction": "CA-QC"},
                "make": make,
                "model": model,
                "year": year,
                "colour": dice.choice(_COLOURS),
            },
            "circumstances": "Vol dans un stationnement public, sans témoin; clé dupliquée selon toute apparence.",
        },
    }


def missing_persons(run: str, numbers: range, *, sender: str, now: datetime) -> Iterator[dict[str, Any]]:
    """Yield one alert a number, each the sample of a missing child: under the sample agreements three states get it."""
    sample = json.loads(_MISSING_PERSON.read_bytes())
    for number in numbers:
        identifier = f"SQ-{run}-{number:07d}"
        yield {
            **sample,
            "identifier": identifier,
            "sender": sender,
            "sent": now.isoformat(timespec="seconds"),
            "incidents": [identifier],
            "expires": (now + timedelta(days=1)).isoformat(timespec="seconds"),
        }


class _Subject(Protocol):
    def __call__(self, run: str, numbers: range, *, sender: str, now: datetime) -> Iterator[dict[str, Any]]: ...


_SUBJECTS: Mapping[Subject, _Subject] = {"stolen-vehicle": alerts, "missing-person": missing_persons}


def _vin(dice: random.Random) -> str:
    """Make a vehicle identification number whose check digit holds (49 CFR 565.15(c))."""
    letters = dice.choices(_VIN_LETTERS, k=17)
    values = (int(letter) if letter.isdigit() else _VIN_VALUES[letter] for letter in letters)
    remainder = sum(value * weight for value, weight in zip(values, _VIN_WEIGHTS, strict=True)) % 11
    letters[8] = "0123456789X"[remainder]
    return "".join(letters)


def _import(key: Jwk) -> Key:
    kind: type[OKPKey | ECKey] = OKPKey if key["kty"] == "OKP" else ECKey
    return kind.import_key(dict(key))
