"""What every question to the log has: the options that say what is asked for, why, and whom to believe."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import typer

WhyOption = Annotated[
    str,
    typer.Option("--justification", envvar="LACOLLE_JUSTIFICATION", help="Why you ask; it becomes part of the log."),
]
LogKeyOption = Annotated[
    str | None,
    typer.Option("--log-key", envvar="LACOLLE_LOG_KEY", help="The log's verifier key, as published: whom to believe."),
]
LogKey = Annotated[
    str, typer.Option("--log-key", envvar="LACOLLE_LOG_KEY", help="The log's verifier key, name+id+key, as published.")
]
KindOption = Annotated[str, typer.Option("--kind", help="A kind of entry, such as accepted or delivered.")]
JurisdictionOption = Annotated[
    str, typer.Option("--jurisdiction", help="Entries to which this jurisdiction is a party too.")
]
AboutOption = Annotated[str, typer.Option("--about", help="A participant that acts, sends, receives or is asked.")]
AgreementOption = Annotated[str, typer.Option("--agreement", help="An agreement, whatever its version.")]
ClauseOption = Annotated[str, typer.Option("--clause", help="A clause, id/version#clause.")]
AlertOption = Annotated[str, typer.Option("--alert", help="The exchange's id of an alert.")]
TypeOption = Annotated[str, typer.Option("--type", help="A type of alerts.")]
ToOption = Annotated[str, typer.Option("--to", help="A recipient, or the jurisdiction of several.")]
AfterOption = Annotated[int | None, typer.Option("--after", min=0, help="Entries after this index: the next page.")]
LimitOption = Annotated[int, typer.Option("--limit", min=1, max=200, help="Entries at most.")]
TextOption = Annotated[str, typer.Option("--text", help="Letters or digits in an alert's identifier.")]
SinceOption = Annotated[str, typer.Option("--from", help="From this instant on (RFC 3339).")]
UntilOption = Annotated[str, typer.Option("--until", help="Until before this instant (RFC 3339).")]


def given(filters: Mapping[str, str]) -> dict[str, str]:
    """Return the filters that were given: an option that was not is empty."""
    return {name: value for name, value in filters.items() if value}
