"""The OpenAPI document: FastAPI's, and with it what each operation refuses and which credential it asks for.

One table says both, so that no route repeats them; a test holds the table to the routes. A signature in the body is no
security scheme of OpenAPI's: ``x-signed-body`` names the JWS's ``typ`` where it is the credential.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from gateway import errors
from gateway.http.problems import MEDIA_TYPE, problem_of_kind
from gateway.intake.tokens import Scope

Refusals = tuple[type[errors.GatewayError], ...]

_BODY: Final[Refusals] = (errors.InterruptedBodyError, errors.BodyTooLargeError, errors.MediaTypeError)
_SIGNED: Final[Refusals] = (*_BODY, errors.MalformedSubmissionError, errors.UntrustedSignatureError)
_STORED: Final[Refusals] = (errors.LogUnavailableError,)
_SUBMITTED: Final[Refusals] = (
    *_SIGNED,
    errors.NotPermittedError,
    errors.AlertRefusedError,
    errors.RateLimitedError,
    *_STORED,
    errors.OverCapacityError,
)

_AGREED: Final[Refusals] = (
    *_SIGNED,
    errors.AgreementRefusedError,
    errors.RateLimitedError,
    *_STORED,
    errors.OverCapacityError,
)

_ABOUT_CONTENT: Final[Refusals] = (
    *_SIGNED,
    errors.NotFoundError,
    errors.AlertRefusedError,
    errors.RateLimitedError,
    *_STORED,
)


@dataclass(frozen=True, slots=True)
class Terms:
    """What an operation refuses, and what it asks for: a scope of a token, or a body signed in ``form`` as ``typ``."""

    refusals: Refusals = ()
    scope: Scope | None = None
    signed: str | None = None
    form: str = "compact JWS (RFC 7515)"


_READ: Final = Scope.ALERTS_READ
TERMS: Final[Mapping[tuple[str, str], Terms]] = {
    ("post", "/v1/alerts"): Terms((*_SUBMITTED, errors.IdentifierReusedError), signed="alert+jws"),
    ("post", "/v1/alerts/batch"): Terms(
        (*_BODY, errors.MalformedSubmissionError, errors.OverCapacityError), signed="alert+jws"
    ),
    ("post", "/v1/alerts/preview"): Terms(_SUBMITTED, signed="alert+jws"),
    ("get", "/v1/alerts"): Terms((errors.NotFoundError, errors.InvalidQueryError), scope=_READ),
    ("get", "/v1/alerts/{alert_id}"): Terms((errors.NotFoundError,), scope=_READ),
    ("get", "/v1/alerts/{alert_id}/evidence"): Terms(
        (errors.JustificationRequiredError, errors.NotFoundError, errors.RateLimitedError, *_STORED), scope=_READ
    ),
    ("post", "/v1/alerts/{alert_id}/acknowledgements"): Terms(
        (*_SIGNED, errors.NotFoundError, errors.AlertRefusedError, errors.RateLimitedError, *_STORED),
        signed="acknowledgement+jws",
    ),
    ("get", "/v1/log/entries"): Terms(
        (
            errors.JustificationRequiredError,
            errors.InvalidQueryError,
            errors.NotFoundError,
            errors.RateLimitedError,
            *_STORED,
        ),
        scope=Scope.LOG_READ,
    ),
    ("get", "/v1/log/questions"): Terms(),
    ("get", "/v1/log/questions/{question}"): Terms(
        (
            errors.JustificationRequiredError,
            errors.InvalidQueryError,
            errors.NotFoundError,
            errors.RateLimitedError,
            *_STORED,
        ),
        scope=Scope.LOG_READ,
    ),
    ("get", "/v1/log/exports"): Terms(
        (
            errors.JustificationRequiredError,
            errors.InvalidQueryError,
            errors.NotFoundError,
            errors.RateLimitedError,
            errors.ExportBusyError,
            *_STORED,
        ),
        scope=Scope.LOG_READ,
    ),
    ("get", "/v1/reconciliations"): Terms(
        (errors.InvalidQueryError, errors.NotFoundError, errors.RateLimitedError), scope=_READ
    ),
    ("get", "/v1/reconciliations/{day}"): Terms(
        (errors.InvalidQueryError, errors.NotFoundError, errors.RateLimitedError), scope=_READ
    ),
    ("post", "/v1/reconciliations"): Terms(
        (
            *_SIGNED,
            errors.NotPermittedError,
            errors.NotFoundError,
            errors.AlertRefusedError,
            errors.RateLimitedError,
            *_STORED,
        ),
        signed="reconciliation-statement+jws",
    ),
    ("post", "/v1/reconciliations/{reconciliation_id}/lines"): Terms(
        (
            *_BODY,
            errors.MalformedSubmissionError,
            errors.InvalidQueryError,
            errors.NotFoundError,
            errors.RateLimitedError,
            errors.OverCapacityError,
            *_STORED,
        ),
        scope=_READ,
    ),
    ("get", "/v1/consents"): Terms((errors.InvalidQueryError,), scope=_READ),
    ("get", "/v1/consents/{consent_id}"): Terms((errors.NotFoundError,), scope=_READ),
    ("post", "/v1/consents/{consent_id}"): Terms(
        (
            *_SIGNED,
            errors.NotFoundError,
            errors.AlertRefusedError,
            errors.ConsentClosedError,
            errors.RateLimitedError,
            *_STORED,
        ),
        signed="consent+jws",
    ),
    ("get", "/v1/holds"): Terms((errors.InvalidQueryError,), scope=_READ),
    ("post", "/v1/holds"): Terms((*_ABOUT_CONTENT, errors.ContentGoneError), signed="legal-hold+jws"),
    ("post", "/v1/holds/{hold}/release"): Terms(_ABOUT_CONTENT, signed="legal-hold+jws"),
    ("post", "/v1/erasures"): Terms(
        (*_ABOUT_CONTENT, errors.ContentHeldError, errors.ContentGoneError), signed="erasure-order+jws"
    ),
    ("post", "/v1/statements"): Terms(
        (*_BODY, errors.StatementRefusedError, errors.RateLimitedError, *_STORED), signed="authority-statement+jws"
    ),
    ("post", "/v1/agreements"): Terms(
        (*_AGREED, errors.UnsoundAgreementError), signed="agreement+jws", form="general JWS (RFC 7515 section 7.2.1)"
    ),
    ("post", "/v1/agreements/{agreement}/{version}/signatures"): Terms(
        (*_AGREED, errors.UnsoundAgreementError, errors.NotFoundError), signed="agreement+jws"
    ),
    **{
        ("post", f"/v1/agreements/{{agreement}}/{{version}}/{step}"): Terms(
            (*_AGREED, errors.NotFoundError), signed="agreement-step+jws"
        )
        for step in ("suspensions", "resumptions", "withdrawals", "accessions")
    },
    ("get", "/v1/agreements"): Terms(scope=_READ),
    ("post", "/v1/agreements/simulate"): Terms(
        (
            *_BODY,
            errors.NotPermittedError,
            errors.DraftRefusedError,
            errors.InvalidQueryError,
            errors.SimulationBusyError,
            *_STORED,
        ),
        scope=_READ,
    ),
    ("get", "/v1/agreements/{agreement}/{version}"): Terms((errors.NotFoundError,), scope=_READ),
    ("get", "/v1/jurisdictions"): Terms(scope=_READ),
    ("get", "/v1/participants"): Terms(scope=_READ),
    ("get", "/v1/schemas"): Terms(),
    ("get", "/v1/schemas/{alert_type}"): Terms((errors.NotFoundError,)),
    ("get", "/v1/log/proofs/inclusion"): Terms((errors.NotFoundError, errors.InvalidQueryError)),
    ("get", "/v1/log/proofs/consistency"): Terms((errors.NotFoundError, errors.InvalidQueryError)),
    ("get", "/log/checkpoint"): Terms((errors.NotFoundError,)),
    ("get", "/log/cosigned-checkpoint"): Terms((errors.NotFoundError,)),
    ("get", "/log/tile/{path}"): Terms((errors.NotFoundError,)),
    ("post", "/oauth/token"): Terms((*_BODY, errors.RateLimitedError, *_STORED)),
    ("get", "/.well-known/jwks.json"): Terms(),
    ("get", "/.well-known/oauth-authorization-server"): Terms(),
    ("get", "/healthz"): Terms(),
    ("get", "/readyz"): Terms(),
    ("get", "/metrics"): Terms((errors.NotFoundError,)),
}
"""Every operation of the document."""

_PROBLEM: Final[dict[str, Any]] = {
    "type": "object",
    "description": "RFC 9457. It never repeats what was sent; which of the further members there are, its type says.",
    "required": ["type", "title", "status", "instance"],
    "properties": {
        "type": {"type": "string", "format": "uri", "description": "Its last segment is the problem's stable name"},
        "title": {"type": "string", "description": "In the language that was asked for, French or English"},
        "status": {"type": "integer"},
        "instance": {"type": "string", "description": "The request's id, which X-Request-Id repeats"},
        "detail": {"type": "string"},
        "pointer": {"type": "string"},
        "limit": {"type": "integer"},
        "expected": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["pointer", "message"],
                "properties": {"pointer": {"type": "string"}, "message": {"type": "string"}},
            },
        },
    },
}
_OAUTH_ERROR: Final[dict[str, Any]] = {
    "type": "object",
    "description": "RFC 6749 section 5.2, and its description in both languages",
    "required": ["error", "error_description", "reason"],
    "properties": {
        "error": {"type": "string"},
        "error_description": {"type": "string", "description": "The reason in English, in ASCII"},
        "reason": {
            "type": "object",
            "required": ["fr", "en"],
            "properties": {"fr": {"type": "string"}, "en": {"type": "string"}},
        },
    },
}
_SCOPES: Final = {
    Scope.ALERTS_READ: "Read alerts that concern one, agreements and the registry",
    Scope.LOG_READ: "Read the log's entries, as an auditor",
}
_HEADERS: Final = {
    401: {"WWW-Authenticate": {"schema": {"type": "string"}, "description": "Where a token is due (RFC 6750)"}},
    429: {"Retry-After": {"schema": {"type": "integer"}, "description": "Seconds"}},
    503: {"Retry-After": {"schema": {"type": "integer"}, "description": "Seconds"}},
}


def openapi_document(api: FastAPI) -> dict[str, Any]:
    """Return the whole document of an application."""
    document = get_openapi(title=api.title, version=api.version, summary=api.summary, routes=api.routes)
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            _complete(operation, TERMS[method, path])
    token = document["paths"]["/oauth/token"]["post"]["responses"]
    for status in ("400", "401"):
        token[status] = {
            "description": "The request or the client assertion is not acceptable",
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/OAuthError"}}},
        }
    named = document.get("components", {}).get("schemas", {})
    choices = {name: schema for name, schema in named.items() if "enum" in schema}
    document["components"] = {
        "schemas": {"Problem": _PROBLEM, "OAuthError": _OAUTH_ERROR, **choices},
        "securitySchemes": {
            "bearer": {
                "type": "oauth2",
                "description": "private_key_jwt (RFC 7523); over mutual TLS, bound to the certificate (RFC 8705)",
                "flows": {"clientCredentials": {"tokenUrl": "/oauth/token", "scopes": dict(_SCOPES)}},
            }
        },
    }
    return document


def _complete(operation: dict[str, Any], terms: Terms) -> None:
    responses = operation["responses"]
    responses.pop("422", None)  # FastAPI's own form of it, which this exchange never answers with
    refusals = (*terms.refusals, *((errors.TokenRefusedError,) if terms.scope is not None else ()))
    by_status: dict[int, list[type[errors.GatewayError]]] = {}
    for refusal in refusals:
        by_status.setdefault(problem_of_kind(refusal).status, []).append(refusal)
    if terms.scope is not None:
        by_status.setdefault(403, []).append(errors.TokenRefusedError)
        operation["security"] = [{"bearer": [str(terms.scope)]}]
    for status in sorted(by_status):
        responses[str(status)] = _refused(status, by_status[status])
    responses["default"] = _answered("Anything else that goes wrong")
    if terms.signed is not None:
        operation["x-signed-body"] = {"format": terms.form, "typ": terms.signed}


def _refused(status: int, kinds: Sequence[type[errors.GatewayError]]) -> dict[str, Any]:
    answer = _answered(" or ".join(dict.fromkeys(kind.name for kind in kinds)))
    if status in _HEADERS:
        answer["headers"] = _HEADERS[status]
    return answer


def _answered(description: str) -> dict[str, Any]:
    return {
        "description": description,
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
