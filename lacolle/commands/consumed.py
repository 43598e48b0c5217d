"""An alert that was consumed, in words and as JSON: what it says, who signed it, what it lacks under which clause."""

from __future__ import annotations

from typing import Any, Final

from lacolle.client.copies import ConsumedAlert
from lacolle.commands.told import Lines
from schemas.alerts.marks import Mark
from schemas.bilingual import Bilingual
from schemas.timestamps import utc_text
from schemas.withholding.copies import CopyForm
from schemas.withholding.manifest import Reason, TreatmentName, Withheld


def consumed_document(alert: ConsumedAlert) -> dict[str, Any]:
    """Return an alert that was consumed as JSON has it."""
    return {
        "delivery_id": alert.delivery_id,
        "alert_id": alert.alert_id,
        "thread": alert.thread,
        "sender": alert.sender,
        "type": alert.alert_type,
        "lane": str(alert.lane),
        "agreement": str(alert.under),
        "deadline": utc_text(alert.deadline),
        "exercise": alert.exercise,
        "alert": dict(alert.document),
        "submission": alert.submission.decode("ascii"),
        "form": str(alert.form),
        "manifest": None if alert.manifest is None else alert.manifest.plain(),
        "manifest_jws": alert.manifest_jws or None,
        "undisclosed": alert.undisclosed,
    }


def consumed(alert: ConsumedAlert) -> Lines:
    """Say what came, whose signature was verified, and what is lacking under which clause."""
    document = alert.document
    if alert.exercise:
        yield _EXERCISE
    yield f"{alert.sender} {document.get('identifier', '-')} ({alert.alert_type}, {document.get('msgType')})"
    verified = _vouched(alert)
    yield Bilingual(
        fr=f"  {verified.fr}; selon {alert.under}, à remettre avant {utc_text(alert.deadline)}",
        en=f"  {verified.en}; under {alert.under}, to be delivered before {utc_text(alert.deadline)}",
    )
    infos = document.get("info")
    for info in infos if isinstance(infos, list) else ():
        if isinstance(info, dict):
            words = [str(info[name]) for name in ("event", "headline") if info.get(name)]
            yield f"  [{info.get('language', '-')}] {' - '.join(words)}"
    yield from _lacking(alert)
    yield f"  {alert.alert_id} {alert.delivery_id}"


def _vouched(alert: ConsumedAlert) -> Bilingual:
    """Say whose signature was verified; an SD-JWT that lacks nothing is as good as an original."""
    whole = alert.manifest is None and not alert.undisclosed
    return _VOUCHED[CopyForm.ORIGINAL if whole else alert.form]


def _lacking(alert: ConsumedAlert) -> Lines:
    """Say what of the alert is not here, and under which clause; nothing where nothing is lacking."""
    if alert.undisclosed:
        yield Bilingual(
            fr=f"  ! {alert.undisclosed} empreinte(s) sans contenu et sans manifeste : des leurres de l'expéditeur, ou "
            "un contenu retiré en route; demandez-lui si vous attendiez davantage",
            en=f"  ! {alert.undisclosed} digest(s) without content and without a manifest: the sender's decoys, or "
            "content taken out on the way; ask the sender if you expected more",
        )
    for each in () if alert.manifest is None else alert.manifest.withheld:
        yield _line(each)


def _line(each: Withheld) -> Bilingual:
    done, why = _DONE[each.done], _WHY[each.because]
    mark = None if each.mark is None else _CLASSES[each.mark]
    french, english = ("", "") if mark is None else (mark.fr, mark.en)
    return Bilingual(
        fr=f"  - {each.pointer} ({each.places}) : {done.fr} selon {each.under}{french}{why.fr}",
        en=f"  - {each.pointer} ({each.places}): {done.en} under {each.under}{english}{why.en}",
    )


_VOUCHED: Final = {
    CopyForm.ORIGINAL: Bilingual(fr="signature de l'expéditeur vérifiée", en="sender's signature verified"),
    CopyForm.DERIVED: Bilingual(
        fr="copie établie par la plateforme, dont la signature est vérifiée",
        en="copy made by the exchange, whose signature is verified",
    ),
    CopyForm.PRESENTED: Bilingual(
        fr="signature de l'expéditeur vérifiée sur ce qui est ici", en="sender's signature verified on what is here"
    ),
}
_DONE: Final[dict[TreatmentName, Bilingual]] = {
    "redact": Bilingual(fr="retenu", en="withheld"),
    "pseudonym": Bilingual(fr="remplacé par un pseudonyme", en="replaced by a pseudonym"),
    "year": Bilingual(fr="réduit à l'année", en="reduced to the year"),
    "region": Bilingual(fr="réduit à la région", en="reduced to the region"),
}
_CLASSES: Final[dict[Mark, Bilingual]] = {
    "identifying": Bilingual(fr=", catégorie : identification d'une personne", en=", class: identifies a person"),
    "health": Bilingual(fr=", catégorie : santé", en=", class: health"),
}
_WHY: Final[dict[Reason, Bilingual]] = {
    "clause": Bilingual(fr=".", en="."),
    "attachment": Bilingual(
        fr="; c'est un fichier, dont personne ne peut vérifier ce qu'il montre.",
        en="; it is a file, and nobody can check what it shows.",
    ),
    "found-elsewhere": Bilingual(fr="; une valeur retenue s'y trouvait.", en="; a withheld value stood in it."),
    "not-searched": Bilingual(
        fr="; c'était trop long pour y chercher les valeurs retenues.",
        en="; it was too long to be searched for withheld values.",
    ),
}
_EXERCISE: Final = Bilingual(fr="EXERCICE OU ESSAI", en="EXERCISE OR TEST")
