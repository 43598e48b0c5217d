"""Many alerts at once: lines that go out together, results that come back in order, and those to be sent again.

A line is a submission of either form; the bytes themselves say which.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import httpx2
import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lacolle.errors import UnexpectedAnswerError
from schemas.bilingual import Bilingual

MEDIA_TYPE: Final = "application/jose-seq"
MOST_LINES: Final = 1_000
MOST_BYTES: Final = 8 * 1024 * 1024
"""How large a batch is made, in bytes: half of what an exchange takes unless it was told otherwise."""
_COME_AGAIN: Final = frozenset({429, 503})


class BatchResult(BaseModel):
    """What the exchange says of one line: what a call of its own would have been answered."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    status: int = Field(ge=100, le=599)
    retry_after: int | None = None
    body: dict[str, Any]

    @property
    def is_to_come_again(self) -> bool:
        """Whether the same line may be accepted later."""
        return self.status in _COME_AGAIN

    def as_answer(self) -> httpx2.Response:
        """Return the answer that a call of its own would have had."""
        accepted = self.status < httpx2.codes.MULTIPLE_CHOICES
        headers = {"Content-Type": "application/json" if accepted else "application/problem+json"}
        if self.retry_after is not None:
            headers["Retry-After"] = str(self.retry_after)
        return httpx2.Response(self.status, headers=headers, content=orjson.dumps(self.body))


def parted(submissions: Sequence[bytes]) -> Iterator[Sequence[int]]:
    """Yield the places of the submissions that go out together, in their order."""
    together: list[int] = []
    size = 0
    for place, submission in enumerate(submissions):
        if together and (len(together) == MOST_LINES or size + len(submission) + 1 > MOST_BYTES):
            yield together
            together, size = [], 0
        together.append(place)
        size += len(submission) + 1
    if together:
        yield together


def read_results(answer: httpx2.Response, *, lines: int) -> list[BatchResult]:
    """Return the results of so many lines. Raises ``UnexpectedAnswerError`` where there are not as many."""
    try:
        found = [BatchResult.model_validate_json(line) for line in answer.content.splitlines()]
    except ValidationError:
        raise UnexpectedAnswerError(_NOT_RESULTS) from None
    if len(found) != lines:
        raise UnexpectedAnswerError(_NOT_RESULTS)
    return found


def lines_again(lines: int, *, seconds: int) -> Bilingual:
    """Return what a sender is told of the lines that the exchange asks for once more."""
    return Bilingual(
        fr=f"La plateforme demande de renvoyer plus tard {lines} des alertes : nouvelles tentatives pendant "
        f"{seconds} s au plus.",
        en=f"The exchange asks to send {lines} of the alerts again later: trying again for {seconds} s at most.",
    )


_NOT_RESULTS: Final = Bilingual(
    fr="La réponse à l'envoi groupé n'est pas celle d'une plateforme Lacolle. Renvoyez les mêmes octets : aucun double "
    "n'en résultera.",
    en="The answer to the batch is not that of a Lacolle exchange. Send the same bytes again: no duplicate will come "
    "of it.",
)
