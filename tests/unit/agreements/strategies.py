"""Any alert and any agreements, for properties that hold of all decisions."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import TypeAlias, cast, get_args

from hypothesis import strategies as st

from agreements.snapshot import Snapshot
from schemas.alerts.header import Alert, Category, Certainty, HandlingCode, MsgType, Severity, Status, Tlp, Urgency
from schemas.decisions import ClauseRef
from schemas.ids import ParticipantId
from tests.unit.agreements.builders import (
    EVERYONE,
    WARNING,
    Json,
    alert,
    candidates,
    condition,
    document,
    following,
    grant,
    info,
    ref,
    verified,
)

SEVERITIES, URGENCIES, CERTAINTIES = get_args(Severity), get_args(Urgency), get_args(Certainty)
CATEGORIES, STATUSES, LABELS = get_args(Category), get_args(Status), get_args(Tlp)
KINDS, CODES = get_args(MsgType), get_args(HandlingCode)
LANGUAGES, PLACES = ("fr-CA", "fr", "en-CA", "es"), ("24", "2456060", "35", "3506")
PATHS = ("/note", "/info", "/info/*", "/info/*/contact", "/info/*/effective", "/body", "/incidents")
PARTIES = ("CA-QC", "US-NY", "US-VT")
SIDES = (*PARTIES, "ca-qc.sq", "ca-qc.msp", "us-ny.nysp", "us-ny.doh", "us-vt.vsp")


def _on_each_path(tag: str) -> list[Json]:
    return [{"obligation": tag, "paths": [path]} for path in PATHS]


DUTIES: tuple[Json, ...] = (
    {"obligation": "lane", "lane": "urgent"},
    {"obligation": "lane", "lane": "routine"},
    *_on_each_path("redact"),
    {"obligation": "redact", "paths": ["/info/*", "/body"], "classes": ["identifying"]},
    *_on_each_path("de-identify"),
    {"obligation": "precision", "year": ["/info/*/effective"], "region": ["/note", "/info"]},
    {"obligation": "precision", "year": ["/note", "/info"]},
    {"obligation": "deadline", "delivery": 1, "acknowledgement": 3},
    {"obligation": "deadline", "delivery": 2},
    {"obligation": "retention", "days": 1},
    {"obligation": "retention", "days": 2},
    {"obligation": "onward", "rule": "forbidden"},
    {"obligation": "onward", "rule": "with-consent"},
    {"obligation": "copy-to", "participants": ["us-ny.nysp"]},
    {"obligation": "copy-to", "participants": ["ca-qc.msp", "us-vt.vsp"]},
    {"obligation": "consent-by", "parties": ["CA-QC"], "within": 5},
    {"obligation": "consent-by", "participants": ["us-ny.doh"], "within": 3},
    {"obligation": "exercise-only"},
)
Parts: TypeAlias = tuple[list[ParticipantId], list[Json]]
"""Who may receive, and agreements."""

CLAUSES = ("1.1", "1.2", "2.1", "3.1")


def some(items: tuple[str, ...]) -> st.SearchStrategy[list[str]]:
    """Choose one item or more, each once."""
    return st.lists(st.sampled_from(items), min_size=1, unique=True)


def blocks() -> st.SearchStrategy[Json]:
    """Choose an info block."""
    return st.builds(
        lambda severity, urgency, certainty, category, language, places: info(
            severity=severity,
            urgency=urgency,
            certainty=certainty,
            category=category,
            language=language,
            area=[{"areaDesc": "Ici", "geocode": [{"valueName": "SGC", "value": place}]} for place in places],
        ),
        st.sampled_from(SEVERITIES),
        st.sampled_from(URGENCIES),
        st.sampled_from(CERTAINTIES),
        some(CATEGORIES),
        st.sampled_from((None, *LANGUAGES)),
        st.lists(st.sampled_from(PLACES), max_size=2),
    )


@st.composite
def alerts(draw: st.DrawFn) -> Alert:
    """Choose a warning, an update of one or its cancellation."""
    make = draw(st.sampled_from(("Alert", "Update", "Cancel")))
    content = draw(st.lists(blocks(), max_size=3))
    tlp, status = draw(st.sampled_from(LABELS)), draw(st.sampled_from(STATUSES))
    addresses = draw(st.lists(st.sampled_from(SIDES), max_size=2, unique=True))
    codes = draw(st.lists(st.sampled_from(("H0", "H1", "H2")), max_size=2, unique=True))
    handling = {"tlp": tlp, "codes": codes, "purpose": "public-safety"}
    if make == "Alert":
        return alert(*content, status=status, addresses=addresses, handling=handling)
    return following(make, *content, status=status, addresses=addresses, handling=handling)


@st.composite
def conditions(draw: st.DrawFn) -> list[Json]:
    """Choose a clause's conditions, in any order."""
    chosen = [
        condition("status", *draw(some(STATUSES))),
        condition("tlp", draw(st.sampled_from(LABELS))),
    ]
    tags = {
        "severity": SEVERITIES,
        "urgency": URGENCIES,
        "certainty": CERTAINTIES,
        "category": CATEGORIES,
        "msg-type": KINDS,
        "handling": CODES,
        "language": LANGUAGES,
    }
    more = draw(st.lists(st.sampled_from(tuple(tags)), unique=True, max_size=2))
    chosen += [condition(tag, *draw(some(tags[tag]))) for tag in more]
    place = draw(st.sampled_from((None, *PLACES)))
    if place is not None:
        chosen.append({"condition": "area", "codes": [{"scheme": "SGC", "in": [place]}]})
    return draw(st.permutations(chosen))


