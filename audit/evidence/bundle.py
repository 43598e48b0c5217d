"""A bundle that was opened, and what it is held against: nothing in it is believed yet."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final, TypeVar

from pydantic import ValidationError

from audit.entry import Entry
from audit.evidence.archive import DOCUMENT, read_archive
from audit.evidence.document import Evidence, require_named
from audit.evidence.findings import WantingError
from audit.kinds import Kind
from audit.note import Verifier
from audit.policy import WitnessPolicy
from schemas.bilingual import Bilingual
from schemas.evidence import Receipt
from schemas.fields import Part
from schemas.ids import JurisdictionCode, KeyId, ParticipantId, instant_ms_of
from schemas.registry import Registry
from schemas.signing.jws import (
    RECEIPT,
    JwsProfile,
    MalformedJwsError,
    SignatureNotTrustedError,
    Unverified,
    read_compact,
    verify,
)
from schemas.signing.keys import PublicKey
from schemas.signing.strict_json import JsonError, parse_json
from schemas.statements import Jurisdiction, StatementError, VerifiedStatement, read_statement
from schemas.timestamps import utc_text_of_ms

PartT = TypeVar("PartT", bound=Part)


@dataclass(frozen=True, slots=True)
class Pins:
    """Whom the reader of a bundle believes, from elsewhere than the bundle.

    ``jurisdictions`` with their authority keys, the ``log``'s key, and the ``exchange``'s keys of receipts and copies;
    without these, what the exchange signed is checked against the keys that it named itself, and that is said.
    ``witnesses`` are those whose cosignatures are demanded, where any are. ``vouched`` are the statements that were
    found to be an authority's so far: many checks ask for them again.
    """

    jurisdictions: Mapping[JurisdictionCode, Jurisdiction]
    log: Verifier
    exchange: Mapping[KeyId, PublicKey] | None = None
    witnesses: WitnessPolicy | None = None
    vouched: dict[str, VerifiedStatement] = field(default_factory=dict, compare=False, repr=False)

    def statement(self, compact: str) -> VerifiedStatement:
        """Return what an authority has stated. Raises ``StatementError``."""
        if compact not in self.vouched:
            self.vouched[compact] = read_statement(compact.encode("ascii"), self.jurisdictions)
        return self.vouched[compact]


@dataclass(frozen=True, slots=True)
class Acceptance:
    """Who sent the alert under which name, what and where it is in the log, and when it was received.

    ``digest`` is the submission's, ``received`` RFC 3339 in UTC; ``identifier`` is None where it was erased.
    """

    sender: ParticipantId
    identifier: str | None
    digest: str
    log_index: int
    received: str


@dataclass(frozen=True)
class Bundle:
    """The members of a file, and the document among them."""

    members: Mapping[str, bytes]
    evidence: Evidence

    @cached_property
    def receipt(self) -> Receipt | None:
        """What the receipt says, whoever signed it; None where there is none. Raises ``WantingError``."""
        compact = self.evidence.receipt
        return None if compact is None else word_in(opened(compact, RECEIPT), Receipt)

    @cached_property
    def acceptance(self) -> Acceptance:
        """What is known of the acceptance: by the receipt, and where that was erased by the log. ``WantingError``."""
        receipt = self.receipt
        if receipt is None:
            return _acceptance(self)
        return Acceptance(
            sender=receipt.sender,
            identifier=receipt.identifier,
            digest=receipt.digest,
            log_index=receipt.log_index,
            received=receipt.received,
        )

    @cached_property
    def about_the_alert(self) -> tuple[Entry, ...]:
        """The entries about the alert, in the log's order, without those that say who looked at it."""
        read = (each.told for each in self.evidence.entries)
        return tuple(each for each in read if each.alert_id is not None and each.kind != Kind.QUERIED)

    @cached_property
    def erased(self) -> Entry | None:
        """The entry that says that the alert's content was erased; None where there is none."""
        return next((each for each in self.about_the_alert if each.kind == Kind.ERASED), None)

    @cached_property
    def accepted(self) -> Entry | None:
        """The acceptance; None where the reader may not read it whole."""
        return next((each for each in self.about_the_alert if each.kind == Kind.ACCEPTED), None)

    def exchange_key(self, kid: KeyId, pins: Pins) -> PublicKey | None:
        """Return a key of the exchange: the pinned one, and where none is pinned the one that the bundle names."""
        if pins.exchange is not None:
            return pins.exchange.get(kid)
        return next((key for key in self.evidence.exchange_keys if key.kid == kid), None)


