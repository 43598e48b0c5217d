"""``lacolle reconcile``: compare what a partner received with what the exchange says that it handed over."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from pydantic import ValidationError

from lacolle.client.book import ReceivedBook, lines_in_folder
from lacolle.client.reconciling import DifferingDelivery, Lines, Reconciled
from lacolle.client.surroundings import MACHINE
from lacolle.commands.frame import Connection, framed
from lacolle.commands.voice import Voice
from lacolle.errors import ConfigurationError
from schemas.bilingual import Bilingual
from schemas.faults import first_fault
from schemas.reconciliation import NOTHING, Group, GroupName, Period, day_of


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(framed(reconcile))


def reconcile(
    *,
    voice: Voice,
    connection: Connection,
    book: Annotated[
        Path | None, typer.Option("--book", help="Your book of what came, as “lacolle consume --book” keeps it.")
    ] = None,
    folder: Annotated[
        Path | None, typer.Option("--folder", help="Or the folder that the exchange writes its files into.")
    ] = None,
    day: Annotated[str | None, typer.Option("--day", help="A day, UTC, like 2026-11-21. Default: yesterday.")] = None,
    begins: Annotated[
        str | None, typer.Option("--from", help="Or a period of 31 days at most: its first instant (RFC 3339, UTC),")
    ] = None,
    until: Annotated[str | None, typer.Option("--until", help="and the first instant after it.")] = None,
) -> None:
    """Compare what you received with what the exchange says that it handed to you; exit with 1 where that differs."""
    period = _period(day, begins, until, today=MACHINE.now().astimezone(UTC).date())
    lines = _lines(book, folder, period)
    with connection.client() as client:
        reconciled = client.reconcile(lines, period)
    voice.answer(_document(reconciled), _told(reconciled))
    if not reconciled.agreed:
        raise typer.Exit(1)


def _period(day: str | None, begins: str | None, until: str | None, *, today: date) -> Period:
    if (begins is None) != (until is None) or (day is not None and begins is not None):
        raise ConfigurationError(_ONE_PERIOD)
    try:
        if begins is not None:
            return Period.model_validate({"from": begins, "until": until})
        return day_of(today - timedelta(days=1) if day is None else datetime.strptime(day, "%Y-%m-%d").date())  # noqa: DTZ007 - a day alone, UTC by definition
    except ValidationError as error:
        raise ConfigurationError(first_fault(error)) from None
    except ValueError:
        raise ConfigurationError(_NO_DAY) from None


def _lines(book: Path | None, folder: Path | None, period: Period) -> Lines:
    match book, folder:
        case Path() as file, None:
            if not file.exists():  # a book that is made now would say that nothing ever came
                raise ConfigurationError(_no_book(file))
            with ReceivedBook(file) as opened:
                return opened.lines(period)
        case None, Path() as inbox:
            return lines_in_folder(inbox, period)
        case _:
            raise ConfigurationError(_ONE_BOOK)


def _document(reconciled: Reconciled) -> dict[str, Any]:
    stated = reconciled.statement
    return {
        "agreed": reconciled.agreed,
        "from": stated.start,
        "until": stated.until,
        "exchange": [each.model_dump(mode="json") for each in stated.groups],
        "partner": [each.model_dump(mode="json") for each in reconciled.partner],
        "open": stated.open,
        "differing": [
            {"agreement": each.partner.agreement, "lane": each.partner.lane, **each.named.model_dump(mode="json")}
            for each in reconciled.groups
        ],
        "statement": reconciled.signed,
        "log_index": reconciled.log_index,
    }


def _told(reconciled: Reconciled) -> Iterator[Bilingual | str]:
    stated = reconciled.statement
    yield Bilingual(
        fr=f"Remises du {stated.start} au {stated.until}, selon la plateforme et selon vous :",
        en=f"Deliveries from {stated.start} to {stated.until}, by the exchange and by you:",
    )
    ours, theirs = ({group.name: group for group in groups} for groups in (stated.groups, reconciled.partner))
    for name in sorted(ours.keys() | theirs.keys(), key=str):
        yield from _row(name, ours, theirs)
    if stated.open:
        yield Bilingual(
            fr=f"  encore en route : {stated.open}; comparez de nouveau plus tard.",
            en=f"  still on the way: {stated.open}; compare again later.",
        )
    for group in reconciled.groups:
        yield from (_difference(each) for each in group.named.deliveries)
        left = group.named.missing + group.named.extra + group.named.altered - len(group.named.deliveries)
        if left:
            yield Bilingual(fr=f"  ! et {left} autres", en=f"  ! and {left} more")
    verdict, place = _VERDICT[reconciled.agreed], reconciled.log_index
    yield Bilingual(fr=f"{verdict.fr} Inscription n° {place}.", en=f"{verdict.en} Log entry {place}.")


def _row(name: GroupName, ours: Mapping[GroupName, Group], theirs: Mapping[GroupName, Group]) -> Iterator[Bilingual]:
    agreement, lane = name
    counts = [groups[name].deliveries if name in groups else 0 for groups in (ours, theirs)]
    alike = len({groups[name].digest if name in groups else NOTHING for groups in (ours, theirs)}) == 1
    mark = "=" if alike else "!"
    every = Bilingual(fr="toutes ententes", en="every agreement")
    words = (
        every
        if agreement is None or lane is None
        else Bilingual(fr=f"{agreement} ({_LANES[lane.value].fr})", en=f"{agreement} ({_LANES[lane.value].en})")
    )
    yield Bilingual(
        fr=f"  {mark} {words.fr:<48} {counts[0]:>8} {counts[1]:>8}",
        en=f"  {mark} {words.en:<48} {counts[0]:>8} {counts[1]:>8}",
    )


def _difference(each: DifferingDelivery) -> Bilingual:
    words = _DIFFERENCES[each.difference]
    state = _STATES.get(each.state, Bilingual(fr=each.state, en=each.state))
    french, english = (_ACKNOWLEDGED.fr, _ACKNOWLEDGED.en) if each.acknowledged else ("", "")
    return Bilingual(
        fr=f"  ! {each.delivery_id} : {words.fr} (selon la plateforme : {state.fr}{french})",
        en=f"  ! {each.delivery_id}: {words.en} (by the exchange: {state.en}{english})",
    )


def _no_book(file: Path) -> Bilingual:
    return Bilingual(
        fr=f"Le registre {file} n'existe pas : indiquez celui que « lacolle consume --book » tient.",
        en=f"There is no book {file}: name the one that “lacolle consume --book” keeps.",
    )


_VERDICT: Final = {
    True: Bilingual(fr="Rien ne diffère.", en="Nothing differs."),
    False: Bilingual(
        fr="Les registres diffèrent : l'écart est inscrit au journal, et les administrations en cause le voient.",
        en="The books differ: it is in the log, where the jurisdictions concerned see it.",
    ),
}
_DIFFERENCES: Final = {
    "missing": Bilingual(fr="manque chez vous", en="missing at your end"),
    "extra": Bilingual(fr="reçue par vous", en="received by you"),
    "altered": Bilingual(fr="n'a pas les mêmes octets", en="not the same bytes"),
}
_STATES: Final = {
    "delivered": Bilingual(fr="remise", en="delivered"),
    "pending": Bilingual(fr="en attente", en="pending"),
    "published": Bilingual(fr="en cours de remise", en="being handed over"),
    "refused": Bilingual(fr="refusée", en="refused"),
    "expired": Bilingual(fr="délai écoulé", en="expired"),
    "withheld": Bilingual(fr="retenue", en="withheld"),
    "unknown": Bilingual(fr="inconnue", en="unknown"),
}
_LANES: Final = {
    "urgent": Bilingual(fr="urgente", en="urgent"),
    "routine": Bilingual(fr="courante", en="routine"),
}
_ACKNOWLEDGED: Final = Bilingual(fr=", et vous en avez accusé réception", en=", and you acknowledged it")
_ONE_PERIOD: Final = Bilingual(
    fr="Indiquez un jour (--day), ou une période (--from et --until).",
    en="Name a day (--day), or a period (--from and --until).",
)
_NO_DAY: Final = Bilingual(fr="Un jour s'écrit comme 2026-11-21.", en="A day is written like 2026-11-21.")
_ONE_BOOK: Final = Bilingual(
    fr="Indiquez votre registre (--book) ou le dossier de vos fichiers (--folder), l'un des deux.",
    en="Name your book (--book) or the folder of your files (--folder), one of the two.",
)
