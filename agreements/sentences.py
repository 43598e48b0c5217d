"""The sentence of every reason, in French and in English: past ones included, a code stays here for good."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from agreements import vocabulary
from agreements.reasons import Code
from schemas.bilingual import Bilingual

VALUES: Final[Mapping[Code, Mapping[str, Bilingual]]] = {
    Code.STATUS_NOT_ALLOWED: vocabulary.STATUS,
    Code.SEVERITY_NOT_ALLOWED: vocabulary.SEVERITY,
    Code.URGENCY_NOT_ALLOWED: vocabulary.URGENCY,
    Code.CERTAINTY_NOT_ALLOWED: vocabulary.CERTAINTY,
    Code.CATEGORY_NOT_ALLOWED: vocabulary.CATEGORY,
    Code.MSG_TYPE_NOT_ALLOWED: vocabulary.MSG_TYPE,
    Code.HANDLING_NOT_ALLOWED: vocabulary.HANDLING,
}
"""Whose words the values found and allowed are, for the codes that compare some."""

SENTENCES: Final[Mapping[Code, Bilingual]] = {
    Code.GRANTED: Bilingual(
        fr="L'alerte est transmise en vertu de la clause {clause}.",
        en="The alert is passed on under clause {clause}.",
    ),
    Code.FOLLOWS_THREAD: Bilingual(
        fr="Ce destinataire a reçu une alerte antérieure du même fil en vertu de la clause {clause}; "
        "il reçoit donc aussi celle-ci.",
        en="This recipient received an earlier alert of the same thread under clause {clause}, "
        "and so receives this one too.",
    ),
    Code.COPIED: Bilingual(
        fr="La clause {clause} transmet l'alerte à un autre destinataire et exige que celui-ci en soit informé.",
        en="Clause {clause} passes the alert on to another recipient, and requires that this one be told.",
    ),
    Code.NO_AGREEMENT: Bilingual(
        fr="Aucune entente en vigueur ne lie {from} et {to}.",
        en="No agreement in force binds {from} and {to}.",
    ),
    Code.NO_GRANT: Bilingual(
        fr="Aucune clause ne permet à {from} de transmettre à ce destinataire une alerte de type {type} "
        "(en vigueur : {agreements}).",
        en="No clause lets {from} send this recipient an alert of type {type} (in force: {agreements}).",
    ),
    Code.NO_GRANT_AT_HOME: Bilingual(
        fr="Aucune clause ne permet de transmettre une alerte de type {type} d'un participant de {jurisdiction} à un "
        "autre.",
        en="No clause lets an alert of type {type} go from one participant of {jurisdiction} to another.",
    ),
    Code.NOT_ADDRESSED: Bilingual(
        fr="L'expéditeur a nommé les destinataires de cette alerte, et celui-ci n'en est pas.",
        en="The sender named the recipients of this alert, and this one is not among them.",
    ),
    Code.NOT_REACHED: Bilingual(
        fr="Une annulation va à ceux que le fil a atteints, et ce destinataire n'en est pas.",
        en="A cancellation goes to those whom the thread reached, and this recipient is not among them.",
    ),
    Code.CONDITIONS_UNMET: Bilingual(
        fr="L'alerte ne remplit pas toutes les conditions d'une clause qui la permettrait (clauses examinées : "
        "{clauses}).",
        en="The alert does not meet all the conditions of any clause that would let it through (clauses considered: "
        "{clauses}).",
    ),
    Code.NOTHING_TO_COPY: Bilingual(
        fr="Ce destinataire n'est informé que de ce que des clauses transmettent à d'autres, et elles ne transmettent "
        "cette alerte à personne (clauses examinées : {clauses}).",
        en="This recipient is only told of what clauses pass on to others, and they pass this alert on to nobody "
        "(clauses considered: {clauses}).",
    ),
    Code.CONSENT_NOT_GIVEN: Bilingual(
        fr="La clause {clause} exige, avant toute transmission, un consentement qui n'a pas été donné : {asked}.",
        en="Clause {clause} requires consent before release, and it was not given: {asked}.",
    ),
    Code.CONSENTED: Bilingual(
        fr="L'alerte est transmise en vertu de la clause {clause}, avec le consentement de {by}.",
        en="The alert is passed on under clause {clause}, with the consent of {by}.",
    ),
    Code.CONSENT_REFUSED: Bilingual(
        fr="La transmission prévue par la clause {clause} attendait le consentement de {by}, qui l'a refusé.",
        en="Release under clause {clause} awaited the consent of {by}, which refused it.",
    ),
    Code.CONSENT_LAPSED: Bilingual(
        fr="La transmission prévue par la clause {clause} attendait un consentement qui n'est pas venu à temps : {by} "
        "(au plus tard le {deadline}).",
        en="Release under clause {clause} awaited consent that did not come in time: {by} (due by {deadline}).",
    ),
    Code.OVERTAKEN: Bilingual(
        fr="Une alerte plus récente du même fil, {later}, remplace celle-ci, qui attendait un consentement.",
        en="A later alert of the same thread, {later}, took the place of this one, which awaited consent.",
    ),
    Code.ERASURE_ORDERED: Bilingual(
        fr="L'autorité de {jurisdiction} a ordonné l'effacement de l'alerte avant qu'elle ne parte.",
        en="The authority of {jurisdiction} ordered the alert to be erased before it had gone out.",
    ),
    Code.SOURCE_UNKNOWN: Bilingual(
        fr="L'alerte cite comme source {source}, que son expéditeur n'a pas reçue par cette plateforme : on ne peut "
        "établir comment elle doit être traitée.",
        en="The alert cites the source {source}, which its sender did not receive through this exchange: how it is to "
        "be handled can't be established.",
    ),
    Code.ONWARD_FORBIDDEN: Bilingual(
        fr="L'expéditeur a reçu la source {source} en vertu d'une clause qui interdit de la retransmettre.",
        en="The sender received the source {source} under a clause that forbids passing it on.",
    ),
    Code.HANDLING_LOOSENED: Bilingual(
        fr="L'alerte reprend {source} sans ses restrictions de traitement; elle devrait porter : {asked}.",
        en="The alert passes on {source} without its handling restrictions; it would have to bear: {asked}.",
    ),
    Code.NOT_YET_IN_FORCE: Bilingual(
        fr="L'entente n'est pas encore en vigueur; elle le sera le {valid_from}.",
        en="The agreement is not yet in force; it will be on {valid_from}.",
    ),
    Code.EXPIRED: Bilingual(
        fr="L'entente n'est plus en vigueur; elle a pris fin le {valid_until}.",
        en="The agreement is no longer in force; it ended on {valid_until}.",
    ),
    Code.SUSPENDED: Bilingual(
        fr="L'entente est suspendue par {by} depuis le {since}; toutes les parties doivent la rétablir.",
        en="The agreement has been suspended by {by} since {since}; every party must resume it.",
    ),
    Code.ENDED: Bilingual(
        fr="L'entente a pris fin le {since} par le retrait de {by}.",
        en="The agreement ended on {since} with the withdrawal of {by}.",
    ),
    Code.REPLACED: Bilingual(
        fr="Une version plus récente remplace celle-ci depuis le {since}.",
        en="A later version has replaced this one since {since}.",
    ),
    Code.NOT_ACCEDED: Bilingual(
        fr="L'entente est ouverte à l'adhésion de {jurisdiction}, qui n'y a pas adhéré.",
        en="The agreement is open to {jurisdiction}, which has not acceded to it.",
    ),
    Code.ALTERED: Bilingual(
        fr="Ce que la plateforme conserve de l'entente {agreement} n'est pas ce que ses parties ont signé.",
        en="What the exchange holds of agreement {agreement} is not what its parties signed.",
    ),
    Code.STATUS_NOT_ALLOWED: Bilingual(
        fr="Le statut de l'alerte est : {found}; la clause n'admet que : {allowed}.",
        en="The alert's status is {found}; the clause allows {allowed} only.",
    ),
    Code.TLP_ABOVE_CEILING: Bilingual(
        fr="L'alerte porte la mention TLP:{label}; la clause n'admet rien au-dessus de TLP:{ceiling}.",
        en="The alert is marked TLP:{label}; the clause allows nothing above TLP:{ceiling}.",
    ),
    Code.NO_INFO: Bilingual(
        fr="L'alerte n'a aucun bloc d'information; la condition sur {condition} ne peut donc être remplie.",
        en="The alert has no info block, so the condition on {condition} cannot be met.",
    ),
    Code.SEVERITY_NOT_ALLOWED: Bilingual(
        fr="Au moins un bloc d'information a cette gravité : {found}; la clause n'admet que : {allowed}.",
        en="At least one info block has severity {found}; the clause allows {allowed} only.",
    ),
    Code.URGENCY_NOT_ALLOWED: Bilingual(
        fr="Au moins un bloc d'information a cette urgence : {found}; la clause n'admet que : {allowed}.",
        en="At least one info block has urgency {found}; the clause allows {allowed} only.",
    ),
    Code.CERTAINTY_NOT_ALLOWED: Bilingual(
        fr="Au moins un bloc d'information a cette certitude : {found}; la clause n'admet que : {allowed}.",
        en="At least one info block has certainty {found}; the clause allows {allowed} only.",
    ),
    Code.CATEGORY_NOT_ALLOWED: Bilingual(
        fr="Au moins un bloc d'information nomme cette catégorie : {found}; la clause n'admet que : {allowed}.",
        en="At least one info block names category {found}; the clause allows {allowed} only.",
    ),
    Code.MSG_TYPE_NOT_ALLOWED: Bilingual(
        fr="L'alerte est de nature : {found}; la clause n'admet que : {allowed}.",
        en="The alert is of kind {found}; the clause allows {allowed} only.",
    ),
    Code.HANDLING_NOT_ALLOWED: Bilingual(
        fr="L'alerte porte le code de traitement {found}; la clause n'admet que : {allowed}.",
        en="The alert bears handling code {found}; the clause allows {allowed} only.",
    ),
    Code.LANGUAGE_NOT_ALLOWED: Bilingual(
        fr="Au moins un bloc d'information est dans une autre langue que celles que la clause admet : {languages}.",
        en="At least one info block is in another language than those that the clause allows: {languages}.",
    ),
    Code.AREA_NOT_WITHIN: Bilingual(
        fr="Au moins un bloc d'information n'a pas de zone, ou en a une dont on ne peut établir qu'elle est comprise "
        "dans ce que la clause admet : {areas}.",
        en="At least one info block has no area, or one that can't be told to lie within what the clause allows: "
        "{areas}.",
    ),
    Code.EXERCISE_ONLY: Bilingual(
        fr="La clause ne vise que les exercices, et le statut de l'alerte est : {status}.",
        en="The clause is for exercises alone, and the alert's status is {status}.",
    ),
}
"""The sentence of every code. Braces stand for the reason's arguments; see ``agreements.reasons``."""
