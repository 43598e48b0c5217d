"""A scenario and what came of it, for a person and for a program."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from lacolle.demo.view import View
from lacolle.scenarios.document import Effect, Scenario
from lacolle.scenarios.outcomes import Outcome
from lacolle.scenarios.run import Played, ScenarioResult
from schemas.bilingual import Bilingual, Language
from schemas.ids import ParticipantId
from schemas.withholding.manifest import Withheld


def listed(scenarios: Iterable[Scenario], language: Language) -> list[dict[str, str]]:
    """Return the list that ``lacolle demo --scenarios --json`` prints."""
    return [{"name": each.name, "relation": each.relation.bilingual.in_language(language)} for each in scenarios]


def result_document(result: ScenarioResult, language: Language) -> dict[str, Any]:
    """Return what ``lacolle demo --scenario NAME --json`` prints; sentences stand in both languages."""
    return {
        **listed([result.scenario], language)[0],
        "shows": _both(result.scenario.shows.bilingual),
        "agreements": list(result.scenario.agreements),
        "alerts": [_played_document(each) for each in result.played],
        "as_expected": result.as_expected,
    }


def _played_document(played: Played) -> dict[str, Any]:
    return {
        "part": played.part,
        "caption": _both(played.alert.caption.bilingual),
        "alert_id": played.alert_id,
        "sender": played.sent["sender"],
        "type": played.sent["type"],
        "seen": [
            {
                "participant": participant,
                "gets": str(outcome.effect),
                "code": outcome.code,
                "reason": _both(outcome.reason),
                "under": outcome.under or None,
                "withheld": [each.model_dump(mode="json", exclude_none=True) for each in outcome.withheld],
                "copy": outcome.document,
            }
            for participant, outcome in sorted(played.outcomes.items())
        ],
        "differences": [
            {"participant": participant, "difference": _both(words)} for participant, words in played.differences
        ],
    }


def _both(text: Bilingual) -> dict[str, str]:
    return {"fr": text.fr, "en": text.en}


def rendered(result: ScenarioResult, view: View) -> RenderableType:
    """Return a played scenario: each alert, what each side saw of it, and whether that is what it should be."""
    scenario = result.scenario
    told = Text(scenario.shows.bilingual.in_language(view.language))
    title = scenario.relation.bilingual.in_language(view.language)
    return Group(Panel(told, title=title, border_style="dim"), *(_alert(each, view) for each in result.played))


def _alert(played: Played, view: View) -> RenderableType:
    table = Table.grid(padding=(0, 2))
    table.add_column(width=1)
    table.add_column(no_wrap=True)
    table.add_column(ratio=1)
    for participant, outcome in sorted(played.outcomes.items()):
        mark, style = _MARKS[outcome.effect]
        table.add_row(Text(mark, style=style), Text(participant, style=style), _sight(outcome, view))
    heading = view.heading(played.alert.caption.bilingual, played.sent)
    return Group(heading, table, *(_difference(each, view) for each in played.differences), Text())


def _sight(outcome: Outcome, view: View) -> Text:
    words = _EFFECTS[outcome.effect].in_language(view.language)
    text = Text(words, style="bold")
    text.append(f" · {outcome.reason.in_language(view.language)}", style="dim not bold")
    for withheld in outcome.withheld:
        text.append(f"\n  · {_withheld(withheld, view.language)}", style="yellow not bold")
    return text


def _withheld(withheld: Withheld, language: Language) -> str:
    return f"{withheld.pointer}  {_TREATMENTS[withheld.done].in_language(language)}"


def _difference(difference: tuple[ParticipantId, Bilingual], view: View) -> Text:
    participant, words = difference
    return Text(f"! {participant}  {words.in_language(view.language)}", style="bold red")


_MARKS: Final = {
    Effect.WHOLE: ("✓", "green"),
    Effect.DERIVED: ("◐", "yellow"),
    Effect.HELD: ("…", "magenta"),
    Effect.DENIED: ("✗", "red"),
}
_EFFECTS: Final = {
    Effect.WHOLE: Bilingual(fr="reçoit l'alerte entière", en="receives the whole alert"),
    Effect.DERIVED: Bilingual(fr="reçoit une copie partielle", en="receives a partial copy"),
    Effect.HELD: Bilingual(fr="rien sans consentement", en="nothing without consent"),
    Effect.DENIED: Bilingual(fr="ne reçoit rien", en="receives nothing"),
}
_TREATMENTS: Final = {
    "redact": Bilingual(fr="retiré", en="left out"),
    "pseudonym": Bilingual(fr="remplacé par un pseudonyme", en="replaced by a pseudonym"),
    "year": Bilingual(fr="réduit à l'année", en="reduced to the year"),
    "region": Bilingual(fr="réduit à la région", en="reduced to the region"),
}
