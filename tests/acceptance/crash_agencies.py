"""Agencies that post alerts from several connections, whatever happens to the exchange, and keep all that it answers.

What was not answered is tried again, with the same bytes or signed anew, and so is some of what was. Whom an alert
must reach stands here as the sample agreements have it in words, apart from the exchange's own decisions.
"""

from __future__ import annotations

import asyncio
import hashlib
import ssl
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from random import Random
from typing import Any, Final

import httpx2
import orjson

from lacolle.samples import World
from schemas.ids import ParticipantId
from schemas.signing.jws import ALERT, sign_compact

_EASTERN: Final = timezone(timedelta(hours=-5))
_PATIENCE: Final = 5.0
_FRESH: Final = 240.0
"""Seconds for which the exchange takes a signature: 300, less a margin."""
_ANSWERS: Final = (200, 201)


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of alert: who sends it, what is particular about it, and exactly whom it reaches.

    It reaches the same as the first of its thread, as an Update and as the Cancel. What an Update may make of it, in
    the same thread and in another lane to New York, is what it ``becomes``; whom that reaches, it has reached too.
    """

    sender: ParticipantId
    recipients: frozenset[ParticipantId]
    header: Mapping[str, Any] = field(default_factory=dict)
    info: Mapping[str, Any] = field(default_factory=dict)
    becomes: Kind | None = None


def _kind(
    sender: str, *recipients: str, header: dict[str, Any] | None = None, becomes: Kind | None = None, **info: str
) -> Kind:
    return Kind(ParticipantId(sender), frozenset(map(ParticipantId, recipients)), header or {}, info, becomes)


_WANTED: Final = {
    "type": "law-enforcement/wanted-person/v1",
    "body": {
        "person": {"name": {"surname": "Tremblay", "given": "Jean"}, "age": 41},
        "warrants": [
            {
                "number": "500-01-000001-266",
                "kind": "arrest",
                "issued": "2026-01-05",
                "court": "Cour du Québec",
                "jurisdiction": "CA-QC",
                "offences": [{"description": {"fr": "Vol qualifié", "en": "Robbery"}}],
                "extradition": "full",
            }
        ],
        "circumstances": "Vu la dernière fois à Saint-Jean-sur-Richelieu.",
    },
}
CHANGING: Final = (
    # in the urgent lane to New York, until it proves to be an exercise: routine, and nothing to Vermont
    _kind(
        "ca-qc.sq",
        "us-ny.nysp",
        "us-vt.vsp",
        becomes=_kind("ca-qc.sq", "us-ny.nysp", header={"status": "Exercise"}),
    ),
    # routine to everybody, until it is severe: urgent to New York
    _kind(
        "ca-qc.sq",
        "us-ny.nysp",
        "us-vt.vsp",
        "us-me.msp",
        header=_WANTED,
        severity="Moderate",
        becomes=_kind("ca-qc.sq", "us-ny.nysp", "us-vt.vsp", "us-me.msp", header=_WANTED),
    ),
)
"""Kinds whose threads change lanes."""
KINDS: Final = (
    *CHANGING,
    _kind("us-ny.nysp", "ca-qc.sq"),
    _kind("us-vt.vsp", "ca-qc.sq"),
    _kind("us-me.msp"),  # its agreement does not name stolen vehicles
    _kind("ca-qc.sq", "us-ny.nysp", certainty="Possible"),  # Vermont takes what was observed or is likely
    _kind("ca-qc.sq", "us-ny.nysp", header={"status": "Exercise"}),  # New York alone takes part in exercises
    _kind("ca-qc.sq", "us-vt.vsp", header={"addresses": ["us-vt.vsp"]}),
    _kind("ca-qc.sq", header={"handling": {"tlp": "RED", "codes": [], "purpose": "criminal-investigation"}}),
)


@dataclass(slots=True)
class Submission:
    """One alert of an agency: every signed form in which it was posted, and the answer, which must stay the same.

    ``answered_at`` is when it came first, on the clock of ``time.monotonic``.
    """

    kind: Kind
    document: dict[str, Any]
    signed: list[tuple[float, bytes]] = field(default_factory=list)
    answer: dict[str, Any] | None = None
    answers: int = 0
    answered_at: float = 0.0

    @property
    def identifier(self) -> str:
        """The sender's name for it."""
        return str(self.document["identifier"])

    @property
    def cancels(self) -> bool:
        """Whether it ends its thread."""
        return bool(self.document["msgType"] == "Cancel")

    @property
    def alert_id(self) -> str:
        """The exchange's name for it, once it has an answer."""
        assert self.answer is not None, f"{self.identifier} has no answer"
        return str(self.answer["alert_id"])

    @property
    def lanes(self) -> dict[ParticipantId, str]:
        """The lane in which it goes to each of its recipients, as it was answered."""
        assert self.answer is not None, f"{self.identifier} has no answer"
        return {each["participant"]: each["lane"] for each in self.answer["recipients"]}

    @property
    def digests(self) -> set[str]:
        """The digests of all its forms, as receipts write them."""
        return {f"sha-256:{hashlib.sha256(compact).hexdigest()}" for _, compact in self.signed}


