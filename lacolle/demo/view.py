"""What a person sees of the demonstration: each alert as it happens, whom it reached, whom not, and why."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from lacolle.client import Status
from lacolle.demo.scenario import Document
from schemas.bilingual import Bilingual, Language


class View:
    """Renders in one language."""

    def __init__(self, console: Console, language: Language) -> None:
        self.console = console
        self.language = language

    def words(self, fr: str, en: str) -> str:
        """Return a sentence in the view's language."""
        return fr if self.language == "fr" else en

    def heading(self, caption: Bilingual, alert: Document) -> Text:
        """Return the two lines above an alert's outcome."""
        line = Text()
        line.append(caption.in_language(self.language), style="bold")
        line.append(f"\n{alert['sender']}", style="cyan")
        line.append(f"  {alert['msgType']}  {alert['type']}  {alert['identifier']}", style="dim")
        return line

    def outcome(self, heading: Text, status: Status | None) -> RenderableType:
        """Return an alert's block: decisions, deliveries and acknowledgements as they stand."""
        if status is None:
            return Group(heading, Text(self.words("  en route…", "  on its way…"), style="dim"), Text())
        table = Table.grid(padding=(0, 2))
        table.add_column(width=1)
        table.add_column(no_wrap=True)
        table.add_column(ratio=1)
        deliveries = {delivery.participant: delivery for delivery in status.deliveries}
        for decision in status.decisions:
            delivery = deliveries.get(decision.participant)
            if delivery is None:
                continue
            said = ", ".join(self._status_word(word.status) for word in delivery.acknowledgements)
            told = f"{decision.under} · {decision.lane} · {self._state(delivery.state)}"
            table.add_row(
                Text("✓", style="green"),
                Text(decision.participant, style="green"),
                Text(told + (f" · {said}" if said else "")),
            )
        for reason, participants in self._denials(status).items():
            table.add_row(Text("✗", style="red"), Text(participants, style="red"), Text(reason, style="dim"))
        index = self.words("inscription n°", "log entry")
        return Group(heading, Text(f"{index} {status.log_index}", style="dim"), table, Text())

    def refusal(self, heading: Text, reason: str) -> RenderableType:
        """Return the block of an alert that the exchange refused."""
        refused = self.words("refusée", "refused")
        return Group(
            heading,
            Text(f"✗ {refused} : " if self.language == "fr" else f"✗ {refused}: ", style="red"),
            Text(reason, style="dim"),
            Text(),
        )

    def summary(self, summary: Mapping[str, Any], unaccounted: Iterable[str]) -> RenderableType:
        """Return the last panel: the figures, the log's root, and whether all of it adds up."""
        table = Table.grid(padding=(0, 2))
        decisions = summary["decisions"]
        for name, value in (
            (self.words("acceptées", "accepted"), summary["accepted"]),
            (self.words("refusées", "refused"), summary["refused"]),
            (self.words("décisions", "decisions"), self._decisions(decisions)),
            (self.words("remises", "delivered"), summary["delivered"]),
            (self.words("avec accusé de réception", "acknowledged"), summary["acknowledged"]),
            (self.words("en attente", "pending"), summary["pending"]),
            (self.words("inscriptions au journal", "log entries"), summary["log_size"]),
            (self.words("racine", "root"), summary["root"]),
            (self.words("messagerie", "bus"), summary["bus"]),
            (self.words("base de données", "store"), summary["store"]),
        ):
            table.add_row(Text(name, style="bold"), str(value))
        faults = list(unaccounted)
        if summary["verified"] and not faults:
            verdict = Text(
                self.words(
                    "Le journal est vérifié hors ligne, et tout ce qui a été accepté est justifié.",
                    "The log verifies offline, and everything accepted is accounted for.",
                ),
                style="bold green",
            )
        else:
            verdict = Text(
                "\n".join([self.words("Tout n'est pas justifié :", "Not accounted for:"), *faults]), style="bold red"
            )
        return Panel(Group(table, Text(), verdict), title=self.words("Bilan", "Summary"), border_style="dim")

    def _decisions(self, decisions: Mapping[str, int]) -> str:
        return self.words(
            f"{decisions['permit']} permises, {decisions['deny']} refusées",
            f"{decisions['permit']} permits, {decisions['deny']} denials",
        )

    def _denials(self, status: Status) -> dict[str, str]:
        """Return the participants by the reason that keeps an alert from them; the clause that came closest speaks."""
        grouped: dict[str, list[str]] = {}
        for decision in status.decisions:
            if decision.decision == "deny":
                reason = decision.considered[0].reason if decision.considered else decision.reason
                told = reason.bilingual.in_language(self.language)
                if decision.considered:
                    told = (
                        f"{decision.considered[0].clause} : {told}"
                        if self.language == "fr"
                        else f"{decision.considered[0].clause}: {told}"
                    )
                grouped.setdefault(told, []).append(decision.participant)
        return {reason: "\n".join(participants) for reason, participants in grouped.items()}

    def _state(self, state: str) -> str:
        known = {
            "pending": self.words("en attente", "waiting"),
            "published": self.words("en route", "on its way"),
            "delivered": self.words("remise", "delivered"),
            "refused": self.words("refusée par le partenaire", "refused by the partner"),
            "expired": self.words("échue", "expired"),
            "withheld": self.words("retenue", "withheld"),
        }
        return known.get(state, state)

    def _status_word(self, status: str) -> str:
        known = {"received": self.words("reçue, signé", "received, signed")}
        return known.get(status, status)
