"""A CAP 1.2 message of an alert from which something is withheld.

The message is one that the schema of OASIS accepts, and says what it lacks. Each value that is left is written where it
is of its element's type: a pseudonym is no time, and a year is none either. An element that CAP requires and that was
withheld says so:

===================================  =======================================================
urgency, severity, certainty         ``Unknown``
category                             ``Other``
mimeType                             ``application/octet-stream``
identifier                           the exchange's own id of the alert
any other text                       ``[retenu / withheld]``
geocode, eventCode, parameter        left out, where the name or the value is
sent, status, msgType, scope         nothing can stand for these: there is no CAP message
===================================  =======================================================

The manifest stands in every info block as parameters, one for each of its lines, and in ``note`` as a sentence in both
languages; a message without info blocks has that alone. It is told, not signed: CAP has no place for our signature.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from schemas.alerts.fields import TEXT_PATTERN
from schemas.bilingual import Bilingual
from schemas.formats.cap_grammar import ALERT, Row
from schemas.formats.cap_writer import PREFIX, Members, Values, alert_values
from schemas.withholding.manifest import Manifest, Withheld
from schemas.withholding.pseudonyms import PREFIX as PSEUDONYM

PLACEHOLDER: Final = "[retenu / withheld]"
"""Stands for a text that CAP requires and that was withheld."""


class NotWritableError(Exception):
    """Something was withheld that no CAP message can do without. The message is fixed and shows nothing."""

    def __init__(self) -> None:
        super().__init__("something was withheld that no CAP message can do without")


def copy_values(document: Members, manifest: Manifest) -> Values:
    """Return what the ``alert`` element of a recipient's copy holds.

    Raises ``KeyError`` for a type that there is not, and ``NotWritableError``.
    """
    values = alert_values(document)
    told = tuple(_told(each) for each in manifest.withheld)
    digest = {"valueName": f"{PREFIX}manifest", "value": f"{manifest.alert_id} {manifest.original}"}
    return _fitted(
        {
            **values,
            "identifier": values.get("identifier") or f"{PREFIX}{manifest.alert_id}",
            "note": "\n".join(line for line in (values.get("note"), _note(manifest)) if isinstance(line, str)),
            "info": [{**block, "parameter": [*block["parameter"], digest, *told]} for block in values["info"]],
        },
        ALERT.rows,
    )


def words_of(manifest: Manifest) -> Bilingual:
    """Return how much a copy lacks, and under which clauses."""
    places = sum(each.places for each in manifest.withheld)
    clauses = ", ".join(sorted({each.under for each in manifest.withheld}))
    return Bilingual(
        fr=f"Copie incomplète : {places} élément(s) de l'original retenus ou réduits selon {clauses}.",
        en=f"Incomplete copy: {places} item(s) of the original withheld or reduced under {clauses}.",
    )


def _note(manifest: Manifest) -> str:
    words = words_of(manifest)
    return f"{words.fr} / {words.en}"


def _told(each: Withheld) -> Values:
    mark = "" if each.mark is None else f"mark={each.mark} "
    said = f"{each.done} under={each.under} {mark}because={each.because} places={each.places}"
    return {"valueName": f"{PREFIX}manifest:{each.pointer}", "value": said}


def _fitted(values: Values, rows: Sequence[Row]) -> Values:
    """Return values of which each is of its element's type, with what stands for required ones."""
    return {row.name: _children(values.get(row.name), row) for row in rows}


def _children(found: object, row: Row) -> Sequence[Any]:
    items = found if isinstance(found, (list, tuple)) else [found]
    fit = [each for item in items for each in _item(item, row)][: row.most]
    return fit or ([_stand_in(row)] if row.least else [])


def _item(item: object, row: Row) -> Iterator[Any]:
    match item:
        case Mapping() if row.name in _PAIRS:
            pair = {each.name: list(_item(item.get(each.name), each)) for each in row.rows}
            if all(pair.values()):
                yield pair
        case Mapping() if row.rows:
            yield _fitted(item, row.rows)
        case str() if not row.rows and _WRITABLE.fullmatch(item) and not (row.name in _DRAWN and _made_up(item)):
            text = row.text(item)
            if text is not None:
                yield text
        case _:
            pass


def _made_up(text: str) -> bool:
    return text.startswith(PSEUDONYM)


def _stand_in(row: Row) -> str:
    if row.name in _UNSAID:
        return _UNSAID[row.name]
    if row.text is not str:
        raise NotWritableError
    return PLACEHOLDER


_WRITABLE: Final = re.compile(TEXT_PATTERN, re.DOTALL)
_PAIRS: Final = frozenset({"geocode", "eventCode", "parameter"})
"""Half of one says nothing, or something wrong."""
_DRAWN: Final = frozenset({"polygon", "circle"})
_UNSAID: Final[Mapping[str, str]] = {
    "urgency": "Unknown",
    "severity": "Unknown",
    "certainty": "Unknown",
    "category": "Other",
    "mimeType": "application/octet-stream",
}
"""What says that nothing is said, in CAP's own closed lists (CAP 1.2 section 3.2.2) and RFC 2046 section 4.5.1."""
