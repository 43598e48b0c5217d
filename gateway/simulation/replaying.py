"""Making the decisions on a past alert again, from what is stored, and comparing them with what the log says.

Everything is read back as it stood: the alert byte for byte, the registry at the version with which it was decided, the
thread at the alert's index. Every signature of the registry is verified again; nothing is written.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import orjson
from sqlalchemy.ext.asyncio import AsyncConnection

from agreements.decide import decide
from agreements.explain import explain
from agreements.release import Source
from agreements.replay import decisions_digest, inputs_digest
from agreements.snapshot import Snapshot
from gateway.errors import GatewayError, StoreError
from gateway.intake.screening import own_references, read_alert
from gateway.sealing.contents import Contents
from gateway.sealing.errors import ContentUnreadableError
from gateway.sealing.marks import Marks
from gateway.store.decisions import denial_content, permit_content, read_reason
from gateway.store.engine import Store
from gateway.store.marking import marked_since
from gateway.store.past import PastDecision, read_past_decision
from gateway.store.placing import Basis
from gateway.store.sources import find_sources
from gateway.store.threads import find_thread
from gateway.upkeep.rebuilding import Rebuilding
from schemas.alerts.header import Alert
from schemas.bilingual import Bilingual
from schemas.decisions import ClauseRef, Decision, Permit
from schemas.ids import AlertId, ParticipantId
from schemas.signing.jws import MalformedJwsError
from schemas.statements import Jurisdiction
from schemas.submission import read_submission


class NotReplayableError(StoreError):
    """The decisions on an alert can't be made again; the reason says why."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One recipient about whom the log and the decision made anew differ; None where one of them does not name it."""

    recipient: ParticipantId
    logged: Bilingual | None
    anew: Bilingual | None


@dataclass(frozen=True, slots=True)
class Replay:
    """What the log says of the decisions on an alert, ``logged``, what they are ``anew``, and where the two differ."""

    alert_id: AlertId
    logged: Basis
    anew: Basis
    decisions: tuple[Decision, ...]
    differences: tuple[Difference, ...]

    @property
    def same_inputs(self) -> bool:
        """Whether what it is decided from now is what it was decided from then."""
        return self.logged.inputs_digest == self.anew.inputs_digest

    @property
    def same_decisions(self) -> bool:
        """Whether it came to the same, byte for byte, and every entry says so."""
        return self.logged.decisions_digest == self.anew.decisions_digest and not self.differences


@dataclass(frozen=True, slots=True)
class Recalled:
    """What the decisions on a past alert were made from, as it stood: the payload, the alert, agreements, thread.

    ``snapshot`` has the agreements and receivers of the time, ``now`` is the instant of the decision; ``reached`` and
    ``sources`` are as in ``agreements.decide``.
    """

    payload: bytes
    alert: Alert
    snapshot: Snapshot
    now: datetime
    reached: Mapping[ParticipantId, ClauseRef]
    sources: tuple[Source, ...]

    @property
    def world(self) -> str:
        """The digest of agreements and receivers (``agreements.replay.world_digest``)."""
        return self.snapshot.world(self.now)

    @property
    def inputs_digest(self) -> str:
        """The digest of all of it, in hexadecimal digits."""
        return inputs_digest(
            payload_digest=hashlib.sha256(self.payload).digest(),
            world=self.world,
            now=self.now,
            reached=self.reached,
            sources=self.sources,
        )

    def decisions(self) -> tuple[Decision, ...]:
        """Return what it comes to."""
        return decide(self.alert, self.snapshot, self.now, reached=self.reached, sources=self.sources)


async def recall(connection: AsyncConnection, marks: Marks, past: PastDecision, rebuilding: Rebuilding) -> Recalled:
    """Return what the decisions on an alert were made from. Raises as ``replay``."""
    if past.basis is None:
        raise NotReplayableError(_NOT_LOGGED)
    if past.submission is None:
        raise NotReplayableError(_erased(past.basis))
    registry = await rebuilding.rebuilt(connection, version=past.basis.registry_version)
    try:
        payload = read_submission(past.submission).alert_json()
        alert = read_alert(payload)
    except (GatewayError, MalformedJwsError) as error:
        raise NotReplayableError(_UNREADABLE) from error
    own = own_references(alert)
    thread = None
    if own:
        thread = await find_thread(connection, marks, sender=past.sender, identifiers=own, before=past.log_index)
    sources = await find_sources(connection, marks, alert, before=past.log_index)
    if sources.binding and past.log_index < await marked_since(connection):
        raise NotReplayableError(_NAMED_OTHERWISE)
    now = past.basis.decided_at
    return Recalled(
        payload=payload,
        alert=alert,
        snapshot=registry.snapshot_at(now),
        now=now,
        reached={} if thread is None else thread.reached,
        sources=sources.binding,
    )


