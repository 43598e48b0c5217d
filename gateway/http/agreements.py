"""Agreements as their parties see them, and the door for what authorities sign of them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

import orjson
from fastapi import APIRouter, Request
from starlette.responses import Response

from agreements.book import Chapter
from agreements.life import State
from agreements.signed import SignedAgreement, UntrustedAgreementError, read_signed
from agreements.steps import LoggedStep, StepKind, VersionName, document_digest
from audit.kinds import Kind
from gateway.errors import NotFoundError
from gateway.http.alerts import JOSE
from gateway.http.answers import json_answer
from gateway.http.auth import bearer
from gateway.http.bodies import read_body
from gateway.http.services import services
from gateway.intake.tokens import Scope
from gateway.store.agreed import StoredProposal, read_history, read_proposals
from schemas.ids import AgreementId, JurisdictionCode
from schemas.signing.jws import AGREEMENT, MalformedJwsError, join_signatures
from schemas.statements import Jurisdiction

router = APIRouter(prefix="/v1/agreements", tags=["agreements"])

GENERAL: Final = "application/jose+json"
DOCUMENT_LIMIT: Final = 4 * AGREEMENT.max_payload // 3 + 128 * 1024
"""Bytes of a document in base64url and its signatures."""
STEP_LIMIT: Final = 32 * 1024
_STEPS: Final = (
    ("suspensions", StepKind.SUSPENSION, "Suspend an agreement, at once: any party's signed statement"),
    ("resumptions", StepKind.RESUMPTION, "State that an agreement may be resumed: it is once every party has"),
    ("withdrawals", StepKind.WITHDRAWAL, "Withdraw from an agreement, at once and for good"),
    ("accessions", StepKind.ACCESSION, "Accede to an agreement that names the jurisdiction as one that may"),
)


def _body(media_type: str, description: str) -> dict[str, Any]:
    content = {media_type: {"schema": {"type": "string" if media_type == JOSE else "object"}}}
    return {"requestBody": {"required": True, "description": description, "content": content}}


@router.get("", summary="The agreements one's jurisdiction is a party to, proposed ones included")
async def listing(request: Request) -> Response:
    """Answer each agreement's id, version and state."""
    home = bearer(request, Scope.ALERTS_READ).jurisdiction
    complete = [_summary(request, each.agreement.signed) for each in _chapters(request, home)]
    proposed = [_summary(request, each) for each in await _proposals(request, home)]
    summaries = sorted((*complete, *proposed), key=lambda each: (each["id"], each["version"], each["digest"]))
    return json_answer({"agreements": summaries})


@router.get("/{agreement}/{version}", summary="One agreement, with its signatures, its state and its history")
async def one(request: Request, agreement: str, version: str) -> Response:
    """Answer the document, who signed it, what each party stated since, and the log's entries about it.

    404 for one that the jurisdiction is no party to. Of several proposals of one name, the latest.
    """
    home = bearer(request, Scope.ALERTS_READ).jurisdiction
    name = _name(agreement, version)
    for chapter in _chapters(request, home):
        if (chapter.agreement.document.id, chapter.agreement.document.version) == name:
            return json_answer(await _whole(request, chapter.agreement.signed, chapter.steps))
    for proposal in reversed(await _proposals(request, home)):
        if (proposal.document.id, proposal.document.version) == name:
            return json_answer(await _whole(request, proposal, ()))
    raise NotFoundError


@router.post(
    "",
    status_code=201,
    summary="Propose an agreement: its document with at least one party's signature",
    openapi_extra=_body(GENERAL, "A JWS in General JSON Serialization of typ agreement+jws"),
)
async def propose(request: Request) -> Response:
    """Answer 201 when the proposal is in the log; 200 for a repetition. The signatures are the credential."""
    used = services(request)
    with used.bodies.share() as share:
        general = await read_body(request.scope, request.receive, media_type=GENERAL, limit=DOCUMENT_LIMIT, share=share)
        signed, recorded = await used.treaties.propose(general)
    return _recorded((signed.document.id, signed.document.version), recorded.log_index, replayed=recorded.replayed)


@router.post(
    "/{agreement}/{version}/signatures",
    status_code=201,
    summary="Sign a proposed agreement; it binds once every party has",
    openapi_extra=_body(JOSE, "A compact JWS of typ agreement+jws over the document's bytes"),
)
async def sign(request: Request, agreement: str, version: str) -> Response:
    """Answer 201 when the signature is in the log; 200 for a repetition. The signature is the credential."""
    used, name = services(request), _name(agreement, version)
    with used.bodies.share() as share:
        compact = await read_body(request.scope, request.receive, media_type=JOSE, limit=DOCUMENT_LIMIT, share=share)
        _, recorded = await used.treaties.sign(name, compact)
    return _recorded(name, recorded.log_index, replayed=recorded.replayed)


