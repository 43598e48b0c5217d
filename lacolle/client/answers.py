"""What an exchange answers, typed. Members that this version does not know are ignored, so that exchanges may grow."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal, TypeVar

import httpx2
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lacolle.errors import UnexpectedAnswerError
from schemas.bilingual import Bilingual
from schemas.consents import Answer
from schemas.decisions import Lane
from schemas.evidence import AcknowledgementStatus, Receipt
from schemas.ids import AlertIdField, ConsentIdField, DeliveryIdField, ParticipantField


class _Answer(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class Words(_Answer):
    """A sentence in both languages."""

    fr: str
    en: str

    @property
    def bilingual(self) -> Bilingual:
        """The sentence as text that a person reads."""
        return Bilingual(fr=self.fr, en=self.en)


class Awaited(_Answer):
    """Whose consent a copy awaits, a participant's or a jurisdiction's, and until when (RFC 3339, UTC)."""

    consent_id: ConsentIdField
    asked: str
    deadline: str


class _OfAnAlert(_Answer):
    """What an alert is known by; ``identifier`` is None once its content was erased. ``received`` is RFC 3339, UTC."""

    alert_id: AlertIdField
    sender: ParticipantField
    identifier: str | None
    type: str
    status: str
    msgType: str  # noqa: N815 - CAP's name
    received: str


class Recipient(_Answer):
    """Whom an accepted alert goes to, and under which clause of which version of which agreement.

    ``awaits`` are those who must consent before it does.
    """

    participant: ParticipantField
    agreement: str
    clause: str
    lane: Lane
    awaits: tuple[Awaited, ...] = ()


class AskedConsent(Awaited):
    """Where a question of consent stands: ``open``, ``given``, ``refused`` or ``closed``.

    ``signed`` is the answer as the compact JWS it was given in.
    """

    state: str
    signed: str | None = None


class QuestionHandling(_Answer):
    """How an alert is to be handled, as its sender marked it."""

    tlp: str
    codes: tuple[str, ...] = ()
    purpose: str


class Question(AskedConsent, _OfAnAlert):
    """A question of consent, with what it is about: this alert, as these bytes, for this recipient under this clause.

    ``passes_on`` are the identifiers of those alerts of whoever is asked that this one passes on, None for one whose
    content was erased. ``content`` is what is left of this one's: stored, erased or unreadable.
    """

    digest: str
    handling: QuestionHandling
    content: str | None = None
    passes_on: tuple[str | None, ...] = ()
    recipient: ParticipantField
    agreement: str
    clause: str


class Questions(_Answer):
    """What its reader is asked to consent to, whatever ends first coming first."""

    consents: tuple[Question, ...]


class Hold(_Answer):
    """A legal hold: whose it is, on which alert, and the index of the entry that released it, if one did.

    ``content`` is what is left of the alert's, as in ``Question``; once it was erased ``identifier`` is None.
    """

    hold: str
    alert_id: AlertIdField
    sender: ParticipantField
    identifier: str | None
    content: str | None = None
    jurisdiction: str
    log_index: int
    released: int | None = None
    signed: str


class HoldList(_Answer):
    """The holds that somebody may know of."""

    holds: tuple[Hold, ...]


class ContentStated(_Answer):
    """Where the exchange logged what an authority stated of content; ``hold`` is what a hold is known by."""

    log_index: int
    hold: str | None = None


class ConsentAnswered(_Answer):
    """Where the exchange logged an answer."""

    consent_id: ConsentIdField
    decision: Answer
    log_index: int


class AcceptedAnswer(_Answer):
    """The answer to a submission, nothing in it verified; ``receipt`` is a compact JWS."""

    alert_id: AlertIdField
    log_index: int
    receipt: str
    recipients: tuple[Recipient, ...]
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Accepted:
    """A submission that the exchange has stored for good; its receipt was verified.

    ``replayed`` says that the exchange had this alert already: the answer is the first one, and where the alert has
    been signed anew since, the receipt's digest is of the submission that came first. ``receipt_jws`` is the receipt
    as it was signed: keep it, it is the proof.
    """

    alert_id: str
    log_index: int
    receipt: Receipt
    receipt_jws: str
    recipients: tuple[Recipient, ...]
    replayed: bool
    warnings: tuple[str, ...]


class Considered(_Answer):
    """A clause that was looked at and did not permit, and why."""

    clause: str
    reason: Words


class Decision(_Answer):
    """Whether one participant receives an alert: ``under`` is the clause that lets it, ``id/version#clause``.

    ``obligations`` say in words what the clause's ``terms`` are: what is withheld, by when, what the recipient may do.
    """

    participant: ParticipantField
    decision: Literal["permit", "deny"]
    reason: Words
    under: str | None = None
    lane: Lane | None = None
    terms: dict[str, Any] | None = None
    obligations: tuple[Words, ...] = ()
    considered: tuple[Considered, ...] = ()


class Preview(_Answer):
    """What a submission would lead to now. ``deadline`` is RFC 3339, UTC; ``thread`` the first alert of the chain."""

    sender: ParticipantField
    identifier: str
    thread: AlertIdField | None = None
    deadline: str
    decisions: tuple[Decision, ...]
    warnings: tuple[str, ...] = ()


class RecordedAcknowledgement(_Answer):
    """A recipient's word as the exchange holds it; ``signed`` is the compact JWS it was given in.

    A word with a note is erased with the alert's content: then ``signed`` is None, and its digest is in the log.
    """

    status: AcknowledgementStatus
    at: str
    log_index: int
    signed: str | None = None


class Delivery(_Answer):
    """One recipient's copy: where it stands, after how many attempts, and what its recipient said of it."""

    delivery_id: DeliveryIdField
    participant: ParticipantField
    lane: Lane
    agreement: str
    clause: str
    state: str
    attempts: int
    detail: str | None = None
    settled: str | None = None
    deadline: str
    reason: Words | None = None
    acknowledgements: tuple[RecordedAcknowledgement, ...] = ()
    consents: tuple[AskedConsent, ...] = ()


