"""A scenario without an exchange: its agreements signed, its alerts decided, each recipient's copy made."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from agreements.decide import decide
from agreements.signed import VerifiedAgreement, agreement_bytes, read_signed
from agreements.snapshot import Snapshot
from agreements.written import read_agreement
from gateway.relaying.copies import Copies
from gateway.store.decisions import denial_content, reason_content
from gateway.store.terms import terms_content
from lacolle.client.documents import signed_alert
from lacolle.demo.scenario import Document
from lacolle.samples import Cast
from lacolle.scenarios.document import Scenario, ScenarioAlert
from lacolle.scenarios.evidence import Held, denial, permit
from lacolle.scenarios.outcomes import Outcome
from lacolle.scenarios.staging import alert_of, cast_of
from schemas.alerts.catalogue import parse_alert
from schemas.consents import Answer
from schemas.decisions import Permit
from schemas.ids import AlertId, JurisdictionCode, KeyId, ParticipantId, home_of
from schemas.signing.jws import AGREEMENT, join_signatures, sign_compact
from schemas.signing.keys import SigningKey
from schemas.statements import Jurisdiction
from schemas.withholding.pseudonyms import Pseudonyms

NOW: Final = datetime(2026, 6, 1, 12, tzinfo=UTC)
ALERT_ID: Final = AlertId("01975b3a-0000-7000-8000-000000000000")


class Rehearsal:
    """One scenario's world, in memory."""

    def __init__(self, scenario: Scenario) -> None:
        cast = cast_of(scenario)
        receivers = [ParticipantId(each["participant"]) for each in cast.participants if "receiver" in each["roles"]]
        self._snapshot = Snapshot.of([(name, home_of(name)) for name in receivers], _signed(cast))
        self._exchange = SigningKey.generate(KeyId("exchange"), "Ed25519")
        self._agency = SigningKey.generate(KeyId("agency"), "Ed25519")
        self._copies = Copies(key=self._exchange, pseudonyms=Pseudonyms(bytes(range(32))))

    def outcomes(self, alert: ScenarioAlert) -> tuple[Document, dict[ParticipantId, Outcome]]:
        """Return an alert, and what comes to each participant but its sender; nothing goes out before consent."""
        document = alert_of(alert, number=1, now=NOW)
        submission = signed_alert(document, key=self._agency, now=NOW)
        parsed = parse_alert(document)
        outcomes: dict[ParticipantId, Outcome] = {}
        for decision in decide(parsed, self._snapshot, NOW, reached={}):
            if isinstance(decision, Permit):
                content = {
                    "clause": str(decision.under),
                    "reason": reason_content(decision.reason),
                    "terms": terms_content(decision.terms),
                }
                copy = self._copies.of(submission, alert_id=ALERT_ID, alert_type=parsed.type, terms=decision.terms)
                agreed = all(
                    alert.consents.get(ParticipantId(each)) is Answer.GIVEN for each in decision.terms.consent_by
                )
                held = Held(copy.content_type, copy.body) if agreed else None
                outcomes[decision.recipient] = permit(content, held, self._exchange.public)
            else:
                outcomes[decision.recipient] = denial(denial_content(decision))
        return document, outcomes


def _signed(cast: Cast) -> list[VerifiedAgreement]:
    """Return the agreements as an exchange has them: signed by every party, read back, verified."""
    codes = [JurisdictionCode(str(entry["code"])) for entry in cast.jurisdictions]
    keys = {code: SigningKey.generate(KeyId(f"{code}.authority"), "Ed25519") for code in codes}
    pinned = {
        code: Jurisdiction.model_validate(
            {"code": code, "name": {"fr": code, "en": code}, "authority_keys": [dict(key.public.jwk)]}
        )
        for code, key in keys.items()
    }
    verified = []
    for path in cast.agreements:
        document = read_agreement(path.read_text(encoding="utf-8"), file=path.name)
        signatures = [
            sign_compact(agreement_bytes(document), key=keys[party], profile=AGREEMENT, iat=int(NOW.timestamp()))
            for party in document.parties
        ]
        verified.append(VerifiedAgreement(read_signed(join_signatures(signatures), pinned)))
    return verified