@dataclass(slots=True)
class Agencies:
    """Everybody who sends. ``trouble`` lists what the exchange must never have answered.

    ``not_now`` are the statuses by which it may ask to be tried again, ``put_off`` counts how often it did, and
    ``cut_off`` how often nobody answered.
    """

    world: World
    dice: Random
    submissions: list[Submission] = field(default_factory=list)
    trouble: list[str] = field(default_factory=list)
    stopping: bool = False
    not_now: frozenset[int] = frozenset()
    put_off: int = 0
    cut_off: int = 0

    async def post(self, *, pause: float) -> None:
        """Post one alert after the other on one connection, with a pause of ``pause`` seconds on average."""
        own: list[Submission] = []
        async with client(self.world) as connection, client(self.world) as second:
            while not self.stopping:
                submission = self._next(own)
                calls = [self._submit(connection, submission)]
                if self.dice.random() < _TWICE_AT_ONCE:
                    calls.append(self._submit(second, submission))
                answered = await asyncio.gather(*calls)
                await asyncio.sleep(self.dice.uniform(0, 2 * pause) if all(answered) else _AWAY)

    async def post_batch(self, kind: Kind, count: int) -> list[Submission]:
        """Post so many new alerts of one kind at once, up to 1,000; each must be accepted."""
        first = len(self.submissions)
        batch = [Submission(kind, _document(kind, f"CRASH-{first + number}")) for number in range(count)]
        self.submissions.extend(batch)
        lines = b"\n".join(self._signed(submission, anew=True) for submission in batch)
        async with client(self.world) as connection:
            response = await connection.post(
                "/v1/alerts/batch", content=lines, headers={"Content-Type": "application/jose-seq"}, timeout=60.0
            )
        response.raise_for_status()
        for submission, line in zip(batch, response.content.splitlines(), strict=True):
            result = orjson.loads(line)
            if result["status"] not in _ANSWERS:
                self.trouble.append(f"{submission.identifier}: {result}")
            submission.answer = result["body"]
            submission.answers += 1
            submission.answered_at = time.monotonic()
        return batch

    async def finish(self) -> None:
        """Try again all that was not answered: with the same bytes, where the exchange still takes them, and anew."""
        async with client(self.world) as connection:
            for submission in self.submissions:
                if submission.answer is None:
                    await self._submit(connection, submission)
                    await self._submit(connection, submission, anew=True)

    def _next(self, own: list[Submission]) -> Submission:
        unanswered = [submission for submission in own if submission.answer is None]
        if unanswered and (len(unanswered) >= _OPEN or self.dice.random() < _TRIES_AGAIN):
            return self.dice.choice(unanswered)
        if own and self.dice.random() < _REPEATS:
            return self.dice.choice(own)
        submission = self._follow(own) if self.dice.random() < _FOLLOWS else None
        submission = submission or self._alert()
        own.append(submission)
        self.submissions.append(submission)
        return submission

    def _alert(self) -> Submission:
        kind = self.dice.choice(CHANGING if self.dice.random() < _CHANGES else KINDS)
        return Submission(kind, _document(kind, f"CRASH-{len(self.submissions)}"))

    def _follow(self, own: Sequence[Submission]) -> Submission | None:
        """Return an Update or the Cancel of one of the last alerts, some of which may be on their way still."""
        recent = [each for each in own[-_RECENT:] if each.answer is not None and not each.cancels]
        if not recent:
            return None
        earlier = self.dice.choice(recent)
        kind = earlier.kind
        if kind.becomes is not None and self.dice.random() < _BECOMES:
            kind = kind.becomes
        document = _document(kind, f"CRASH-{len(self.submissions)}")
        name = ",".join(str(earlier.document[member]) for member in ("sender", "identifier", "sent"))
        what = "Cancel" if self.dice.random() < _CANCELS else "Update"
        return Submission(kind, {**document, "msgType": what, "references": [name]})

    async def _submit(self, connection: httpx2.AsyncClient, submission: Submission, *, anew: bool = False) -> bool:
        """Post once; say whether there was an answer."""
        compact = self._signed(submission, anew=anew)
        try:
            response = await connection.post(
                "/v1/alerts", content=compact, headers={"Content-Type": "application/jose"}, timeout=_PATIENCE
            )
        except httpx2.TransportError:
            self.cut_off += 1
            return False  # the exchange was killed, or is not there yet: nobody knows what became of it
        if response.status_code in self.not_now:
            self.put_off += 1
            return False
        if response.status_code not in _ANSWERS:
            self.trouble.append(f"{submission.identifier}: {response.status_code} {response.text[:300]}")
            return True
        answer = orjson.loads(response.content)
        if submission.answer is not None and submission.answer != answer:
            self.trouble.append(f"{submission.identifier}: answered otherwise than the first time")
        submission.answered_at = submission.answered_at or time.monotonic()
        submission.answer = answer
        submission.answers += 1
        return True

    def _signed(self, submission: Submission, *, anew: bool) -> bytes:
        last = submission.signed[-1] if submission.signed else None
        stale = last is None or time.monotonic() - last[0] > _FRESH
        if last is not None and not stale and not anew and self.dice.random() < _SAME_BYTES:
            return last[1]
        key = self.dice.choice(self.world.members[submission.kind.sender].keys)
        compact = sign_compact(
            orjson.dumps(submission.document), key=key, profile=ALERT, iat=int(datetime.now(tz=UTC).timestamp())
        )
        submission.signed.append((time.monotonic(), compact))
        return compact


