"""What a bundle tells, as sections of plain rows in both languages; made from the bundle alone, always the same.

It concludes nothing that the bundle does not hold: every row of the chronology names its entry of the log.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from agreements.explain import explain
from agreements.signed import UntrustedAgreementError, claimed
from agreements.term_words import terms_in_words
from audit.entry import Entry
from audit.errors import AuditError
from audit.evidence.bundle import Bundle, opened, word_in
from audit.evidence.limits import limits
from audit.evidence.logged import tree_of
from audit.evidence.signed import content_document
from audit.kinds import KINDS, Kind
from audit.withheld import withholds
from gateway.narrative import words
from gateway.store.decisions import read_reason
from gateway.store.terms import terms_of_content
from schemas.bilingual import Bilingual
from schemas.consents import Consent
from schemas.evidence import Acknowledgement, AcknowledgementStatus
from schemas.signing.jws import ACKNOWLEDGEMENT, AGREEMENT_STEP, CONSENT, STATEMENT
from schemas.signing.strict_json import JsonError, parse_json

Words: TypeAlias = Bilingual | str
"""A cell: a text in both languages, or one that belongs to both, such as a name or an instant."""


@dataclass(frozen=True, slots=True)
class Section:
    """A heading, a table of rows under column heads, and paragraphs; either may be empty."""

    title: Bilingual
    heads: tuple[Bilingual, ...] = ()
    rows: tuple[tuple[Words, ...], ...] = ()
    paragraphs: tuple[Words, ...] = ()
    verbatim: str = ""


def sections(bundle: Bundle) -> Iterator[Section]:
    """Yield what a bundle tells, in order. Raises ``AuditError`` for one whose words can't be read."""
    try:
        yield Section(words.ALERT, (), tuple(_alert(bundle)))
        yield Section(words.CONTENT, (), tuple(_content(bundle)), _missing(bundle))
        yield Section(words.DECISIONS, words.DECISION_HEADS, tuple(_decisions(bundle)))
        yield Section(words.CHRONOLOGY, words.CHRONOLOGY_HEADS, tuple(_chronology(bundle)))
        yield Section(words.ACKNOWLEDGEMENTS, words.ACKNOWLEDGEMENT_HEADS, tuple(_acknowledgements(bundle)))
        yield Section(words.CONSENTS, words.CONSENT_HEADS, tuple(_consents(bundle)))
        yield Section(words.AGREEMENTS, words.AGREEMENT_HEADS, tuple(_agreements(bundle)))
        yield Section(words.STATEMENTS, words.STATEMENT_HEADS, tuple(_statements(bundle)))
        yield Section(words.LIMITS, (), (), limits(bundle))
        yield _verifying(bundle)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError):
        raise AuditError(words.UNREADABLE) from None


def _alert(bundle: Bundle) -> Iterator[tuple[Words, ...]]:
    evidence, acceptance = bundle.evidence, bundle.acceptance
    names = _names(bundle)
    yield words.ALERT_ID, evidence.alert_id
    yield words.SENDER, _named(acceptance.sender, names)
    yield words.IDENTIFIER, words.ERASED if acceptance.identifier is None else acceptance.identifier
    if bundle.accepted is not None:
        said = bundle.accepted.content
        yield words.TYPE, f"{said['type']}, {said['status']}, {said['msg_type']}, TLP:{said['tlp']}"
    yield words.RECEIVED, acceptance.received
    yield words.LOG, f"{evidence.origin} #{acceptance.log_index}"
    yield words.DIGEST, acceptance.digest
    yield words.DRAWN, f"{evidence.drawn.at}, {evidence.drawn.by}"
    yield words.VIEW, words.VIEWS[evidence.drawn.view]


def _content(bundle: Bundle) -> Iterator[tuple[Words, ...]]:
    for content in bundle.evidence.contents:
        yield words.FILE, f"{content.file} ({content.media_type})"
        document = content_document(bundle.members[content.file], content.media_type)
        info = document.get("info") if isinstance(document, dict) else None
        for block in info if isinstance(info, list) else ():
            if isinstance(block, dict):
                told = [block.get(name) for name in ("headline", "event", "description")]
                yield _text_in(block.get("language")), " — ".join(str(each) for each in told if each)


def _text_in(language: object) -> Bilingual:
    named = f" ({language})" if language else ""
    return Bilingual(fr=f"{words.INFO.fr}{named}", en=f"{words.INFO.en}{named}")


def _missing(bundle: Bundle) -> tuple[Words, ...]:
    missing = bundle.evidence.missing
    return () if missing is None else (words.MISSING[missing],)


def _decisions(bundle: Bundle) -> Iterator[tuple[Words, ...]]:
    names = _names(bundle)
    for entry in bundle.about_the_alert:
        content: Mapping[str, Any] = entry.content
        if entry.kind in (Kind.ROUTED, Kind.CONSENT_REQUESTED):
            permit = words.PERMITTED if entry.kind == Kind.ROUTED else words.AWAITED
            yield (_named(content["recipient"], names), permit, content["clause"], _why(content))
        elif entry.kind == Kind.WITHHELD:
            for each in content["withheld"]:
                yield _named(each["recipient"], names), words.DENIED, "", explain(read_reason(each["reason"]))


def _why(content: Mapping[str, Any]) -> Bilingual:
    sentences = [explain(read_reason(content["reason"]))]
    if "terms" in content:
        sentences += terms_in_words(terms_of_content(content["terms"]))
    return Bilingual(fr=" ".join(each.fr for each in sentences), en=" ".join(each.en for each in sentences))


