"""What a log entry can be about: each kind, who its parties are, which members its content has, and which it withholds.

``audit.entry.Draft`` holds writers to this table. Digests are written ``sha-256:<hex>``, times RFC 3339 in UTC, clauses
``id/version#clause``. No member holds an alert's own words; those that name somebody, or say why somebody looked, are
withheld from the bytes that the log commits to (``audit.withheld``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from audit.withheld import Withheld
from schemas.bilingual import Bilingual


class Kind(StrEnum):
    """What happened."""

    EXCHANGE_OPENED = "exchange-opened"
    JURISDICTION_PINNED = "jurisdiction-pinned"
    PARTICIPANT_REGISTERED = "participant-registered"
    KEY_REVOKED = "key-revoked"
    AGREEMENT_PROPOSED = "agreement-proposed"
    AGREEMENT_SIGNED = "agreement-signed"
    AGREEMENT_IN_FORCE = "agreement-in-force"
    AGREEMENT_REPLACED = "agreement-replaced"
    AGREEMENT_SUSPENDED = "agreement-suspended"
    AGREEMENT_RESUMED = "agreement-resumed"
    AGREEMENT_WITHDRAWN = "agreement-withdrawn"
    AGREEMENT_ACCEDED = "agreement-acceded"
    AGREEMENT_ENDED = "agreement-ended"
    AGREEMENT_ALTERED = "agreement-altered"
    AGREEMENT_RESTORED = "agreement-restored"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    PREVIEWED = "previewed"
    CONSENT_REQUESTED = "consent-requested"
    CONSENT_GIVEN = "consent-given"
    CONSENT_REFUSED = "consent-refused"
    CONSENT_LAPSED = "consent-lapsed"
    ROUTED = "routed"
    WITHHELD = "withheld"
    DELIVERED = "delivered"
    DEFERRED = "deferred"
    UNDELIVERABLE = "undeliverable"
    EXPIRED = "expired"
    ACKNOWLEDGED = "acknowledged"
    ACKNOWLEDGEMENT_OVERDUE = "acknowledgement-overdue"
    ERASED = "erased"
    HELD = "held"
    RELEASED = "released"
    RECONCILIATION_STATED = "reconciliation-stated"
    RECONCILED = "reconciled"
    RECONCILIATION_DIFFERED = "reconciliation-differed"
    QUERIED = "queried"
    EXPORTED = "exported"
    EXPORT_ENDED = "export-ended"


@dataclass(frozen=True, slots=True)
class KindRule:
    """What one kind says: its caption, whose jurisdictions are its parties, its ``content`` members.

    Those that are ``withheld`` are kept beside the entry; ``filters/text`` is the member ``text`` of ``filters``.
    """

    caption: Bilingual
    parties: str
    required: frozenset[str]
    allowed: frozenset[str]
    withheld: Withheld


def _rule(*, fr: str, en: str, parties: str, required: str, optional: str = "", withheld: str = "") -> KindRule:
    members = required.split()
    hidden: dict[str, tuple[str, ...]] = {}
    for path in withheld.split():
        parent, _, name = path.rpartition("/")
        hidden[parent] = (*hidden.get(parent, ()), name)
    return KindRule(
        caption=Bilingual(fr=fr, en=en),
        parties=parties,
        required=frozenset(members),
        allowed=frozenset(members + optional.split()),
        withheld=hidden,
    )


KINDS: Final[Mapping[Kind, KindRule]] = {
    Kind.EXCHANGE_OPENED: _rule(
        fr="Ouverture de l'échange",
        en="Exchange opened",
        parties="none",
        required="origin log_key",
    ),
    Kind.JURISDICTION_PINNED: _rule(
        fr="Administration reconnue",
        en="Jurisdiction pinned",
        parties="the jurisdiction",
        required="jurisdiction authority_keys digest",
    ),
    Kind.PARTICIPANT_REGISTERED: _rule(
        fr="Participant inscrit",
        en="Participant registered",
        parties="the participant's",
        required="participant statement authority_kid",
        optional="issued_at roles keys from until",
    ),
    Kind.KEY_REVOKED: _rule(
        fr="Clé révoquée",
        en="Key revoked",
        parties="the participant's",
        required="participant kid revoked_at statement authority_kid",
        optional="issued_at reason",
    ),
    Kind.AGREEMENT_PROPOSED: _rule(
        fr="Entente proposée",
        en="Agreement proposed",
        parties="every party of the agreement",
        required="version digest jurisdiction",
    ),
    Kind.AGREEMENT_SIGNED: _rule(
        fr="Entente signée",
        en="Agreement signed",
        parties="every party of the agreement",
        required="version digest jurisdiction kid",
        optional="signed_at",
    ),
    Kind.AGREEMENT_IN_FORCE: _rule(
        fr="Entente en vigueur",
        en="Agreement in force",
        parties="every party of the agreement",
        required="version digest",
        optional="from until",
    ),
    Kind.AGREEMENT_REPLACED: _rule(
        fr="Entente à remplacer par une version signée",
        en="Agreement to be replaced by a signed version",
        parties="every party of the agreement",
        required="version by from",
    ),
    Kind.AGREEMENT_SUSPENDED: _rule(
        fr="Entente suspendue par une partie",
        en="Agreement suspended by a party",
        parties="every jurisdiction that the agreement binds or bound",
        required="version digest jurisdiction kid statement",
        optional="stated_at",
    ),
    Kind.AGREEMENT_RESUMED: _rule(
        fr="Rétablissement de l'entente déclaré par une partie",
        en="Resumption of the agreement stated by a party",
        parties="every jurisdiction that the agreement binds or bound",
        required="version digest jurisdiction kid statement awaits",
        optional="stated_at",
    ),
    Kind.AGREEMENT_WITHDRAWN: _rule(
        fr="Retrait d'une partie à l'entente",
        en="Withdrawal of a party from the agreement",
        parties="every jurisdiction that the agreement binds or bound",
        required="version digest jurisdiction kid statement",
        optional="stated_at",
    ),
    Kind.AGREEMENT_ACCEDED: _rule(
        fr="Adhésion à l'entente",
        en="Accession to the agreement",
        parties="every jurisdiction that the agreement binds or bound",
        required="version digest jurisdiction kid statement",
        optional="stated_at",
    ),
    Kind.AGREEMENT_ENDED: _rule(
        fr="Fin de l'entente par retrait",
        en="Agreement ended by withdrawal",
        parties="every jurisdiction that the agreement binds or bound",
        required="version digest jurisdiction",
    ),
    Kind.AGREEMENT_ALTERED: _rule(
        fr="Alarme : entente altérée dans la base de données, sans effet tant qu'elle l'est",
        en="Alarm: agreement altered in the database, and of no effect while it is",
        parties="every party of the agreement, as far as it is known",
        required="found",
        optional="proposal",
    ),
    Kind.AGREEMENT_RESTORED: _rule(
        fr="Entente rétablie dans la base de données telle que signée",
        en="Agreement restored in the database as it was signed",
        parties="every party of the agreement",
        required="digests",
        optional="proposal",
    ),
    Kind.ACCEPTED: _rule(
        fr="Alerte acceptée",
        en="Alert accepted",
        parties="the sender's and each permitted recipient's",
        required="identifier type digest kid",
        optional="payload_digest status msg_type tlp thread sent expires words"
        " decided_at registry_version inputs_digest decisions_digest",
        withheld="identifier payload_digest",
    ),
    Kind.REFUSED: _rule(
        fr="Alerte refusée",
        en="Alert refused",
        parties="the sender's",
        required="problem digest",
        optional="identifier type kid",  # never where it was wrong: a member's name would be its sender's own text
        withheld="identifier",
    ),
    Kind.PREVIEWED: _rule(
        fr="Aperçu des décisions demandé",
        en="Decisions previewed",
        parties="the sender's",
        required="type digest",
        optional="identifier kid permitted withheld",
        withheld="identifier",
    ),
    Kind.CONSENT_REQUESTED: _rule(
        fr="Consentement demandé avant un envoi",
        en="Consent asked for before release",
        parties="the sender's, and those of whoever is asked; the recipient's must not learn of the alert yet",
        required="delivery_id recipient lane clause reason terms requests",
    ),
    Kind.CONSENT_GIVEN: _rule(
        fr="Consentement donné",
        en="Consent given",
        parties="the sender's, and that of whoever was asked",
        required="consent_id delivery_id recipient clause by kid at digest",
    ),
    Kind.CONSENT_REFUSED: _rule(
        fr="Consentement refusé",
        en="Consent refused",
        parties="the sender's, and that of whoever was asked",
        required="consent_id delivery_id recipient clause by kid at digest",
    ),
    Kind.CONSENT_LAPSED: _rule(
        fr="Consentement non obtenu à temps",
        en="Consent not given in time",
        parties="the sender's, and those of whoever was asked and did not answer",
        required="delivery_id recipient clause by deadline",
    ),
    Kind.ROUTED: _rule(
        fr="Envoi autorisé à un destinataire",
        en="Routed to a recipient",
        parties="the sender's and the recipient's",
        required="delivery_id recipient lane clause",
        optional="reason deadline thread terms",
    ),
    Kind.WITHHELD: _rule(
        fr="Envoi refusé à des destinataires",
        en="Withheld from recipients",
        parties="the sender's alone, for the recipients' must not learn of the alert; with a delivery_id, of one that "
        "was routed and has not gone out, the recipient's too, unless it still awaited consent",
        required="withheld",
        optional="delivery_id attempt",
    ),
    Kind.DELIVERED: _rule(
        fr="Alerte remise",
        en="Delivered",
        parties="the sender's and the recipient's",
        required="delivery_id recipient attempt detail",
        optional="at transport digest",
    ),
    Kind.DEFERRED: _rule(
        fr="Remise reportée",
        en="Delivery deferred",
        parties="the sender's and the recipient's",
        required="delivery_id recipient attempt detail",
        optional="at transport retry_at",
    ),
    Kind.UNDELIVERABLE: _rule(
        fr="Remise impossible",
        en="Undeliverable",
        parties="the sender's and the recipient's",
        required="delivery_id recipient attempt detail",
        optional="at transport",
    ),
    Kind.EXPIRED: _rule(
        fr="Délai de remise écoulé",
        en="Delivery deadline passed",
        parties="the sender's and the recipient's",
        required="delivery_id recipient attempt deadline",
        optional="detail",
    ),
    Kind.ACKNOWLEDGED: _rule(
        fr="Accusé de réception",
        en="Acknowledged",
        parties="the sender's and the recipient's, who is the actor",
        required="delivery_id status at digest",
        optional="recipient kid",
    ),
    Kind.ACKNOWLEDGEMENT_OVERDUE: _rule(
        fr="Accusé de réception non reçu à temps",
        en="Acknowledgement not received in time",
        parties="the sender's and the recipient's",
        required="delivery_id recipient attempt deadline",
    ),
    Kind.ERASED: _rule(
        fr="Contenu effacé",
        en="Content erased",
        parties="the sender's, and that of each recipient to which a copy was released",
        required="digest basis due unreadable_by",
        optional="retain_days order jurisdiction kid",
    ),
    Kind.HELD: _rule(
        fr="Contenu conservé pour des motifs juridiques",
        en="Content put under a legal hold",
        parties="the sender's, and the jurisdiction whose authority asked for it",
        required="hold digest jurisdiction kid at",
        optional="reference thread",
        withheld="reference",
    ),
    Kind.RELEASED: _rule(
        fr="Fin de la conservation pour des motifs juridiques",
        en="Legal hold released",
        parties="the sender's, and the jurisdiction whose authority had asked for it",
        required="hold digest jurisdiction kid at",
        optional="due thread",
    ),
    Kind.RECONCILIATION_STATED: _rule(
        fr="Remises d'une journée, selon la plateforme",
        en="Deliveries of a day, as the exchange has them",
        parties="the participant's to whom they were handed over",
        required="participant from until groups open",
    ),
    Kind.RECONCILED: _rule(
        fr="Remises d'une période comparées avec un destinataire",
        en="Deliveries of a period compared with a recipient",
        parties="the recipient's, who is the actor",
        required="participant from until agreed kid statement ours deliveries differing",
    ),
    Kind.RECONCILIATION_DIFFERED: _rule(
        fr="Écarts entre les remises selon la plateforme et selon un destinataire",
        en="Differences between the deliveries of the exchange and of a recipient",
        parties="the recipient's, and that of these deliveries' sender; of what nobody sent, the recipient's alone",
        required="participant from until statement missing extra altered deliveries",
    ),
    Kind.QUERIED: _rule(
        fr="Journal consulté par un vérificateur",
        en="Log queried by an auditor",
        parties="the auditor's, which reads of all that it was shown; in an entry of its own each that it asked about "
        "by name, and each party of what it was shown, of its own part alone; with evidence, of an alert's bundle, "
        "each party of the alert's own entries, of its part",
        required="filters justification shown after",
        optional="question evidence",
        withheld="justification filters/text",
    ),
    Kind.EXPORTED: _rule(
        fr="Exportation du journal demandée par un vérificateur",
        en="Export of the log begun by an auditor",
        parties="the auditor's",
        required="filters justification report format size",
        withheld="justification filters/text",
    ),
    Kind.EXPORT_ENDED: _rule(
        fr="Exportation du journal terminée ou interrompue",
        en="Export of the log ended, or broken off",
        parties="the auditor's; in an entry of its own each that it asked about by name, and each party of what was in "
        "it, with how many of its own entries that were; without digest, where the process died that made it, with how "
        "many those were at most",
        required="begun entries complete",
        optional="digest rows filters justification report format",
        withheld="justification filters/text",
    ),
}
"""Every kind: who its parties are, which members its ``content`` has, and which of these are withheld."""
