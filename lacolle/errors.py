"""What can go wrong on a client's side. Every error says so in French and in English, and what to do next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from schemas.bilingual import Bilingual, Language


class LacolleError(Exception):
    """Something did not work; ``reason`` says what, and what to do."""

    def __init__(self, reason: Bilingual) -> None:
        super().__init__(reason.en)
        self.reason = reason

    def in_language(self, language: Language) -> str:
        """Return the whole message in one language."""
        return self.reason.in_language(language)


class ConfigurationError(LacolleError):
    """The client was set up in a way that can't work, or that would not be safe."""


class InvalidAcknowledgementError(LacolleError):
    """The acknowledgement names something that can't be an alert, a delivery or a status."""


class ExchangeUnreachableError(LacolleError):
    """No answer came in the time allowed. A submission may have been stored: send the same bytes again."""


class UnexpectedAnswerError(LacolleError):
    """What answered does not speak as an exchange does; probably the address is another service's."""


class TroubledError(UnexpectedAnswerError):
    """What answered can't for now, or wants to be asked less often: that says nothing about what it has."""


class EntryNotProvenError(LacolleError):
    """An entry that the exchange showed is not under the checkpoint that it named, or that is not the log's."""


class ExportNotTrustedError(LacolleError):
    """An export of the log is not whole, or not the exchange's word. What was received stays where it is."""


class HistoryRewrittenError(LacolleError):
    """A log does not continue what it said before, or what it says is not signed by it.

    ``note`` is what it says now, where the log's key has signed that: with what it said before, it is the proof.
    """

    def __init__(self, reason: Bilingual, *, note: bytes | None = None) -> None:
        super().__init__(reason)
        self.note = note


class ReceiptNotTrustedError(LacolleError):
    """The exchange's answer carries a receipt that does not prove what it should.

    ``alert_id`` and ``receipt`` are as they were answered, to be shown to the exchange's operator.
    """

    def __init__(self, reason: Bilingual, *, alert_id: str, receipt: str) -> None:
        super().__init__(reason)
        self.alert_id = alert_id
        self.receipt = receipt


@dataclass(frozen=True, slots=True)
class FieldError:
    """One place of the alert that the exchange refuses; ``pointer`` is a JSON Pointer (RFC 6901)."""

    pointer: str
    message: str


class ProblemError(LacolleError):
    """The exchange refused, and said why (RFC 9457).

    ``type`` is a URI whose last segment, ``name``, is one of the wire contract's, or the token endpoint's error code
    (RFC 6749 section 5.2); ``title``, ``detail`` and the
    messages of ``errors`` are in the client's language. ``request_id`` is what the operator finds the refusal by,
    ``retry_after`` in seconds, where the exchange named it.
    """

    def __init__(
        self,
        *,
        type_: str,
        title: str,
        status: int,
        detail: str | None = None,
        errors: tuple[FieldError, ...] = (),
        request_id: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        self.type = type_
        self.title = title
        self.status = status
        self.detail = detail
        self.errors = errors
        self.request_id = request_id
        self.retry_after = retry_after
        super().__init__(Bilingual(fr=self._told("fr"), en=self._told("en")))

    @property
    def name(self) -> str:
        """The problem's stable name, for instance ``not-permitted``."""
        return self.type.rpartition("/")[2]

    def _told(self, language: Language) -> str:
        advice = _ADVICE.get(self.name)
        request = Bilingual(fr="requête", en="request").in_language(language)
        lines = [
            f"{self.title} ({self.status} {self.name})",
            *([] if self.detail is None else [self.detail]),
            *(f"{error.pointer or '/'}: {error.message}" for error in self.errors),
            *([] if advice is None else [advice.in_language(language)]),
            *([] if self.request_id is None else [f"{request}: {self.request_id}"]),
        ]
        return "\n".join(lines)


_ADVICE: Final = {
    "malformed-submission": Bilingual(
        fr="Signez l'alerte de nouveau (lacolle sign) et vérifiez l'heure de la machine.",
        en="Sign the alert again (lacolle sign), and check this machine's clock.",
    ),
    "signature-not-trusted": Bilingual(
        fr="Vérifiez que la clé est celle qui est inscrite auprès de la plateforme, sous le même kid, et qu'elle est "
        "encore valable; sinon, demandez à votre autorité de l'inscrire.",
        en="Check that this is the key registered with the exchange, under the same kid, and that it is still valid; "
        "if it is not, ask your authority to register it.",
    ),
    "not-permitted": Bilingual(
        fr="L'attestation de votre autorité dit ce que le participant peut envoyer : vérifiez l'expéditeur, le type "
        "de l'alerte et la clé.",
        en="Your authority's statement says what the participant may send: check the sender, the alert's type and "
        "the key.",
    ),
    "identifier-reused": Bilingual(
        fr="Donnez à cette alerte un identifiant qui n'a jamais servi, ou envoyez une mise à jour de la première.",
        en="Give this alert an identifier that was never used, or send an Update of the first one.",
    ),
    "invalid-alert": Bilingual(
        fr="Corrigez l'alerte aux endroits indiqués, puis renvoyez-la : rien n'a été transmis.",
        en="Correct the alert at the places named and send it again: nothing was passed on.",
    ),
    "body-too-large": Bilingual(
        fr="Réduisez les pièces jointes : donnez leur adresse (uri) plutôt que leur contenu.",
        en="Make attachments smaller: give their address (uri) rather than their content.",
    ),
    "not-found": Bilingual(
        fr="Vérifiez l'identifiant; seuls l'expéditeur, les destinataires et leurs vérificateurs voient une alerte.",
        en="Check the identifier; an alert is seen by its sender, its recipients and their auditors alone.",
    ),
    "rate-limited": Bilingual(
        fr="Attendez un moment, puis renvoyez les mêmes octets : aucun double n'en résultera.",
        en="Wait a moment, then send the same bytes again: no duplicate will come of it.",
    ),
    "log-unavailable": Bilingual(
        fr="Rien n'a été enregistré. Renvoyez les mêmes octets plus tard : aucun double n'en résultera.",
        en="Nothing was stored. Send the same bytes again later: no duplicate will come of it.",
    ),
    "invalid_client": Bilingual(
        fr="Vérifiez que la clé est inscrite au nom du participant et toujours valable, que l'horloge est à l'heure, "
        "et que l'adresse est celle que la plateforme publie comme issuer "
        "(/.well-known/oauth-authorization-server); sinon, indiquez cette dernière avec --issuer.",
        en="Check that the key is registered as the participant's and still valid, that the clock is right, and that "
        "the address is the one the exchange publishes as its issuer (/.well-known/oauth-authorization-server); "
        "if it is not, give the issuer with --issuer.",
    ),
}
"""What to do next, by the problem's name."""
