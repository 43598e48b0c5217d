"""Whether another's object can be told from an absent one by how long the answer takes.

Alerts are sent to New York's police alone. An auditor of Maine, who is no party to anything of theirs, then asks for
them and for alerts that never were, whose ids differ from theirs in the last digits alone: in random order, one at a
time, over one connection. The ids that never were are drawn twice over, in two kinds, so that the run itself says how
far apart two kinds come out that can't differ.

The distance is Kolmogorov's and Smirnov's: the largest difference between two distributions, 0 where they are one, 1
where one glance tells them apart. Between as many draws of one distribution it passes ``chance`` one time in a hundred.
"""

from __future__ import annotations

import http.client
import json
import math
import os
import random
import time
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any, Final
from urllib.parse import urlencode

from benchmarks.exchange import SENDER, World, serving_exchange
from benchmarks.process import HOST, free_port, machine_ticks
from benchmarks.sample import alerts, sign
from lacolle.client.tokens import assertion
from lacolle.samples import Member, WorldOptions, build_world, everyone
from schemas.ids import ParticipantId

AUDITOR: Final = ParticipantId("us-me.auditor")
RECIPIENT: Final = ParticipantId("us-ny.nysp")
ALERTS: Final = 800
"""Alerts to choose among: their entries fill more than one segment of the log's index."""
KINDS: Final = ("foreign", "absent", "absent again")
_AT_ONCE: Final = 200
_UNHURRIED: Final = {"rate_per_second": 1e6, "burst": 1_000_000}
_OBJECTS: Final[Mapping[str, tuple[str, str]]] = {
    "alert": ("alerts:read", "/v1/alerts/{id}"),
    "evidence": ("alerts:read", "/v1/alerts/{id}/evidence"),
    "log": ("log:read", "/v1/log/entries?alert_id={id}"),
    "question": ("log:read", "/v1/log/questions/received?alert_id={id}"),
    "export": ("log:read", "/v1/log/exports?report=entries&format=ndjson&alert_id={id}"),
}
"""What is asked for, in which scope."""


@dataclass(frozen=True, slots=True)
class Likeness:
    """How long answers about one object took: milliseconds (p50) by kind; how far apart; what chance alone makes."""

    name: str
    asked: int
    medians: Mapping[str, float]
    distance: float
    distance_of_absent: float
    chance: float
    stolen_share: float


class NotAlikeError(Exception):
    """Two answers that must be the same are not."""


def measure(directory: Path, *, asked: int, engines: Mapping[str, Any]) -> list[Likeness]:
    """Serve an exchange from an empty directory and ask for each kind of each object so often.

    ``engines`` are its settings of database and bus. Raises ``NotAlikeError``, ``ServerDiedError``.
    """
    cast = everyone()
    name = {"fr": "Vérification", "en": "Audit"}
    auditor = {"participant": AUDITOR, "jurisdiction": "US-ME", "name": name, "roles": ["auditor"], "sends": []}
    cast = replace(cast, participants=[*cast.participants, auditor])
    port = free_port()
    settings = {"limits": _UNHURRIED, **engines}
    world = build_world(directory, WorldOptions(host=HOST, port=port, settings=settings, cast=cast))
    keys = tuple(key.to_jwk() for key in world.members[SENDER].keys)
    with serving_exchange(World(world.folder, port, SENDER, keys, ())):
        client = _Client(port, world.members[AUDITOR], issuer=world.base_url)
        foreign = client.send(keys)
        chance = random.Random(1)  # the same order each time
        return [client.compare(name, foreign, asked=asked, chance=chance) for name in _OBJECTS]


class _Client:
    """One connection, which asks as the auditor."""

    def __init__(self, port: int, auditor: Member, *, issuer: str) -> None:
        self._connection = http.client.HTTPConnection(HOST, port)
        self._auditor = auditor
        self._issuer = issuer

    def send(self, keys: Sequence[Mapping[str, str]]) -> list[str]:
        """Have the exchange take the alerts; return their ids."""
        now = datetime.now(UTC).replace(microsecond=0)
        made = ({**each, "addresses": [RECIPIENT]} for each in alerts("A", range(ALERTS), sender=SENDER, now=now))
        lines = list(sign(made, keys=keys, now=now))
        ids = []
        for at in range(0, ALERTS, _AT_ONCE):
            body, media = b"\n".join(lines[at : at + _AT_ONCE]), {"Content-Type": "application/jose-seq"}
            status, answer = self._ask("POST", "/v1/alerts/batch", media, body)
            results = [json.loads(line) for line in answer.splitlines()]
            if status != http.client.OK or any(each["status"] != http.client.CREATED for each in results):
                raise NotAlikeError(answer.decode()[:500])
            ids += [each["body"]["alert_id"] for each in results]
        return ids

    def compare(self, name: str, foreign: Sequence[str], *, asked: int, chance: random.Random) -> Likeness:
        """Ask for each kind of an object so often, in random order."""
        scope, path = _OBJECTS[name]
        headers = {"Authorization": f"Bearer {self._token(scope)}", "Justification": "a benchmark"}
        took: dict[str, list[float]] = {kind: [] for kind in KINDS}
        ticks, statuses = machine_ticks(), set[int]()
        for kind in chance.sample(KINDS, k=len(KINDS) * asked, counts=[asked] * len(KINDS)):
            known = chance.choice(foreign)
            alert_id = known if kind == "foreign" else f"{known[:-6]}{chance.getrandbits(24):06x}"
            began = time.perf_counter()
            status, _ = self._ask("GET", path.format(id=alert_id), headers)
            took[kind].append((time.perf_counter() - began) * 1000)
            statuses.add(status)
        if len(statuses) != 1:
            raise NotAlikeError(f"{name}: {sorted(statuses)}")
        return Likeness(
            name=name,
            asked=asked,
            medians={kind: median(each) for kind, each in took.items()},
            distance=distance(took["foreign"], took["absent"]),
            distance_of_absent=distance(took["absent"], took["absent again"]),
            chance=1.63 * math.sqrt(2 / asked),
            stolen_share=machine_ticks().stolen_since(ticks),
        )

    def _token(self, scope: str) -> str:
        signed = assertion(
            participant=AUDITOR,
            key=self._auditor.keys[0],
            issuer=self._issuer,
            now=datetime.now(UTC),
            randomness=os.urandom(16),
        )
        form = {
            "grant_type": "client_credentials",
            "scope": scope,
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            "client_assertion": signed.decode("ascii"),
        }
        media = {"Content-Type": "application/x-www-form-urlencoded"}
        _, answer = self._ask("POST", "/oauth/token", media, urlencode(form).encode())
        token: str = json.loads(answer)["access_token"]
        return token

    def _ask(self, method: str, path: str, headers: Mapping[str, str], body: bytes | None = None) -> tuple[int, bytes]:
        self._connection.request(method, path, body, dict(headers))
        answer = self._connection.getresponse()
        return answer.status, answer.read()


def distance(first: Sequence[float], second: Sequence[float]) -> float:
    """Return the largest difference between two empirical distributions (Kolmogorov-Smirnov)."""
    one, other = sorted(first), sorted(second)
    return max(abs(bisect_right(one, at) / len(one) - bisect_right(other, at) / len(other)) for at in one + other)
