"""How long one decision takes, of all candidates for one alert, and how that grows with the agreements.

A world of 40 jurisdictions with ten participants each, all of them receivers; agreements of twenty grants, four of five
between two jurisdictions, the others between eight. Grants name jurisdictions, types and domains, and carry two to five
conditions and up to five obligations. Alerts of 24 kinds come in turns from four senders, so that a route is known
already, as it is for all but the first alert of a kind; working one out is measured by itself. Signatures are left out:
what is measured has none to verify.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import product
from statistics import median, quantiles
from typing import Any, Final

from agreements.decide import decide
from agreements.document import Agreement
from agreements.signed import PartySignature, SignedAgreement, VerifiedAgreement, agreement_bytes
from agreements.snapshot import Snapshot
from schemas.alerts.catalogue import parse_alert
from schemas.alerts.header import Alert
from schemas.decisions import Permit
from schemas.ids import JurisdictionCode, KeyId, ParticipantId
from schemas.signing.canonical import canonical_bytes

NOW: Final = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
SIZES: Final = (10, 50, 200, 1_000)
"""How many agreements there are."""
GRANTS: Final = 20
PARTICIPANTS: Final = 10
"""Of each jurisdiction."""
JURISDICTIONS: Final = 40
_CODES: Final = tuple(
    JurisdictionCode(f"{country}-{number:02}") for country in ("CA", "US") for number in range(JURISDICTIONS // 2)
)
_TYPE: Final = "emergency-management/public-warning/v1"
_TYPES: Final = (_TYPE, "emergency-management/*", "public-health/outbreak/v1", "public-health/*", "law-enforcement/*")
_SEVERITIES: Final = ("Extreme", "Severe", "Moderate", "Minor")
_URGENCIES: Final = ("Immediate", "Expected", "Future")
_STATUSES: Final = ("Actual", "Exercise")
_OBLIGATIONS: Final[tuple[dict[str, Any], ...]] = (
    {"obligation": "lane", "lane": "urgent"},
    {"obligation": "redact", "paths": ["/note", "/info/*/contact"], "classes": ["identifying"]},
    {"obligation": "deadline", "delivery": 300, "acknowledgement": 3_600},
    {"obligation": "retention", "days": 90},
    {"obligation": "onward", "rule": "forbidden"},
)


@dataclass(frozen=True, slots=True)
class Deciding:
    """What decisions took among so many agreements: milliseconds an alert, and to work out a route.

    ``busy_p99_ms`` is the thread's own time: what a decision waits for a processor is not in it. ``permits`` and
    ``clauses`` are how many of each there were for an alert, in the mean.
    """

    agreements: int
    p50_ms: float
    p99_ms: float
    busy_p99_ms: float
    route_ms: float
    permits: float
    clauses: float


def measure(*, agreements: int, seconds: float) -> Deciding:
    """Decide for alerts in turns for so long."""
    snapshot = world(agreements=agreements)
    alerts = tuple(_alerts())
    routes = [_timed(snapshot, alert) for alert in alerts[:4]]
    for alert in alerts:
        decide(alert, snapshot, NOW, reached={})
    times: list[float] = []
    busy: list[float] = []
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        for alert in alerts:
            began = time.thread_time()
            times.append(_timed(snapshot, alert))
            busy.append((time.thread_time() - began) * 1_000)
    decisions = [decide(alert, snapshot, NOW, reached={}) for alert in alerts]
    laid_out = [snapshot.route(alert.type, alert.sender, NOW) for alert in alerts]
    return Deciding(
        agreements=agreements,
        p50_ms=median(times),
        p99_ms=quantiles(times, n=100)[98],
        busy_p99_ms=quantiles(busy, n=100)[98],
        route_ms=median(routes),
        permits=sum(isinstance(each, Permit) for of in decisions for each in of) / len(alerts),
        clauses=sum(len(route.clauses) for route in laid_out) / len(alerts),
    )


def world(*, agreements: int) -> Snapshot:
    """Return the snapshot of so many agreements among all participants, the same each time."""
    chance = random.Random(agreements)
    candidates = [
        (ParticipantId(f"{code.lower()}.p{number}"), code) for code, number in product(_CODES, range(PARTICIPANTS))
    ]
    return Snapshot.of(candidates, [_agreement(number, chance) for number in range(agreements)])


def _timed(snapshot: Snapshot, alert: Alert) -> float:
    began = time.perf_counter()
    decide(alert, snapshot, NOW, reached={})
    return (time.perf_counter() - began) * 1_000


def _agreement(number: int, chance: random.Random) -> VerifiedAgreement:
    parties = chance.sample(_CODES, 8 if number % 5 == 0 else 2)
    text = {"fr": "Texte.", "en": "Text."}
    value: dict[str, Any] = {
        "agreement": "lacolle.agreement/v1",
        "id": f"agreement-{number}",
        "version": 1,
        **dict.fromkeys(("title", "purpose", "legal_basis", "privacy_assessment"), text),
        "parties": parties,
        "valid": {"from": "2026-01-01T00:00:00Z", "until": "2027-01-01T00:00:00Z"},
        "grants": [_grant(clause, parties, chance) for clause in range(GRANTS)],
    }
    document = Agreement.model_validate_json(canonical_bytes(value))
    signatures = tuple(PartySignature(party, KeyId(f"{party}.authority"), NOW, b"") for party in document.parties)
    return VerifiedAgreement(SignedAgreement(document, agreement_bytes(document), signatures))


def _grant(clause: int, parties: Sequence[JurisdictionCode], chance: random.Random) -> dict[str, Any]:
    origin = chance.choice(parties)
    recipients = [party for party in parties if party != origin]
    conditions: list[dict[str, Any]] = [
        {"condition": "status", "in": chance.choice((["Actual"], ["Actual"], ["Actual"], ["Exercise", "Test"]))},
        {"condition": "tlp", "ceiling": chance.choice(("GREEN", "AMBER", "AMBER+STRICT"))},
    ]
    more: list[dict[str, Any]] = [
        {"condition": "severity", "in": list(chance.choice((_SEVERITIES[:1], _SEVERITIES[:2], _SEVERITIES[:3])))},
        {"condition": "urgency", "in": list(chance.choice((_URGENCIES[:1], _URGENCIES[:2])))},
        {"condition": "language", "in": ["fr", "en"]},
    ]
    grant: dict[str, Any] = {
        "clause": str(clause + 1),
        "from": [origin],
        "to": chance.sample(recipients, chance.randint(1, len(recipients))),
        "types": chance.sample(_TYPES, 2),
        "conditions": [*conditions, *chance.sample(more, chance.randint(0, 3))],
    }
    obligations = chance.sample(_OBLIGATIONS, chance.randint(0, 4))
    if chance.random() < 0.1:  # noqa: PLR2004 - one grant in ten has somebody told
        told = f"{chance.choice(parties).lower()}.p0"
        obligations.append({"obligation": "copy-to", "participants": [told]})
    return {**grant, "obligations": obligations} if obligations else grant


def _alerts() -> Iterator[Alert]:
    senders = [f"{code.lower()}.p{number}" for code, number in product(_CODES[:2], (1, 2))]
    for number, (severity, urgency, status) in enumerate(product(_SEVERITIES, _URGENCIES, _STATUSES)):
        block: dict[str, Any] = {"category": ["Safety"], "event": "Crue", "certainty": "Observed"}
        yield parse_alert(
            {
                "type": _TYPE,
                "identifier": f"A-{number}",
                "sender": senders[number % len(senders)],
                "sent": "2026-06-01T08:00:00-04:00",
                "status": status,
                "msgType": "Alert",
                "scope": "Public",
                "handling": {"tlp": "GREEN", "purpose": "public-safety"},
                "info": [
                    {**block, "language": language, "severity": severity, "urgency": urgency}
                    for language in ("fr-CA", "en-CA")
                ],
                "body": {},
            }
        )
