"""Why the exchange says no. Each class is one problem of the wire contract; ``gateway.http.problems`` maps it to HTTP.

No error carries content: a reason names the rule, a pointer the place.
"""

from __future__ import annotations

from typing import ClassVar

from schemas.alerts.catalogue import Fault
from schemas.bilingual import Bilingual


class GatewayError(Exception):
    """The exchange can't do what was asked. ``name`` is the last part of its problem's ``type``, and never changes."""

    name: ClassVar[str] = "internal-error"


class MalformedSubmissionError(GatewayError):
    """What arrived is not a submission: not a compact JWS of the profile, or not strict JSON inside."""

    name = "malformed-submission"

    def __init__(self, reason: Bilingual, pointer: str | None = None) -> None:
        super().__init__(reason.en)
        self.reason = reason
        self.pointer = pointer


class UntrustedSignatureError(GatewayError):
    """No registered, valid key of a participant made this signature. Why not is never told apart."""

    name = "signature-not-trusted"


class NotPermittedError(GatewayError):
    """The participant is known, and may not do this."""

    name = "not-permitted"

    def __init__(self, reason: Bilingual) -> None:
        super().__init__(reason.en)
        self.reason = reason


class IdentifierReusedError(GatewayError):
    """The sender has used this identifier for an alert with other content."""

    name = "identifier-reused"


class AlertRefusedError(GatewayError):
    """The alert breaks the rules of its type, or of time and thread."""

    name = "invalid-alert"

    def __init__(self, faults: tuple[Fault, ...]) -> None:
        super().__init__("; ".join(fault.code for fault in faults))  # a pointer may name what its sender made up
        self.faults = faults


class RateLimitedError(GatewayError):
    """The participant, or the authority, sends faster than its rate. ``retry_after`` is in seconds."""

    name = "rate-limited"

    def __init__(self, retry_after: float) -> None:
        super().__init__(f"over the rate; again in {retry_after:.1f} s")
        self.retry_after = retry_after


class LogUnavailableError(GatewayError):
    """The exchange log can't be appended now, so nothing was stored. ``retry_after`` is in seconds.

    ``reason`` says why, where it is more than a database that is away for a moment.
    """

    name = "log-unavailable"

    def __init__(self, retry_after: float = 1.0, *, reason: Bilingual | None = None) -> None:
        super().__init__("the exchange log can't be appended")
        self.retry_after = retry_after
        self.reason = reason


class SimulationBusyError(GatewayError):
    """Another draft is being simulated in this process; nothing was done. ``retry_after`` is in seconds."""

    name = "simulation-busy"

    def __init__(self, retry_after: float = 10.0) -> None:
        super().__init__("another simulation is under way")
        self.retry_after = retry_after


class ExportBusyError(GatewayError):
    """As many exports are under way in this process as may be; nothing was done. ``retry_after`` is in seconds."""

    name = "export-busy"

    def __init__(self, retry_after: float = 10.0) -> None:
        super().__init__("other exports are under way")
        self.retry_after = retry_after


class DraftRefusedError(GatewayError):
    """What was sent is no agreement that can be simulated, or not for whoever asks."""

    name = "draft-refused"

    def __init__(self, reason: Bilingual) -> None:
        super().__init__(reason.en)
        self.reason = reason


class OverCapacityError(GatewayError):
    """The process has as many bytes of large bodies in hand as it may; nothing was stored.

    ``retry_after`` is in seconds.
    """

    name = "over-capacity"

    def __init__(self, retry_after: float = 1.0) -> None:
        super().__init__("too many bytes of large bodies are in hand")
        self.retry_after = retry_after


class NotFoundError(GatewayError):
    """Absent, or another jurisdiction's: the two are one answer."""

    name = "not-found"


class TokenRefusedError(GatewayError):
    """The bearer token is missing, spent, or does not reach this call. ``scope`` names the scope the call needs.

    ``presented`` says whether there was one at all, ``insufficient`` whether it counts but lacks the scope.
    """

    name = "token-refused"

    def __init__(self, *, scope: str, presented: bool = True, insufficient: bool = False) -> None:
        super().__init__(f"a bearer token with the scope {scope} is needed")
        self.scope = scope
        self.presented = presented
        self.insufficient = insufficient


class BodyTooLargeError(GatewayError):
    """The body is larger than the exchange takes. ``limit`` is in bytes."""

    name = "body-too-large"

    def __init__(self, limit: int) -> None:
        super().__init__(f"the body is over {limit} bytes")
        self.limit = limit


class MediaTypeError(GatewayError):
    """The body's media type or encoding is none that the call takes. ``expected`` are the media types that it takes."""

    name = "unsupported-media-type"

    def __init__(self, *expected: str) -> None:
        super().__init__(f"the body must be {' or '.join(expected)}, without Content-Encoding")
        self.expected = expected


class InterruptedBodyError(GatewayError):
    """The client went away before its body was whole."""

    name = "interrupted-body"


class InvalidQueryError(GatewayError):
    """A parameter of the query is missing or out of range; ``parameter`` is its name, where it is one alone."""

    name = "invalid-query"

    def __init__(self, reason: Bilingual, parameter: str | None = None) -> None:
        super().__init__(reason.en)
        self.reason = reason
        self.parameter = parameter


class JustificationRequiredError(GatewayError):
    """Nobody asks the log without saying why. ``longest`` is in characters."""

    name = "justification-required"

    def __init__(self, longest: int) -> None:
        super().__init__(f"a Justification of at most {longest} characters is needed")
        self.longest = longest


class StatementRefusedError(GatewayError):
    """The registry does not take this authority statement."""

    name = "statement-refused"

    def __init__(self, reason: Bilingual) -> None:
        super().__init__(reason.en)
        self.reason = reason


class AgreementRefusedError(GatewayError):
    """The agreement's life has no place for what a party signed."""

    name = "agreement-refused"

    def __init__(self, reason: Bilingual) -> None:
        super().__init__(reason.en)
        self.reason = reason


class ConsentClosedError(GatewayError):
    """Nobody is asked for this consent any more: it was answered otherwise, came too late, or nothing waits for it."""

    name = "consent-closed"


class ContentHeldError(GatewayError):
    """The alert's content is under a legal hold: it is not erased before every hold is released."""

    name = "content-held"


class ContentGoneError(GatewayError):
    """The alert's content was erased: it can neither be held nor erased any more."""

    name = "content-erased"


class UnsoundAgreementError(GatewayError):
    """The document does not lint: nobody signs it here. ``findings`` name each place and what is wrong there."""

    name = "unsound-agreement"

    def __init__(self, findings: tuple[tuple[str, Bilingual], ...]) -> None:
        super().__init__("; ".join(f"{pointer}: {reason.en}" for pointer, reason in findings))
        self.findings = findings


class OvertakenError(Exception):
    """The registry, or the alert's thread, moved since this was decided, and nothing was stored: decide it anew.

    It goes from the committer to whoever decided, and no further (``gateway.upkeep.following.decided_anew``).
    """


class StoreError(GatewayError):
    """The database can't serve an exchange as it is; the reason says what to do."""

    def __init__(self, reason: Bilingual) -> None:
        super().__init__(reason.en)
        self.reason = reason


class StoreUnavailableError(StoreError):
    """The database can't be reached now, and may be later: nothing says that it was set up wrongly."""
