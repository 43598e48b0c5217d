"""The client: what an agency's system uses to send alerts, follow them, and answer for those it receives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self, TypeVar

import httpx2
from pydantic import BaseModel

from audit.note import Verifier
from lacolle.client.answers import (
    Accepted,
    AcceptedAnswer,
    Acknowledged,
    AgreementList,
    AgreementShown,
    AgreementSummary,
    ConsentAnswered,
    ContentStated,
    Hold,
    HoldList,
    Participant,
    Participants,
    Preview,
    Question,
    Questions,
    Status,
    read_answer,
)
from lacolle.client.batches import MEDIA_TYPE, BatchResult, lines_again, parted, read_results
from lacolle.client.calls import Call, Caller, OnWait, in_silence
from lacolle.client.documents import (
    AlertDocument,
    acknowledgement,
    cancellation_of,
    signed_acknowledgement,
    signed_consent,
    signed_content_statement,
    update_of,
)
from lacolle.client.entries import EntryPage, require_proven
from lacolle.client.problems import problem_in
from lacolle.client.reading import BearerReader
from lacolle.client.reconciling import (
    ComparedAnswer,
    Lines,
    NamedAnswer,
    Pair,
    Reconciled,
    ReconciledGroup,
    body_of,
    bounded,
    signed_statement,
    statement_of,
    verified,
)
from lacolle.client.submissions import SubmissionForm, document_in, media_type_of, signed_submission
from lacolle.client.surroundings import MACHINE, Surroundings
from lacolle.client.tokens import Tokens
from lacolle.client.trust import ExchangeKeys, verify_receipt
from lacolle.errors import ProblemError
from lacolle.keyfiles import load_key_file
from schemas.bilingual import Language
from schemas.consents import Answer
from schemas.evidence import AcknowledgementStatus
from schemas.holds import ContentStatement, ErasureOrder, HoldRelease, LegalHold
from schemas.ids import KeyId, ParticipantId
from schemas.reconciliation import Period
from schemas.signing.keys import PublicKey, SigningKey

_JOSE: Final = {"Content-Type": "application/jose"}
_JOSE_SEQUENCE: Final = {"Content-Type": MEDIA_TYPE}
_RECONCILIATIONS: Final = "/v1/reconciliations"
_READ_SCOPE: Final = "alerts:read"
_LOG_SCOPE: Final = "log:read"
_REPLAYED: Final = 200

A = TypeVar("A", bound=BaseModel)


class Client:
    """Speaks to one exchange as one participant. Safe to use from several threads.

    Every method but ``sign`` calls the exchange and raises ``ExchangeUnreachableError``, ``ProblemError`` and
    ``UnexpectedAnswerError`` of ``lacolle.errors``. Calls are repeated where the exchange asks for it or does not
    answer, with the same bytes, for at most ``patience`` seconds: one alert comes of it, however often it was sent.
    """

    def __init__(
        self,
        base_url: str,
        *,
        participant: str,
        key: SigningKey | Path | str,
        ca_file: Path | str | None = None,
        certificate: tuple[Path | str, Path | str] | None = None,
        issuer: str | None = None,
        exchange_keys: Path | str | None = None,
        form: SubmissionForm | str | None = None,
        language: Language = "en",
        timeout: float = 10.0,
        patience: float = 30.0,
        surroundings: Surroundings = MACHINE,
        on_wait: OnWait = in_silence,
    ) -> None:
        """Set the client up; nothing is called yet.

        ``key`` is the participant's private key or its file. ``ca_file`` (PEM) replaces the system's certificate
        authorities; ``certificate`` is the client's own, its chain and its key (PEM), where the exchange asks for one
        (RFC 8705). ``issuer`` is the exchange's, where it is not ``base_url``. ``exchange_keys`` is a JWK Set file
        of the exchange's own keys, written the first time where it does not exist. ``form`` is how alerts are signed,
        ``jose`` or ``sd-jwt``; where it is not given, as ``submissions.form_for`` says. ``language`` is that of the
        exchange's messages; ``timeout`` is one attempt's; ``on_wait`` is told that a call is going to be repeated.
        Raises ``ConfigurationError``, ``KeyFileError``, and ``ValueError`` for a form that there is not.
        """
        self.participant = ParticipantId(participant)
        self._key = key if isinstance(key, SigningKey) else load_key_file(Path(key))
        self._form = None if form is None else SubmissionForm(form)
        self._surroundings = surroundings
        self._patience = patience
        self._on_wait = on_wait
        self._caller = Caller(
            base_url,
            ca_file=None if ca_file is None else Path(ca_file),
            certificate=None if certificate is None else (Path(certificate[0]), Path(certificate[1])),
            language=language,
            timeout=timeout,
            patience=patience,
            surroundings=surroundings,
            on_wait=on_wait,
        )
        self._exchange_keys = ExchangeKeys(self._caller, file=None if exchange_keys is None else Path(exchange_keys))
        self._alerts, self._log = (
            BearerReader(
                self._caller,
                Tokens(
                    self._caller,
                    participant=self.participant,
                    key=self._key,
                    issuer=issuer or self._caller.base_url,
                    scope=scope,
                    surroundings=surroundings,
                ),
            )
            for scope in (_READ_SCOPE, _LOG_SCOPE)
        )

    def sign(self, alert: AlertDocument, *, unchecked: bool = False) -> bytes:
        """Return the submission of an alert in its native form, to be sent within five minutes.

        It is an SD-JWT or a compact JWS, as the client was told or the alert's type asks. The alert is validated first,
        unless ``unchecked``. Raises ``InvalidAlertError`` and ``submissions.TooLargeToSeparateError``.
        """
        return signed_submission(
            alert,
            form=self._form,
            key=self._key,
            now=self._surroundings.now(),
            randomness=self._surroundings.randomness,
            unchecked=unchecked,
        )

    def send(self, alert: AlertDocument | bytes) -> Accepted:
        """Send an alert, or a submission signed before, and return the exchange's answer with its receipt verified.

        Raises ``InvalidAlertError``, ``ReceiptNotTrustedError``, and what every call raises.
        """
        submission = self._submission(alert)
        self._exchange_keys.pinned()  # before anything is sent that could not be checked
        answer = self._caller.answer(lambda: _posted("/v1/alerts", submission))
        return self._accepted(submission, answer)

    def send_batch(self, alerts: Sequence[AlertDocument | bytes]) -> list[Accepted | ProblemError]:
        """Send many alerts, or submissions signed before, and return for each, in order, what ``send`` would.

        What one of them is refused for is returned in its place, and stops no other; alerts that name each other are
        taken in the order given. Lines that the exchange asks to send again are, for at most ``patience`` seconds.
        Raises ``InvalidAlertError`` before anything is sent, ``ReceiptNotTrustedError``, and what every call raises.
        """
        submissions = [self._submission(alert) for alert in alerts]
        self._exchange_keys.pinned()
        deadline = self._surroundings.monotonic() + self._patience
        found: dict[int, BatchResult] = {}
        waiting = list(range(len(submissions)))
        told = False
        while True:
            found |= self._batch_results(submissions, waiting)
            waiting = [place for place in waiting if found[place].is_to_come_again]
            pause = max((found[place].retry_after or 1 for place in waiting), default=0)
            if not waiting or self._surroundings.monotonic() + pause > deadline:
                break
            if not told:
                told = True
                self._on_wait(lines_again(len(waiting), seconds=round(self._patience)))
            self._surroundings.sleep(pause)
        return [self._result(submission, found[place]) for place, submission in enumerate(submissions)]

    def _batch_results(self, submissions: Sequence[bytes], places: Sequence[int]) -> dict[int, BatchResult]:
        found: dict[int, BatchResult] = {}
        chosen = [submissions[place] for place in places]
        for together in parted(chosen):
            results = self._batch(b"\n".join(chosen[place] for place in together), lines=len(together))
            found |= {places[each]: result for each, result in zip(together, results, strict=True)}
        return found

    def _batch(self, content: bytes, *, lines: int) -> list[BatchResult]:
        call = Call("POST", "/v1/alerts/batch", content=content, headers=_JOSE_SEQUENCE)
        return read_results(self._caller.answer(lambda: call), lines=lines)

    def _result(self, submission: bytes, result: BatchResult) -> Accepted | ProblemError:
        answer = result.as_answer()
        if not answer.is_success:
            return problem_in(answer, now=self._surroundings.now())
        return self._accepted(submission, answer)

    def _accepted(self, submission: bytes, answer: httpx2.Response) -> Accepted:
        """Return what an answer says, its receipt verified."""
        keys = self._exchange_keys.pinned()
        told = read_answer(answer, AcceptedAnswer)
        replayed = answer.status_code == _REPLAYED
        receipt = verify_receipt(told, submission, keys=keys, named=_named(submission), replayed=replayed)
        return Accepted(
            alert_id=told.alert_id,
            log_index=told.log_index,
            receipt=receipt,
            receipt_jws=told.receipt,
            recipients=told.recipients,
            replayed=replayed,
            warnings=told.warnings,
        )

    def preview(self, alert: AlertDocument | bytes) -> Preview:
        """Return what sending would lead to, decision by decision; nothing is stored or passed on.

        Raises ``InvalidAlertError``, and what every call raises.
        """
        submission = self._submission(alert)
        answer = self._caller.answer(lambda: _posted("/v1/alerts/preview", submission))
        return read_answer(answer, Preview)

    def update(self, original: AlertDocument, alert: AlertDocument) -> Accepted:
        """Send ``alert`` as the Update of ``original``; raises as ``send`` does."""
        return self.send(update_of(original, alert))

    def cancel(self, original: AlertDocument, *, identifier: str) -> Accepted:
        """Recall ``original`` with a Cancel of this new ``identifier``; raises as ``send`` does."""
        return self.send(cancellation_of(original, identifier=identifier, now=self._surroundings.now()))

    def status(
        self, alert_id: str | None = None, *, sender: str | None = None, identifier: str | None = None
    ) -> Status:
        """Return what this participant may see of an alert: by its id, or by its identifier and sender.

        The sender is this participant where none is named. Raises ``ValueError`` unless exactly one of ``alert_id``
        and ``identifier`` is given.
        """
        if (alert_id is None) == (identifier is None):
            raise ValueError("name the alert by its alert_id, or by its identifier")
        if alert_id is not None:
            return self._read(f"/v1/alerts/{alert_id}", {}, Status)
        named = {"sender": sender or self.participant, "identifier": identifier or ""}
        return self._read("/v1/alerts", named, Status)

    def participants(self) -> tuple[Participant, ...]:
        """Return everyone who takes part, with their keys, as their authorities stated it; revocations are not told."""
        return self._read("/v1/participants", {}, Participants).participants

    def agreements(self) -> tuple[AgreementSummary, ...]:
        """Return every agreement that this participant's jurisdiction is a party to, proposed ones included."""
        return self._read("/v1/agreements", {}, AgreementList).agreements

    def agreement(self, agreement: str, version: int) -> AgreementShown:
        """Return one version of an agreement, with its signatures, its state and its history."""
        return self._read(f"/v1/agreements/{agreement}/{version}", {}, AgreementShown)

    def exchange_keys(self) -> Mapping[KeyId, PublicKey]:
        """Return the exchange's own keys as they are pinned, by ``kid``: those of receipts, copies and manifests.

        Raises ``ConfigurationError`` for a file that can't be used, and what every call raises.
        """
        return self._exchange_keys.pinned()

    def acknowledge(
        self, alert_id: str, delivery_id: str, status: AcknowledgementStatus | str, *, note: str | None = None
    ) -> Acknowledged:
        """Say, signed, what this participant did with an alert that was delivered to it.

        Raises ``InvalidAcknowledgementError`` for a word or an id that can't be one, and what every call raises.
        """
        now = self._surroundings.now()
        word = acknowledgement(
            alert_id=alert_id, delivery_id=delivery_id, participant=self.participant, status=status, at=now, note=note
        )
        signed = signed_acknowledgement(word, key=self._key, now=now)
        path = f"/v1/alerts/{alert_id}/acknowledgements"
        return read_answer(self._caller.answer(lambda: Call("POST", path, content=signed, headers=_JOSE)), Acknowledged)

    def consents(self, *, every: bool = False) -> tuple[Question, ...]:
        """Return what this participant is asked to consent to, and, where it audits, what its jurisdiction is.

        They are those that can be answered now, or, with ``every``, all of them.
        """
        return self._read("/v1/consents", {"all": "true"} if every else {}, Questions).consents

    def consent(self, consent_id: str) -> Question:
        """Return one question of consent: to whoever is asked, and to the sender of the alert."""
        return self._read(f"/v1/consents/{consent_id}", {}, Question)

    def answer_consent(
        self, question: Question, decision: Answer | str, *, authority: SigningKey | None = None
    ) -> ConsentAnswered:
        """Give or refuse consent, signed by this participant, or by the ``authority`` of the jurisdiction asked.

        Raises ``ValueError`` for a decision that there is not, and what every call raises.
        """
        key = self._key if authority is None else authority
        signed = signed_consent(question, Answer(decision), key=key, now=self._surroundings.now())
        call = Call("POST", f"/v1/consents/{question.consent_id}", content=signed, headers=_JOSE)
        return read_answer(self._caller.answer(lambda: call), ConsentAnswered)

    def holds(self, *, every: bool = False) -> tuple[Hold, ...]:
        """Return the legal holds that this participant may know of: those that stand, or, with ``every``, all."""
        return self._read("/v1/holds", {"all": "true"} if every else {}, HoldList).holds

    def state_of_content(self, statement: ContentStatement, *, authority: SigningKey) -> ContentStated:
        """Place a hold, release one, or order an erasure, signed by a jurisdiction's ``authority``.

        Raises what every call raises.
        """
        signed = signed_content_statement(statement, key=authority, now=self._surroundings.now())
        match statement:
            case LegalHold():
                path = "/v1/holds"
            case HoldRelease(hold=hold):
                path = f"/v1/holds/{hold}/release"
            case ErasureOrder():
                path = "/v1/erasures"
        answer = self._caller.answer(lambda: Call("POST", path, content=signed, headers=_JOSE))
        return read_answer(answer, ContentStated)

    def reconcile(self, lines: Lines, period: Period) -> Reconciled:
        """Compare what this participant received in a period with what the exchange says that it handed over.

        ``lines`` are a book's (``lacolle.client.book``). The comparison is in the exchange's log, and so is each
        delivery that differs. Raises ``StatementNotTrustedError``, and what every call raises.
        """
        keys = self._exchange_keys.pinned()
        lines, now = bounded(lines), self._surroundings.now()
        said = statement_of(self.participant, period, lines, now=now)
        call = Call("POST", _RECONCILIATIONS, content=signed_statement(said, key=self._key, now=now), headers=_JOSE)
        answer = read_answer(self._caller.answer(lambda: call), ComparedAnswer)
        statement = verified(answer.statement, keys, said=said)
        return Reconciled(
            statement=statement,
            signed=answer.statement,
            partner=said.groups,
            groups=tuple(self._named(answer.reconciliation_id, pair, lines) for pair in answer.differing),
            log_index=answer.log_index,
        )

    def _named(self, reconciliation_id: str, pair: Pair, lines: Lines) -> ReconciledGroup:
        agreement, lane = pair.theirs.name
        named = self._alerts.post(
            f"{_RECONCILIATIONS}/{reconciliation_id}/lines",
            NamedAnswer,
            parameters={} if agreement is None or lane is None else {"agreement": agreement, "lane": lane.value},
            headers={"Content-Type": b"text/plain"},
            content=body_of(lines.get(pair.theirs.name, ())),
        )
        return ReconciledGroup(pair.ours, pair.theirs, named)

    def log_entries(
        self,
        filters: Mapping[str, str],
        *,
        justification: str,
        after: int | None = None,
        limit: int | None = None,
        log_key: str | None = None,
        question: str | None = None,
    ) -> EntryPage:
        """Return entries of the log that have all that ``filters`` ask for, as an auditor: each is proven.

        The filters are the wire contract's: ``kind``, ``jurisdiction``, ``participant``, ``agreement``, ``clause``,
        ``alert_id``, ``type``, ``to``, ``text``, ``from``, ``until``; of a ready-made ``question``, by its name, those
        that it takes. ``justification`` becomes part of the log. With ``log_key``, the log's verifier key, the
        checkpoint must be the log's own. Raises ``EntryNotProvenError``, what ``Verifier.from_vkey`` raises, and what
        every call raises.
        """
        verifier = None if log_key is None else Verifier.from_vkey(log_key)
        bounds = {name: str(value) for name, value in (("after", after), ("limit", limit)) if value is not None}
        said = {"Justification": justification.encode()}
        path = "/v1/log/entries" if question is None else f"/v1/log/questions/{question}"
        page = self._log.read(path, EntryPage, parameters={**filters, **bounds}, headers=said)
        require_proven(page, verifier)
        return page

    def export_log(
        self, filters: Mapping[str, str], archive: Path, *, report: str, form: str, justification: str
    ) -> None:
        """Save an export of the log as an auditor; ``lacolle.client.exports.verify_export`` then says what it is worth.

        ``filters`` and ``justification`` are those of ``log_entries``. ``report`` is ``entries`` or ``disclosures``,
        ``form`` one of ``ndjson``, ``csv`` and ``parquet``. The file is replaced once all has come. Raises ``OSError``,
        and what every call raises.
        """
        wanted = {**filters, "report": report, "format": form}
        said = {"Justification": justification.encode()}
        partial = archive.with_name(f"{archive.name}.partial")
        try:
            with partial.open("wb") as file:
                self._log.save("/v1/log/exports", file, parameters=wanted, headers=said)
            partial.replace(archive)
        finally:
            partial.unlink(missing_ok=True)

    def evidence(self, alert_id: str, *, justification: str) -> bytes:
        """Return an alert's evidence bundle, as far as this participant may see it; ``lacolle evidence`` verifies it.

        ``justification`` becomes part of the log. Raises what every call raises.
        """
        said = {"Justification": justification.encode()}
        return self._alerts.fetch(f"/v1/alerts/{alert_id}/evidence", headers=said)

    def close(self) -> None:
        """Release every connection. Idempotent."""
        self._caller.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.close()

    def _submission(self, alert: AlertDocument | bytes) -> bytes:
        return alert if isinstance(alert, bytes) else self.sign(alert)

    def _read(self, path: str, parameters: Mapping[str, str], model: type[A]) -> A:
        return self._alerts.read(path, model, parameters=parameters)


def _posted(path: str, submission: bytes) -> Call:
    return Call("POST", path, content=submission, headers={"Content-Type": media_type_of(submission)})


def _named(submission: bytes) -> tuple[str, str]:
    """Return the sender and identifier that a submission names, for its receipt to repeat."""
    named = document_in(submission)
    return str(named.get("sender")), str(named.get("identifier"))
