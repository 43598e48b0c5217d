"""Refusals as RFC 9457 problems: one table from the gateway's errors to HTTP, and the handlers that use it.

Titles exist in French and in English and follow ``Accept-Language``. A problem never repeats what was sent.
``instance`` is the request's id, which also stands in ``X-Request-Id`` and in the log line of the refusal.
"""

from __future__ import annotations

import math
import re
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import takewhile
from typing import Any, Final

import orjson
import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Match

from gateway import errors
from schemas.bilingual import Bilingual, Language, preferred_language

log = structlog.get_logger(__name__)

MEDIA_TYPE: Final = "application/problem+json"
REQUEST_ID: Final = "X-Request-Id"


@dataclass(frozen=True, slots=True)
class Problem:
    """How one kind of refusal looks in HTTP: its status and its title."""

    status: int
    title: Bilingual


_MALFORMED = Problem(
    400,
    Bilingual(fr="Ce qui a été reçu n'est pas une soumission signée valable", en="What arrived is not a submission"),
)
_INTERNAL = Problem(500, Bilingual(fr="Erreur interne de la plateforme", en="Internal error of the exchange"))

PROBLEMS: Final[dict[type[errors.GatewayError], Problem]] = {
    errors.MalformedSubmissionError: _MALFORMED,
    errors.UntrustedSignatureError: Problem(
        401,
        Bilingual(fr="La signature n'est pas digne de confiance", en="The signature is not trusted"),
    ),
    errors.TokenRefusedError: Problem(
        401, Bilingual(fr="Un jeton d'accès valable est nécessaire", en="A valid access token is needed")
    ),
    errors.NotPermittedError: Problem(
        403,
        Bilingual(fr="Le participant n'a pas ce droit", en="The participant may not do this"),
    ),
    errors.NotFoundError: Problem(404, Bilingual(fr="Introuvable", en="Not found")),
    errors.IdentifierReusedError: Problem(
        409,
        Bilingual(
            fr="Cet identifiant désigne déjà une alerte de contenu différent",
            en="The identifier already names an alert with other content",
        ),
    ),
    errors.StatementRefusedError: Problem(
        409,
        Bilingual(fr="Le registre n'accepte pas cette attestation", en="The registry does not take this statement"),
    ),
    errors.AgreementRefusedError: Problem(
        409,
        Bilingual(
            fr="L'entente n'admet pas ce qui a été signé",
            en="The agreement has no place for what was signed",
        ),
    ),
    errors.ConsentClosedError: Problem(
        409,
        Bilingual(fr="Ce consentement n'est plus demandé", en="This consent is not asked for any more"),
    ),
    errors.ContentHeldError: Problem(
        409,
        Bilingual(
            fr="Le contenu de l'alerte est conservé pour des motifs juridiques",
            en="The alert's content is under a legal hold",
        ),
    ),
    errors.ContentGoneError: Problem(
        409, Bilingual(fr="Le contenu de l'alerte a été effacé", en="The alert's content was erased")
    ),
    errors.UnsoundAgreementError: Problem(
        422, Bilingual(fr="L'entente n'est pas en état d'être signée", en="The agreement is not fit to be signed")
    ),
    errors.BodyTooLargeError: Problem(
        413, Bilingual(fr="Le corps de la requête est trop volumineux", en="The body is too large")
    ),
    errors.MediaTypeError: Problem(
        415,
        Bilingual(fr="Type de contenu ou encodage non accepté", en="Media type or encoding not accepted"),
    ),
    errors.AlertRefusedError: Problem(422, Bilingual(fr="L'alerte n'est pas valide", en="The alert is not valid")),
    errors.InterruptedBodyError: Problem(
        400, Bilingual(fr="Le corps de la requête s'interrompt", en="The body breaks off")
    ),
    errors.InvalidQueryError: Problem(
        422, Bilingual(fr="Un paramètre de la requête n'est pas valide", en="A parameter is not valid")
    ),
    errors.JustificationRequiredError: Problem(
        400,
        Bilingual(
            fr="Il faut dire pourquoi le journal est consulté (en-tête Justification, un texte en UTF-8)",
            en="Say why the log is asked (header Justification, one text in UTF-8)",
        ),
    ),
    errors.DraftRefusedError: Problem(
        422, Bilingual(fr="Ce projet d'entente ne peut être simulé", en="This draft agreement can't be simulated")
    ),
    errors.SimulationBusyError: Problem(
        503, Bilingual(fr="Une autre simulation est en cours", en="Another simulation is under way")
    ),
    errors.ExportBusyError: Problem(
        503, Bilingual(fr="D'autres exportations sont en cours", en="Other exports are under way")
    ),
    errors.RateLimitedError: Problem(429, Bilingual(fr="Débit permis dépassé", en="Over the rate allowed")),
    errors.LogUnavailableError: Problem(
        503,
        Bilingual(
            fr="Le journal ne peut être écrit : rien n'a été accepté",
            en="The log can't be appended: nothing was accepted",
        ),
    ),
    errors.OverCapacityError: Problem(
        503,
        Bilingual(
            fr="Trop d'envois volumineux sont en cours : rien n'a été accepté",
            en="Too many large bodies are in hand: nothing was accepted",
        ),
    ),
}
"""Every error that a request can meet, and its problem. A class that is missing here is a bug, and answers 500."""

