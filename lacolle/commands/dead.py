"""``lacolle ops dead``: the records that no adapter could handle, without what they hold."""

from __future__ import annotations

import asyncio
import logging
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from lacolle.commands.inputs import InputError
from lacolle.commands.voice import Voice
from schemas.bilingual import Bilingual
from schemas.ids import PARTICIPANT_PATTERN, ParticipantId
from schemas.timestamps import utc_text_of_ms

if TYPE_CHECKING:
    from lacolle.kafkaops.dead import Found


def dead(
    *,
    voice: Voice,
    directory: Annotated[
        Path, typer.Argument(metavar="DIRECTORY", help="The folder of the exchange, or its adapters.")
    ],
    participant: Annotated[str, typer.Option("--participant", help="Whose dead topic is read.")],
) -> None:
    """List the records that a participant's adapter could not handle: when, why, which delivery; never what they hold.

    With --json, each record is an object on a line of its own.
    """
    from lacolle.kafkaops.dead import dead_letters  # noqa: PLC0415 - the other commands need no Kafka

    if not re.fullmatch(PARTICIPANT_PATTERN, participant):
        raise InputError(_NO_PARTICIPANT)
    logging.getLogger("aiokafka").addHandler(logging.NullHandler())  # what it would complain of here, the error says
    found = asyncio.run(dead_letters(directory, ParticipantId(participant), environment=os.environ))
    for each in found:
        voice.answer(_document(each), [_line(each)])
    if not voice.as_json:
        voice.answer({}, [_count(len(found), participant)])


def _document(found: Found) -> dict[str, Any]:
    letter = found.letter
    return {
        "at": utc_text_of_ms(found.at_ms),
        "reason": letter.reason,
        "delivery_id": letter.delivery_id,
        "topic": letter.topic,
        "partition": found.partition,
        "offset": found.offset,
    }


def _line(found: Found) -> Bilingual:
    letter = found.letter
    known = f"{utc_text_of_ms(found.at_ms)}  {letter.delivery_id or '—':36}  "
    reason = _UNTOLD if letter.reason is None else reason_in_words(letter.reason)
    return Bilingual(fr=known + reason.fr, en=known + reason.en)


def reason_in_words(reason: str) -> Bilingual:
    """Return why a record is dead in both languages; a reason that this version does not know stays as it is."""
    for pattern, french in _REASONS:
        if told := re.fullmatch(pattern, reason):
            return Bilingual(fr=told.expand(french), en=reason)
    return Bilingual(fr=reason, en=reason)


def _count(count: int, participant: str) -> Bilingual:
    return Bilingual(
        fr=f"Enregistrements au rebut pour {participant} : {count}.", en=f"Dead records for {participant}: {count}."
    )


_REASONS: Final = (
    (r"the key is not as it should be", "la clé n'est pas conforme"),
    (r"(\S+) is not as it should be", r"\1 n'est pas conforme"),
    (r"(\S+) is missing", r"\1 manque"),
    (r"a header occurs twice", "un en-tête figure deux fois"),
    (r"the topic is not a recipient's", "le sujet n'est pas celui d'un destinataire"),
    (r"adapter fault: (\S+)", r"défaillance de l'adaptateur : \1"),
)
"""What ``bus.events`` and ``adapters.worker`` say of a record, and the same in French."""
_UNTOLD: Final = Bilingual(fr="raison inconnue", en="reason unknown")
_NO_PARTICIPANT: Final = Bilingual(
    fr="--participant n'est pas un identifiant de participant, comme us-ny.nysp.",
    en="--participant is not a participant's identifier, such as us-ny.nysp.",
)
