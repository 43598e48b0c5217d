"""What a grant obliges the exchange to do with an alert that it lets through.

Frozen, permanently tagged data, as in ``agreements.conditions``: a tag is signed by every party, so never rename
one and never reuse one. An unknown tag makes the whole agreement invalid. To add an obligation: a class here, its
place in ``Obligation``, its sentence in ``agreements.explain``, a test.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

from schemas.decisions import Lane
from schemas.fields import Part


class LaneObligation(Part):
    """The lane that the alert travels in; ``routine`` where a grant names none."""

    obligation: Literal["lane"]
    lane: Lane


Obligation: TypeAlias = LaneObligation
"""Every obligation there is, told apart by its ``obligation`` member; a union once there is a second one."""


def lane_of(obligations: Sequence[Obligation]) -> Lane:
    """Return the lane that a grant's obligations name; ``routine`` where they name none."""
    for obligation in obligations:
        match obligation:
            case LaneObligation():
                return obligation.lane
    return Lane.ROUTINE
