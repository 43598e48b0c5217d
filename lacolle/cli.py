"""The ``lacolle`` command, composed of ``lacolle.commands``."""

from __future__ import annotations

import typer

from lacolle.commands import (
    agreements,
    audit,
    consents,
    consuming,
    database,
    decisions,
    demonstration,
    evidence,
    holds,
    keys,
    logs,
    operating,
    ops,
    reconciling,
    sending,
    statements,
    witness,
)


def application() -> typer.Typer:
    """Return the command with all its subcommands."""
    app = typer.Typer(
        name="lacolle",
        help="An exchange of signed alerts between jurisdictions.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
    )
    for module in (
        operating,
        ops,
        database,
        keys,
        sending,
        consuming,
        reconciling,
        statements,
        agreements,
        consents,
        holds,
        decisions,
        audit,
        evidence,
        logs,
        witness,
        demonstration,
    ):
        module.add_to(app)
    return app


def main() -> None:
    """Run the command that the process was started with."""
    application()()
