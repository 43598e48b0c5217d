"""How a witness is asked, whoever carries the question."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass


class WitnessTroubleError(Exception):
    """A witness gave no answer, or none that helps; the text is a short fixed phrase."""


@dataclass(frozen=True, slots=True)
class WitnessAnswer:
    """What a witness answered."""

    status: int
    body: bytes


AskWitness = Callable[[str, bytes], Awaitable[WitnessAnswer]]
"""Posts a body to a witness's ``/add-checkpoint`` below an address. Raises ``WitnessTroubleError``."""


async def asks_nobody(_url: str, _body: bytes) -> WitnessAnswer:
    """Ask nobody: for an exchange without witnesses. Raises ``WitnessTroubleError``."""
    raise WitnessTroubleError("nobody to ask")
