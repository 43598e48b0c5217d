"""The narrative's own words. A change of any needs a new ``NARRATIVE_VERSION``: bundles are compared with them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from schemas.bilingual import Bilingual, Language
from schemas.consents import Answer
from schemas.evidence import AcknowledgementStatus

TITLE: Final = Bilingual(fr="Dossier de preuve", en="Evidence bundle")
LEAD: Final = Bilingual(
    fr="Ce récit est écrit à partir du dossier qui l'accompagne, et ne prouve rien par lui-même : les preuves sont "
    "dans evidence.json, que chacun peut vérifier hors ligne.",
    en="This narrative is written from the bundle that it comes with, and proves nothing by itself: the evidence is "
    "in evidence.json, which anybody can verify offline.",
)
ITSELF: Final[Mapping[Language, str]] = {"fr": "Français", "en": "English"}
"""What each language calls itself."""
ALERT: Final = Bilingual(fr="L'alerte", en="The alert")
CONTENT: Final = Bilingual(fr="Ce qu'elle dit", en="What it says")
DECISIONS: Final = Bilingual(fr="Ce qui a été décidé, et pourquoi", en="What was decided, and why")
CHRONOLOGY: Final = Bilingual(fr="Ce qui s'est passé, d'après le journal", en="What happened, as the log has it")
ACKNOWLEDGEMENTS: Final = Bilingual(
    fr="Ce que les partenaires ont signé avoir fait", en="What the partners signed that they did"
)
CONSENTS: Final = Bilingual(fr="Consentements demandés avant l'envoi", en="Consents asked for before release")
AGREEMENTS: Final = Bilingual(fr="Les ententes", en="The agreements")
STATEMENTS: Final = Bilingual(
    fr="Qui parle : les attestations des autorités", en="Who speaks: the authorities' statements"
)
LIMITS: Final = Bilingual(fr="Ce que ce dossier ne prouve pas", en="What this bundle does not prove")
VERIFYING: Final = Bilingual(fr="Vérifier ce dossier", en="Verifying this bundle")
NOTHING: Final = Bilingual(fr="Rien de tel dans ce dossier.", en="Nothing of the kind in this bundle.")

ALERT_ID: Final = Bilingual(fr="Alerte", en="Alert")
SENDER: Final = Bilingual(fr="Expéditeur", en="Sender")
IDENTIFIER: Final = Bilingual(fr="Identifiant de l'expéditeur", en="Sender's identifier")
TYPE: Final = Bilingual(fr="Type, statut, nature, diffusion", en="Type, status, kind, label")
RECEIVED: Final = Bilingual(fr="Reçue par la plateforme", en="Received by the exchange")
LOG: Final = Bilingual(fr="Inscription au journal", en="Log entry")
DIGEST: Final = Bilingual(fr="Empreinte de la soumission", en="Digest of the submission")
DRAWN: Final = Bilingual(fr="Dossier tiré", en="Bundle drawn")
VIEW: Final = Bilingual(fr="Portée", en="Scope")
VIEWS: Final = {
    "whole": Bilingual(
        fr="tout ce que voit l'expéditeur, ou le vérificateur de son administration",
        en="all that the sender sees, or its jurisdiction's auditor",
    ),
    "own": Bilingual(fr="ce qui concerne celui qui l'a tiré", en="what concerns whoever drew it"),
}
ERASED: Final = Bilingual(fr="effacé avec le contenu", en="erased with the content")
WITHHELD_GONE: Final = Bilingual(fr="le reste a été effacé", en="the rest was erased")
FILE: Final = Bilingual(fr="Fichier", en="File")
INFO: Final = Bilingual(fr="Texte", en="Text")
MISSING: Final = {
    "erased": Bilingual(fr="Le contenu a été effacé.", en="The content has been erased."),
    "no-copy": Bilingual(
        fr="La copie n'a pu être refaite pour ce dossier.", en="The copy could not be made again for this bundle."
    ),
}
DECISION_HEADS: Final = (
    Bilingual(fr="Destinataire", en="Recipient"),
    Bilingual(fr="Décision", en="Decision"),
    Bilingual(fr="Clause", en="Clause"),
    Bilingual(fr="Motif et obligations", en="Reason and obligations"),
)
PERMITTED: Final = Bilingual(fr="permis", en="permitted")
AWAITED: Final = Bilingual(fr="permis, sous consentement", en="permitted, with consent")
DENIED: Final = Bilingual(fr="refusé", en="denied")
CHRONOLOGY_HEADS: Final = (
    Bilingual(fr="Heure de la plateforme (UTC)", en="The exchange's time (UTC)"),
    Bilingual(fr="N°", en="No."),
    Bilingual(fr="Fait", en="Fact"),
    Bilingual(fr="Qui, quoi", en="Who, what"),
)
SEALED: Final = Bilingual(
    fr="sous scellé : l'inscription nomme d'autres parties; seul son engagement est prouvé",
    en="sealed: the entry names other parties; its commitment alone is proven",
)
ACKNOWLEDGEMENT_HEADS: Final = (
    Bilingual(fr="Quand, selon lui", en="When, as it says"),
    Bilingual(fr="Qui", en="Who"),
    Bilingual(fr="Accusé", en="Acknowledged"),
    Bilingual(fr="Note", en="Note"),
    Bilingual(fr="Clé", en="Key"),
)
STATUSES: Final = {
    AcknowledgementStatus.RECEIVED: Bilingual(fr="reçue", en="received"),
    AcknowledgementStatus.READ: Bilingual(fr="lue", en="read"),
    AcknowledgementStatus.ACTED_ON: Bilingual(fr="suivie d'effet", en="acted on"),
    AcknowledgementStatus.REJECTED: Bilingual(fr="rejetée", en="rejected"),
}
CONSENT_HEADS: Final = (
    Bilingual(fr="Quand, selon lui", en="When, as it says"),
    Bilingual(fr="Sollicité", en="Asked"),
    Bilingual(fr="Pour", en="For"),
    Bilingual(fr="Réponse", en="Answer"),
    Bilingual(fr="Clé", en="Key"),
)
ANSWERS: Final = {
    Answer.GIVEN: Bilingual(fr="consentement donné", en="consent given"),
    Answer.REFUSED: Bilingual(fr="consentement refusé", en="consent refused"),
}
AGREEMENT_HEADS: Final = (
    Bilingual(fr="Version", en="Version"),
    Bilingual(fr="Titre", en="Title"),
    Bilingual(fr="Parties", en="Parties"),
    Bilingual(fr="Validité", en="Validity"),
    Bilingual(fr="Déclarations des parties", en="Parties' statements"),
)
STEPS: Final = {
    "suspension": Bilingual(fr="suspension", en="suspension"),
    "resumption": Bilingual(fr="rétablissement", en="resumption"),
    "withdrawal": Bilingual(fr="retrait", en="withdrawal"),
    "accession": Bilingual(fr="adhésion", en="accession"),
}
STATEMENT_HEADS: Final = (
    Bilingual(fr="N°", en="No."),
    Bilingual(fr="Participant", en="Participant"),
    Bilingual(fr="Attestation", en="Statement"),
    Bilingual(fr="Clés", en="Keys"),
    Bilingual(fr="Clé d'autorité", en="Authority key"),
)
STATEMENT_KINDS: Final = {
    "participant": Bilingual(fr="participant et clés", en="participant and keys"),
    "key-revocation": Bilingual(fr="révocation", en="revocation"),
}
TREE_SIZE: Final = Bilingual(fr="Taille de l'arbre", en="Size of the tree")
TREE_ROOT: Final = Bilingual(fr="Racine de l'arbre (SHA-256)", en="Root of the tree (SHA-256)")
EXCHANGE_KEY: Final = Bilingual(fr="Clé de la plateforme", en="Key of the exchange")
HOW_TO_VERIFY: Final = (
    Bilingual(
        fr="Avec le logiciel : lacolle evidence verify DOSSIER --jurisdictions FICHIER --log-key CLÉ. Sans lui : "
        "python verify.py DOSSIER, avec les mêmes clés; obtenez ce programme d'ailleurs que du dossier lui-même.",
        en="With the software: lacolle evidence verify BUNDLE --jurisdictions FILE --log-key KEY. Without it: "
        "python verify.py BUNDLE, with the same keys; get that program from elsewhere than the bundle itself.",
    ),
    Bilingual(
        fr="Les clés des autorités et celle du journal viennent de vous, non du dossier : demandez-les à chaque "
        "administration et comparez le point de contrôle ci-dessous avec celui que publie le journal.",
        en="The authorities' keys and the log's come from you, not from the bundle: ask each jurisdiction for them, "
        "and compare the checkpoint below with what the log publishes.",
    ),
)
UNREADABLE: Final = Bilingual(
    fr="Ce dossier contient des paroles qui ne se lisent pas.", en="This bundle holds words that can't be read."
)
