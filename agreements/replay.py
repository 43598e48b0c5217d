"""What a decision was made from, as one digest, and what it came to, as bytes: with both it can be made again.

Years later, the agreements and candidates of that time, the same alert, instant and thread must have the same
``inputs_digest``, and what ``decide`` makes of them the same ``decisions_bytes``; else the one or the other is not what
it was. Both are canonical JSON (RFC 8785), so that every implementation comes to the same bytes. The members below are
permanent: a new one comes with a new ``form``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

from agreements.release import Source
from agreements.routes import Candidate
from schemas.decisions import ClauseRef, Decision, Permit, Reason, Terms, Withholding
from schemas.ids import AgreementId, ParticipantId
from schemas.signing.canonical import PlainValue, canonical_plain_bytes

INPUTS_FORM: Final = "lacolle.decision-inputs/v1"
INPUTS_FORM_WITH_SOURCES: Final = "lacolle.decision-inputs/v2"
"""Of a decision on an alert that passes others on."""
DECISIONS_FORM: Final = "lacolle.decisions/v1"


@dataclass(frozen=True, slots=True, order=True)
class Version:
    """One version of an agreement, and the SHA-256 of its canonical bytes, in hexadecimal digits.

    ``steps`` are those of its life, in the order of the log: the SHA-256 of each statement, likewise, and the instant
    of its entry (RFC 3339, UTC).
    """

    agreement: AgreementId
    version: int
    digest: str
    steps: tuple[tuple[str, str], ...] = ()


def world_digest(versions: Iterable[Version], candidates: Iterable[Candidate]) -> str:
    """Return the SHA-256, in hexadecimal digits, of what decisions rest on at an instant, whatever the alert.

    ``versions`` are those that govern then, in force or lapsed; ``candidates`` those that may receive then. Their order
    does not matter. ``Snapshot.world`` keeps it for as long as neither changes.
    """
    return _digest(
        {
            "form": "lacolle.decision-world/v1",
            "agreements": [
                [each.agreement, each.version, each.digest, [list(step) for step in each.steps]]
                for each in sorted(set(versions))
            ],
            "candidates": [list(candidate) for candidate in sorted(set(candidates))],
        }
    )


def inputs_digest(
    *,
    payload_digest: bytes,
    world: str,
    now: datetime,
    reached: Mapping[ParticipantId, ClauseRef],
    sources: Iterable[Source] = (),
) -> str:
    """Return the SHA-256, in hexadecimal digits, of everything that a decision depends on.

    ``payload_digest`` is the SHA-256 of the alert's bytes as they were signed, ``world`` what ``world_digest`` gave,
    ``now`` the instant of acceptance with its offset, to the microsecond, ``reached`` and ``sources`` as in ``decide``.
    """
    passed_on: list[PlainValue] = [_source(each) for each in sources]
    return _digest(
        {
            "form": INPUTS_FORM_WITH_SOURCES if passed_on else INPUTS_FORM,
            "alert": payload_digest.hex(),
            "world": world,
            "now": now.astimezone(UTC).isoformat(timespec="microseconds"),
            "reached": {participant: str(under) for participant, under in reached.items()},
            **({"sources": passed_on} if passed_on else {}),
        }
    )


def decisions_bytes(decisions: Iterable[Decision]) -> bytes:
    """Return decisions as canonical JSON (RFC 8785), in their order: the same decisions, the same bytes."""
    # the bytes of a list are those of its items, and the same few decisions recur in every alert
    return b'{"decisions":[%b],"form":"%b"}' % (
        b",".join([_bytes(each) for each in decisions]),
        DECISIONS_FORM.encode(),
    )


@lru_cache(maxsize=8192)
def _bytes(decision: Decision) -> bytes:
    return canonical_plain_bytes(_decision(decision))


@lru_cache(maxsize=256)
def decisions_digest(decisions: tuple[Decision, ...]) -> str:
    """Return the SHA-256 of ``decisions_bytes``, in hexadecimal digits."""
    return hashlib.sha256(decisions_bytes(decisions)).hexdigest()


def _digest(value: Mapping[str, PlainValue]) -> str:
    return hashlib.sha256(canonical_plain_bytes(value)).hexdigest()


def _decision(decision: Decision) -> dict[str, PlainValue]:
    who: dict[str, PlainValue] = {"recipient": decision.recipient, "jurisdiction": decision.jurisdiction}
    if isinstance(decision, Permit):
        return {
            **who,
            "under": str(decision.under),
            "lane": decision.lane.value,
            "reason": _reason(decision.reason),
            "terms": _terms(decision.terms),
        }
    considered: list[PlainValue] = [[str(clause), _reason(reason)] for clause, reason in decision.considered]
    return {**who, "reason": _reason(decision.reason), "considered": considered}


def _source(source: Source) -> list[PlainValue]:
    handling = source.handling
    through: list[PlainValue] = [list(source.through)] if source.through else []
    if handling is None:
        return [source.name, None, *through]
    return [source.name, [handling.tlp, sorted(handling.codes), handling.onward.value], *through]


def _reason(reason: Reason) -> dict[str, PlainValue]:
    return {"code": str(reason.code), "arguments": dict(reason.arguments)}


def _terms(terms: Terms) -> dict[str, PlainValue]:
    return {
        "withholdings": [_withholding(each) for each in terms.withholdings],
        "deliver_within": terms.deliver_within,
        "acknowledge_within": terms.acknowledge_within,
        "retain_days": terms.retain_days,
        "onward": terms.onward.value,
        "consent_by": terms.consent_by,
        "consent_within": terms.consent_within,
        "exercise": terms.exercise,
    }


def _withholding(each: Withholding) -> list[PlainValue]:
    return [each.pointer, each.treatment.value, each.mark, str(each.under)]