class StoredContent(_Answer):
    """What is left of an alert's content: ``stored``, ``held``, ``erased`` or ``unreadable``; instants are RFC 3339.

    ``until`` is when it is to be erased, ``erased`` when it was, ``unreadable_by`` when the last key to any copy ends.
    """

    state: str
    until: str | None = None
    erased: str | None = None
    basis: str | None = None
    unreadable_by: str | None = None


class Status(_OfAnAlert):
    """What the exchange lets its reader see of an alert; ``digest`` is the SHA-256 of its submission."""

    thread: AlertIdField
    log_index: int
    state: str
    digest: str | None = None
    content: StoredContent | None = None
    decisions: tuple[Decision, ...]
    deliveries: tuple[Delivery, ...]


class PublishedKey(_Answer):
    """A participant's public key (JWK), and when it may be used: from ``first`` until, and not at, ``end``."""

    jwk: dict[str, Any]
    first: Annotated[datetime, Field(alias="from")]
    end: Annotated[datetime, Field(alias="until")]


class Participant(_Answer):
    """Who takes part, as its authority stated it, between ``first`` and ``end``.

    ``superseded_keys`` are those of statements that were replaced, as long as each counted: whatever the present one
    says, what they signed then is the participant's. Of a key among them the present one, signed at ``issued_at``,
    speaks from then on alone.
    """

    participant: ParticipantField
    keys: tuple[PublishedKey, ...]
    superseded_keys: tuple[PublishedKey, ...] = ()
    issued_at: datetime | None = None
    first: Annotated[datetime, Field(alias="from")]
    end: Annotated[datetime, Field(alias="until")]


class Participants(_Answer):
    """Everyone who takes part."""

    participants: tuple[Participant, ...]


class AgreementValidity(_Answer):
    """When an agreement is valid, as it writes it: RFC 3339."""

    start: Annotated[str, Field(alias="from")]
    until: str


class AgreementSummary(_Answer):
    """One version of an agreement, and its state. ``missing`` are the parties that have yet to sign."""

    id: str
    version: int
    digest: str
    title: Words
    parties: tuple[str, ...]
    accession: tuple[str, ...] = ()
    valid: AgreementValidity
    state: str
    missing: tuple[str, ...] = ()


class AgreementEvent(_Answer):
    """An entry of the log about an agreement. ``time`` is RFC 3339, UTC."""

    log_index: int
    time: str
    kind: str
    jurisdiction: str | None = None
    awaits: tuple[str, ...] = ()


class AgreementShown(AgreementSummary):
    """One version with its document, its signatures, what parties stated of it since, and its history."""

    document: dict[str, Any]
    signatures: tuple[dict[str, str], ...]
    statements: tuple[dict[str, Any], ...] = ()
    history: tuple[AgreementEvent, ...]


class AgreementList(_Answer):
    """Every agreement that the reader's jurisdiction is a party to."""

    agreements: tuple[AgreementSummary, ...]


class Acknowledged(_Answer):
    """Where the exchange logged an acknowledgement."""

    alert_id: AlertIdField
    delivery_id: DeliveryIdField
    status: AcknowledgementStatus
    log_index: int


A = TypeVar("A", bound=BaseModel)


def read_answer(answer: httpx2.Response, model: type[A]) -> A:
    """Return the content of a 2xx answer. Raises ``UnexpectedAnswerError`` where it is not what the contract says."""
    try:
        return model.model_validate_json(answer.content)
    except ValidationError:
        raise UnexpectedAnswerError(_NOT_AN_EXCHANGE) from None


_NOT_AN_EXCHANGE = Bilingual(
    fr="La réponse n'est pas celle d'une plateforme Lacolle. Vérifiez l'adresse; si une alerte vient d'être envoyée, "
    "renvoyez les mêmes octets une fois l'adresse corrigée.",
    en="The answer is not that of a Lacolle exchange. Check the address; if an alert was just sent, send the same "
    "bytes again once the address is right.",
)
