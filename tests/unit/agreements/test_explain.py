"""The words: every code, every condition and every value has them, in both languages."""

from __future__ import annotations

import string
from typing import get_args

import pytest
from pydantic import BaseModel, TypeAdapter
from pydantic.fields import FieldInfo

from agreements import reasons, vocabulary
from agreements.conditions import Condition
from agreements.explain import (
    UnknownReasonError,
    describe,
    explain,
)
from agreements.obligations import Obligation
from agreements.reasons import Code
from agreements.sentences import SENTENCES, VALUES
from schemas.alerts.header import Category, Certainty, HandlingCode, MsgType, Severity, Status, Urgency
from schemas.alerts.marks import Mark
from schemas.bilingual import Bilingual
from schemas.decisions import Reason
from schemas.ids import AlertId, AlertType
from tests.unit.agreements.builders import NOW, NY, QC, SQ, Json, canonical, condition, ref

EXAMPLES = (
    reasons.granted(ref()),
    reasons.follows_thread(ref()),
    reasons.no_agreement(QC, NY),
    reasons.no_grant(SQ, AlertType("x/y/v1"), ["a", "b"]),
    reasons.no_grant_at_home(QC, AlertType("x/y/v1")),
    reasons.not_addressed(),
    reasons.not_reached(),
    reasons.conditions_unmet([ref("1.1"), ref("1.2")]),
    reasons.not_yet_in_force("2026-01-01T00:00:00-05:00"),
    reasons.expired("2027-08-15T12:30:00Z"),
    reasons.not_allowed(Code.STATUS_NOT_ALLOWED, ["Test"], ("Actual",)),
    reasons.tlp_above_ceiling("RED", "AMBER"),
    reasons.no_info("severity"),
    reasons.not_allowed(Code.SEVERITY_NOT_ALLOWED, ["Minor"], ("Extreme", "Severe")),
    reasons.not_allowed(Code.URGENCY_NOT_ALLOWED, ["Past"], ("Immediate",)),
    reasons.not_allowed(Code.CERTAINTY_NOT_ALLOWED, ["Unknown"], ("Observed",)),
    reasons.not_allowed(Code.CATEGORY_NOT_ALLOWED, ["Met", "Fire"], ("Health",)),
    reasons.copied(ref()),
    reasons.nothing_to_copy([ref("1.1"), ref("1.2")]),
    Reason(Code.CONSENT_NOT_GIVEN, (("clause", str(ref("1.1"))), ("asked", ("CA", "ca.rcmp")))),  # of earlier versions
    reasons.consented(ref(), ["CA", "ca.rcmp"]),
    reasons.consent_refused(ref(), "ca.rcmp"),
    reasons.consent_lapsed(ref(), ["CA", "ca.rcmp"], "2026-01-01T00:00:00Z"),
    reasons.overtaken(AlertId("01980000-0000-7000-8000-000000000002")),
    reasons.erasure_ordered(NY),
    reasons.source_unknown("us-ny.nysp,NY-1"),
    reasons.onward_forbidden("us-ny.nysp,NY-1"),
    reasons.handling_loosened("us-ny.nysp,NY-1", "H1", "H2"),
    reasons.not_allowed(Code.MSG_TYPE_NOT_ALLOWED, ["Update"], ("Alert", "Cancel")),
    reasons.not_allowed(Code.HANDLING_NOT_ALLOWED, ["H2"], ("H0",)),
    reasons.language_not_allowed(("fr", "en-CA")),
    reasons.area_not_within(("champlain", "SGC 24")),
    reasons.exercise_only("Actual"),
    reasons.suspended(NOW, NY),
    reasons.ended(NOW, NY),
    reasons.replaced(NOW),
    reasons.not_acceded(NY),
    reasons.altered(ref().agreement),
)


def test_every_code_has_an_example_and_a_sentence() -> None:
    """No code is without its constructor here, nor without its sentence."""
    assert {reason.code for reason in EXAMPLES} == set(Code) == set(SENTENCES)


@pytest.mark.parametrize("reason", EXAMPLES, ids=lambda reason: reason.code)
def test_every_reason_explains_itself(reason: Reason) -> None:
    """A sentence names every argument that its code has, in each language, and leaves nothing to fill in."""
    sentence = SENTENCES[Code(reason.code)]
    for template in (sentence.fr, sentence.en):
        named = {name for _, name, _, _ in string.Formatter().parse(template) if name is not None}
        assert named == {name for name, _ in reason.arguments}
    text = explain(reason)
    assert text.fr != text.en
    assert not {"{", "}"} & set(text.fr + text.en)


