"""What a partner and the exchange compare: how many deliveries of a period each has in its books, and digests of them.

A delivery belongs to the period in which the instant lies that its id holds (RFC 9562 section 5.7), so both sides place
it alike, whenever it was tried and whenever it arrived. A *line* stands for one delivery that was handed over::

    <delivery id> SP <hexadecimal SHA-256 of the bytes as handed over, or "-"> LF

The bytes are the body in the partner's own format: a request's body, a record's value, a file. The lines of a *group*,
an agreement and lane, are sorted by delivery id, each delivery once; the group's digest is the SHA-256 of them all.
Whoever does not know under which agreement things came has one group, without agreement and lane, of everything.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Final, Self, TypeAlias

from pydantic import Field, StringConstraints, ValidationError, model_validator

from schemas.bilingual import Bilingual
from schemas.decisions import Lane
from schemas.faults import BrokenRuleError, first_fault
from schemas.fields import Part, Window
from schemas.ids import UUID_PATTERN, AgreementField, AgreementId, DeliveryId, ParticipantField, uuid7
from schemas.signing.canonical import canonical_plain_bytes
from schemas.signing.jws import RECONCILIATION, read_compact, verify
from schemas.signing.keys import PublicKey
from schemas.signing.strict_json import JsonError, parse_json
from schemas.timestamps import UtcText, utc_text

LONGEST_PERIOD: Final = timedelta(days=31)
MOST_GROUPS: Final = 200
MOST_LINES: Final = 100_000
"""Lines that are compared at once; of a group with more, a shorter period is compared."""
UNKNOWN: Final = "-"
"""The digest of a delivery whose bytes nobody hashed when it was handed over."""
LINE_BYTES: Final = 36 + 1 + 64 + 1
NOTHING: Final = f"sha-256:{hashlib.sha256().hexdigest()}"
"""The digest of a group without deliveries."""

GroupName: TypeAlias = tuple[AgreementId | None, Lane | None]
EVERYTHING: Final[GroupName] = (None, None)

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LINE: Final = re.compile(rf"({UUID_PATTERN[1:-1]}) ([0-9a-f]{{64}}|-)")


class MalformedLinesError(ValueError):
    """The bytes are not lines of a group; ``reason`` says why and shows none of them."""

    def __init__(self, reason: Bilingual) -> None:
        super().__init__(reason.en)
        self.reason = reason


class UnreadableStatementError(Exception):
    """The payload is signed and yet no statement of an exchange; ``reason`` says why without repeating it."""

    def __init__(self, reason: Bilingual) -> None:
        super().__init__(reason.en)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Line:
    """One delivery that was handed over; ``digest`` is 64 hexadecimal digits, or ``UNKNOWN``."""

    delivery_id: DeliveryId
    digest: str

    @property
    def written(self) -> bytes:
        """The line as digests have it."""
        return f"{self.delivery_id} {self.digest}\n".encode("ascii")


class Group(Part):
    """The deliveries under one agreement in one lane, or, without both, all of them."""

    agreement: AgreementField | None
    lane: Annotated[Lane, Field(strict=False)] | None
    deliveries: Annotated[int, Field(ge=0, le=1_000_000_000)]
    digest: Annotated[str, StringConstraints(pattern=r"^sha-256:[0-9a-f]{64}$")]

    @property
    def name(self) -> GroupName:
        """Which group it is."""
        return self.agreement, self.lane


class Period(Window):
    """A time whose deliveries are compared, of at most ``LONGEST_PERIOD``."""

    @model_validator(mode="after")
    def _short_enough(self) -> Self:
        if self.end - self.first > LONGEST_PERIOD:
            raise BrokenRuleError(
                Bilingual(fr="Une période compte 31 jours au plus.", en="A period has 31 days at most.")
            )
        return self

    @property
    def bounds(self) -> tuple[str, str]:
        """The first delivery id that could be inside, and the first that could be after."""
        first, end = (uuid7(at=max(each, _EPOCH), randomness=bytes(10)) for each in (self.first, self.end))
        return first, end


class _Statement(Period):
    participant: ParticipantField
    at: UtcText
    groups: Annotated[tuple[Group, ...], Field(strict=False, max_length=MOST_GROUPS)]

    @property
    def canonical(self) -> bytes:
        """The payload in its RFC 8785 form."""
        return canonical_plain_bytes(self.model_dump(mode="json"))


class PartnerStatement(_Statement):
    """What a partner says that it received: a JWS of ``typ`` ``reconciliation-statement+jws``.

    ``at`` is when it says so, UTC. It names each group once; where it names none by agreement and lane, one of
    everything.
    """

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        names = [group.name for group in self.groups]
        halves = [name for name in names if (name[0] is None) != (name[1] is None)]
        if halves or len(set(names)) < len(names) or (EVERYTHING in names and len(names) > 1):
            raise BrokenRuleError(
                Bilingual(
                    fr="Chaque groupe a une entente et une voie et n'est nommé qu'une fois; celui qui n'a ni l'une ni "
                    "l'autre est seul.",
                    en="Each group has an agreement and a lane and is named once; one that has neither is alone.",
                )
            )
        return self

    @property
    def in_one(self) -> bool:
        """Whether it says everything in one group."""
        return [group.name for group in self.groups] == [EVERYTHING]


class ExchangeStatement(_Statement):
    """What the exchange says that it handed over: a JWS of ``typ`` ``reconciliation+jws``.

    ``open`` counts deliveries of the period that may still be handed over. ``log_origin``, ``log_size`` and
    ``log_root`` (hexadecimal) name the checkpoint that was published last when it said so.
    """

    open: Annotated[int, Field(ge=0)]
    log_origin: str
    log_size: Annotated[int, Field(ge=1)]
    log_root: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class Tally:
    """Counts and digests lines, which are to be added in the order of their delivery ids."""

    def __init__(self) -> None:
        self._count = 0
        self._hash = hashlib.sha256()

    def add(self, line: Line) -> None:
        """Count one line."""
        self._count += 1
        self._hash.update(line.written)

    def group(self, name: GroupName) -> Group:
        """Return what was added so far as a group."""
        agreement, lane = name
        return Group(agreement=agreement, lane=lane, deliveries=self._count, digest=f"sha-256:{self._hash.hexdigest()}")


def tallied(lines: Iterable[tuple[GroupName, Line]]) -> tuple[Group, ...]:
    """Return the groups of lines that come in the order of their delivery ids, sorted by name."""
    tallies: dict[GroupName, Tally] = {}
    for name, line in lines:
        tallies.setdefault(name, Tally()).add(line)
    return in_order(tally.group(name) for name, tally in tallies.items())


def in_order(groups: Iterable[Group]) -> tuple[Group, ...]:
    """Return groups sorted by name."""
    return tuple(sorted(groups, key=lambda group: (group.agreement or "", group.lane or "")))


def read_lines(body: bytes, period: Period) -> list[Line]:
    """Return the lines of a group: sorted, each delivery once, all of the period, at most ``MOST_LINES``.

    Raises ``MalformedLinesError``.
    """
    return list(_lines(body, period))


def _lines(body: bytes, period: Period) -> Iterator[Line]:
    try:
        texts = body.decode("ascii").split("\n")
    except UnicodeDecodeError:
        raise MalformedLinesError(_NO_LINE) from None
    if texts.pop() or len(texts) > MOST_LINES:
        raise MalformedLinesError(_NO_LINE)
    before, (first, end) = "", period.bounds
    for text in texts:
        found = _LINE.fullmatch(text)
        if found is None:
            raise MalformedLinesError(_NO_LINE)
        if not before < found[1]:
            raise MalformedLinesError(_NOT_SORTED)
        if not first <= found[1] < end:
            raise MalformedLinesError(_NOT_INSIDE)
        before = found[1]
        yield Line(DeliveryId(found[1]), found[2])


def day_of(day: date) -> Period:
    """Return the period of one day, UTC."""
    begins = datetime.combine(day, time(), tzinfo=UTC)
    return Period.model_validate({"from": utc_text(begins), "until": utc_text(begins + timedelta(days=1))})


def read_exchange_statement(compact: bytes, key: PublicKey) -> ExchangeStatement:
    """Return what an exchange stated, now that it is known to be its word.

    Raises ``MalformedJwsError``, ``SignatureNotTrustedError`` and ``UnreadableStatementError``.
    """
    try:
        return ExchangeStatement.model_validate(parse_json(verify(read_compact(compact, RECONCILIATION), key)))
    except JsonError as error:
        raise UnreadableStatementError(error.reason) from None
    except ValidationError as error:
        raise UnreadableStatementError(first_fault(error)) from None


_NO_LINE: Final = Bilingual(
    fr="chaque ligne est un identifiant de livraison, une espace, 64 chiffres hexadécimaux ou « - », et une fin de "
    "ligne; 100 000 lignes au plus",
    en='each line is a delivery id, a space, 64 hexadecimal digits or "-", and a line feed; 100,000 lines at most',
)
_NOT_SORTED: Final = Bilingual(
    fr="les lignes sont triées par identifiant de livraison, chacun une seule fois",
    en="the lines are sorted by delivery id, each of them once",
)
_NOT_INSIDE: Final = Bilingual(
    fr="une ligne nomme une livraison d'une autre période", en="a line names a delivery of another period"
)
