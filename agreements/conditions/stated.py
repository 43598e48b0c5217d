"""What all conditions have in common."""

from __future__ import annotations

from typing import Annotated, ClassVar, Protocol, TypeAlias, TypeVar

from pydantic import AfterValidator, Field

from agreements.lists import some_once
from schemas.alerts.header import Alert
from schemas.decisions import Reason
from schemas.fields import Part

_Item = TypeVar("_Item")

Allowed: TypeAlias = Annotated[tuple[_Item, ...], Field(alias="in"), AfterValidator(some_once)]
"""The values that a condition allows: one at least, each once."""


class Stated(Part):
    """A condition as the parties state it; whether an alert must go on meeting it for as long as its thread lives."""

    binds_thread: ClassVar[bool] = False


class Requirement(Protocol):
    """A condition that an alert can be held to: hashable, and equal to what asks the same."""

    @property
    def binds_thread(self) -> bool:
        """Whether an alert must meet this for as long as its thread lives."""
        ...

    def unmet(self, alert: Alert) -> Reason | None:
        """Return why the alert does not meet this, or nothing where it does."""
        ...