def _stating(kind: StepKind) -> Callable[[Request, str, str], Awaitable[Response]]:
    async def state(request: Request, agreement: str, version: str) -> Response:
        """Answer 201 when the statement is in the log and counts; 200 for a repetition."""
        name = _name(agreement, version)
        compact = await read_body(request.scope, request.receive, media_type=JOSE, limit=STEP_LIMIT)
        _, recorded = await services(request).treaties.state(name, kind, compact)
        return _recorded(name, recorded.log_index, replayed=recorded.replayed)

    return state


for _path, _kind, _summary_text in _STEPS:
    router.add_api_route(
        f"/{{agreement}}/{{version}}/{_path}",
        _stating(_kind),
        methods=["POST"],
        name=_path,
        status_code=201,
        summary=_summary_text,
        openapi_extra=_body(JOSE, "A compact JWS of typ agreement-step+jws"),
    )


def _name(agreement: str, version: str) -> VersionName:
    """Return the version that an address names. Raises ``NotFoundError`` for what can be none."""
    if not version.isascii() or not version.isdigit() or version.startswith("0") or len(version) > len("1000000"):
        raise NotFoundError
    return AgreementId(agreement), int(version)


def _recorded(name: VersionName, log_index: int, *, replayed: bool) -> Response:
    return json_answer(
        {"agreement": name[0], "version": name[1], "log_index": log_index}, status=200 if replayed else 201
    )


def _concerns(signed: SignedAgreement, home: JurisdictionCode) -> bool:
    return home in signed.document.parties or home in signed.document.may_accede


def _chapters(request: Request, home: JurisdictionCode) -> list[Chapter]:
    known = services(request).registry.book.chapters.values()
    return [each for each in known if _concerns(each.agreement.signed, home)]


async def _proposals(request: Request, home: JurisdictionCode) -> list[SignedAgreement]:
    """Return the documents that wait for a signature, each verified again; what was altered is left out."""
    used = services(request)
    async with used.store.reading() as connection:
        stored = await read_proposals(connection)
    complete = used.registry.book.chapters
    sound = await asyncio.to_thread(_sound, stored, used.registry.jurisdictions)
    return [
        each for each in sound if _concerns(each, home) and (each.document.id, each.document.version) not in complete
    ]


def _sound(
    stored: Sequence[StoredProposal], jurisdictions: Mapping[JurisdictionCode, Jurisdiction]
) -> list[SignedAgreement]:
    found = []
    for each in stored:
        with suppress(UntrustedAgreementError, MalformedJwsError):
            found.append(read_signed(join_signatures(each.compacts), jurisdictions))
    return found


def _summary(request: Request, signed: SignedAgreement) -> dict[str, Any]:
    document, used = signed.document, services(request)
    state = State.PROPOSED if signed.missing else used.registry.state((document.id, document.version), used.clock())
    return {
        "id": document.id,
        "version": document.version,
        "digest": document_digest(signed.payload),
        "title": {"fr": document.title.fr, "en": document.title.en},
        "parties": list(document.parties),
        "accession": list(document.may_accede),
        "valid": {"from": document.valid.start, "until": document.valid.until},
        "state": state.value,
        "in_force": state is State.IN_FORCE,
        "missing": list(signed.missing),
    }


async def _whole(request: Request, signed: SignedAgreement, steps: Sequence[LoggedStep]) -> dict[str, Any]:
    async with services(request).store.reading() as connection:
        entries = await read_history(connection, signed.document.id)
    return {
        **_summary(request, signed),
        "document": orjson.loads(signed.payload),
        "signatures": [
            {"party": signature.party, "kid": signature.kid, "signed": signature.compact.decode("ascii")}
            for signature in signed.signatures
        ],
        "statements": [_statement(each) for each in steps],
        "history": [_event(entry) for entry in entries if _is_of(entry, signed)],
    }


def _statement(logged: LoggedStep) -> dict[str, Any]:
    step = logged.step
    return {
        **step.model_dump(mode="json", exclude_none=True),
        "kid": logged.verified.kid,
        "signed": logged.verified.compact.decode("ascii"),
    }


def _is_of(entry: Mapping[str, Any], signed: SignedAgreement) -> bool:
    """Say whether an entry is about this very document, or about all versions of its agreement."""
    content = entry["content"]
    if entry["kind"] in (Kind.AGREEMENT_ALTERED, Kind.AGREEMENT_RESTORED):
        return True
    if content["version"] != signed.document.version:
        return False
    digest = document_digest(signed.payload)
    return bool(content.get("digest", digest) == digest)


def _event(entry: Mapping[str, Any]) -> dict[str, Any]:
    content = entry["content"]
    told = {name: content[name] for name in ("jurisdiction", "awaits", "by", "found") if name in content}
    return {"log_index": entry["index"], "time": entry["time"], "kind": entry["kind"], **told}
