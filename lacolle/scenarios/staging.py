"""What a scenario is played with: its own small world, and its alerts as their senders would write them today."""

from __future__ import annotations

from datetime import datetime

import orjson

from agreements.written import read_agreement
from lacolle.demo.scenario import Document, sent_now
from lacolle.samples import SAMPLES, Cast, everyone
from lacolle.scenarios.document import RELATIONS, Scenario, ScenarioAlert, agreement_files, alert_files
from schemas.alerts.catalogue import parse_alert


def cast_of(scenario: Scenario) -> Cast:
    """Return the world of a scenario: its participants, its agreements, and whoever is party to one of them.

    Every partner reads the native form here, so that the copy that each received can be shown.
    """
    known = [everyone(folder) for folder in (SAMPLES, RELATIONS)]
    agreements = [agreement_files()[name] for name in scenario.agreements]
    participants = [
        {**entry, "format": "native"}
        for cast in known
        for entry in cast.participants
        if entry["participant"] in scenario.participants
    ]
    codes = {entry["jurisdiction"] for entry in participants}
    for path in agreements:
        codes |= set(read_agreement(path.read_text(encoding="utf-8"), file=path.name).parties)
    jurisdictions = [entry for cast in known for entry in cast.jurisdictions if entry["code"] in codes]
    return Cast(jurisdictions=jurisdictions, participants=participants, agreements=agreements)


def alert_of(alert: ScenarioAlert, *, number: int, now: datetime) -> Document:
    """Return an alert of a scenario, sent at ``now``. Raises ``InvalidAlertError`` where its changes break a rule."""
    sample = orjson.loads(alert_files()[alert.sample].read_bytes())
    document = sent_now(sample, alert.changes, number=number, now=now)
    blocks = document.get("info")
    if alert.language is not None and isinstance(blocks, list):
        document["info"] = [
            block
            for block in blocks
            if isinstance(block, dict) and str(block.get("language", "")).startswith(alert.language)
        ]
    parse_alert(document)
    return document
