"""What a simulation found, in tables, for a person at a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from lacolle.commands.voice import Voice
from schemas.bilingual import Bilingual


def show(told: Mapping[str, Any], *, voice: Voice, console: Console) -> None:
    """Print ``gateway.simulation.findings.findings_document``: changes first, then who, what, under which clause."""
    for line in _lines(told):
        console.print(voice.words(line), highlight=False, markup=False, soft_wrap=True)
    shown = Tables(voice, console)
    shown.table(_RECIPIENTS, ("participant", *_COPIES), told["recipients"])
    shown.table(_TYPES, ("type", "alerts", "changed"), told["types"])
    shown.table(_CLAUSES, ("clause", "before", "after"), told["clauses"])
    shown.table(_WITHHELD, ("pointer", "treatment", "before", "after"), told["withheld"])
    shown.table(_SAMPLES, ("alert_id", "gained", "lost", "changed"), told["samples"])


class Tables:
    """Tables in one language; one without rows is left out."""

    def __init__(self, voice: Voice, console: Console) -> None:
        self._voice = voice
        self._console = console

    def table(self, title: Bilingual, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
        """Print some members of each row."""
        drawn = Table(title=self._voice.words(title), title_justify="left")
        for column in columns:
            figures = column in _FIGURES and title is not _SAMPLES
            justify: Any = "right" if figures else "left"
            whole = column == "alert_id"  # who copies one must get it in one piece
            drawn.add_column(self._voice.words(_HEADS[column]), justify=justify, overflow="fold", no_wrap=whole)
        for row in rows:
            drawn.add_row(*[self._cell(row[column]) for column in columns])
        if drawn.row_count:
            self._console.print(drawn)

    def _cell(self, value: object) -> str:
        match value:
            case list():
                return ", ".join(map(str, value))
            case str() if value in _TREATMENTS:
                return self._voice.words(_TREATMENTS[value])
            case _:
                return str(value)


def _lines(told: Mapping[str, Any]) -> Iterable[Bilingual]:
    draft, copies = told["draft"], told["copies"]
    yield Bilingual(
        fr=f"{draft['id']}, version {draft['version']}, comme si elle avait été en vigueur du {told['since']} au "
        f"{told['until']} :",
        en=f"{draft['id']}, version {draft['version']}, as if it had been in force from {told['since']} to "
        f"{told['until']}:",
    )
    yield Bilingual(
        fr=f"Alertes examinées : {told['alerts']}; elle changerait quelque chose pour {told['changed']} d'entre elles.",
        en=f"Alerts looked at: {told['alerts']}; it would change something about {told['changed']} of them.",
    )
    yield Bilingual(
        fr=f"Copies : {copies['before']} avant, {copies['after']} après (de plus : {copies['gained']}, de moins : "
        f"{copies['lost']}, à d'autres conditions : {copies['changed']}).",
        en=f"Copies: {copies['before']} before, {copies['after']} after (more: {copies['gained']}, fewer: "
        f"{copies['lost']}, on other terms: {copies['changed']}).",
    )
    if told["unreadable"]:
        yield Bilingual(
            fr="Alertes effacées, ou que cette version du logiciel ne peut relire, laissées de côté : "
            f"{told['unreadable']}.",
            en="Alerts that were erased, or that this version of the software can't read, left out: "
            f"{told['unreadable']}.",
        )
    yield Bilingual(fr="Rien n'a été transmis ni conservé.", en="Nothing was sent or stored.")


_COPIES: Final = ("before", "after", "gained", "lost", "changed")
_FIGURES: Final = frozenset({*_COPIES, "alerts"})
_RECIPIENTS: Final = Bilingual(fr="Copies par destinataire", en="Copies by recipient")
_TYPES: Final = Bilingual(fr="Alertes par type", en="Alerts by type")
_CLAUSES: Final = Bilingual(fr="Copies par clause", en="Copies by clause")
_WITHHELD: Final = Bilingual(fr="Copies où le champ est masqué", en="Copies in which the field is withheld")
_SAMPLES: Final = Bilingual(fr="Exemples d'alertes changées", en="Samples of alerts that change")
_HEADS: Final = {
    "participant": Bilingual(fr="destinataire", en="recipient"),
    "type": Bilingual(fr="type", en="type"),
    "clause": Bilingual(fr="clause", en="clause"),
    "pointer": Bilingual(fr="champ", en="field"),
    "treatment": Bilingual(fr="traitement", en="treatment"),
    "alert_id": Bilingual(fr="alerte", en="alert"),
    "alerts": Bilingual(fr="alertes", en="alerts"),
    "before": Bilingual(fr="avant", en="before"),
    "after": Bilingual(fr="après", en="after"),
    "gained": Bilingual(fr="de plus", en="gained"),
    "lost": Bilingual(fr="de moins", en="lost"),
    "changed": Bilingual(fr="changées", en="changed"),
}
_TREATMENTS: Final = {
    "redact": Bilingual(fr="retiré", en="left out"),
    "pseudonym": Bilingual(fr="pseudonyme", en="pseudonym"),
    "year": Bilingual(fr="réduit à l'année", en="year alone"),
    "region": Bilingual(fr="réduit à la région", en="region alone"),
}
