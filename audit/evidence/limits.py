"""What a bundle does not prove, even where every check of it passes: said with it, each time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from audit.evidence.bundle import Bundle
from audit.kinds import Kind
from schemas.bilingual import Bilingual

_READ: Final = frozenset({"read", "acted-on"})


def limits(bundle: Bundle) -> tuple[Bilingual, ...]:
    """Return what a bundle leaves unproven: what holds of this one, then what holds of all."""
    return (*_of_this_one(bundle), *_OF_ALL)


def _of_this_one(bundle: Bundle) -> Iterator[Bilingual]:
    evidence = bundle.evidence
    if evidence.missing == "erased":
        yield _ERASED
    if evidence.drawn.view == "own":
        yield _OWN
    if bundle.evidence.checkpoint.rpartition("\n\n")[2].count("\n") <= 1:
        yield _UNWITNESSED
    unread = _delivered_unread(bundle)
    if unread:
        names = ", ".join(unread)
        yield Bilingual(
            fr=f"Que {names} ait lu l'alerte : seule la remise à son système est inscrite.",
            en=f"That {names} has read the alert: only the handing over to its system is recorded.",
        )


def _delivered_unread(bundle: Bundle) -> list[str]:
    """Return who got the alert and has not signed that somebody read it."""
    entries = bundle.about_the_alert
    delivered = {str(each.content["recipient"]) for each in entries if each.kind == Kind.DELIVERED}
    read = {str(each.actor) for each in entries if each.kind == Kind.ACKNOWLEDGED and each.content["status"] in _READ}
    return sorted(delivered - read)


_ERASED: Final = Bilingual(
    fr="Ce que disait l'alerte : son contenu a été effacé; seule son empreinte reste.",
    en="What the alert said: its content has been erased; only its digest is left.",
)
_OWN: Final = Bilingual(
    fr="Qui d'autre a reçu l'alerte : ce dossier ne montre que ce qui concerne celui qui l'a tiré.",
    en="Who else received the alert: this bundle shows only what concerns whoever drew it.",
)
_UNWITNESSED: Final = Bilingual(
    fr="Que la plateforme montre à tous le même journal : aucun témoin n'a cosigné ce point de contrôle.",
    en="That the exchange shows everybody the same log: no witness has cosigned this checkpoint.",
)
_OF_ALL: Final = (
    Bilingual(
        fr="Que personne d'autre n'a vu l'alerte : ni l'expéditeur ni ses destinataires ne consignent ici qui la lit "
        "chez eux.",
        en="That nobody else has seen the alert: neither the sender nor its recipients record here who reads it with "
        "them.",
    ),
    Bilingual(
        fr="Que l'alerte est vraie : une signature prouve qui l'a dite, non qu'elle est exacte.",
        en="That the alert is true: a signature proves who said it, not that it is so.",
    ),
    Bilingual(
        fr="Les heures du journal, qui sont celles de l'horloge de la plateforme; les seules autres sont celles qu'une "
        "agence, un partenaire ou une autorité a signées.",
        en="The log's times, which are those of the exchange's clock; the only others are those that an agency, a "
        "partner or an authority has signed.",
    ),
    Bilingual(
        fr="Quels octets un partenaire a reçus : la plateforme inscrit la remise et la réponse, non la copie remise.",
        en="Which bytes a partner received: the exchange records the handing over and the answer, not the copy.",
    ),
    Bilingual(
        fr="Qu'aucune révocation n'a été tue : le dossier renferme les attestations que la plateforme dit avoir, sur "
        "ceux qui parlent ici.",
        en="That no revocation was kept back: the bundle has the statements that the exchange says it holds, about "
        "those who speak here.",
    ),
    Bilingual(
        fr="Que rien n'a été omis de ce qui a suivi l'acceptation : le journal s'engage sur toutes les décisions, non "
        "sur le nombre de faits; un vérificateur le compare avec « lacolle audit query ».",
        en="That nothing was left out of what followed acceptance: the log is committed to all decisions, not to how "
        "many facts there are; an auditor compares it with “lacolle audit query”.",
    ),
    Bilingual(fr="Ce qui est arrivé après ce point de contrôle.", en="What has happened since this checkpoint."),
)
