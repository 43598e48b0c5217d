"""``lacolle consent list``, ``show``, ``give``, ``refuse``: what one is asked before an alert is released.

A participant answers for itself. For a jurisdiction its authority does, whose key is given beside the connection of one
of its auditors, who may read what is asked of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Final

import typer

from lacolle.client import Question
from lacolle.commands.frame import Connection, framed
from lacolle.commands.named import called
from lacolle.commands.told import CONSENT_STATES
from lacolle.commands.voice import Voice
from lacolle.keyfiles import load_key_file
from schemas.bilingual import Bilingual
from schemas.consents import Answer

ConsentArgument = Annotated[str, typer.Argument(help="The question's id, as list shows it.")]


def add_to(app: typer.Typer) -> None:
    """Add the group ``consent`` to the command."""
    group = typer.Typer(help="Consents asked for before an alert is released.", no_args_is_help=True)
    group.command("list")(framed(listed))
    group.command()(framed(show))
    for name, decision, told in _ANSWERS:
        group.command(name)(framed(_answering(name, decision, told)))
    app.add_typer(group, name="consent")


def listed(
    *,
    voice: Voice,
    connection: Connection,
    every: Annotated[bool, typer.Option("--all", help="Also what can't be answered any more.")] = False,
) -> None:
    """List what you are asked to consent to, whatever ends first coming first."""
    with connection.client() as client:
        questions = client.consents(every=every)
    voice.answer(
        {"consents": [each.model_dump(mode="json") for each in questions]},
        [line for each in questions for line in _lines(each)] or [_NONE],
    )


def show(*, voice: Voice, connection: Connection, consent: ConsentArgument) -> None:
    """Show one question: which alert, for whom, under which clause, until when."""
    with connection.client() as client:
        question = client.consent(consent)
    voice.answer(question.model_dump(mode="json"), _lines(question))


def _answering(name: str, decision: Answer, told: Bilingual) -> Callable[..., None]:
    """Return the command that gives one answer."""

    def command(
        *,
        voice: Voice,
        connection: Connection,
        consent: ConsentArgument,
        authority_key: Annotated[
            Path | None,
            typer.Option("--authority-key", help="The authority's private key (JWK), where a jurisdiction is asked."),
        ] = None,
    ) -> None:
        authority = None if authority_key is None else load_key_file(authority_key)
        with connection.client() as client:
            answered = client.answer_consent(client.consent(consent), decision, authority=authority)
        place = answered.log_index
        line = Bilingual(fr=f"{told.fr} Inscription n° {place}.", en=f"{told.en} Log entry {place}.")
        voice.answer(answered.model_dump(mode="json"), [line])

    command.__name__ = name
    command.__doc__ = _HELP[decision]
    return command


def _lines(question: Question) -> Iterator[Bilingual | str]:
    state = CONSENT_STATES.get(question.state, Bilingual(fr=question.state, en=question.state))
    clause = f"{question.agreement}#{question.clause}"
    about = called(question.sender, question.identifier, question.type, question.status, question.msgType)
    yield question.consent_id
    yield Bilingual(fr=f"  {about.fr}", en=f"  {about.en}")
    codes = "".join(f", {code}" for code in question.handling.codes)
    yield f"  TLP:{question.handling.tlp}{codes}, {question.handling.purpose}"
    yield Bilingual(
        fr=f"  pour {question.recipient}, selon {clause}; demandé à {question.asked} : {state.fr}",
        en=f"  for {question.recipient}, under {clause}; asked of {question.asked}: {state.en}",
    )
    yield Bilingual(fr=f"  au plus tard le {question.deadline}", en=f"  by {question.deadline} at the latest")
    if question.passes_on:
        names = [called(question.asked, each) for each in question.passes_on]
        yield Bilingual(
            fr=f"  elle reprend vos alertes : {', '.join(each.fr for each in names)}",
            en=f"  it passes on your alerts: {', '.join(each.en for each in names)}",
        )


_NONE: Final = Bilingual(fr="Aucun consentement n'est demandé.", en="No consent is asked for.")
_ANSWERS: Final = (
    (
        "give",
        Answer.GIVEN,
        Bilingual(
            fr="Consentement donné; l'alerte part dès que chacun a consenti.",
            en="Consent given; the alert leaves once everyone has consented.",
        ),
    ),
    (
        "refuse",
        Answer.REFUSED,
        Bilingual(
            fr="Consentement refusé; l'alerte ne sera pas transmise.",
            en="Consent refused; the alert won't be released.",
        ),
    ),
)
_HELP: Final = {
    Answer.GIVEN: "Give consent: the alert is released once everyone who is asked has.",
    Answer.REFUSED: "Refuse consent: the alert is not released, whatever others say.",
}
