"""Checks of the decisions in a bundle: those that the log committed to, under signed clauses, and made again."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from agreements.decide import decide
from agreements.document import Agreement, domain_of
from agreements.obligations import copies_of
from agreements.release import Source, SourceHandling
from agreements.replay import decisions_digest, inputs_digest
from agreements.snapshot import Snapshot
from audit.entry import Entry
from audit.evidence.bundle import Bundle, Pins
from audit.evidence.document import BasisStated, Content
from audit.evidence.findings import UncheckableError, WantingError
from audit.kinds import Kind
from gateway.store.decisions import read_reason
from gateway.store.terms import terms_of_content
from lacolle.evidence.agreed import book_before, enclosed
from schemas.alerts.catalogue import InvalidAlertError, parse_alert
from schemas.alerts.header import Alert
from schemas.bilingual import Bilingual
from schemas.decisions import NO_TERMS, ClauseRef, Decision, Decisions, Deny, Lane, Permit
from schemas.ids import AlertType, ParticipantId, home_of
from schemas.signing.jws import MalformedJwsError
from schemas.signing.strict_json import JsonError, parse_json
from schemas.submission import read_submission
from schemas.timestamps import read_utc

_PERMITS: Final = frozenset({Kind.ROUTED, Kind.CONSENT_REQUESTED})


def check_decisions(bundle: Bundle, pins: Pins) -> Bilingual:
    """Find the decisions to be all those that acceptance committed to, each permit under an enclosed, covering clause.

    Of a reader that does not see the whole, its own permits alone are looked at.
    """
    decisions = decisions_in(bundle)
    accepted = bundle.accepted
    whole = bundle.evidence.drawn.view == "whole"
    if whole and (accepted is None or "decisions_digest" not in accepted.content):
        raise UncheckableError(_NOT_COMMITTED)
    if whole and accepted is not None and accepted.content["decisions_digest"] != _digest(decisions):
        raise WantingError(_OTHER_DECISIONS)
    versions = {
        (each.agreement.document.id, each.agreement.document.version): each.agreement.document
        for each in enclosed(bundle, pins)
    }
    at = read_utc(bundle.acceptance.received)
    own = home_of(bundle.evidence.drawn.by)  # of others one may know that consent was asked, not under which terms
    permits = [each for each in decisions if isinstance(each, Permit) and (whole or each.jurisdiction == own)]
    for permit in permits:
        for clause in _clauses_of(permit):
            document = versions.get((clause.agreement, clause.version))
            if document is None or clause.clause not in {grant.clause for grant in document.grants}:
                raise WantingError(_NO_CLAUSE)
        _require_covered(bundle, permit, versions[permit.under.agreement, permit.under.version], at)
    denials = len(decisions) - len(permits)
    if whole:
        return Bilingual(
            fr=f"{len(permits)} envois permis et {denials} refusés : ce sont toutes les décisions prises, et le "
            "journal s'y était engagé dès l'acceptation.",
            en=f"{len(permits)} permitted and {denials} denied: these are all decisions made, and the log was "
            "committed to them from acceptance on.",
        )
    return Bilingual(
        fr=f"{len(permits)} envois permis, chacun par une clause signée qui le couvre.",
        en=f"{len(permits)} permitted, each by a signed clause that covers it.",
    )


def check_replay(bundle: Bundle, pins: Pins) -> Bilingual:
    """Decide again from what is enclosed, and find the same: the same inputs by their digest, the same decisions."""
    evidence, accepted = bundle.evidence, bundle.accepted
    if evidence.drawn.view != "whole" or accepted is None:
        raise UncheckableError(_ONLY_OWN)
    if evidence.basis is None or "inputs_digest" not in accepted.content:
        raise UncheckableError(_NO_BASIS)
    if not evidence.contents:
        raise UncheckableError(_NO_ALERT)
    payload, alert = _alert(bundle, evidence.contents[0])
    now = datetime.fromisoformat(str(accepted.content["decided_at"]))
    reached = _reached(evidence.basis)
    sources = tuple(_sources(evidence.basis))
    digest = inputs_digest(
        payload_digest=hashlib.sha256(payload).digest(),
        world=evidence.basis.world,
        now=now,
        reached=reached,
        sources=sources,
    )
    if f"sha-256:{digest}" != accepted.content["inputs_digest"]:
        raise WantingError(_OTHER_INPUTS)
    book = book_before(enclosed(bundle, pins), int(str(accepted.content["registry_version"])))
    recipients = [(each.recipient, each.jurisdiction) for each in decisions_in(bundle)]
    anew = decide(alert, Snapshot.under(recipients, book), now, reached=reached, sources=sources)
    if f"sha-256:{decisions_digest(anew)}" != accepted.content["decisions_digest"]:
        raise WantingError(_OTHER_OUTCOME)
    return Bilingual(
        fr=f"Refaites à partir de l'alerte et des ententes jointes, les {len(anew)} décisions sont les mêmes, octet "
        "pour octet.",
        en=f"Made again from the alert and the agreements enclosed, the {len(anew)} decisions are the same, byte for "
        "byte.",
    )


def decisions_in(bundle: Bundle) -> Decisions:
    """Return the decisions that the entries hold, by recipient, as they were at acceptance. Raises ``WantingError``."""
    found: dict[ParticipantId, Decision] = {}
    try:
        for entry in bundle.about_the_alert:
            for decision in _decisions_of(entry):
                found.setdefault(decision.recipient, decision)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError):
        raise WantingError(_UNREADABLE) from None
    return Decisions(found[each] for each in sorted(found))


def _decisions_of(entry: Entry) -> Iterator[Decision]:
    content: Mapping[str, Any] = entry.content
    if entry.kind in _PERMITS:
        recipient = ParticipantId(content["recipient"])
        yield Permit(
            recipient,
            home_of(recipient),
            ClauseRef.of(content["clause"]),
            Lane(content["lane"]),
            read_reason(content["reason"]),
            terms_of_content(content["terms"]) if "terms" in content else NO_TERMS,
        )
    elif entry.kind == Kind.WITHHELD and "delivery_id" not in content:
        for denial in content["withheld"]:
            recipient = ParticipantId(denial["recipient"])
            considered = tuple(
                (ClauseRef.of(each["clause"]), read_reason(each["reason"])) for each in denial["considered"]
            )
            yield Deny(recipient, home_of(recipient), read_reason(denial["reason"]), considered)


def _digest(decisions: Decisions) -> str:
    return f"sha-256:{decisions_digest(decisions)}"


def _clauses_of(permit: Permit) -> set[ClauseRef]:
    return {permit.under} | {each.under for each in permit.terms.withholdings}


def _require_covered(bundle: Bundle, permit: Permit, document: Agreement, at: datetime) -> None:
    """Raise ``WantingError`` unless a clause names this way, and its document was valid."""
    sender = bundle.acceptance.sender
    (grant,) = [each for each in document.grants if each.clause == permit.under.clause]
    origins, recipients = {sender, home_of(sender)}, {permit.recipient, permit.jurisdiction}
    to = {*grant.recipients, *copies_of(grant.obligations)}
    if not (origins & set(grant.origins) and recipients & to and document.valid.first <= at < document.valid.end):
        raise WantingError(_NO_CLAUSE)
    accepted = bundle.accepted
    if accepted is not None:
        alert_type = AlertType(str(accepted.content["type"]))
        if not {alert_type, domain_of(alert_type)} & set(grant.types):
            raise WantingError(_NO_CLAUSE)


def _alert(bundle: Bundle, content: Content) -> tuple[bytes, Alert]:
    try:
        payload = read_submission(bundle.members[content.file]).alert_json()
        return payload, parse_alert(parse_json(payload))
    except (MalformedJwsError, JsonError) as error:
        raise WantingError(error.reason) from None
    except InvalidAlertError:
        raise UncheckableError(_OTHER_TYPES) from None


def _reached(basis: BasisStated) -> dict[ParticipantId, ClauseRef]:
    try:
        return {participant: ClauseRef.of(under) for participant, under in basis.reached.items()}
    except ValueError:
        raise WantingError(_OTHER_INPUTS) from None


def _sources(basis: BasisStated) -> Iterator[Source]:
    for each in basis.sources:
        handling = None
        if each.tlp is not None and each.onward is not None:
            handling = SourceHandling(each.tlp, frozenset(each.codes), each.onward)
        yield Source(each.sender, each.identifier, handling, each.through)


_NOT_COMMITTED: Final = Bilingual(
    fr="L'acceptation ne s'engage sur aucune décision : une version antérieure du logiciel l'a inscrite.",
    en="The acceptance is committed to no decisions: an earlier version of the software wrote it.",
)
_OTHER_DECISIONS: Final = Bilingual(
    fr="Les décisions ne sont pas celles auxquelles le journal s'était engagé : il en manque, ou l'une est autre.",
    en="The decisions are not those that the log was committed to: some are missing, or one is another.",
)
_NO_CLAUSE: Final = Bilingual(
    fr="Un envoi a été permis par une clause qui n'est pas jointe, ou qui ne le couvre pas.",
    en="Something was permitted by a clause that is not enclosed, or that does not cover it.",
)
_ONLY_OWN: Final = Bilingual(
    fr="Ce lecteur ne voit que les décisions qui le concernent : elles ne peuvent être refaites sans les autres.",
    en="This reader sees only the decisions about it: they can't be made again without the others.",
)
_NO_BASIS: Final = Bilingual(
    fr="Le dossier ne dit pas sur quoi reposaient les décisions : elles ne peuvent être refaites.",
    en="The bundle does not say what the decisions rested on: they can't be made again.",
)
_NO_ALERT: Final = Bilingual(
    fr="Sans le contenu de l'alerte, les décisions ne peuvent être refaites.",
    en="Without the alert's content the decisions can't be made again.",
)
_OTHER_INPUTS: Final = Bilingual(
    fr="Ce sur quoi le dossier dit que les décisions reposaient n'est pas ce que le journal en dit.",
    en="What the bundle says that the decisions rested on is not what the log says of it.",
)
_OTHER_OUTCOME: Final = Bilingual(
    fr="Refaites à partir de ce qui est joint, les décisions ne sont pas celles du journal.",
    en="Made again from what is enclosed, the decisions are not those of the log.",
)
_OTHER_TYPES: Final = Bilingual(
    fr="Cette version du logiciel ne connaît pas ce type d'alerte : les décisions ne peuvent être refaites ici.",
    en="This version of the software does not know this type of alert: the decisions can't be made again here.",
)
_UNREADABLE: Final = Bilingual(
    fr="Une décision inscrite au journal ne peut être relue.", en="A decision in the log can't be read."
)
