"""Reading one's own two topics on the exchange's Kafka, for a partner that wants no endpoint of its own.

``consume`` brings each alert to a handler, in the order of its thread, the urgent lane first. What it promises:

* a handler sees only what the sender signed: with a key that was the sender's when it signed, over these very bytes.
  The exchange's own signature stands on copies that it changed (redacted ones); this version knows none, so a copy that
  is not the original is refused rather than believed;
* at least once, and once where nothing crashes in between: ``SeenDeliveries`` knows a delivery (``ce_id``) again;
* an alert is acknowledged after the handler returned, and the offset committed after that. Where the handler raises,
  ``consume`` ends with its error, and the alert comes again.

What can't be trusted, or is no parcel at all, goes to ``refused`` and is passed over: it would block the topic for
good.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from bus.contract import BusUnavailableError, Received, Subscription
from bus.events import MalformedRecordError, read_parcel
from bus.kafka import KafkaBus, KafkaRefusedError, KafkaSettings, KafkaSettingsError
from bus.topics import parcels_topics, partner_groups
from lacolle.client.copies import ConsumedAlert, CopyNotTrustedError, trusted_copy
from lacolle.client.seen import Progress, SeenDeliveries
from lacolle.client.senders import SenderKeys
from lacolle.errors import ConfigurationError, LacolleError
from schemas.bilingual import Bilingual
from schemas.ids import ParticipantId

DEFAULT_GROUP: Final = "default"
_PAUSE: Final = 1.0
"""Seconds until brokers that are away are asked again."""


class KafkaUnreachableError(LacolleError):
    """The exchange's Kafka can't be reached, or does not let this partner in; nothing was lost."""


@dataclass(frozen=True, slots=True)
class RefusedCopy:
    """A record that was passed over, and why; ``name`` is its delivery id, or its topic where it has none."""

    name: str
    reason: Bilingual


@dataclass(frozen=True, slots=True)
class Hands:
    """What a partner does with what comes.

    ``handle`` gets each new alert. ``acknowledge``, where there is one, tells the exchange, and may block: it is called
    in a thread. ``refused`` gets what is passed over.
    """

    handle: Callable[[ConsumedAlert], Awaitable[None]]
    refused: Callable[[RefusedCopy], Awaitable[None]]
    acknowledge: Callable[[ConsumedAlert], object] | None = None


async def consume(
    settings: KafkaSettings,
    *,
    folder: Path,
    participant: ParticipantId,
    keys: SenderKeys,
    seen: SeenDeliveries,
    hands: Hands,
    now: Callable[[], datetime],
    group: str = DEFAULT_GROUP,
    count: int | None = None,
) -> None:
    """Consume a participant's topics until cancelled, or until ``count`` records were handled or refused.

    Paths in ``settings`` are relative to ``folder``. Processes with the same ``group`` share the work; a new group
    begins at the first alert that the brokers still have. Raises ``ConfigurationError``, ``KafkaUnreachableError``,
    what ``handle``, ``acknowledge`` and ``refused`` raise, and what ``keys`` do.
    """
    try:
        bus = KafkaBus(settings, folder=folder)
    except KafkaSettingsError as error:
        raise ConfigurationError(error.reason) from error
    try:
        subscription = await bus.subscribe(parcels_topics(participant), group=partner_groups(participant) + group)
        consumption = _Consumption(subscription, keys=keys, seen=seen, hands=hands, now=now)
        while count is None or consumption.finished < count:
            await consumption.next()
    except KafkaRefusedError as error:
        raise KafkaUnreachableError(error.reason) from error
    except BusUnavailableError as error:
        raise KafkaUnreachableError(_UNREACHABLE) from error
    finally:
        await bus.close()


class _Consumption:
    """One member of the group at work; ``finished`` counts what was new and is done with."""

    def __init__(
        self,
        subscription: Subscription,
        *,
        keys: SenderKeys,
        seen: SeenDeliveries,
        hands: Hands,
        now: Callable[[], datetime],
    ) -> None:
        self._subscription = subscription
        self._keys = keys
        self._seen = seen
        self._hands = hands
        self._now = now
        self.finished = 0

    async def next(self) -> None:
        """Wait for one record and finish it; where the brokers are away, wait a moment. Raises as ``consume``."""
        try:
            received = await self._subscription.receive()
        except KafkaRefusedError:
            raise
        except BusUnavailableError:
            await asyncio.sleep(_PAUSE)
            return
        try:
            alert = await self._trusted(received)
        except CopyNotTrustedError as error:
            await self._hands.refused(RefusedCopy(error.name, error.reason))
            self.finished += 1
        else:
            await self._finish(alert)
        await self._done(received)

    async def _trusted(self, received: Received) -> ConsumedAlert:
        try:
            parcel = read_parcel(received.record)
        except MalformedRecordError as error:
            raise CopyNotTrustedError(_no_parcel(error.reason), name=received.record.topic) from None
        return await asyncio.to_thread(trusted_copy, parcel, self._keys)  # the keys may have to be asked for

    async def _finish(self, alert: ConsumedAlert) -> None:
        progress = self._seen.progress(alert.delivery_id)
        if progress is Progress.NEW:
            await self._hands.handle(alert)
            self._seen.handled(alert.delivery_id, at=self._now())
            self.finished += 1
        if self._hands.acknowledge is not None and progress is not Progress.ACKNOWLEDGED:
            await asyncio.to_thread(self._hands.acknowledge, alert)
            self._seen.acknowledged(alert.delivery_id)

    async def _done(self, received: Received) -> None:
        try:
            await self._subscription.done(received)
        except BusUnavailableError:
            return  # the partition has changed hands: it comes again, and is known


def _no_parcel(reason: str) -> Bilingual:
    return Bilingual(
        fr=f"Cet enregistrement n'est pas un envoi de la plateforme ({reason}) : signalez-le à son exploitant.",
        en=f"This record is no parcel of the exchange's ({reason}): tell its operator.",
    )


_UNREACHABLE: Final = Bilingual(
    fr="Le Kafka de la plateforme ne répond pas : vérifiez bootstrap, le réseau et ca_file, puis relancez; rien "
    "n'est perdu.",
    en="The exchange's Kafka does not answer: check bootstrap, the network and ca_file, then run this again; nothing "
    "is lost.",
)
