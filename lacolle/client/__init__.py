"""A typed client of the exchange's wire contract: ``Client``, what it answers, and ``lacolle.errors``."""

from __future__ import annotations

from lacolle.client.answers import (
    Accepted,
    Acknowledged,
    ConsentAnswered,
    Decision,
    Delivery,
    Hold,
    Participant,
    Preview,
    Question,
    Recipient,
    Status,
)
from lacolle.client.client import Client

__all__ = [
    "Accepted",
    "Acknowledged",
    "Client",
    "ConsentAnswered",
    "Decision",
    "Delivery",
    "Hold",
    "Participant",
    "Preview",
    "Question",
    "Recipient",
    "Status",
]