def _acceptance(bundle: Bundle) -> Acceptance:
    """Return what the log says of an acceptance whose receipt was erased. Raises ``WantingError``.

    Where the acceptance itself is sealed, its sender is the actor of what was routed, and its time that of the alert's
    id (UUIDv7, RFC 9562 section 5.7), to the millisecond.
    """
    erased, accepted = bundle.erased, bundle.accepted
    if erased is None:
        raise WantingError(NO_RECEIPT)
    digest = str(erased.content["digest"])
    if accepted is not None:
        if accepted.content["digest"] != digest or accepted.actor is None:
            raise WantingError(_OTHER_ERASED)
        said = accepted.content.get("identifier")
        identifier = said if isinstance(said, str) else None
        return Acceptance(accepted.actor, identifier, digest, accepted.index, accepted.time)
    senders = [each.actor for each in bundle.about_the_alert if each.kind in _BEGINNINGS and each.actor is not None]
    if not senders or not bundle.evidence.sealed:
        raise WantingError(_OTHER_ERASED)
    received = utc_text_of_ms(instant_ms_of(bundle.evidence.alert_id))
    return Acceptance(senders[0], None, digest, bundle.evidence.sealed[0].index, received)


def open_bundle(data: bytes) -> Bundle:
    """Return a file's members and document. Raises ``MalformedBundleError``, and nothing is verified."""
    members = read_archive(data)
    evidence = Evidence.of_bytes(members[DOCUMENT])
    require_named(evidence, members)
    return Bundle(members, evidence)


def opened(compact: str | bytes, profile: JwsProfile) -> Unverified:
    """Return a JWS's parts. Raises ``WantingError``."""
    try:
        return read_compact(compact.encode("ascii") if isinstance(compact, str) else compact, profile)
    except MalformedJwsError as error:
        raise WantingError(error.reason) from None


def require_signed(unverified: Unverified, key: PublicKey | None, otherwise: Bilingual) -> None:
    """Raise ``WantingError`` with the words given unless the key has signed."""
    try:
        verify(unverified, key)
    except SignatureNotTrustedError:
        raise WantingError(otherwise) from None


def word_in(unverified: Unverified, model: type[PartT]) -> PartT:
    """Return what a payload says. Raises ``WantingError``."""
    try:
        return model.model_validate(parse_json(unverified.payload))
    except (JsonError, ValidationError):
        raise WantingError(_NO_SUCH_WORD) from None


def statements_before(bundle: Bundle, pins: Pins, index: int) -> list[VerifiedStatement]:
    """Return the statements that stood below an index of the log, verified. Raises ``WantingError``."""
    stood: Iterable[str] = (each.statement for each in bundle.evidence.statements if each.index < index)
    try:
        return [pins.statement(each) for each in stood]
    except StatementError as error:
        raise WantingError(error.reason) from None


def registry_before(bundle: Bundle, pins: Pins, index: int) -> Registry:
    """Return what the enclosed statements said below an index of the log. Raises ``WantingError``."""
    try:
        return Registry.of(pins.jurisdictions, statements_before(bundle, pins, index))
    except StatementError as error:
        raise WantingError(error.reason) from None


_BEGINNINGS: Final = (Kind.ROUTED, Kind.CONSENT_REQUESTED)
NO_RECEIPT: Final = Bilingual(
    fr="Le reçu manque, et aucune inscription ne dit que le contenu a été effacé.",
    en="The receipt is missing, and no entry says that the content was erased.",
)
_OTHER_ERASED: Final = Bilingual(
    fr="L'inscription qui dit le contenu effacé n'est pas celle de cette alerte.",
    en="The entry that says that the content was erased is not this alert's.",
)
_NO_SUCH_WORD: Final = Bilingual(
    fr="Un document signé n'a pas les membres qu'il doit avoir.",
    en="A signed document does not have the members that it must have.",
)