_NAMES: Final = {404: "not-found", 405: "method-not-allowed"}
_TITLES: Final = {
    404: PROBLEMS[errors.NotFoundError].title,
    405: Bilingual(fr="Méthode non permise", en="Method not allowed"),
}
_PARAMETER: Final = Bilingual(
    fr="un paramètre de la requête manque ou n'a pas la forme attendue",
    en="a parameter of the query is missing or not of the expected form",
)


def new_request_id() -> str:
    """Return the id of a request that is refused."""
    return str(uuid.uuid4())


def problem_of(error: errors.GatewayError) -> Problem:
    """Return the problem of an error's class or of its nearest ancestor in the table."""
    return problem_of_kind(type(error))


def problem_of_kind(kind: type[errors.GatewayError]) -> Problem:
    """Return the problem of a class of errors."""
    for each in kind.__mro__:
        if each in PROBLEMS:
            return PROBLEMS[each]
    return _INTERNAL


def problem_response(request: Request, error: errors.GatewayError) -> Response:
    """Return the HTTP answer to a refusal, and log it."""
    answer = unlogged_response(request, error, request_id=new_request_id())
    log.info("refused", problem=error.name, status=answer.status_code, request_id=answer.headers[REQUEST_ID])
    return answer


def unlogged_response(request: Request, error: errors.GatewayError, *, request_id: str) -> Response:
    """Return the HTTP answer to a refusal that is one of many under a request's id, and logged with them."""
    problem = problem_of(error)
    language = preferred_language(request.headers.get("accept-language"))
    status = 403 if isinstance(error, errors.TokenRefusedError) and error.insufficient else problem.status
    return _respond(
        request,
        error.name,
        title=problem.title,
        status=status,
        language=language,
        members=_members(error, language),
        headers=_headers(error),
        request_id=request_id,
    )


def _members(error: errors.GatewayError, language: Language) -> dict[str, Any]:
    match error:
        case errors.MalformedSubmissionError(reason=reason, pointer=pointer):
            return _at(reason, None if pointer is None else _named_place(pointer), language)
        case errors.InvalidQueryError(reason=reason, parameter=parameter):
            return _at(reason, None if parameter is None else f"/{parameter}", language)
        case (
            errors.NotPermittedError(reason=reason)
            | errors.StatementRefusedError(reason=reason)
            | errors.AgreementRefusedError(reason=reason)
            | errors.DraftRefusedError(reason=reason)
            | errors.LogUnavailableError(reason=Bilingual() as reason)
        ):
            return _at(reason, None, language)
        case errors.AlertRefusedError(faults=faults):
            return _errors([(fault.pointer, fault.message) for fault in faults], language)
        case errors.UnsoundAgreementError(findings=findings):
            return _errors(findings, language)
        case _:
            return _bounds(error)


def _at(reason: Bilingual, pointer: str | None, language: Language) -> dict[str, Any]:
    told: dict[str, Any] = {"detail": reason.in_language(language)}
    return told if pointer is None else {**told, "pointer": pointer}


def _bounds(error: errors.GatewayError) -> dict[str, Any]:
    match error:
        case errors.BodyTooLargeError(limit=limit):
            return {"limit": limit}
        case errors.JustificationRequiredError(longest=longest):
            return {"limit": longest}
        case errors.MediaTypeError(expected=expected):
            return {"expected": ", ".join(expected)}
        case _:
            return {}


def _errors(found: Iterable[tuple[str, Bilingual]], language: Language) -> dict[str, Any]:
    return {"errors": [{"pointer": pointer, "message": message.in_language(language)} for pointer, message in found]}


