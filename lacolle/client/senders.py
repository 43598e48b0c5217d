"""Whose key signed an alert: asked of the exchange, or read from the authorities' own signed statements.

The first needs nothing but the exchange, and trusts it to say who takes part. The second trusts the authorities alone,
whose public keys the partner was given, and knows of revocations.

A key is judged at the instant at which it signed, as the exchange judged it within minutes of that: a copy that is read
days later may well be of a key that has ended since, or that a newer statement left out. Who holds a key that its
owner lost can date what he signs with it as he likes; so one that is known to be revoked counts at no instant.

What was learned may be older than the key, so whoever is not found there is looked for anew before he is unknown.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from threading import Lock
from typing import Final, Protocol, TypeAlias

from lacolle.client.answers import Participant, PublishedKey
from lacolle.errors import LacolleError
from schemas.bilingual import Bilingual
from schemas.ids import KeyId, ParticipantId
from schemas.registry import Registry
from schemas.signing.keys import KeyMaterialError, PublicKey

Owner: TypeAlias = tuple[ParticipantId, PublicKey]

ASK_AGAIN_AFTER: Final = 1.0
"""Seconds before anybody is asked anew: strangers' keys must not make a partner ask without end."""


class SenderUnknownError(LacolleError):
    """Nobody who is believed says whose key this was when it signed. They may not have said so yet."""


class SenderKeys(Protocol):
    """Knows whose keys are whose. Safe to use from several threads."""

    def find(self, kid: KeyId, *, at: datetime) -> Owner | None:
        """Return whose a key was ``at``; None for one that is known to be revoked.

        Raises ``SenderUnknownError`` where nobody says so, and another ``LacolleError`` where nobody can be asked.
        """
        ...


class StatedKeys:
    """The keys of a registry that is made of signed statements.

    ``read`` makes it, and raises a ``LacolleError`` where it can't; it is called now, and again for an unknown key.
    """

    def __init__(self, read: Callable[[], Registry], *, monotonic: Callable[[], float]) -> None:
        self._read = read
        self._turn = _Turn(monotonic)
        self._lock = Lock()
        self._registry = read()

    def find(self, kid: KeyId, *, at: datetime) -> Owner | None:
        """Return whose a key was ``at``; None for one that is revoked, whenever that was."""
        with self._lock:
            if self._found(kid, at) is None and kid not in self._registry.revoked and self._turn.comes():
                self._registry = self._read()
            found, revoked = self._found(kid, at), kid in self._registry.revoked
        if found is None and not revoked:
            raise SenderUnknownError(_NOT_STATED)
        return found

    def _found(self, kid: KeyId, at: datetime) -> Owner | None:
        found = self._registry.key_at(kid, at)
        return None if found is None else (found[0].participant, found[1])


class ListedKeys:
    """The keys that the exchange lists, which does not tell of revocations.

    ``participants`` asks it, and raises what ``Client.participants`` does; it is called when the first key is needed,
    and again for an unknown one.
    """

    def __init__(self, participants: Callable[[], tuple[Participant, ...]], *, monotonic: Callable[[], float]) -> None:
        self._participants = participants
        self._turn = _Turn(monotonic)
        self._lock = Lock()
        self._known: Mapping[KeyId, Sequence[_Listed]] = {}

    def find(self, kid: KeyId, *, at: datetime) -> Owner:
        """Return whose a key was ``at``."""
        with self._lock:
            found = self._found(kid, at)
            if found is None and self._turn.comes():
                self._known = _listed(self._participants())
                found = self._found(kid, at)
        if found is None:
            raise SenderUnknownError(_NOT_LISTED)
        return found

    def _found(self, kid: KeyId, at: datetime) -> Owner | None:
        return next((each.owner for each in self._known.get(kid, ()) if each.first <= at < each.end), None)


class _Turn:
    """Says whether it is time to ask, at most once in ``ASK_AGAIN_AFTER``."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._last: float | None = None

    def comes(self) -> bool:
        now = self._monotonic()
        if self._last is not None and now - self._last < ASK_AGAIN_AFTER:
            return False
        self._last = now
        return True


@dataclass(frozen=True, slots=True)
class _Listed:
    owner: Owner
    first: datetime
    end: datetime


def _listed(participants: tuple[Participant, ...]) -> Mapping[KeyId, Sequence[_Listed]]:
    found: defaultdict[KeyId, list[_Listed]] = defaultdict(list)
    for participant in participants:
        superseded = {each.jwk.get("kid") for each in participant.superseded_keys}
        for each in participant.keys:
            starts = [each.first, participant.first]
            if participant.issued_at is not None and each.jwk.get("kid") in superseded:
                starts.append(participant.issued_at)
            _add(found, participant, each, max(starts), min(each.end, participant.end))
        for each in participant.superseded_keys:
            _add(found, participant, each, each.first, each.end)  # within another statement, which is not listed
    return found


def _add(
    found: defaultdict[KeyId, list[_Listed]],
    participant: Participant,
    listed: PublishedKey,
    first: datetime,
    end: datetime,
) -> None:
    try:
        key = PublicKey.from_jwk(listed.jwk)
    except KeyMaterialError:
        return  # of a kind unknown here; it verifies nothing
    found[key.kid].append(_Listed((ParticipantId(participant.participant), key), first, end))


_NOT_LISTED: Final = Bilingual(
    fr="La plateforme n'inscrit pas la clé qui a signé cette alerte, pour l'instant de la signature : n'y donnez pas "
    "suite, et demandez à son exploitant et à l'autorité de l'expéditeur si la clé a changé.",
    en="The exchange lists no such key as signed this alert, for the instant at which it signed: do not act on it, "
    "and ask its operator and the sender's authority whether the key has changed.",
)
_NOT_STATED: Final = Bilingual(
    fr="Aucune attestation que vous avez ne donne la clé qui a signé cette alerte, pour l'instant de la signature : "
    "n'y donnez pas suite, et ajoutez la plus récente attestation de l'autorité de l'expéditeur.",
    en="No statement that you have holds the key that signed this alert, for the instant at which it signed: do not "
    "act on it, and add the newest statement of the sender's authority.",
)