def _chronology(bundle: Bundle) -> list[tuple[Words, ...]]:
    names = _names(bundle)
    told: dict[int, tuple[Words, ...]] = {
        hidden.index: (bundle.acceptance.received, f"#{hidden.index}", KINDS[Kind.ACCEPTED].caption, words.SEALED)
        for hidden in bundle.evidence.sealed
    }
    for entry in (each.told for each in bundle.evidence.entries):
        told[entry.index] = entry.time, f"#{entry.index}", KINDS[entry.kind].caption, _told(entry, names)
    return [told[index] for index in sorted(told)]


def _told(entry: Entry, names: Mapping[str, Bilingual]) -> Words:
    """Return the facts of an entry that a person looks for."""
    content: Mapping[str, Any] = entry.content
    about = content.get("recipient") or content.get("participant") or content.get("by") or entry.actor
    who = _named(about, names) if isinstance(about, str) else ""
    version = f"{entry.agreement}/{content['version']}" if entry.alert_id is None and "version" in content else ""
    named = ("clause", "detail", "deadline", "jurisdiction", "justification")
    facts = [str(fact) for name in named if (fact := content.get(name))]
    status = words.STATUSES[AcknowledgementStatus(content["status"])] if entry.kind == Kind.ACKNOWLEDGED else ""
    gone = words.WITHHELD_GONE if withholds(content) else ""
    return _joined(who, version, *facts, status, gone)


def _joined(*parts: Words) -> Bilingual:
    told = [each if isinstance(each, Bilingual) else Bilingual(fr=each, en=each) for each in parts if each]
    return Bilingual(fr=", ".join(each.fr for each in told), en=", ".join(each.en for each in told))


def _acknowledgements(bundle: Bundle) -> Iterator[tuple[Words, ...]]:
    names = _names(bundle)
    for compact in bundle.evidence.acknowledgements:
        unverified = opened(compact, ACKNOWLEDGEMENT)
        word = word_in(unverified, Acknowledgement)
        yield word.at, _named(word.participant, names), words.STATUSES[word.status], word.note or "", unverified.kid


def _consents(bundle: Bundle) -> Iterator[tuple[Words, ...]]:
    names = _names(bundle)
    for compact in bundle.evidence.consents:
        unverified = opened(compact, CONSENT)
        word = word_in(unverified, Consent)
        yield (
            word.at,
            _named(word.by, names),
            _named(word.recipient, names),
            words.ANSWERS[word.decision],
            unverified.kid,
        )


def _agreements(bundle: Bundle) -> Iterator[tuple[Words, ...]]:
    for each in bundle.evidence.agreements:
        try:
            document = claimed(each.signed.encode("utf-8"))
        except UntrustedAgreementError as error:
            raise AuditError(error.reason) from None
        yield (
            f"{document.id}/{document.version}",
            document.title.bilingual,
            ", ".join(document.parties),
            f"{document.valid.start} - {document.valid.until}",
            _steps(each.steps),
        )


def _steps(steps: Iterable[str]) -> Words:
    said = [_payload(opened(step, AGREEMENT_STEP).payload) for step in steps]
    told = [(words.STEPS[each["step"]], f"{each['party']}, {each['at']}") for each in said]
    return Bilingual(
        fr="; ".join(f"{name.fr} ({rest})" for name, rest in told) or "-",
        en="; ".join(f"{name.en} ({rest})" for name, rest in told) or "-",
    )


def _statements(bundle: Bundle) -> Iterator[tuple[Words, ...]]:
    for each in bundle.evidence.statements:
        unverified = opened(each.statement, STATEMENT)
        said = _payload(unverified.payload)
        kind = words.STATEMENT_KINDS[said["statement"]]
        keys = [key["jwk"]["kid"] for key in said.get("keys", ())] or [said.get("kid", "")]
        yield f"#{each.index}", said["participant"], kind, ", ".join(keys), unverified.kid


def _payload(payload: bytes) -> dict[str, Any]:
    try:
        said: Any = parse_json(payload)
    except JsonError as error:
        raise AuditError(error.reason) from None
    return dict(said)


def _verifying(bundle: Bundle) -> Section:
    tree = tree_of(bundle)
    rows: tuple[tuple[Words, ...], ...] = (
        (words.TREE_SIZE, str(tree.size)),
        (words.TREE_ROOT, tree.root.hex()),
        *((words.EXCHANGE_KEY, key.kid) for key in bundle.evidence.exchange_keys),
    )
    return Section(words.VERIFYING, (), rows, words.HOW_TO_VERIFY, bundle.evidence.checkpoint)


def _names(bundle: Bundle) -> dict[str, Bilingual]:
    """Return participants' names as their authorities last stated them in this bundle."""
    names: dict[str, Bilingual] = {}
    for each in bundle.evidence.statements:
        said = _payload(opened(each.statement, STATEMENT).payload)
        if said.get("statement") == "participant":
            names[said["participant"]] = Bilingual(fr=str(said["name"]["fr"]), en=str(said["name"]["en"]))
    return names


def _named(participant: str, names: Mapping[str, Bilingual]) -> Words:
    name = names.get(participant)
    if name is None:
        return participant
    return Bilingual(fr=f"{name.fr} ({participant})", en=f"{name.en} ({participant})")
