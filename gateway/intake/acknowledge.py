"""Recording a partner's own signed word about a delivery."""

from __future__ import annotations

import hashlib
import time

from gateway.clock import Clock
from gateway.errors import AlertRefusedError, NotFoundError
from gateway.intake.identification import Identification, Identified
from gateway.intake.ratelimit import RateLimiter
from gateway.intake.screening import CLOCK_TOLERANCE, read_word
from gateway.sealing.contents import Contents
from gateway.store.acknowledgements import AcknowledgementWriter, Recorded, SignedAcknowledgement
from gateway.store.committer import Committer
from gateway.upkeep.following import decided_anew
from schemas.alerts.catalogue import Fault
from schemas.bilingual import Bilingual
from schemas.evidence import Acknowledgement
from schemas.ids import AlertId, CertificateDigest
from schemas.signing.jws import ACKNOWLEDGEMENT
from schemas.timestamps import read_utc


class Acknowledgements:
    """The use case of ``POST /v1/alerts/{alert_id}/acknowledgements``."""

    def __init__(
        self,
        *,
        identification: Identification,
        committer: Committer,
        contents: Contents,
        limiter: RateLimiter,
        clock: Clock,
    ) -> None:
        self._identification = identification
        self._committer = committer
        self._limiter = limiter
        self._clock = clock
        self._writer = AcknowledgementWriter(contents)

    async def record(
        self, alert_id: AlertId, compact: bytes, *, certificate: CertificateDigest | None = None
    ) -> tuple[Acknowledgement, Recorded]:
        """Store an acknowledgement and return it with its place in the log; its connection showed ``certificate``.

        Raises ``MalformedSubmissionError``, ``UntrustedSignatureError``, ``RateLimitedError``, ``AlertRefusedError``
        for a document that is not an acknowledgement, and ``NotFoundError`` where the signer has no such delivery of
        this alert.
        """
        identified = await self._identification.identify(compact, ACKNOWLEDGEMENT, certificate=certificate)
        self._limiter.take(identified.participant.participant, now=time.monotonic())
        word = read_word(Acknowledgement, identified.unverified.payload)
        if read_utc(word.at) > self._clock() + CLOCK_TOLERANCE:
            raise AlertRefusedError((_IN_THE_FUTURE,))
        if word.participant != identified.participant.participant or word.alert_id != alert_id:
            raise NotFoundError
        signed = SignedAcknowledgement(
            acknowledgement=word,
            kid=identified.unverified.kid,
            compact=compact,
            digest=hashlib.sha256(compact).digest(),
        )
        return word, await decided_anew(lambda: self._submit(identified, signed))

    async def _submit(self, identified: Identified, signed: SignedAcknowledgement) -> Recorded:
        confirmed = self._identification.confirm(identified)
        return await self._committer.submit(self._writer, signed, decided_at=confirmed.version)


_IN_THE_FUTURE = Fault(
    pointer="/at",
    code="at-in-future",
    message=Bilingual(
        fr="l'instant de l'accusé est dans l'avenir", en="the time of the acknowledgement is in the future"
    ),
)
