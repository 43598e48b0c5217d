"""Whether a submission may be considered on the connection that it came over.

A participant whose authority names its certificates speaks only over a connection that showed one of them: a stolen
signing key alone is then no use from elsewhere. Who is turned away hears what a stranger hears.
"""

from __future__ import annotations

from collections.abc import Callable

from gateway.clock import Clock
from gateway.errors import GatewayError, MalformedSubmissionError, UntrustedSignatureError
from gateway.registry import CurrentRegistry
from gateway.screening import check_signing_time
from schemas.ids import CertificateDigest, ParticipantId
from schemas.registry import Registry
from schemas.signing.jws import ALERT, MalformedJwsError, read_compact


class Admission:
    """Holds submissions against their participants' certificates; free of cost while nobody has any."""

    def __init__(
        self,
        *,
        registry: CurrentRegistry,
        clock: Clock,
        on_refused: Callable[[GatewayError, ParticipantId | None], None],
    ) -> None:
        self._registry = registry
        self._clock = clock
        self._on_refused = on_refused
        self._known: tuple[Registry | None, bool] = (None, False)

    def check(self, submission: bytes, certificate: CertificateDigest | None) -> None:
        """Raise ``UntrustedSignatureError`` where the submission's participant does not speak over this connection.

        Its signature is not looked at: what is let through is still to be verified, and what is no JWS to be refused.
        """
        if not self._anyone_bound():
            return
        now = self._clock()
        try:
            unverified = read_compact(submission, ALERT)
            check_signing_time(unverified, now)  # a stranger's wrong clock is told first, so everyone's is
        except (MalformedJwsError, MalformedSubmissionError):
            return
        known = self._registry.registry.trusted_key(unverified.kid, now)
        if known is not None and not known[0].speaks_over(certificate):
            refusal = UntrustedSignatureError()
            self._on_refused(refusal, None)
            raise refusal

    def _anyone_bound(self) -> bool:
        registry = self._registry.registry
        if self._known[0] is not registry:
            self._known = (registry, any(each.statement.certificates for each in registry.participants.values()))
        return self._known[1]
