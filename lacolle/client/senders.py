"""Whose key signed an alert: asked of the exchange, or read from the authorities' own signed statements.

The first needs nothing but the exchange, and trusts it to say who takes part. The second trusts the authorities alone,
whose public keys the partner was given, and knows of revocations.

A key is judged at the instant at which it signed, as the exchange judged it within minutes of that: a copy that is read
days later may well be of a key that has ended since.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from threading import Lock
from typing import Final, Protocol, TypeAlias

from lacolle.client.answers import Participant
from schemas.ids import KeyId, ParticipantId
from schemas.registry import Registry
from schemas.signing.keys import KeyMaterialError, PublicKey

Owner: TypeAlias = tuple[ParticipantId, PublicKey]

_ASK_AGAIN_AFTER: Final = 30.0
"""Seconds before the exchange is asked anew because of a key that it did not know."""


class SenderKeys(Protocol):
    """Knows whose keys are whose. Safe to use from several threads."""

    def find(self, kid: KeyId, *, at: datetime) -> Owner | None:
        """Return whose a key is, where it was to be trusted ``at``. Raises ``LacolleError`` where nobody can tell."""
        ...


class StatedKeys:
    """The keys of a registry that was made of signed statements."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def find(self, kid: KeyId, *, at: datetime) -> Owner | None:
        """Return whose a key is, where it was to be trusted ``at``; None for one that is revoked, whenever that was.

        Who holds a key that its owner lost can date what he signs with it as he likes.
        """
        if kid in self._registry.revoked:
            return None
        found = self._registry.trusted_key(kid, at)
        return None if found is None else (found[0].participant, found[1])


class ListedKeys:
    """The keys that the exchange lists; it is asked when the first key is needed, and again for an unknown one.

    ``participants`` asks it, and raises what ``Client.participants`` does.
    """

    def __init__(self, participants: Callable[[], tuple[Participant, ...]], *, monotonic: Callable[[], float]) -> None:
        self._participants = participants
        self._monotonic = monotonic
        self._lock = Lock()
        self._known: Mapping[KeyId, _Listed] = {}
        self._asked: float | None = None

    def find(self, kid: KeyId, *, at: datetime) -> Owner | None:
        """Return whose a key is, where it was to be trusted ``at``."""
        with self._lock:
            if kid not in self._known and self._may_ask():
                self._known = dict(_listed(self._participants()))
                self._asked = self._monotonic()
            listed = self._known.get(kid)
        return listed.owner if listed is not None and listed.first <= at < listed.end else None

    def _may_ask(self) -> bool:
        return self._asked is None or self._monotonic() - self._asked >= _ASK_AGAIN_AFTER


@dataclass(frozen=True, slots=True)
class _Listed:
    owner: Owner
    first: datetime
    end: datetime


def _listed(participants: tuple[Participant, ...]) -> list[tuple[KeyId, _Listed]]:
    found = []
    for participant in participants:
        for each in participant.keys:
            try:
                key = PublicKey.from_jwk(each.jwk)
            except KeyMaterialError:
                continue  # of a kind unknown here; it verifies nothing
            window = max(each.first, participant.first), min(each.end, participant.end)
            found.append((key.kid, _Listed((ParticipantId(participant.participant), key), *window)))
    return found
