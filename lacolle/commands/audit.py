"""``lacolle audit query``, ``show``: the log as an auditor reads it, each entry proven before it is shown."""

from __future__ import annotations

from typing import Annotated

import orjson
import typer

from lacolle.commands import exports, proofs, questions
from lacolle.commands.auditing import (
    AboutOption,
    AfterOption,
    AgreementOption,
    AlertOption,
    ClauseOption,
    JurisdictionOption,
    KindOption,
    LimitOption,
    LogKeyOption,
    SinceOption,
    TextOption,
    ToOption,
    TypeOption,
    UntilOption,
    WhyOption,
    given,
)
from lacolle.commands.entry_pages import believed_words, caption_of, print_page, withheld_words
from lacolle.commands.frame import Connection, framed
from lacolle.commands.inputs import InputError
from lacolle.commands.proofs import NOT_THERE
from lacolle.commands.voice import Voice


def add_to(app: typer.Typer) -> None:
    """Add the group ``audit`` to the command."""
    group = typer.Typer(help="The log as auditors ask it.", no_args_is_help=True)
    group.command()(framed(query))
    group.command()(framed(show))
    questions.add_to(group)
    proofs.add_to(group)
    exports.add_to(group)
    app.add_typer(group, name="audit")


def query(
    *,
    voice: Voice,
    connection: Connection,
    justification: WhyOption,
    kind: KindOption = "",
    jurisdiction: JurisdictionOption = "",
    about: AboutOption = "",
    agreement: AgreementOption = "",
    clause: ClauseOption = "",
    alert_id: AlertOption = "",
    alert_type: TypeOption = "",
    to: ToOption = "",
    text: TextOption = "",
    since: SinceOption = "",
    until: UntilOption = "",
    after: AfterOption = None,
    limit: LimitOption = 50,
    log_key: LogKeyOption = None,
) -> None:
    """Find entries that have all that is asked for, oldest first. Each is held against the signed checkpoint."""
    filters = {
        "kind": kind,
        "jurisdiction": jurisdiction,
        "participant": about,
        "agreement": agreement,
        "clause": clause,
        "alert_id": alert_id,
        "type": alert_type,
        "to": to,
        "text": text,
        "from": since,
        "until": until,
    }
    with connection.client() as client:
        page = client.log_entries(
            given(filters), justification=justification, after=after, limit=limit, log_key=log_key
        )
    print_page(page, voice, believed=log_key is not None)


def show(
    *,
    voice: Voice,
    connection: Connection,
    index: Annotated[int, typer.Argument(min=0, help="The entry's place in the log.")],
    justification: WhyOption,
    log_key: LogKeyOption = None,
) -> None:
    """Show one entry whole, proven."""
    before = index - 1 if index else None
    with connection.client() as client:
        page = client.log_entries({}, justification=justification, after=before, limit=1, log_key=log_key)
    if not page.entries or page.entries[0].index != index:
        raise InputError(NOT_THERE)
    shown = page.entries[0]
    caption = caption_of(str(shown.entry["kind"]))
    voice.answer(
        shown.model_dump(mode="json"),
        [
            caption,
            orjson.dumps(shown.told, option=orjson.OPT_INDENT_2).decode(),
            *withheld_words(shown, voice),
            believed_words(page, believed=log_key is not None),
        ],
    )
