"""Gathering one alert's evidence under one checkpoint, and writing it down as a bundle's document."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncConnection

from agreements.book import Chapter
from agreements.steps import VersionName
from audit.checkpoints import Checkpoint
from audit.evidence.document import FORM, NARRATIVE_VERSION, Evidence, encoded
from audit.kinds import Kind
from gateway.errors import LogUnavailableError, NotFoundError, StoreError
from gateway.relaying.copies import Copies, Copy, NoCopyError, whole
from gateway.sealing.contents import Contents
from gateway.simulation.replaying import Recalled, recall
from gateway.store.past import read_past_decision
from gateway.store.proving import (
    FoundAlert,
    Proven,
    Sealed,
    chapters_for,
    entries_about,
    entries_beside,
    find_evidence,
    proven,
    receipt_in,
    sealed,
    signed_words,
    speakers_in,
    statements_about,
)
from gateway.store.reader import Reader
from gateway.store.terms import UnreadableTermsError, read_terms
from gateway.trust.registry import CurrentRegistry
from gateway.upkeep.rebuilding import Rebuilding
from schemas.bilingual import Bilingual
from schemas.ids import AlertId, AlertType, ParticipantId
from schemas.signing.jws import join_signatures
from schemas.signing.keys import PublicKey


@dataclass(frozen=True, slots=True)
class Gathered:
    """What was read of one alert under one checkpoint; ``beside`` are the entries about registry and agreements."""

    found: FoundAlert
    checkpoint: Checkpoint
    about: tuple[Proven, ...]
    beside: tuple[Proven, ...]
    sealed: tuple[Sealed, ...]
    statements: Sequence[tuple[int, str]]
    agreements: tuple[dict[str, Any], ...]
    acknowledgements: Sequence[str]
    consents: Sequence[str]
    recalled: Recalled | None


@dataclass(frozen=True, slots=True)
class EnclosedContent:
    """A content of the alert under its name in the bundle, and the deliveries whose copy it is."""

    name: str
    copy: Copy
    deliveries: tuple[str, ...] = ()

    @property
    def data(self) -> bytes:
        """Its bytes."""
        return self.copy.body


async def gather(
    connection: AsyncConnection,
    contents: Contents,
    registry: CurrentRegistry,
    rebuilding: Rebuilding,
    *,
    reader: Reader,
    alert_id: AlertId,
    checkpoint: Checkpoint,
) -> Gathered:
    """Return an alert's evidence as a reader may see it. Raises ``NotFoundError`` and ``LogUnavailableError``."""
    size = checkpoint.size
    found = await find_evidence(connection, contents, reader, alert_id)
    if found is None:
        raise NotFoundError
    if found.identifier is None and not found.erased:
        raise LogUnavailableError(_AGAIN, reason=_UNREADABLE)  # no receipt without it, nor an entry that says why
    about = await proven(connection, contents, await entries_about(connection, reader, found, size=size), size=size)
    read = [each.whole for each in about]
    chapters = chapters_for(registry.book.chapters, reader, found, read)
    speakers = speakers_in(found, read)
    among = await entries_beside(connection, reader, participants=speakers, versions=chapters.keys(), size=size)
    beside = await proven(connection, contents, among, size=size)
    if found.erased and not any(each["kind"] == Kind.ERASED for each in read):
        raise LogUnavailableError  # it was erased a moment ago: the next checkpoint has the entry that says so
    hidden = not any(each["index"] == found.row.log_index for each in read)
    acknowledgements, consents = await signed_words(connection, contents, found, [each["index"] for each in read])
    return Gathered(
        found=found,
        checkpoint=checkpoint,
        about=about,
        beside=beside,
        sealed=(await sealed(connection, found, size=size),) if hidden else (),
        statements=await statements_about(connection, speakers, size=size),
        agreements=_agreements(chapters, beside),
        acknowledgements=acknowledgements,
        consents=consents,
        recalled=await _recalled(connection, contents, rebuilding, found),
    )


def contents_of(gathered: Gathered, copies: Copies) -> tuple[EnclosedContent, ...]:
    """Return what a reader may have of the alert itself: the submission, or the copies that its deliveries had.

    Nothing where the content has been erased, or a copy can't be made again.
    """
    found = gathered.found
    submission = found.submission
    if submission is None:
        return ()
    if found.whole:
        return (_enclosed("submission", whole(submission), ()),)
    try:
        made = {
            each.delivery_id: copies.of(
                submission,
                alert_id=AlertId(found.row.alert_id),
                alert_type=AlertType(found.row.type),
                terms=read_terms(each.terms),
            )
            for each in found.deliveries
        }
    except (NoCopyError, UnreadableTermsError):
        return ()
    distinct = list(dict.fromkeys(made.values()))
    return tuple(
        _enclosed(f"copy-{number}", copy, tuple(name for name, each in made.items() if each == copy))
        for number, copy in enumerate(distinct, start=1)
    )


