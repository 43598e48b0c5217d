"""An exchange's answers in words, for a person at a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from lacolle.client import Accepted, Acknowledged, Decision, Delivery, Preview, Recipient, Status
from lacolle.client.answers import StoredContent
from lacolle.commands.named import called
from lacolle.errors import ProblemError
from schemas.bilingual import Bilingual
from schemas.decisions import Lane

Lines = Iterator[Bilingual | str]

_LANES: Final = {
    Lane.URGENT: Bilingual(fr="urgente", en="urgent"),
    Lane.ROUTINE: Bilingual(fr="ordinaire", en="routine"),
}
CONSENT_STATES: Final = {
    "open": Bilingual(fr="demandé", en="asked for"),
    "given": Bilingual(fr="donné", en="given"),
    "refused": Bilingual(fr="refusé", en="refused"),
    "closed": Bilingual(fr="n'est plus demandé", en="not asked for any more"),
}
WARNINGS: Final = {
    "unknown-reference": Bilingual(
        fr="Avertissement : la plateforme ne connaît pas l'alerte que celle-ci met à jour; elle ouvre donc un fil.",
        en="Warning: the exchange does not know the alert that this one updates, so it starts a thread.",
    ),
    "reaches-none-of-thread": Bilingual(
        fr="Avertissement : aucun de ceux qui ont reçu les alertes précédentes du fil ne reçoit celle-ci; ils "
        "continuent d'agir d'après ce qu'ils ont. Vérifiez la mention TLP et le statut, et avisez-les autrement au "
        "besoin.",
        en="Warning: none of those who received the earlier alerts of this thread receives this one; they go on acting "
        "on what they have. Check the TLP label and the status, and tell them another way if need be.",
    ),
    "reaches-part-of-thread": Bilingual(
        fr="Avertissement : une partie de ceux qui ont reçu les alertes précédentes du fil ne reçoit pas celle-ci; ils "
        "continuent d'agir d'après ce qu'ils ont. Vérifiez la mention TLP et le statut, et avisez-les autrement au "
        "besoin.",
        en="Warning: some of those who received the earlier alerts of this thread do not receive this one; they go on "
        "acting on what they have. Check the TLP label and the status, and tell them another way if need be.",
    ),
}


def accepted_document(accepted: Accepted) -> dict[str, Any]:
    """Return an accepted submission as JSON has it."""
    return {
        "alert_id": accepted.alert_id,
        "log_index": accepted.log_index,
        "replayed": accepted.replayed,
        "recipients": [recipient.model_dump(mode="json") for recipient in accepted.recipients],
        "warnings": list(accepted.warnings),
        "receipt": accepted.receipt.model_dump(mode="json"),
        "receipt_jws": accepted.receipt_jws,
    }


def accepted(told: Accepted) -> Lines:
    """Say that an alert was accepted, and whom it goes to."""
    where = f"{told.alert_id}, {told.receipt.log_origin} #{told.log_index}"
    if told.replayed:
        yield Bilingual(fr=f"Déjà acceptée auparavant : {where}", en=f"Accepted before: {where}")
    else:
        yield Bilingual(fr=f"Acceptée : {where}", en=f"Accepted: {where}")
    yield Bilingual(
        fr=f"Reçu vérifié, daté du {told.receipt.received}", en=f"Receipt verified, dated {told.receipt.received}"
    )
    yield from _warnings(told.warnings)
    if not told.recipients:
        yield Bilingual(
            fr="Aucun destinataire : aucune entente ne le permet. « lacolle preview » dit pourquoi.",
            en="No recipients: no agreement lets it pass. “lacolle preview” says why.",
        )
    for recipient in told.recipients:
        yield from _recipient(recipient)


Sent = Sequence[tuple[Path, Accepted | ProblemError]]


def batch_document(sent: Sent) -> dict[str, Any]:
    """Return what came of each file as JSON has it."""
    return {
        "results": [
            {"file": str(file), "accepted": accepted_document(result)}
            if isinstance(result, Accepted)
            else {"file": str(file), "refused": _refusal_document(result)}
            for file, result in sent
        ]
    }


def batch(sent: Sent) -> Lines:
    """Say what came of each file, and of all together."""
    for file, result in sent:
        if isinstance(result, Accepted):
            yield f"{file}:"
            yield from accepted(result)
        else:
            yield Bilingual(
                fr=f"{file} : refusée. {result.in_language('fr')}", en=f"{file}: refused. {result.in_language('en')}"
            )
    taken = sum(isinstance(result, Accepted) for _, result in sent)
    yield Bilingual(fr=f"Acceptées : {taken} sur {len(sent)}.", en=f"Accepted: {taken} of {len(sent)}.")


def _refusal_document(refusal: ProblemError) -> dict[str, Any]:
    return {
        "type": refusal.type,
        "status": refusal.status,
        "title": refusal.title,
        "detail": refusal.detail,
        "errors": [{"pointer": each.pointer, "message": each.message} for each in refusal.errors],
    }


def preview(told: Preview) -> Lines:
    """Say what sending would lead to, decision by decision."""
    yield Bilingual(
        fr=f"Si vous l'envoyez maintenant, à remettre avant {told.deadline} :",
        en=f"If you send it now, to be delivered before {told.deadline}:",
    )
    yield from _warnings(told.warnings)
    for decision in told.decisions:
        yield from _decision(decision)


def status(told: Status) -> Lines:
    """Say where an alert stands."""
    yield called(told.sender, told.identifier, told.type, told.status, told.msgType)
    yield Bilingual(
        fr=f"Acceptée le {told.received}, inscription {told.log_index} : {told.alert_id}",
        en=f"Accepted {told.received}, entry {told.log_index}: {told.alert_id}",
    )
    if told.content is not None:
        yield from _content(told.content)
    for delivery in told.deliveries:
        yield from _delivery(delivery)
    for decision in told.decisions:
        if decision.decision == "deny":
            yield from _decision(decision)


def acknowledged(told: Acknowledged) -> Lines:
    """Say that an acknowledgement is in the log."""
    yield Bilingual(
        fr=f"Accusé « {told.status} » inscrit au journal, inscription {told.log_index}.",
        en=f"Acknowledgement “{told.status}” logged, entry {told.log_index}.",
    )


def _content(content: StoredContent) -> Lines:
    """Say what is left of an alert's content, where that is not all of it until its time."""
    match content.state:
        case "erased":
            yield Bilingual(
                fr=f"Contenu effacé{'' if content.erased is None else f' le {content.erased}'}; le journal en garde "
                "les preuves.",
                en=f"Content erased{'' if content.erased is None else f' {content.erased}'}; the log keeps the proofs.",
            )
        case "held":
            yield Bilingual(fr="Contenu conservé pour des motifs juridiques.", en="The content is under a legal hold.")
        case "unreadable":
            yield Bilingual(
                fr="Le contenu ne peut être lu : la plateforme n'en a plus la clé.",
                en="The content can't be read: the exchange has lost the key to it.",
            )
        case _:
            if content.until is not None:
                yield Bilingual(
                    fr=f"Contenu conservé jusqu'au {content.until}", en=f"Content kept until {content.until}"
                )


