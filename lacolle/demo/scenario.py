"""What the demonstration sends: sample alerts with today's times, and what must not pass."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import Any, Final

import orjson

from lacolle.client.documents import cancellation_of, cap_time, update_of
from lacolle.samples import SAMPLES
from schemas.bilingual import Bilingual
from schemas.ids import ParticipantId
from schemas.signing.strict_json import JsonValue

Document = dict[str, JsonValue]

LIFETIME: Final = timedelta(days=2)


class Deed(Enum):
    """What a step does with its sample."""

    SEND = auto()
    UPDATE = auto()
    CANCEL = auto()
    FORGE = auto()
    """Sign with another agency's key."""


@dataclass(frozen=True, slots=True)
class Step:
    """One alert of the scenario. ``changes`` replace members of the sample's header, dotted for nested ones."""

    caption: Bilingual
    sample: str
    deed: Deed = Deed.SEND
    changes: Mapping[str, JsonValue] = field(default_factory=dict)


FORGER: Final = ParticipantId("us-me.msp")

STEPS: Final = (
    Step(Bilingual(fr="Un véhicule volé", en="A stolen vehicle"), "stolen-vehicle"),
    Step(
        Bilingual(fr="Sa mise à jour, moins grave, suit l'alerte", en="Its Update, less severe, follows the alert"),
        "stolen-vehicle",
        Deed.UPDATE,
        {"info.severity": "Moderate"},
    ),
    Step(Bilingual(fr="Une personne recherchée", en="A wanted person"), "wanted-person"),
    Step(Bilingual(fr="Un enlèvement d'enfant (AMBER)", en="A child abduction (AMBER)"), "missing-person"),
    Step(Bilingual(fr="Une éclosion", en="An outbreak"), "outbreak"),
    Step(Bilingual(fr="Un cas à déclaration obligatoire", en="A notifiable case"), "case-notification"),
    Step(Bilingual(fr="Un avertissement au public", en="A public warning"), "public-warning"),
    Step(
        Bilingual(
            fr="Un exercice : seulement là où une clause en parle",
            en="An exercise: only where a clause names exercises",
        ),
        "stolen-vehicle",
        changes={"status": "Exercise"},
    ),
    Step(
        Bilingual(fr="TLP:RED : au-dessus du plafond de chaque entente", en="TLP:RED: above every agreement's ceiling"),
        "wanted-person",
        changes={"handling.tlp": "RED"},
    ),
    Step(
        Bilingual(fr="Une alerte signée par la clé d'une autre agence", en="An alert signed with another agency's key"),
        "stolen-vehicle",
        Deed.FORGE,
    ),
    Step(
        Bilingual(fr="Le véhicule est retrouvé : annulation", en="The vehicle is found: a Cancel"),
        "stolen-vehicle",
        Deed.CANCEL,
    ),
)


def document_of(step: Step, *, number: int, now: datetime, original: Document | None) -> Document:
    """Return the alert that a step sends, with ``now`` as its time; ``original`` is what an Update or Cancel is of."""
    sample = orjson.loads((SAMPLES / "alerts" / f"{step.sample}.json").read_bytes())
    alert = sent_now(sample, step.changes, number=number, now=now)
    match step.deed:
        case Deed.SEND | Deed.FORGE:
            return alert
        case Deed.UPDATE if original is not None:
            return update_of(original, alert)
        case Deed.CANCEL if original is not None:
            return cancellation_of(original, identifier=str(alert["identifier"]), now=now)
        case _:
            raise ValueError("an Update or Cancel needs its original")


def sent_now(sample: Mapping[str, Any], changes: Mapping[str, JsonValue], *, number: int, now: datetime) -> Document:
    """Return a sample as if it were sent at ``now``; ``changes`` are as a step's, ``number`` goes into its name."""
    alert: Document = {
        **sample,
        "identifier": f"{sample['identifier']}-{number}",
        "sent": cap_time(now),
        "expires": cap_time(now + LIFETIME),
        "info": [_current(info) for info in sample["info"]],
    }
    for path, value in changes.items():
        _change(alert, path, value)
    return alert


def _current(info: Mapping[str, Any]) -> dict[str, Any]:
    """Return an info block without times of its own."""
    return {name: value for name, value in info.items() if name not in ("effective", "onset", "expires")}


def _change(alert: Document, path: str, value: JsonValue) -> None:
    outer, _, inner = path.partition(".")
    part = alert.get(outer)
    if not inner:
        alert[outer] = value
    elif isinstance(part, list):
        alert[outer] = [{**each, inner: value} for each in part if isinstance(each, dict)]
    elif isinstance(part, dict):
        alert[outer] = {**part, inner: value}