def obligations() -> st.SearchStrategy[list[Json]]:
    """Choose what a clause obliges to, in any order."""
    return st.lists(st.sampled_from(DUTIES), unique_by=lambda each: str(each["obligation"]), max_size=4)


@st.composite
def grants(draw: st.DrawFn, clause: str) -> Json:
    """Choose what a clause says."""
    types = draw(some((WARNING, "emergency-management/*", "public-health/outbreak/v1")))
    sides = {"from": draw(some(SIDES)), "to": draw(some(SIDES))}
    value = {**grant(clause), **sides, "types": types, "conditions": draw(conditions())}
    duties = draw(obligations())
    return {**value, "obligations": duties} if duties else value


@st.composite
def documents(draw: st.DrawFn) -> Json:
    """Choose an agreement among three jurisdictions, in force, over, or yet to come."""
    clauses = draw(st.lists(st.sampled_from(CLAUSES), min_size=1, unique=True))
    start = draw(st.sampled_from(("2025", "2026", "2027")))
    return document(
        *[draw(grants(clause)) for clause in clauses],
        parties=list(PARTIES),
        valid={"from": f"{start}-03-01T00:00:00Z", "until": f"{int(start) + 1}-03-01T00:00:00Z"},
    )


@st.composite
def snapshot_parts(draw: st.DrawFn) -> Parts:
    """Choose up to three agreements, and who may receive."""
    chosen = [
        {**value, "id": f"agreement-{number}"} for number, value in enumerate(draw(st.lists(documents(), max_size=3)))
    ]
    return draw(st.lists(st.sampled_from(EVERYONE), unique=True)), chosen


def made(parts: Parts) -> Snapshot:
    """Return the snapshot of agreements, all signed, for those who may receive."""
    receivers, chosen = parts
    return Snapshot.of(candidates(*receivers), [verified(value) for value in chosen])


def snapshots() -> st.SearchStrategy[Snapshot]:
    """Choose up to three agreements, and who may receive, as a snapshot."""
    return snapshot_parts().map(made)


def shuffled(value: Json, shuffler: random.Random) -> Json:
    """Return an agreement that says the same in another order, but for the order in which conditions stand."""
    clauses = [dict(each) for each in cast("list[Json]", value["grants"])]
    for clause in clauses:
        for member in ("from", "to", "types", "obligations"):
            if member in clause:
                items = list(cast("list[object]", clause[member]))
                shuffler.shuffle(items)
                clause[member] = items
    shuffler.shuffle(clauses)
    return {**value, "grants": clauses}


def threads() -> st.SearchStrategy[dict[ParticipantId, ClauseRef]]:
    """Choose whom a thread reached, and under what: clauses that exist and others that do not."""
    refs = st.builds(
        lambda clause, number: ref(clause, name=f"agreement-{number}"), st.sampled_from(CLAUSES), st.integers(0, 3)
    )
    return st.dictionaries(st.sampled_from(EVERYONE), refs)


def instants() -> st.SearchStrategy[datetime]:
    """Choose a day around the agreements' beginnings and ends."""
    return st.integers(0, 1_500).map(lambda days: datetime(2024, 12, 1, tzinfo=UTC) + timedelta(days=days))