def _recipient(recipient: Recipient) -> Lines:
    lane = _LANES[recipient.lane]
    clause = f"{recipient.agreement}#{recipient.clause}"
    yield Bilingual(
        fr=f"  → {recipient.participant} (voie {lane.fr}), selon {clause}",
        en=f"  → {recipient.participant} ({lane.en} lane), under {clause}",
    )
    for each in recipient.awaits:
        yield Bilingual(
            fr=f"      attend le consentement de {each.asked}, au plus tard le {each.deadline}",
            en=f"      awaits the consent of {each.asked}, by {each.deadline} at the latest",
        )


def _decision(decision: Decision) -> Lines:
    mark = "→" if decision.decision == "permit" else "✗"
    reason = decision.reason.bilingual
    yield Bilingual(
        fr=f"  {mark} {decision.participant} : {reason.fr}", en=f"  {mark} {decision.participant}: {reason.en}"
    )
    for obligation in decision.obligations:
        yield Bilingual(fr=f"      • {obligation.bilingual.fr}", en=f"      • {obligation.bilingual.en}")
    for considered in decision.considered:
        why = considered.reason.bilingual
        yield Bilingual(fr=f"      {considered.clause} : {why.fr}", en=f"      {considered.clause}: {why.en}")


def _delivery(delivery: Delivery) -> Lines:
    state = f"{delivery.state}{'' if delivery.settled is None else f' {delivery.settled}'}"
    yield Bilingual(
        fr=f"  → {delivery.participant} : {state}, tentatives : {delivery.attempts} ({delivery.delivery_id})",
        en=f"  → {delivery.participant}: {state}, attempts: {delivery.attempts} ({delivery.delivery_id})",
    )
    for asked in delivery.consents:
        words = CONSENT_STATES.get(asked.state, Bilingual(fr=asked.state, en=asked.state))
        yield Bilingual(
            fr=f"      consentement de {asked.asked} : {words.fr} ({asked.consent_id})",
            en=f"      consent of {asked.asked}: {words.en} ({asked.consent_id})",
        )
    for word in delivery.acknowledgements:
        yield Bilingual(
            fr=f"      accusé « {word.status} » le {word.at}", en=f"      acknowledged “{word.status}” {word.at}"
        )


def _warnings(codes: tuple[str, ...]) -> Lines:
    yield from (WARNINGS.get(code, code) for code in codes)