@pytest.mark.parametrize(
    ("reason", "fr", "en"),
    [
        (
            EXAMPLES[0],
            "L'alerte est transmise en vertu de la clause 1.1 de ca-qc.us-ny.test (version 1).",
            "The alert is passed on under clause 1.1 of ca-qc.us-ny.test (version 1).",
        ),
        (
            EXAMPLES[4],
            "Aucune clause ne permet de transmettre une alerte de type x/y/v1 d'un participant de CA-QC à un autre.",
            "No clause lets an alert of type x/y/v1 go from one participant of CA-QC to another.",
        ),
        (
            EXAMPLES[8],
            "L'entente n'est pas encore en vigueur; elle le sera le 1er janvier 2026 à 00:00:00 (UTC-05:00).",
            "The agreement is not yet in force; it will be on January 1, 2026 at 00:00:00 (UTC-05:00).",
        ),
        (
            EXAMPLES[9],
            "L'entente n'est plus en vigueur; elle a pris fin le 15 août 2027 à 12:30:00 (UTC).",
            "The agreement is no longer in force; it ended on August 15, 2027 at 12:30:00 (UTC).",
        ),
        (
            EXAMPLES[13],
            "Au moins un bloc d'information a cette gravité : mineure; la clause n'admet que : extrême ou majeure.",
            "At least one info block has severity minor; the clause allows extreme or severe only.",
        ),
    ],
)
def test_sentences_read_well(reason: Reason, fr: str, en: str) -> None:
    """Clauses, instants and enumerations are written as a person writes them."""
    assert explain(reason) == Bilingual(fr=fr, en=en)


@pytest.mark.parametrize("reason", [Reason("because"), Reason(Code.GRANTED), Reason(Code.EXPIRED, (("x", "y"),))])
def test_a_reason_that_is_none_of_ours_is_refused(reason: Reason) -> None:
    """An unknown code, or a code without its arguments, has no sentence and says so."""
    with pytest.raises(UnknownReasonError):
        explain(reason)


READER: TypeAdapter[Condition] = TypeAdapter(Condition)
OBLIGATIONS_READER: TypeAdapter[Obligation] = TypeAdapter(Obligation)
NAMES = {"lake": Bilingual(fr="le lac", en="the lake"), "ca.rcmp": Bilingual(fr="la GRC", en="the RCMP")}


CONDITIONS = (
    (
        condition("status", "Actual", "Test"),
        "Le statut de l'alerte est : réel ou essai.",
        "The alert's status is actual or test.",
    ),
    (
        condition("tlp", "AMBER+STRICT"),
        "La mention TLP de l'alerte est au plus TLP:AMBER+STRICT.",
        "The alert's TLP label is at most TLP:AMBER+STRICT.",
    ),
    (
        condition("severity", "Extreme"),
        "Dans chaque bloc d'information, la gravité est : extrême.",
        "In every info block, severity is extreme.",
    ),
    (
        condition("urgency", "Immediate", "Expected", "Future"),
        "Dans chaque bloc d'information, l'urgence est : immédiate, prévue ou future.",
        "In every info block, urgency is immediate, expected or future.",
    ),
    (
        condition("certainty", "Observed"),
        "Dans chaque bloc d'information, la certitude est : observée.",
        "In every info block, certainty is observed.",
    ),
    (
        condition("category", "Health", "CBRNE"),
        "Toute catégorie que nomme un bloc d'information est : santé ou menace CBRNE.",
        "Every category that an info block names is health or CBRNE threat.",
    ),
    (
        condition("msg-type", "Alert", "Update"),
        "La nature du message est : alerte ou mise à jour.",
        "The kind of message is alert or update.",
    ),
    (
        condition("handling", "H0"),
        "Tout code de traitement que porte l'alerte est : H0 (prévention et répression de la criminalité seulement).",
        "Every handling code that the alert bears is H0 (to prevent and combat crime only).",
    ),
    (
        condition("language", "fr", "en-CA"),
        "La langue de chaque bloc d'information, avec ses variantes, est : `fr` ou `en-CA`.",
        "The language of every info block, its variants included, is `fr` or `en-CA`.",
    ),
    (
        {"condition": "area", "regions": ["lake"], "codes": [{"scheme": "SGC", "in": ["24", "35"]}]},
        "Chaque zone de chaque bloc d'information est entièrement comprise dans : le lac (`lake`) et SGC `24`, `35`.",
        "Every area of every info block lies wholly within the lake (`lake`) and SGC `24`, `35`.",
    ),
)


@pytest.mark.parametrize(("stated", "fr", "en"), CONDITIONS, ids=[str(case[0]["condition"]) for case in CONDITIONS])
def test_every_condition_in_words(stated: Json, fr: str, en: str) -> None:
    """What a condition asks for is a sentence in each language."""
    assert describe(READER.validate_json(canonical(stated)), names=NAMES) == Bilingual(fr=fr, en=en)


def test_no_condition_is_left_out() -> None:
    """The table covers every condition that a clause can carry."""
    assert {stated["condition"] for stated, _, _ in CONDITIONS} == tags_of(Condition)


def tags_of(union: object) -> set[str]:
    """Return the tags of the members of a discriminated union, however deep its parts are."""
    if isinstance(union, type) and issubclass(union, BaseModel):
        (member,) = {"condition", "obligation"} & set(union.model_fields)
        return set(get_args(union.model_fields[member].annotation))
    return {tag for part in get_args(union) if not isinstance(part, FieldInfo) for tag in tags_of(part)}