def client(world: World) -> httpx2.AsyncClient:
    """Return a client of the exchange, with a connection that it keeps."""
    limits = httpx2.Limits(max_connections=1)
    return httpx2.AsyncClient(base_url=world.base_url, limits=limits, trust_env=False, verify=_NO_AUTHORITIES)


_NO_AUTHORITIES: Final = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""The exchange is met over plain HTTP here; a client reads the system's authorities otherwise, for a quarter second."""
_AWAY: Final = 0.08
"""Seconds until a connection is tried again that was refused or broken."""
_OPEN: Final = 3
"""How many alerts without an answer a connection goes on with before it sends another."""
_TRIES_AGAIN: Final = 0.5
_REPEATS: Final = 0.1
_FOLLOWS: Final = 0.4
_RECENT: Final = 3
_CHANGES: Final = 0.6
_BECOMES: Final = 0.6
_CANCELS: Final = 0.25
_TWICE_AT_ONCE: Final = 0.05
_SAME_BYTES: Final = 0.5


def _document(kind: Kind, identifier: str) -> dict[str, Any]:
    now = datetime.now(tz=_EASTERN)
    levels = {"urgency": "Immediate", "severity": "Severe", "certainty": "Observed", **kind.info}
    block = {"category": ["Security"], **levels, "area": [{"areaDesc": "Lacolle"}]}
    return {
        "type": "law-enforcement/stolen-vehicle/v1",
        "identifier": identifier,
        "sender": kind.sender,
        "sent": now.isoformat(timespec="seconds"),
        "status": "Actual",
        "msgType": "Alert",
        "scope": "Restricted",
        "expires": (now + timedelta(days=1)).isoformat(timespec="seconds"),
        "handling": {"tlp": "AMBER", "codes": [], "purpose": "criminal-investigation"},
        "info": [
            {**block, "language": "fr-CA", "event": "Véhicule volé", "headline": f"Véhicule volé, {identifier}"},
            {**block, "language": "en-CA", "event": "Stolen vehicle", "headline": f"Stolen vehicle, {identifier}"},
        ],
        "body": {
            "vehicle": {"plate": {"number": "ABC 123", "jurisdiction": "CA-QC"}, "make": "Ford", "year": 2021},
            "circumstances": "Vol dans un stationnement public.",
        },
        **kind.header,
    }
