"""Recording a partner's own signed word about a delivery."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from datetime import datetime

from pydantic import ValidationError

from gateway.clock import Clock
from gateway.errors import AlertRefusedError, MalformedSubmissionError, NotFoundError, UntrustedSignatureError
from gateway.following import decided_anew, no_look
from gateway.registry import CurrentRegistry
from gateway.screening import CLOCK_TOLERANCE, check_signing_time
from gateway.store.acknowledgements import AcknowledgementWriter, Recorded, SignedAcknowledgement
from gateway.store.committer import Committer
from schemas.alerts.catalogue import Fault
from schemas.bilingual import Bilingual
from schemas.evidence import Acknowledgement
from schemas.faults import sentence_for
from schemas.ids import AlertId, CertificateDigest
from schemas.signing.jws import (
    ACKNOWLEDGEMENT,
    MalformedJwsError,
    SignatureNotTrustedError,
    Unverified,
    read_compact,
    verify,
)
from schemas.signing.strict_json import JsonError, parse_json
from schemas.timestamps import read_utc


class Acknowledgements:
    """The use case of ``POST /v1/alerts/{alert_id}/acknowledgements``."""

    def __init__(
        self,
        *,
        registry: CurrentRegistry,
        committer: Committer,
        clock: Clock,
        look: Callable[[], Awaitable[None]] = no_look,
    ) -> None:
        self._look = look
        self._registry = registry
        self._committer = committer
        self._clock = clock
        self._writer = AcknowledgementWriter()

    async def record(
        self, alert_id: AlertId, compact: bytes, *, certificate: CertificateDigest | None = None
    ) -> tuple[Acknowledgement, Recorded]:
        """Store an acknowledgement and return it with its place in the log; its connection showed ``certificate``.

        Raises ``MalformedSubmissionError``, ``UntrustedSignatureError``, ``AlertRefusedError`` for a document that is
        not an acknowledgement, and ``NotFoundError`` where the signer has no such delivery of this alert.
        """
        return await decided_anew(lambda: self._record(alert_id, compact, certificate))

    async def _record(
        self, alert_id: AlertId, compact: bytes, certificate: CertificateDigest | None
    ) -> tuple[Acknowledgement, Recorded]:
        version = self._registry.version
        try:
            unverified = read_compact(compact, ACKNOWLEDGEMENT)
            known = self._registry.registry.trusted_key(unverified.kid, self._clock())
            if known is None:  # another process may have heard of it
                await self._look()
                known = self._registry.registry.trusted_key(unverified.kid, self._clock())
            if known is not None and not known[0].speaks_over(certificate):
                known = None
            word = _parse(verify(unverified, None if known is None else known[1]))
        except MalformedJwsError as error:
            raise MalformedSubmissionError(error.reason) from error
        except SignatureNotTrustedError as error:
            raise UntrustedSignatureError from error
        _check_times(unverified, word, self._clock())
        if known is None or word.participant != known[0].participant or word.alert_id != alert_id:
            raise NotFoundError
        signed = SignedAcknowledgement(
            acknowledgement=word, kid=unverified.kid, compact=compact, digest=hashlib.sha256(compact).digest()
        )
        return word, await self._committer.submit(self._writer, signed, decided_at=version)


def _check_times(unverified: Unverified, word: Acknowledgement, now: datetime) -> None:
    check_signing_time(unverified, now)
    if read_utc(word.at) > now + CLOCK_TOLERANCE:
        raise AlertRefusedError((_IN_THE_FUTURE,))


_IN_THE_FUTURE = Fault(
    pointer="/at",
    code="at-in-future",
    message=Bilingual(
        fr="l'instant de l'accusé est dans l'avenir", en="the time of the acknowledgement is in the future"
    ),
)


def _parse(payload: bytes) -> Acknowledgement:
    try:
        return Acknowledgement.model_validate(parse_json(payload))
    except JsonError as error:
        raise MalformedSubmissionError(error.reason, error.pointer) from error
    except ValidationError as error:
        raise AlertRefusedError(
            tuple(
                Fault(
                    pointer="/" + "/".join(str(part) for part in each["loc"]),
                    code=each["type"],
                    message=sentence_for(each),
                )
                for each in error.errors(include_input=False, include_url=False)
            )
        ) from error
