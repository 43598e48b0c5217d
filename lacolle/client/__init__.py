"""A typed client of the exchange's wire contract: ``Client``, what it answers, and ``lacolle.errors``."""

from __future__ import annotations

from lacolle.client.answers import Accepted, Acknowledged, Decision, Delivery, Participant, Preview, Recipient, Status
from lacolle.client.client import Client

__all__ = [
    "Accepted",
    "Acknowledged",
    "Client",
    "Decision",
    "Delivery",
    "Participant",
    "Preview",
    "Recipient",
    "Status",
]
