"""A partner that reads its own topics on Kafka itself: there is nothing left to hand over.

An adapter reads a record only where the brokers have it, and they keep it for the partner, which may read it by its own
name: its topics are its inbox, as a directory is. So every message is Delivered, ``on its own topics``, and what the
partner then made of it, its own signed acknowledgement says. The exchange goes on with the thread, and with what waits
for the partner, as it would after any delivery.

The copy that counts is the record; it must still be there when the partner reads. Topics keep records for longer than
deliveries are tried (``topics.retention_hours``).
"""

from __future__ import annotations

from adapters.contract import Message
from schemas.parcels import Delivered, Outcome


class OwnTopicsTransport:
    """See ``adapters.contract.Transport``; a partner recognises a message that comes again by its ``ce_id``."""

    async def deliver(self, message: Message) -> Outcome:  # noqa: ARG002 - the partner has it already
        """Say that the message is where the partner takes it."""
        return Delivered("on its own topics")

    async def close(self) -> None:
        """Do nothing: there is no connection."""