OBLIGATIONS: tuple[tuple[Json, str, str], ...] = (
    (
        {"obligation": "lane", "lane": "urgent"},
        "L'alerte emprunte la voie urgente.",
        "The alert travels in the urgent lane.",
    ),
    (
        {"obligation": "lane", "lane": "routine"},
        "L'alerte emprunte la voie ordinaire.",
        "The alert travels in the routine lane.",
    ),
    (
        {"obligation": "redact", "paths": ["/note", "/info/*/contact"], "classes": ["health"]},
        (
            "Sont retirés de la copie du destinataire : tout renseignement sur la santé d'une personne, `/note` et "
            "`/info/*/contact`."
        ),
        "Left out of the recipient's copy: every fact about a person's health, `/note` and `/info/*/contact`.",
    ),
    (
        {"obligation": "de-identify", "classes": ["identifying"]},
        "Sont remplacés par un pseudonyme dans la copie du destinataire : tout ce qui identifie une personne.",
        "Replaced by a pseudonym in the recipient's copy: everything that identifies a person.",
    ),
    (
        {"obligation": "precision", "year": ["/body/patient/birthDate"], "region": ["/body/patient/address"]},
        (
            "Sont réduits dans la copie du destinataire : à l'année, `/body/patient/birthDate`; à la région, "
            "`/body/patient/address`."
        ),
        (
            "Reduced in the recipient's copy: to the year, `/body/patient/birthDate`; to the region, "
            "`/body/patient/address`."
        ),
    ),
    (
        {"obligation": "deadline", "delivery": 90, "acknowledgement": 3600},
        (
            "L'alerte doit être livrée dans un délai de 90 secondes et faire l'objet d'un accusé dans un délai de "
            "1 heure après son acceptation."
        ),
        "The alert must be delivered within 90 seconds and acknowledged within 1 hour of its acceptance.",
    ),
    (
        {"obligation": "retention", "days": 1},
        "Le destinataire conserve l'alerte au plus 1 jour après son acceptation.",
        "The recipient keeps the alert for at most 1 day from its acceptance.",
    ),
    (
        {"obligation": "onward", "rule": "forbidden"},
        "Le destinataire ne peut transmettre l'alerte à personne.",
        "The recipient may pass the alert on to nobody.",
    ),
    (
        {"obligation": "onward", "rule": "with-consent"},
        "Le destinataire ne peut transmettre l'alerte qu'avec le consentement de son émetteur.",
        "The recipient may pass the alert on only with its originator's consent.",
    ),
    (
        {"obligation": "copy-to", "participants": ["ca.rcmp", "ca.cbsa"]},
        "Est aussi informé de toute alerte transmise en vertu de cette clause : la GRC (`ca.rcmp`) et `ca.cbsa`.",
        "Also told of every alert that this clause lets through: the RCMP (`ca.rcmp`) and `ca.cbsa`.",
    ),
    (
        {"obligation": "consent-by", "parties": ["CA"], "participants": ["ca.rcmp"], "within": 172800},
        (
            "Avant la transmission, doit y consentir, dans un délai de 2 jours après l'acceptation : `CA` et la GRC "
            "(`ca.rcmp`). Le délai d'accusé de réception court alors à partir de la transmission."
        ),
        (
            "Before the alert is released, consent is needed, within 2 days of its acceptance, of `CA` and the RCMP "
            "(`ca.rcmp`). The time to acknowledge it then runs from its release."
        ),
    ),
    (
        {"obligation": "exercise-only"},
        "Cette clause ne vise que les exercices : rien d'autre n'est transmis, et la copie en porte la mention.",
        "This clause is for exercises alone: nothing else passes, and the copy is marked as one.",
    ),
)


@pytest.mark.parametrize(("stated", "fr", "en"), OBLIGATIONS)
def test_every_obligation_in_words(stated: Json, fr: str, en: str) -> None:
    """What an obligation asks for is a sentence in each language."""
    assert describe(OBLIGATIONS_READER.validate_json(canonical(stated)), names=NAMES) == Bilingual(fr=fr, en=en)


def test_no_obligation_is_left_out() -> None:
    """The table covers every obligation that a clause can carry."""
    assert {stated["obligation"] for stated, _, _ in OBLIGATIONS} == tags_of(Obligation)


@pytest.mark.parametrize(
    ("words", "values"),
    [
        (vocabulary.STATUS, get_args(Status)),
        (vocabulary.SEVERITY, get_args(Severity)),
        (vocabulary.URGENCY, get_args(Urgency)),
        (vocabulary.CERTAINTY, get_args(Certainty)),
        (vocabulary.CATEGORY, get_args(Category)),
        (vocabulary.MSG_TYPE, get_args(MsgType)),
        (vocabulary.HANDLING, get_args(HandlingCode)),
        (vocabulary.MARKS, get_args(Mark)),
    ],
)
def test_every_value_of_an_enumeration_has_its_words(words: dict[str, Bilingual], values: tuple[str, ...]) -> None:
    """CAP's enumerations are all there, and nothing else."""
    assert set(words) == set(values)


def test_values_found_and_allowed_have_their_vocabulary() -> None:
    """Every code whose reason compares values knows whose words they are."""
    compared = {reason.code for reason in EXAMPLES if "found" in dict(reason.arguments)}
    assert compared == set(VALUES)
