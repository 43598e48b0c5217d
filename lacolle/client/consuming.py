"""Reading one's own two topics on the exchange's Kafka, for a partner that wants no endpoint of its own.

``consume`` brings each alert to a handler, in the order of its thread, the urgent lane first. What it promises:

* a handler sees only what was signed (``lacolle.client.forms``): by the sender, with a key that was the sender's when
  it signed; or by the exchange, where it had to make a copy that the sender's signature can't be on. Whatever a copy
  lacks, a manifest that the exchange signed says;
* at least once, and once where nothing crashes in between: ``SeenDeliveries`` knows a delivery (``ce_id``) again;
* an alert is acknowledged after the handler returned, and the offset committed after that. Where the handler raises,
  ``consume`` ends with its error, and the alert comes again.

What can't be trusted, or is no parcel at all, goes to ``refused`` and is passed over: it would block the topic for
good. What can't be judged *yet* waits, with what follows in its thread, and is neither handled nor done meanwhile: an
alert whose key nobody who is believed has named so far, for ``Waits.key`` seconds, after which it is passed over; and
one for which nobody could be asked, as long as that lasts. Other threads go on. An acknowledgement that the exchange
can't take now is made again until it does; one that it refuses for good is told, and not made again.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Final

from bus.contract import BusUnavailableError, Received, Subscription
from bus.events import read_parcel
from bus.headers import MalformedRecordError
from bus.kafka import KafkaBus, KafkaRefusedError, KafkaSettings, KafkaSettingsError
from bus.topics import parcels_topics, partner_groups
from lacolle.client.copies import ConsumedAlert, trusted_copy
from lacolle.client.forms import CopyNotTrustedError, ExchangeKeysNow
from lacolle.client.postponing import AT_MOST, Postponed, PostponedThreads, mends_itself
from lacolle.client.seen import Progress, SeenDeliveries
from lacolle.client.senders import SenderKeys, SenderUnknownError
from lacolle.errors import (
    ConfigurationError,
    ExchangeUnreachableError,
    LacolleError,
    ProblemError,
    UnexpectedAnswerError,
)
from schemas.bilingual import Bilingual
from schemas.ids import ParticipantId
from schemas.parcels import Parcel

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
class Trouble:
    """What keeps a delivery from being finished; ``waits`` says whether it is tried again, until then nothing is lost.

    Where it is not, the alert was handled, and the exchange has no acknowledgement of it.
    """

    name: str
    reason: Bilingual
    waits: bool


@dataclass(frozen=True, slots=True)
class Waits:
    """How long what can't be finished waits, in seconds.

    ``key`` is how long for somebody to name the key of an alert, from when this process first had it; ``between`` how
    long from one try to the next.
    """

    key: float = 3600.0
    between: float = 5.0


async def _tell_nobody(_trouble: Trouble) -> None:
    return


@dataclass(frozen=True, slots=True)
class Hands:
    """What a partner does with what comes.

    ``handle`` gets each new alert. ``acknowledge``, where there is one, tells the exchange, and may block: it is called
    in a thread. ``refused`` gets what is passed over, ``troubled`` what has to wait and what was not acknowledged.
    """

    handle: Callable[[ConsumedAlert], Awaitable[None]]
    refused: Callable[[RefusedCopy], Awaitable[None]]
    acknowledge: Callable[[ConsumedAlert], object] | None = None
    troubled: Callable[[Trouble], Awaitable[None]] = _tell_nobody


async def consume(
    settings: KafkaSettings,
    *,
    folder: Path,
    participant: ParticipantId,
    keys: SenderKeys,
    exchange: ExchangeKeysNow,
    seen: SeenDeliveries,
    hands: Hands,
    now: Callable[[], datetime],
    group: str = DEFAULT_GROUP,
    count: int | None = None,
    waits: Waits = Waits(),
) -> None:
    """Consume a participant's topics until cancelled, or until ``count`` new alerts were handled.

    Paths in ``settings`` are relative to ``folder``. Processes with the same ``group`` share the work; a new group
    begins at the first alert that the brokers still have. ``exchange`` is asked for the exchange's own keys when a copy
    bears its signature (``Client.exchange_keys``). Raises ``ConfigurationError``, ``KafkaUnreachableError``,
    what the hands raise, but for ``acknowledge`` what the exchange answers, and what ``keys`` do where waiting can't
    mend it.
    """
    try:
        bus = KafkaBus(settings, folder=folder)
    except KafkaSettingsError as error:
        raise ConfigurationError(error.reason) from error
    try:
        subscription = await bus.subscribe(parcels_topics(participant), group=partner_groups(participant) + group)
        trusted = partial(trusted_copy, keys=keys, exchange=exchange)
        consumption = _Consumption(
            subscription, trusted=trusted, seen=seen, hands=hands, now=now, count=count, waits=waits
        )
        while not consumption.over:
            await consumption.next()
    except KafkaRefusedError as error:
        raise KafkaUnreachableError(error.reason) from error
    except BusUnavailableError as error:
        raise KafkaUnreachableError(_UNREACHABLE) from error
    finally:
        await bus.close()


class _Consumption:
    """One member of the group at work, until ``count`` alerts that were new are handled.

    What is refused does not count: behind one that waits, it comes again to every process.
    """

    def __init__(
        self,
        subscription: Subscription,
        *,
        trusted: Callable[[Parcel], ConsumedAlert],
        seen: SeenDeliveries,
        hands: Hands,
        now: Callable[[], datetime],
        count: int | None,
        waits: Waits,
    ) -> None:
        self._subscription = subscription
        self._trusted = trusted
        self._seen = seen
        self._hands = hands
        self._now = now
        self._left = count
        self._waits = waits
        self._postponed = PostponedThreads()
        self._unacknowledged: deque[tuple[Received, ConsumedAlert]] = deque()
        self._clock = asyncio.get_running_loop().time
        self._next_try = 0.0

    @property
    def over(self) -> bool:
        """Whether enough was finished, and nothing that was handled waits for its acknowledgement."""
        return self._enough and not self._unacknowledged

    @property
    def _enough(self) -> bool:
        return self._left is not None and self._left <= 0

    @property
    def _something_waits(self) -> bool:
        return bool(self._postponed or self._unacknowledged)

    async def next(self) -> None:
        """Wait for one record and finish or postpone it, and try again what is due. Raises as ``consume``."""
        received = await self._receive()
        if received is not None and (received.record.key in self._postponed or not await self._judged(received)):
            self._postpone(received)
        if self._something_waits and self._clock() >= self._next_try:
            await self._try_again()

    async def _receive(self) -> Received | None:
        """Return the next record; None where none is to be taken now, or none came before something is due."""
        if self._enough or len(self._postponed) >= AT_MOST:
            await asyncio.sleep(self._waits.between)
            return None
        try:
            async with asyncio.timeout(self._waits.between if self._something_waits else None):
                return await self._subscription.receive()
        except KafkaRefusedError:
            raise
        except BusUnavailableError:
            await asyncio.sleep(_PAUSE)
        except TimeoutError:
            pass  # what waits is due
        return None

    def _postpone(self, received: Received) -> None:
        if not self._something_waits:
            self._next_try = self._clock() + self._waits.between
        self._postponed.add(received, now=self._clock())

    async def _try_again(self) -> None:
        await self._postponed.judge(self._judged_again)
        while self._unacknowledged and await self._acknowledged(self._unacknowledged[0][1], told=True):
            received, _ = self._unacknowledged.popleft()
            await self._done(received)
        self._next_try = self._clock() + self._waits.between

    async def _judged_again(self, waiting: Postponed) -> bool:
        if self._enough:
            return False
        overdue = self._clock() - waiting.since >= self._waits.key
        return await self._judged(waiting.received, again=True, overdue=overdue)

    async def _judged(self, received: Received, *, again: bool = False, overdue: bool = False) -> bool:
        """Finish a record, or pass it over; False where it can't be judged yet."""
        name = received.record.topic
        try:
            parcel = read_parcel(received.record)
            name = parcel.delivery_id
            alert = await asyncio.to_thread(self._trusted, parcel)  # the keys may have to be asked for
        except MalformedRecordError as error:
            await self._pass_over(received, RefusedCopy(name, _no_parcel(error.reason)))
        except CopyNotTrustedError as error:
            await self._pass_over(received, RefusedCopy(name, error.reason))
        except LacolleError as error:
            unknown = isinstance(error, SenderUnknownError)
            if unknown and overdue:
                await self._pass_over(received, RefusedCopy(name, error.reason))
                return True
            if not unknown and not mends_itself(error):
                raise
            if not again:
                await self._hands.troubled(Trouble(name, error.reason, waits=True))
            return False
        else:
            await self._finish(received, alert)
        return True

    async def _pass_over(self, received: Received, refused: RefusedCopy) -> None:
        await self._hands.refused(refused)
        await self._done(received)

    async def _finish(self, received: Received, alert: ConsumedAlert) -> None:
        progress = self._seen.progress(alert.delivery_id)
        if progress is Progress.NEW:
            await self._hands.handle(alert)
            self._seen.handled(alert.delivery_id, at=self._now())
            self._left = None if self._left is None else self._left - 1
        # Where another waits already the exchange is not asked for each: that would hold up the alerts.
        if progress is Progress.ACKNOWLEDGED or (not self._unacknowledged and await self._acknowledged(alert)):
            await self._done(received)
            return
        if not self._something_waits:
            self._next_try = self._clock() + self._waits.between
        self._unacknowledged.append((received, alert))

    async def _acknowledged(self, alert: ConsumedAlert, *, told: bool = False) -> bool:
        """Acknowledge an alert; False where the exchange can't take that now. What it refuses is not tried again."""
        if self._hands.acknowledge is None:
            return True
        try:
            await asyncio.to_thread(self._hands.acknowledge, alert)
        except (ProblemError, ExchangeUnreachableError, UnexpectedAnswerError) as error:
            waits = mends_itself(error)
            if not (waits and told):
                await self._hands.troubled(Trouble(alert.delivery_id, error.reason, waits=waits))
            if waits:
                return False
        self._seen.acknowledged(alert.delivery_id)
        return True

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
