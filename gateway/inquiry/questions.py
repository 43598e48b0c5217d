"""Ready-made questions to the log: what auditors ask most, by name, as the search that it comes to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from audit.kinds import Kind
from gateway.errors import InvalidQueryError
from gateway.inquiry.asked import Asked, read_filters
from schemas.bilingual import Bilingual


@dataclass(frozen=True, slots=True)
class Question:
    """A question: which filters it needs and takes, and which entries answer it.

    ``looking`` asks who was shown the alert, rather than for its own entries; with ``unanswered``, what was
    acknowledged since is left out.
    """

    caption: Bilingual
    kinds: frozenset[Kind]
    needs: frozenset[str] = frozenset()
    takes: frozenset[str] = frozenset()
    looking: bool = False
    unanswered: bool = False

    def read(self, given: Mapping[str, str], *, after: int) -> Asked:
        """Return what filters ask of it. Raises ``InvalidQueryError`` for one that it lacks, or does not take."""
        named = {name for name, value in given.items() if value}
        for missing in sorted(self.needs - named):
            raise InvalidQueryError(_lacks(missing))
        for strange in sorted(named - self.needs - self.takes):
            raise InvalidQueryError(_has_no(strange))
        asked = read_filters(given, after=after)
        terms, one_of = asked.search.terms, frozenset(f"kind:{kind}" for kind in self.kinds)
        if self.looking:
            terms, one_of = terms - {f"alert:{given['alert_id']}"}, one_of | {f"looked:{given['alert_id']}"}
        return replace(asked, search=replace(asked.search, terms=terms, one_of=(one_of,)))


_WHEN: Final = frozenset({"from", "until"})
_UNDER: Final = frozenset({"agreement", "clause", "type"})
QUESTIONS: Final[Mapping[str, Question]] = {
    "received": Question(
        caption=Bilingual(fr="Qui a reçu cette alerte", en="Who received this alert"),
        kinds=frozenset({Kind.DELIVERED, Kind.ACKNOWLEDGED}),
        needs=frozenset({"alert_id"}),
        takes=frozenset({"to"}),
    ),
    "sent": Question(
        caption=Bilingual(fr="Ce qui a été remis à un destinataire", en="What was delivered to a recipient"),
        kinds=frozenset({Kind.DELIVERED}),
        needs=frozenset({"to"}),
        takes=_UNDER | _WHEN,
    ),
    "withheld": Question(
        caption=Bilingual(fr="Ce qui a été retenu, et pourquoi", en="What was withheld, and why"),
        kinds=frozenset({Kind.WITHHELD}),
        takes=_UNDER | _WHEN | {"alert_id", "to"},
    ),
    "overdue": Question(
        caption=Bilingual(
            fr="Les accusés de réception en retard, toujours attendus",
            en="Acknowledgements that are overdue, and still awaited",
        ),
        kinds=frozenset({Kind.ACKNOWLEDGEMENT_OVERDUE}),
        takes=_UNDER | _WHEN | {"alert_id", "to"},
        unanswered=True,
    ),
    "looked": Question(
        caption=Bilingual(
            fr="Qui a consulté ce qui concerne cette alerte; les exportations peuvent l'avoir contenue",
            en="Who looked at what concerns this alert; exports may have held it",
        ),
        kinds=frozenset({Kind.EXPORT_ENDED}),
        needs=frozenset({"alert_id"}),
        takes=_WHEN,
        looking=True,
    ),
}
"""The questions by name."""


def _lacks(name: str) -> Bilingual:
    return Bilingual(fr=f"cette question demande le paramètre {name}", en=f"this question needs the parameter {name}")


def _has_no(name: str) -> Bilingual:
    return Bilingual(fr=f"cette question n'a pas de paramètre {name}", en=f"this question takes no parameter {name}")
