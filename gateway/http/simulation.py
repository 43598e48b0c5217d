"""``POST /v1/agreements/simulate``: what a draft would have done with past alerts, for a party to it."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from agreements.document import Agreement
from agreements.written import InvalidAgreementError, read_agreement
from gateway.errors import DraftRefusedError, InvalidQueryError, NotPermittedError
from gateway.http.answers import JSON, json_answer
from gateway.http.auth import bearer, reader_of
from gateway.http.bodies import read_either
from gateway.http.services import services
from gateway.intake.tokens import Scope
from gateway.simulation.findings import findings_document
from gateway.store.history import Stretch
from schemas.bilingual import Bilingual
from schemas.faults import BrokenRuleError
from schemas.timestamps import read_instant

router = APIRouter(prefix="/v1/agreements", tags=["agreements"])

YAML: Final = "application/yaml"
DRAFT_LIMIT: Final = 64 * 1024
INSTANT_LIMIT: Final = 40
_DRAFT: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "description": "The draft agreement, unsigned, of at most 64 KiB",
        "content": {form: {"schema": {"type": "object"}} for form in (JSON, YAML)},
    }
}
Instant = Annotated[str, Query(max_length=INSTANT_LIMIT, description="RFC 3339, with its offset")]


@router.post("/simulate", summary="Replay past alerts through a draft", openapi_extra=_DRAFT)
async def simulate(request: Request, since: Instant = "", until: Instant = "") -> Response:
    """Answer who would have received what, of the alerts that the bearer may see; nothing is sent or stored.

    Of an alert that is not its own, or its jurisdiction's where it audits for that, it is told of its own copies alone.
    """
    use = services(request)
    participant = bearer(request, Scope.ALERTS_READ)
    first = _instant("since", since)
    end = use.clock() if not until else _instant("until", until)
    _, body = await read_either(request.scope, request.receive, media_types=(JSON, YAML), limit=DRAFT_LIMIT)
    draft = await asyncio.to_thread(_read, body)
    if participant.jurisdiction not in draft.parties:
        raise NotPermittedError(_NO_PARTY)
    found = await use.simulations.run(draft, Stretch(first, end, reader_of(participant)))
    return json_answer(findings_document(draft, found, since=first, until=end))


def _read(body: bytes) -> Agreement:
    try:
        return read_agreement(body.decode("utf-8"), file="draft")
    except UnicodeDecodeError as error:
        raise DraftRefusedError(_NOT_TEXT) from error
    except InvalidAgreementError as error:
        told = [(each.in_language("fr"), each.in_language("en")) for each in error.errors[:_MOST_FAULTS]]
        reason = Bilingual(fr="; ".join(fr for fr, _ in told), en="; ".join(en for _, en in told))
        raise DraftRefusedError(reason) from error


def _instant(name: str, text: str) -> datetime:
    try:
        return read_instant(text)
    except BrokenRuleError:
        raise InvalidQueryError(_NO_INSTANT, name) from None


_MOST_FAULTS: Final = 20
_NO_INSTANT: Final = Bilingual(
    fr="since est nécessaire; since et until sont des instants avec leur décalage (RFC 3339)",
    en="since is needed; since and until are instants with their offset (RFC 3339)",
)
_NO_PARTY: Final = Bilingual(
    fr="seule une partie au projet d'entente peut demander ce qu'il aurait changé",
    en="only a party to the draft agreement may ask what it would have changed",
)
_NOT_TEXT: Final = Bilingual(fr="le projet n'est pas du texte UTF-8", en="the draft is not UTF-8 text")