def _named_place(pointer: str) -> str:
    """Return a pointer as far as its steps look like names of members or positions; what follows may be content."""
    return "".join(f"/{step}" for step in takewhile(_STEP.fullmatch, pointer.split("/")[1:]))


_STEP: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}|[0-9]{1,9}")


def _headers(error: errors.GatewayError) -> dict[str, str]:
    match error:
        case (
            errors.RateLimitedError(retry_after=seconds)
            | errors.LogUnavailableError(retry_after=seconds)
            | errors.OverCapacityError(retry_after=seconds)
            | errors.SimulationBusyError(retry_after=seconds)
            | errors.ExportBusyError(retry_after=seconds)
        ):
            return {"Retry-After": str(max(1, math.ceil(seconds)))}
        case errors.TokenRefusedError(scope=scope, presented=presented, insufficient=insufficient):
            # RFC 6750 section 3.1: who presents no token is told of no error
            code = "insufficient_scope" if insufficient else "invalid_token"
            return {"WWW-Authenticate": f'Bearer scope="{scope}"' + (f', error="{code}"' if presented else "")}
        case errors.MediaTypeError(expected=expected):
            return {"Accept-Post": ", ".join(expected)}
        case _:
            return {}


def _respond(
    request: Request,
    name: str,
    *,
    title: Bilingual,
    status: int,
    language: Language,
    members: dict[str, Any],
    headers: dict[str, str],
    request_id: str,
) -> Response:
    body = {
        "type": f"{request.app.state.problem_base}/{name}",
        "title": title.in_language(language),
        "status": status,
        "instance": request_id,
        **members,
    }
    return Response(
        orjson.dumps(body),
        status_code=status,
        media_type=MEDIA_TYPE,
        headers={REQUEST_ID: request_id, "Content-Language": language, **headers},
    )


def _allow(request: Request, status: int) -> dict[str, str]:
    """Return the methods of an address that has others than the one asked for (RFC 9110 section 15.5.6).

    Each of its routes knows its own methods alone.
    """
    if status != _METHOD_NOT_ALLOWED:
        return {}
    asked = [(method, {**request.scope, "method": method}) for method in _METHODS]
    here = [name for name, scope in asked if any(r.matches(scope)[0] is Match.FULL for r in request.app.routes)]
    if "GET" in here:  # what can be read can be asked about (RFC 9110 section 9.3.2)
        here.insert(1, "HEAD")
    return {"Allow": ", ".join(here)}


_METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_METHOD_NOT_ALLOWED: Final = 405


def failure_response(request: Request, error: Exception, *, request_id: str | None = None) -> Response:
    """Return the HTTP answer to an error that nobody foresaw, and log it; it tells nothing but its request's id."""
    request_id = request_id or new_request_id()
    log.error("internal_error", error=type(error).__name__, request_id=request_id, exc_info=error)
    return _respond(
        request,
        "internal-error",
        title=_INTERNAL.title,
        status=500,
        language="en",
        members={},
        headers={},
        request_id=request_id,
    )


def install(app: FastAPI) -> None:
    """Let every refusal of ``app`` leave as a problem."""

    async def refused(request: Request, error: Exception) -> Response:
        if not isinstance(error, errors.GatewayError):
            raise error
        if problem_of(error) is _INTERNAL:
            log.error("unmapped_error", error=type(error).__name__)
        return problem_response(request, error)

    async def plain(request: Request, error: Exception) -> Response:
        if not isinstance(error, HTTPException):
            raise error
        name, request_id = _NAMES.get(error.status_code, "http-error"), new_request_id()
        log.info("refused", problem=name, status=error.status_code, request_id=request_id)
        return _respond(
            request,
            name,
            title=_TITLES.get(error.status_code, _INTERNAL.title),
            status=error.status_code,
            language=preferred_language(request.headers.get("accept-language")),
            members={},
            headers={**(error.headers or {}), **_allow(request, error.status_code)},
            request_id=request_id,
        )

    async def failed(request: Request, error: Exception) -> Response:
        return failure_response(request, error)

    async def unreadable(request: Request, error: Exception) -> Response:
        """Refuse what FastAPI itself refuses: a query of the wrong shape."""
        if not isinstance(error, RequestValidationError):
            raise error
        return problem_response(request, errors.InvalidQueryError(_PARAMETER))

    app.add_exception_handler(RequestValidationError, unreadable)
    app.add_exception_handler(errors.GatewayError, refused)
    app.add_exception_handler(HTTPException, plain)
    app.add_exception_handler(Exception, failed)
