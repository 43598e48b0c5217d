"""The account of a demonstration: what was sent, and whether all of it is accounted for.

It is made from outside: from the exchange's answers to those who sent, from what partners hold, and from the log as it
verifies offline. An accepted alert is accounted for when its receipt is honoured by the log, every recipient that the
receipt's answer names has it and nobody else does, and each delivery has come to an end.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from audit.entry import read_entry
from audit.kinds import Kind
from audit.queries import LoggedEntry
from audit.verify import VerifiedLog
from lacolle.client import Accepted, Status
from lacolle.demo.partners import PartnerEndpoint
from schemas.ids import ParticipantId


@dataclass(frozen=True, slots=True)
class Sent:
    """An alert that was accepted: the exchange's answer, and what its sender read back last."""

    accepted: Accepted
    status: Status


@dataclass(slots=True)
class Tally:
    """What has been sent so far."""

    sent: list[Sent] = field(default_factory=list)
    refused: int = 0

    def summary(self, log: VerifiedLog | None) -> dict[str, Any]:
        """Return the summary that ``lacolle demo --json`` prints; ``log`` is None where it did not verify."""
        decisions = [decision for sent in self.sent for decision in sent.status.decisions]
        deliveries = [delivery for sent in self.sent for delivery in sent.status.deliveries]
        return {
            "accepted": len(self.sent),
            "refused": self.refused,
            "decisions": {
                "permit": sum(decision.decision == "permit" for decision in decisions),
                "deny": sum(decision.decision == "deny" for decision in decisions),
            },
            "delivered": sum(delivery.state == "delivered" for delivery in deliveries),
            "acknowledged": sum(bool(delivery.acknowledgements) for delivery in deliveries),
            "pending": sum(delivery.state in ("pending", "published") for delivery in deliveries),
            "log_size": 0 if log is None else log.size,
            "root": None if log is None else log.root.hex(),
            "verified": log is not None,
        }

    def unaccounted(
        self, partners: Mapping[ParticipantId, PartnerEndpoint], entries: Mapping[int, LoggedEntry]
    ) -> list[str]:
        """Return a line for everything that does not add up; none where all of it does.

        ``entries`` are the log's, by index, for each receipt.
        """
        lines: list[str] = []
        for sent in self.sent:
            lines += _receipt_faults(sent.accepted, entries.get(sent.accepted.log_index))
            lines += _delivery_faults(sent, partners.values())
        return lines


def _receipt_faults(accepted: Accepted, entry: LoggedEntry | None) -> Iterable[str]:
    if entry is None:
        yield f"{accepted.alert_id}: the log has no entry {accepted.log_index}"
        return
    logged = read_entry(entry.canonical)
    if (logged.kind, logged.alert_id, logged.content["digest"]) != (
        Kind.ACCEPTED,
        accepted.alert_id,
        accepted.receipt.digest,
    ):
        yield f"{accepted.alert_id}: entry {accepted.log_index} is not what the receipt promises"


def _delivery_faults(sent: Sent, partners: Iterable[PartnerEndpoint]) -> Iterable[str]:
    unreleased = {each.participant for each in sent.status.deliveries if each.consents and each.state != "delivered"}
    named = {recipient.participant for recipient in sent.accepted.recipients} - unreleased
    open_still = [each for each in sent.status.deliveries if each.state in ("pending", "published")]
    for delivery in open_still:
        yield f"{sent.accepted.alert_id}: the delivery to {delivery.participant} is {delivery.state}"
    for partner in partners:
        holds = any(taken.alert_id == sent.accepted.alert_id for taken in partner.inbox.taken.values())
        participant = partner.member.participant
        if holds and participant not in named:
            yield f"{sent.accepted.alert_id}: {participant} holds it and was not to"
        if participant in named and not holds:
            yield f"{sent.accepted.alert_id}: {participant} was to have it and does not"
