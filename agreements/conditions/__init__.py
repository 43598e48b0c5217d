"""What an alert must be for a grant to let it through.

Each condition is frozen, permanently tagged data that answers with the reason it is not met. A tag is signed by every
party, so never rename one and never reuse one; an unknown tag makes the whole agreement invalid, it is not skipped.

All of them fail closed:

* ``status`` and ``tlp`` stand on every grant, so that an exercise passes only where a grant names it, and nothing
  passes above a ceiling;
* ``severity``, ``urgency``, ``certainty``, ``language`` must hold in *every* info block: the most alarming block of an
  alert does not carry a milder one along;
* ``category``: every category that any block names must be allowed;
* ``area``: every area of every block must lie within, and what can't be told to lie within does not;
* ``handling``: every handling code of the alert must be allowed;
* an alert without info block meets no condition on info;
* an empty list would allow nothing, and is refused when the document is read.

``status``, ``tlp`` and ``handling`` bind an alert for as long as its thread lives; the others decide who a thread
reaches first (see ``agreements.decide``). To add a condition: a class in the module of its family, its place in
``Condition``, its sentence in ``agreements.explain``, when one implies another in ``agreements.meaning``, one truth
table in the tests.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, TypeAlias

from pydantic import Field

from agreements.conditions.area import AreaCondition, Region
from agreements.conditions.header import HandlingCondition, MsgTypeCondition, StatusCondition, TlpCondition
from agreements.conditions.info import (
    CategoryCondition,
    CertaintyCondition,
    LanguageCondition,
    SeverityCondition,
    UrgencyCondition,
)
from agreements.conditions.stated import Requirement

ListCondition: TypeAlias = (
    StatusCondition
    | MsgTypeCondition
    | HandlingCondition
    | SeverityCondition
    | UrgencyCondition
    | CertaintyCondition
    | CategoryCondition
    | LanguageCondition
)
"""The conditions that list what they allow."""

HeaderCondition: TypeAlias = StatusCondition | TlpCondition | MsgTypeCondition | HandlingCondition
"""The conditions on members of the header that every recipient's copy has, whatever is withheld from it."""

Condition: TypeAlias = Annotated[
    TlpCondition | AreaCondition | ListCondition,
    Field(discriminator="condition"),
]
"""Every condition there is, told apart by its ``condition`` member."""


def requirement(condition: Condition, regions: Iterable[Region]) -> Requirement:
    """Return what an alert is held to by a condition of a document that names these regions."""
    return condition.within(regions) if isinstance(condition, AreaCondition) else condition
