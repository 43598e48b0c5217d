"""Any alert and any agreements, for properties that hold of all decisions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import get_args

from hypothesis import strategies as st

from agreements.snapshot import Snapshot
from schemas.alerts.header import Alert, Category, Certainty, Severity, Status, Tlp, Urgency
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
PARTIES = ("CA-QC", "US-NY", "US-VT")
SIDES = (*PARTIES, "ca-qc.sq", "ca-qc.msp", "us-ny.nysp", "us-ny.doh", "us-vt.vsp")
CLAUSES = ("1.1", "1.2", "2.1", "3.1")


def some(items: tuple[str, ...]) -> st.SearchStrategy[list[str]]:
    """Choose one item or more, each once."""
    return st.lists(st.sampled_from(items), min_size=1, unique=True)


def blocks() -> st.SearchStrategy[Json]:
    """Choose an info block."""
    return st.builds(
        lambda severity, urgency, certainty, category: info(
            severity=severity, urgency=urgency, certainty=certainty, category=category
        ),
        st.sampled_from(SEVERITIES),
        st.sampled_from(URGENCIES),
        st.sampled_from(CERTAINTIES),
        some(CATEGORIES),
    )


@st.composite
def alerts(draw: st.DrawFn) -> Alert:
    """Choose a warning, an update of one or its cancellation."""
    make = draw(st.sampled_from(("Alert", "Update", "Cancel")))
    content = draw(st.lists(blocks(), max_size=3))
    tlp, status = draw(st.sampled_from(LABELS)), draw(st.sampled_from(STATUSES))
    addresses = draw(st.lists(st.sampled_from(SIDES), max_size=2, unique=True))
    if make == "Alert":
        return alert(*content, tlp=tlp, status=status, addresses=addresses)
    return following(make, *content, tlp=tlp, status=status, addresses=addresses)


@st.composite
def conditions(draw: st.DrawFn) -> list[Json]:
    """Choose a clause's conditions, in any order."""
    chosen = [
        condition("status", *draw(some(STATUSES))),
        condition("tlp", draw(st.sampled_from(LABELS))),
    ]
    tags = {"severity": SEVERITIES, "urgency": URGENCIES, "certainty": CERTAINTIES, "category": CATEGORIES}
    more = draw(st.lists(st.sampled_from(tuple(tags)), unique=True))
    chosen += [condition(tag, *draw(some(tags[tag]))) for tag in more]
    return draw(st.permutations(chosen))


@st.composite
def grants(draw: st.DrawFn, clause: str) -> Json:
    """Choose what a clause says."""
    lane = draw(st.sampled_from((None, "routine", "urgent")))
    types = draw(some((WARNING, "emergency-management/*", "public-health/outbreak/v1")))
    sides = {"from": draw(some(SIDES)), "to": draw(some(SIDES))}
    return {**grant(clause, lane=lane), **sides, "types": types, "conditions": draw(conditions())}


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
def snapshots(draw: st.DrawFn) -> Snapshot:
    """Choose up to three agreements, and who may receive."""
    chosen = [
        {**value, "id": f"agreement-{number}"} for number, value in enumerate(draw(st.lists(documents(), max_size=3)))
    ]
    receivers = draw(st.lists(st.sampled_from(EVERYONE), unique=True))
    return Snapshot.of(candidates(*receivers), [verified(value) for value in chosen])


def threads() -> st.SearchStrategy[dict[ParticipantId, ClauseRef]]:
    """Choose whom a thread reached, and under what: clauses that exist and others that do not."""
    refs = st.builds(
        lambda clause, number: ref(clause, name=f"agreement-{number}"), st.sampled_from(CLAUSES), st.integers(0, 3)
    )
    return st.dictionaries(st.sampled_from(EVERYONE), refs)


def instants() -> st.SearchStrategy[datetime]:
    """Choose a day around the agreements' beginnings and ends."""
    return st.integers(0, 1_500).map(lambda days: datetime(2024, 12, 1, tzinfo=UTC) + timedelta(days=days))
