"""What a transport is, and what it is told.

A transport hands one message to one partner and reports what the partner said. It never retries, never catches
what it can't explain, keeps no state between messages that a restart would miss, and reads no settings.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from schemas.parcels import Outcome, Parcel


@dataclass(frozen=True, slots=True)
class Message:
    """A parcel in the partner's own format: the bytes, their media type and a file-name ending without a dot.

    ``data_schema`` is the URI of what the bytes adhere to in that format (CloudEvents 1.0, ``dataschema``).
    ``manifest`` is what goes beside the bytes, a compact JWS: what they lack, where they can't hold it; "" else.
    """

    parcel: Parcel
    content_type: str
    data_schema: str
    extension: str
    body: bytes
    manifest: str = ""


class Transport(Protocol):
    """A way to hand a message to one partner."""

    async def deliver(self, message: Message) -> Outcome:
        """Hand the message over and return what came of it.

        *Durability*: ``Delivered`` only after the partner itself, or its storage, has answered for the message.
        *Idempotency*: the same delivery id may come again, and must be recognisable to the partner as the same.
        *Concurrency*: safe to call from many tasks.
        *Errors*: whatever the partner or the network does is an outcome, not an exception.
        """
        ...

    async def close(self) -> None:
        """Release connections. Idempotent."""
        ...
