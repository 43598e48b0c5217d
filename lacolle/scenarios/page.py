"""The page of all scenarios, ``docs/scenarios.md``: ``python -m lacolle.scenarios.page`` writes it anew."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from lacolle.scenarios.document import Effect, Expected, Scenario, ScenarioAlert, read_scenarios
from schemas.bilingual import Bilingual

PAGE: Final = Path(__file__).resolve().parents[2] / "docs" / "scenarios.md"

_HEAD: Final = """\
# Scénarios · Scenarios

Chaque relation entre gouvernements, en un monde qui se joue : une alerte qui doit passer, une qui ne doit pas, et ce
que voit chaque côté. Les organismes et les ententes sont réels de nom; les textes, les personnes et les alertes sont
inventés.

Each relation between governments, as a world that can be played: an alert that must pass, one that must not, and what
each side sees. Agencies and agreements are real by name; texts, people and alerts are invented.

```
lacolle demo --scenarios
lacolle demo --scenario federal-layer
```

● entière, whole · ◐ partielle, partial · … sans consentement rien, nothing without consent · ✗ rien, nothing

This page is made from `deploy/samples/scenarios/`: `python -m lacolle.scenarios.page`.

| scenario | relation | passe · passes | ne passe pas · does not pass |
|---|---|---|---|
"""
_MARKS: Final = {Effect.WHOLE: "●", Effect.DERIVED: "◐", Effect.HELD: "…", Effect.DENIED: "✗"}


def page(scenarios: Iterable[Scenario]) -> str:
    """Return the page, in Markdown."""
    return _HEAD + "".join(_row(scenario) for scenario in scenarios)


def _row(scenario: Scenario) -> str:
    cells = (
        f"`{scenario.name}`",
        f"{_both(scenario.relation.bilingual)}<br>{', '.join(f'`{name}`' for name in scenario.agreements)}",
        _alert(scenario.passes),
        _alert(scenario.stops),
    )
    return f"| {' | '.join(cells)} |\n"


def _alert(alert: ScenarioAlert) -> str:
    groups: dict[str, list[str]] = {}
    for participant, expected in alert.expect.items():
        groups.setdefault(_seen(expected), []).append(participant)
    seen = "<br>".join(f"{what} {', '.join(participants)}" for what, participants in groups.items())
    return f"{_both(alert.caption.bilingual)}<br>{seen}"


def _seen(expected: Expected) -> str:
    return _MARKS[expected.gets] if expected.code is None else f"{_MARKS[expected.gets]} `{expected.code}`"


def _both(text: Bilingual) -> str:
    return f"{text.fr}<br>*{text.en}*"


if __name__ == "__main__":
    PAGE.write_text(page(read_scenarios()), encoding="utf-8")
