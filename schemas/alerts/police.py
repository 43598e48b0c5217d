# ruff: noqa: N815 - members are named alike in every type, as CAP's are
"""What every alert of a police matter has, and who and what is involved in one."""

from __future__ import annotations

from typing import Annotated, Literal

from schemas.alerts.fields import Line, Part, many
from schemas.alerts.header import Body
from schemas.alerts.online import Observable
from schemas.alerts.persons import Contact, Narrative, Person, RecordNumber


class Matter(Body):
    """A police matter in which persons are involved."""

    circumstances: Narrative
    caseNumber: Line | None = None
    records: Annotated[tuple[RecordNumber, ...], many(16)] = ()
    contact: Contact | None = None


class Involved(Part):
    """A person who has to do with the matter, and what is theirs on networks."""

    role: Literal[
        "suspect", "person-of-interest", "associate", "leader", "facilitator", "courier", "victim", "witness", "holder"
    ]
    person: Person
    observables: Annotated[tuple[Observable, ...], many(64)] = ()
    note: Narrative | None = None
