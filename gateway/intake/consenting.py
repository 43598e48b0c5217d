"""Taking the word of those who are asked for consent before an alert is released.

    form -> signature -> rate -> content -> the question -> commit

A participant answers for itself, with its own key; for a jurisdiction its authority does. The answer repeats what it is
about, so that it is evidence by itself; where that is not what was asked, it is refused.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Final

from gateway.clock import Clock
from gateway.errors import AlertRefusedError, MalformedSubmissionError, NotFoundError
from gateway.intake.identification import Identification, Identified
from gateway.intake.ratelimit import RateLimiter
from gateway.intake.screening import CLOCK_TOLERANCE, read_word
from gateway.store.committer import Committer
from gateway.store.consents import Answered, ConsentWriter, SignedConsent
from gateway.store.dispatches import Route
from gateway.store.engine import Store
from gateway.store.questions import find_question
from gateway.trust.authorities import Authorities
from gateway.trust.registry import CurrentRegistry
from gateway.upkeep.following import decided_anew
from schemas.alerts.catalogue import Fault
from schemas.bilingual import Bilingual
from schemas.consents import Consent
from schemas.ids import CertificateDigest, ConsentId, JurisdictionCode, ParticipantId, instant_ms_of
from schemas.signing.jws import CONSENT, MalformedJwsError, Unverified, read_compact
from schemas.timestamps import read_utc


class Consents:
    """The use case of ``POST /v1/consents/{consent_id}``."""

    def __init__(
        self,
        *,
        registry: CurrentRegistry,
        identification: Identification,
        authorities: Authorities,
        store: Store,
        committer: Committer,
        limiter: RateLimiter,
        clock: Clock,
        on_routed: Callable[[Iterable[Route]], None],
    ) -> None:
        self._identification = identification
        self._authorities = authorities
        self._store = store
        self._committer = committer
        self._limiter = limiter
        self._clock = clock
        self._writer = ConsentWriter(registry, on_routed=on_routed)

    async def answer(
        self, consent_id: ConsentId, compact: bytes, *, certificate: CertificateDigest | None = None
    ) -> tuple[Consent, Answered]:
        """Store an answer, let go or end what waits for it, and return it with its place in the log.

        Its connection showed ``certificate``. Raises ``MalformedSubmissionError``, ``UntrustedSignatureError``,
        ``RateLimitedError``, ``AlertRefusedError`` for a document that is no answer to this question,
        ``NotFoundError`` where the signer is not asked it, and ``ConsentClosedError``.
        """
        try:
            unverified = read_compact(compact, CONSENT)
        except MalformedJwsError as error:
            raise MalformedSubmissionError(error.reason) from error
        if self._authorities.is_pinned(unverified.kid):
            signer: ParticipantId | JurisdictionCode = await self._authority(unverified)
            identified = None
        else:
            identified = await self._identification.signer_of(unverified, CONSENT, certificate=certificate)
            signer = identified.participant.participant
        self._limiter.take(signer, now=time.monotonic())
        consent = read_word(Consent, unverified.payload)
        if read_utc(consent.at) > self._clock() + CLOCK_TOLERANCE:
            raise AlertRefusedError((_IN_THE_FUTURE,))
        async with self._store.reading() as connection:
            question = await find_question(connection, consent_id)
        if question is None or question["by"] != signer:
            raise NotFoundError
        asked_at = datetime.fromtimestamp(instant_ms_of(consent_id) / 1000, tz=UTC)
        if read_utc(consent.at) < asked_at - CLOCK_TOLERANCE:
            raise AlertRefusedError((_BEFORE_THE_QUESTION,))
        _require_about(consent, {"consent_id": consent_id, **question})
        signed = SignedConsent(consent, unverified.kid, compact, hashlib.sha256(compact).digest())
        return consent, await decided_anew(lambda: self._submit(identified, signed))

    async def _authority(self, unverified: Unverified) -> JurisdictionCode:
        (signer,) = await self._authorities.signers([unverified])
        if unverified.issued_at > self._clock() + CLOCK_TOLERANCE:
            raise MalformedSubmissionError(_SIGNED_IN_THE_FUTURE)
        return signer

    async def _submit(self, identified: Identified | None, signed: SignedConsent) -> Answered:
        decided_at = None if identified is None else self._identification.confirm(identified).version
        return await self._committer.submit(self._writer, signed, decided_at=decided_at)


def _require_about(consent: Consent, asked: Mapping[str, str]) -> None:
    """Raise ``AlertRefusedError`` with every member in which an answer is about something else than was asked."""
    said = consent.model_dump(mode="json")
    faults = tuple(
        Fault(pointer=f"/{member}", code="not-what-was-asked", message=_OTHER_QUESTION)
        for member, value in asked.items()
        if said[member] != value
    )
    if faults:
        raise AlertRefusedError(faults)


_IN_THE_FUTURE: Final = Fault(
    pointer="/at",
    code="at-in-future",
    message=Bilingual(fr="l'instant de la réponse est dans l'avenir", en="the time of the answer is in the future"),
)
_BEFORE_THE_QUESTION: Final = Fault(
    pointer="/at",
    code="at-before-question",
    message=Bilingual(
        fr="l'instant de la réponse précède la demande", en="the time of the answer is before the question was asked"
    ),
)
_SIGNED_IN_THE_FUTURE: Final = Bilingual(
    fr="la signature est datée dans l'avenir : réglez l'horloge de l'autorité",
    en="the signature is dated in the future: set the authority's clock right",
)
_OTHER_QUESTION: Final = Bilingual(
    fr="ce n'est pas ce qui a été demandé : lisez la demande et répondez à elle",
    en="this is not what was asked: read the question and answer it",
)