async def replay(store: Store, contents: Contents, alert_id: AlertId, jurisdictions: Iterable[Jurisdiction]) -> Replay:
    """Return what the decisions on an alert come to anew, beside what the log says they came to.

    ``jurisdictions`` are those pinned, with their authority keys. Raises ``NotReplayableError``, and ``StoreError``
    where the stored registry is not what authorities have signed.
    """
    async with store.reading() as connection:
        try:
            past = await read_past_decision(connection, contents, alert_id)
        except ContentUnreadableError as error:
            raise NotReplayableError(error.reason) from error
        if past is None:
            raise NotReplayableError(_UNKNOWN)
        recalled = await recall(connection, contents.marks, past, Rebuilding(jurisdictions))
    if past.basis is None:
        raise NotReplayableError(_NOT_LOGGED)
    decisions = recalled.decisions()
    anew = Basis(
        decided_at=recalled.now,
        registry_version=past.basis.registry_version,
        inputs_digest=recalled.inputs_digest,
        decisions_digest=decisions_digest(decisions),
    )
    return Replay(past.alert_id, past.basis, anew, decisions, tuple(_differences(past, decisions)))


def _differences(past: PastDecision, decisions: Iterable[Decision]) -> Iterator[Difference]:
    """Yield where the entries and the decisions differ, recipient by recipient, in alphabetical order."""
    logged = {**{who: _without_names(said) for who, said in past.permits.items()}, **past.denials}
    anew = {each.recipient: _content(each) for each in decisions}
    for recipient in sorted(logged.keys() | anew.keys()):
        before, after = logged.get(recipient), anew.get(recipient)
        if before != after:
            told, told_anew = _told(before), _told(after)
            yield Difference(recipient, told, _OTHER_TERMS if told == told_anew else told_anew)


def _content(decision: Decision) -> Mapping[str, Any]:
    """Return a decision as its entry would hold it, read back from its JSON."""
    content = permit_content(decision) if isinstance(decision, Permit) else denial_content(decision)
    read: Mapping[str, Any] = orjson.loads(orjson.dumps(content))
    return read


def _without_names(routed: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a permit's entry without what is no part of the decision: the names that its delivery and consents got."""
    return {name: value for name, value in routed.items() if name not in ("delivery_id", "requests")}


def _told(content: Mapping[str, Any] | None) -> Bilingual | None:
    return None if content is None else explain(read_reason(content["reason"]))


_OTHER_TERMS: Final = Bilingual(
    fr="La même réponse, à d'autres conditions ou pour d'autres clauses examinées.",
    en="The same answer, on other terms or with other clauses considered.",
)
_UNKNOWN: Final = Bilingual(
    fr="Aucune alerte acceptée ne porte cet identifiant dans cette base de données.",
    en="No accepted alert in this database has this id.",
)
_NOT_LOGGED: Final = Bilingual(
    fr="Le journal ne dit pas à partir de quoi cette alerte a été décidée : elle a été acceptée par une version "
    "antérieure du logiciel.",
    en="The log does not say what the decision on this alert was made from: an earlier version of the software "
    "accepted it.",
)
_NAMED_OTHERWISE: Final = Bilingual(
    fr="Cette alerte en retransmet d'autres, que la version antérieure du logiciel qui a décidé nommait par leurs "
    "identifiants : ceux-ci ne sont plus conservés en clair.",
    en="This alert passes others on, and the earlier version of the software that decided on it named them by their "
    "identifiers: these are kept in the clear no more.",
)
_UNREADABLE: Final = Bilingual(
    fr="L'alerte conservée ne peut être relue par cette version du logiciel.",
    en="The stored alert can't be read by this version of the software.",
)


def _erased(basis: Basis) -> Bilingual:
    """Return what can't be done for an alert whose content was erased, and what can."""
    inputs, came_to = f"sha-256:{basis.inputs_digest}", f"sha-256:{basis.decisions_digest}"
    return Bilingual(
        fr="Le contenu de cette alerte a été effacé : la décision ne peut être refaite. Ce qui reste à vérifier : le "
        f"journal donne l'empreinte des données ({inputs}) et celle des décisions ({came_to}); quiconque détient "
        "encore l'alerte peut les recalculer avec les ententes et le registre de la version "
        f"{basis.registry_version}, et toutes les inscriptions restent vérifiables.",
        en="This alert's content was erased: the decision can't be made again. What can still be checked: the log has "
        f"the digest of the inputs ({inputs}) and of the decisions ({came_to}); whoever still holds the alert can "
        f"compute them from it, the agreements and the registry at version {basis.registry_version}, and every entry "
        "still verifies.",
    )
