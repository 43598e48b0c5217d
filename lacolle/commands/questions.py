"""``lacolle audit received``, ``sent``, ``withheld``, ``overdue``, ``looked``: what auditors ask most."""

from __future__ import annotations

from collections.abc import Mapping
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
    with connection.client() as client:
        page = client.log_entries(
            {"alert_id": alert_id},
            justification=justification,
            after=after,
            limit=limit,
            log_key=log_key,
            question="received",
        )
    print_page(page, voice, believed=log_key is not None)


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
    with connection.client() as client:
        page = client.log_entries(
            _given(filters), justification=justification, after=after, limit=limit, log_key=log_key, question="sent"
        )
    print_page(page, voice, believed=log_key is not None)


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
    with connection.client() as client:
        page = client.log_entries(
            _given(filters), justification=justification, after=after, limit=limit, log_key=log_key, question="withheld"
        )
    print_page(page, voice, believed=log_key is not None)


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
    with connection.client() as client:
        page = client.log_entries(
            _given(filters), justification=justification, after=after, limit=limit, log_key=log_key, question="overdue"
        )
    print_page(page, voice, believed=log_key is not None)


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
    with connection.client() as client:
        page = client.log_entries(
            {"alert_id": alert_id},
            justification=justification,
            after=after,
            limit=limit,
            log_key=log_key,
            question="looked",
        )
    print_page(page, voice, believed=log_key is not None)


def _given(filters: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in filters.items() if value}
