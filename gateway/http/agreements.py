"""Agreements as their parties see them."""

from __future__ import annotations

from typing import Any

import orjson
from fastapi import APIRouter, Request
from starlette.responses import Response

from agreements.life import State
from agreements.signed import VerifiedAgreement
from gateway.errors import NotFoundError
from gateway.http.answers import json_answer
from gateway.http.auth import bearer
from gateway.http.services import services
from gateway.tokens import Scope

router = APIRouter(prefix="/v1/agreements", tags=["agreements"])


@router.get("", summary="The agreements one's jurisdiction is a party to")
async def listing(request: Request) -> Response:
    """Answer each agreement's id, version and state."""
    return json_answer({"agreements": [_summary(request, agreement) for agreement in _visible(request)]})


@router.get("/{agreement}/{version}", summary="One agreement, with its signatures")
async def one(request: Request, agreement: str, version: str) -> Response:
    """Answer the document, who signed it, and the signed form; 404 for one that the jurisdiction is no party to."""
    for each in _visible(request):
        if each.document.id == agreement and str(each.document.version) == version:
            return json_answer(
                {
                    **_summary(request, each),
                    "document": orjson.loads(each.signed.payload),
                    "signatures": [
                        {"party": signature.party, "kid": signature.kid, "signed": signature.compact.decode("ascii")}
                        for signature in each.signed.signatures
                    ],
                }
            )
    raise NotFoundError


def _visible(request: Request) -> list[VerifiedAgreement]:
    home = bearer(request, Scope.ALERTS_READ).jurisdiction
    known = [each for each in services(request).registry.agreements if home in each.document.parties]
    return sorted(known, key=lambda each: (each.document.id, each.document.version))


def _summary(request: Request, agreement: VerifiedAgreement) -> dict[str, Any]:
    document = agreement.document
    state = services(request).registry.state((document.id, document.version), services(request).clock())
    return {
        "id": document.id,
        "version": document.version,
        "title": {"fr": document.title.fr, "en": document.title.en},
        "parties": list(document.parties),
        "valid": {"from": document.valid.start, "until": document.valid.until},
        "in_force": state is State.IN_FORCE,
    }
