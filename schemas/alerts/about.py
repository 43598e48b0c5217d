"""Alerts about persons: what of their header may name one, or tell of one's health.

A headline such as "Wanted: …" says what the body's ``name`` says. An agreement that withholds a class must find it
there too, so these alerts carry marks in their header; alerts that name nobody by definition carry none.
"""

from __future__ import annotations

from typing import Annotated

from schemas.alerts.fields import Line, Uri, Words, many
from schemas.alerts.header import Alert, Info
from schemas.alerts.marks import HEALTH, IDENTIFYING


class InfoAboutBelongings(Info):
    """What is happening to something that leads to a person: a vehicle, an account, a herd."""

    headline: Annotated[Line | None, IDENTIFYING] = None
    description: Annotated[Words | None, IDENTIFYING] = None
    instruction: Annotated[Words | None, IDENTIFYING] = None
    web: Annotated[Uri | None, IDENTIFYING] = None


class AlertAboutBelongings(Alert):
    """An alert whose free text may say whose something is."""

    note: Annotated[Words | None, IDENTIFYING] = None
    info: Annotated[tuple[InfoAboutBelongings, ...], many(64)] = ()


class InfoAboutPerson(Info):
    """What is happening to a person or by one."""

    headline: Annotated[Line | None, IDENTIFYING, HEALTH] = None
    description: Annotated[Words | None, IDENTIFYING, HEALTH] = None
    instruction: Annotated[Words | None, IDENTIFYING, HEALTH] = None
    web: Annotated[Uri | None, IDENTIFYING, HEALTH] = None


class AlertAboutPerson(Alert):
    """An alert whose free text may say who somebody is, and of what health."""

    note: Annotated[Words | None, IDENTIFYING, HEALTH] = None
    info: Annotated[tuple[InfoAboutPerson, ...], many(64)] = ()