def document_of(
    gathered: Gathered,
    contents: Sequence[EnclosedContent],
    *,
    at: str,
    by: ParticipantId,
    exchange_keys: Sequence[PublicKey],
) -> Evidence:
    """Return the document of what was gathered; drawn ``at`` (RFC 3339, UTC) and ``by`` whom."""
    found, checkpoint = gathered.found, gathered.checkpoint
    entries = sorted((*gathered.about, *gathered.beside), key=lambda each: each.entry.index)
    missing = None
    if not contents:
        missing = "erased" if found.erased else "no-copy"
    return Evidence.model_validate(
        {
            "form": FORM,
            "alert_id": found.row.alert_id,
            "origin": checkpoint.origin,
            "drawn": {"at": at, "by": by, "view": "whole" if found.whole else "own"},
            "narrative": NARRATIVE_VERSION,
            "contents": tuple(_content(each) for each in contents),
            "missing": missing,
            "receipt": receipt_in(found, origin=checkpoint.origin),
            "exchange_keys": tuple(dict(key.jwk) for key in exchange_keys),
            "checkpoint": checkpoint.published,
            "entries": tuple(_entry(each) for each in entries),
            "sealed": tuple(_sealed(each) for each in gathered.sealed),
            "statements": tuple({"index": index, "statement": compact} for index, compact in gathered.statements),
            "agreements": gathered.agreements,
            "acknowledgements": tuple(gathered.acknowledgements),
            "consents": tuple(gathered.consents),
            "basis": None if gathered.recalled is None else _basis(gathered.recalled),
        }
    )


async def _recalled(
    connection: AsyncConnection, contents: Contents, rebuilding: Rebuilding, found: FoundAlert
) -> Recalled | None:
    """Return what the decisions were made from; None where that can't be had, or is not the reader's to see."""
    if not found.whole or found.submission is None:
        return None
    past = await read_past_decision(connection, contents, AlertId(found.row.alert_id))
    if past is None:
        return None
    try:
        return await recall(connection, contents.marks, past, rebuilding)
    except StoreError:
        return None


def _agreements(chapters: dict[VersionName, Chapter], beside: Collection[Proven]) -> tuple[dict[str, Any], ...]:
    """Return versions as signed, each with the steps that name it and have an entry among those beside."""
    logged = {str(each.whole["content"].get("statement")) for each in beside}
    return tuple(
        {
            "signed": join_signatures([each.compact for each in chapter.agreement.signed.signatures]).decode("ascii"),
            "steps": tuple(
                step.verified.compact.decode("ascii")
                for step in chapter.steps
                if step.step.about == name and f"sha-256:{step.verified.digest.hex()}" in logged
            ),
        }
        for name, chapter in sorted(chapters.items())
    )


def _enclosed(stem: str, copy: Copy, deliveries: tuple[str, ...]) -> EnclosedContent:
    return EnclosedContent(f"{stem}.{_ENDINGS[copy.content_type]}", copy, deliveries)


def _content(content: EnclosedContent) -> dict[str, Any]:
    return {
        "file": content.name,
        "media_type": str(content.copy.content_type),
        "deliveries": content.deliveries,
        "manifest": content.copy.manifest or None,
    }


def _entry(each: Proven) -> dict[str, Any]:
    return {
        "index": each.entry.index,
        "salt": each.entry.salt.hex(),
        "entry": encoded(each.entry.canonical),
        "disclosures": each.read.disclosures,
        "proof": tuple(encoded(node) for node in each.proof),
    }


def _sealed(each: Sealed) -> dict[str, Any]:
    return {
        "index": each.index,
        "commitment": each.commitment.hex(),
        "proof": tuple(encoded(node) for node in each.proof),
    }


def _basis(recalled: Recalled) -> dict[str, Any]:
    return {
        "world": recalled.world,
        "reached": {participant: str(under) for participant, under in recalled.reached.items()},
        "sources": tuple(
            {
                "sender": each.sender,
                "identifier": each.known_as,
                "tlp": None if each.handling is None else each.handling.tlp,
                "codes": () if each.handling is None else tuple(sorted(each.handling.codes)),
                "onward": None if each.handling is None else each.handling.onward.value,
                "through": each.through,
            }
            for each in recalled.sources
        ),
    }


_ENDINGS: Final = {
    "application/jose": "jose",
    "application/alert+sd-jwt": "sd-jwt",
    "application/redacted-alert+jws": "jws",
}
_AGAIN: Final = 60.0
"""Seconds until whoever was refused evidence for want of a key may ask again."""
_UNREADABLE: Final = Bilingual(
    fr="La clé du contenu de cette alerte ne peut être lue, et le journal n'en dit pas l'effacement : sans elle, le "
    "reçu ne se rétablit pas. La plateforme en est avertie.",
    en="The key to this alert's content can't be read, and the log does not say that it was erased: without it the "
    "receipt can't be made whole. The exchange's operators have been told.",
)
