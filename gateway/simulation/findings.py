"""What a simulation found, as the JSON that the command and the API answer with alike."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from agreements.document import Agreement
from agreements.simulation import Effect, Findings, Sample, Side
from schemas.timestamps import utc_text


def findings_document(draft: Agreement, found: Findings, *, since: datetime, until: datetime) -> dict[str, Any]:
    """Return what was found, counted by recipient, type, clause and field; samples name alerts by their ids alone."""
    effects: Counter[Effect] = Counter()
    for (_, _, effect), count in found.copies.items():
        effects[effect] += count
    return {
        "draft": {"id": draft.id, "version": draft.version},
        "since": utc_text(since),
        "until": utc_text(until),
        "alerts": found.alerts,
        "changed": found.changed,
        "unreadable": found.unreadable,
        "unknown": found.unknown,
        "copies": tally(effects),
        "recipients": recipients(found),
        "types": types(found),
        "clauses": clauses(found),
        "withheld": withheld(found),
        "samples": [_sample(each) for each in found.samples],
    }


def tally(effects: Counter[Effect]) -> dict[str, int]:
    """Return how many copies there are with each effect, and on either side."""
    same, changed = effects[Effect.SAME], effects[Effect.CHANGED]
    return {
        "before": same + changed + effects[Effect.LOST],
        "after": same + changed + effects[Effect.GAINED],
        "gained": effects[Effect.GAINED],
        "lost": effects[Effect.LOST],
        "changed": changed,
    }


def recipients(found: Findings) -> list[dict[str, Any]]:
    """Return each recipient's copies, by type."""
    by_recipient: dict[str, dict[str, Counter[Effect]]] = {}
    for (recipient, kind, effect), count in found.copies.items():
        by_recipient.setdefault(recipient, {}).setdefault(kind, Counter())[effect] += count
    return [
        {
            "participant": recipient,
            **tally(_sum(kinds.values())),
            "types": [{"type": kind, **tally(effects)} for kind, effects in sorted(kinds.items())],
        }
        for recipient, kinds in sorted(by_recipient.items())
    ]


def types(found: Findings) -> list[dict[str, Any]]:
    """Return how many alerts there are of each type, and of how many something changes."""
    return [
        {"type": kind, "alerts": count, "changed": found.changed_types[kind]}
        for kind, count in sorted(found.types.items())
    ]


def clauses(found: Findings) -> list[dict[str, Any]]:
    """Return how many copies go out under each clause."""
    return [
        {
            "clause": str(clause),
            "before": found.clauses[clause, Side.BEFORE],
            "after": found.clauses[clause, Side.AFTER],
        }
        for clause in sorted({clause for clause, _ in found.clauses})
    ]


def withheld(found: Findings) -> list[dict[str, Any]]:
    """Return in how many copies something that stands in the alert is withheld at each place."""
    return [
        {
            "pointer": pointer,
            "treatment": treatment.value,
            "before": found.fields[pointer, treatment, Side.BEFORE],
            "after": found.fields[pointer, treatment, Side.AFTER],
        }
        for pointer, treatment in sorted({(pointer, treatment) for pointer, treatment, _ in found.fields})
    ]


def _sum(several: Iterable[Counter[Effect]]) -> Counter[Effect]:
    total: Counter[Effect] = Counter()
    for each in several:
        total.update(each)
    return total


def _sample(sample: Sample) -> dict[str, Any]:
    return {
        "alert_id": sample.alert_id,
        "type": sample.type,
        "gained": list(sample.gained),
        "lost": list(sample.lost),
        "changed": list(sample.changed),
    }
