"""``lacolle audit received``, ``sent``, ``withheld``, ``overdue``, ``looked``: what auditors ask most."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

import typer

from lacolle.commands.auditing import (
    AfterOption,
    AgreementOption,
    AlertOption,
    ClauseOption,
    LimitOption,
    LogKeyOption,
    SinceOption,
    ToOption,
    TypeOption,
    UntilOption,
    WhyOption,
    given,
)
from lacolle.commands.entry_pages import print_page
from lacolle.commands.frame import Connection, framed
from lacolle.commands.voice import Voice

AlertArgument = Annotated[str, typer.Argument(help="The exchange's id of the alert.")]


def add_to(group: typer.Typer) -> None:
    """Add the questions to the group ``audit``."""
    for question in (received, sent, withheld, overdue, looked):
        group.command()(framed(question))


def received(
    *,
    voice: Voice,
    connection: Connection,
    alert_id: AlertArgument,
    justification: WhyOption,
    after: AfterOption = None,
    limit: LimitOption = 50,
    log_key: LogKeyOption = None,
) -> None:
    """Show who received this alert: each delivery, and each recipient's own word."""
    asking = _Asking(voice, connection, justification, after, limit, log_key)
    asking.ask("received", {"alert_id": alert_id})


def sent(
    *,
    voice: Voice,
    connection: Connection,
    to: Annotated[str, typer.Option("--to", help="A recipient, or the jurisdiction of several.")],
    justification: WhyOption,
    agreement: AgreementOption = "",
    clause: ClauseOption = "",
    alert_type: TypeOption = "",
    since: SinceOption = "",
    until: UntilOption = "",
    after: AfterOption = None,
    limit: LimitOption = 50,
    log_key: LogKeyOption = None,
) -> None:
    """Show what was delivered to a recipient: under one agreement or clause, in one month, of one type."""
    filters = {
        "to": to,
        "agreement": agreement,
        "clause": clause,
        "type": alert_type,
        "from": since,
        "until": until,
    }
    asking = _Asking(voice, connection, justification, after, limit, log_key)
    asking.ask("sent", filters)


def withheld(
    *,
    voice: Voice,
    connection: Connection,
    justification: WhyOption,
    alert_id: AlertOption = "",
    to: ToOption = "",
    agreement: AgreementOption = "",
    since: SinceOption = "",
    until: UntilOption = "",
    after: AfterOption = None,
    limit: LimitOption = 50,
    log_key: LogKeyOption = None,
) -> None:
    """Show what was withheld, from whom, and why."""
    filters = {"alert_id": alert_id, "to": to, "agreement": agreement, "from": since, "until": until}
    asking = _Asking(voice, connection, justification, after, limit, log_key)
    asking.ask("withheld", filters)


def overdue(
    *,
    voice: Voice,
    connection: Connection,
    justification: WhyOption,
    to: ToOption = "",
    agreement: AgreementOption = "",
    since: SinceOption = "",
    until: UntilOption = "",
    after: AfterOption = None,
    limit: LimitOption = 50,
    log_key: LogKeyOption = None,
) -> None:
    """Show acknowledgements that are overdue, and still awaited."""
    filters = {"to": to, "agreement": agreement, "from": since, "until": until}
    asking = _Asking(voice, connection, justification, after, limit, log_key)
    asking.ask("overdue", filters)


def looked(
    *,
    voice: Voice,
    connection: Connection,
    alert_id: AlertArgument,
    justification: WhyOption,
    after: AfterOption = None,
    limit: LimitOption = 50,
    log_key: LogKeyOption = None,
) -> None:
    """Show who looked at what concerns an alert, and why they said they did; exports may have held it."""
    asking = _Asking(voice, connection, justification, after, limit, log_key)
    asking.ask("looked", {"alert_id": alert_id})


@dataclass(frozen=True, slots=True)
class _Asking:
    """How a question is asked: by whom and why, which page of its answer, and with which key it is believed."""

    voice: Voice
    connection: Connection
    justification: str
    after: int | None
    limit: int
    log_key: str | None

    def ask(self, question: str, filters: Mapping[str, str]) -> None:
        """Ask, and show the page."""
        with self.connection.client() as client:
            page = client.log_entries(
                given(filters),
                justification=self.justification,
                after=self.after,
                limit=self.limit,
                log_key=self.log_key,
                question=question,
            )
        print_page(page, self.voice, believed=self.log_key is not None)
