"""``POST /oauth/token``, the server's metadata, and who a bearer token speaks for."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import parse_qsl

from fastapi import APIRouter, Request
from starlette.responses import Response

from gateway.http.answers import json_answer
from gateway.http.bodies import read_body
from gateway.http.certificates import shown_certificate
from gateway.http.services import services
from gateway.intake.tokens import OAuthError, Scope
from gateway.store.reader import Reader
from schemas.bilingual import Bilingual
from schemas.statements import ParticipantStatement, Role

router = APIRouter(tags=["authorization"])

FORM: Final = "application/x-www-form-urlencoded"
FORM_LIMIT: Final = 16 * 1024
ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_NO_STORE: Final = {"Cache-Control": "no-store"}


def bearer(request: Request, scope: Scope) -> ParticipantStatement:
    """Return the participant whose token came with the request. Raises ``TokenRefusedError``."""
    return services(request).tokens.read(
        request.headers.get("authorization"), scope=scope, certificate=shown_certificate(request.scope)
    )


def reader_of(participant: ParticipantStatement) -> Reader:
    """Return what reading needs to know of a participant."""
    return Reader(
        participant=participant.participant,
        jurisdiction=participant.jurisdiction,
        auditor=Role.AUDITOR in participant.roles,
    )


@router.post("/oauth/token", summary="Exchange a signed client assertion for an access token")
async def token(request: Request) -> Response:
    """Answer RFC 6749 section 4.4's client credentials grant with RFC 7523's ``private_key_jwt``."""
    body = await read_body(request.scope, request.receive, media_type=FORM, limit=FORM_LIMIT)
    try:
        form = _client_credentials(body)
        issued = await services(request).tokens.issue(
            assertion=form.get("client_assertion", "").encode("ascii", "replace"),
            scopes=tuple(form.get("scope", "").split()),
            client_id=form.get("client_id"),
            certificate=shown_certificate(request.scope),
        )
    except OAuthError as error:
        status = 401 if error.error == "invalid_client" else 400
        return json_answer(_refusal(error), status=status, headers=_NO_STORE)
    return json_answer(
        {
            "access_token": issued.token,
            "token_type": "Bearer",
            "expires_in": issued.expires_in,
            "scope": " ".join(issued.scopes),
        },
        headers=_NO_STORE,
    )


@router.get("/.well-known/oauth-authorization-server", summary="The authorization server's metadata")
async def metadata(request: Request) -> Response:
    """Answer RFC 8414's metadata; ``issuer`` is the one audience a client assertion may name."""
    issuer = services(request).tokens.issuer
    return json_answer(
        {
            "issuer": issuer,
            "token_endpoint": f"{issuer}/oauth/token",
            "jwks_uri": f"{issuer}/.well-known/jwks.json",
            "grant_types_supported": ["client_credentials"],
            "response_types_supported": [],
            "token_endpoint_auth_methods_supported": ["private_key_jwt"],
            "token_endpoint_auth_signing_alg_values_supported": ["ES256", "Ed25519"],
            "tls_client_certificate_bound_access_tokens": True,
            "scopes_supported": [str(scope) for scope in Scope],
        },
        headers=_NO_STORE,
    )


def _refusal(error: OAuthError) -> dict[str, Any]:
    """Return RFC 6749 section 5.2's document, whose description is ASCII, with the reason in both languages beside."""
    return {
        "error": error.error,
        "error_description": error.reason.en,
        "reason": {"fr": error.reason.fr, "en": error.reason.en},
    }


def _client_credentials(body: bytes) -> dict[str, str]:
    form = _form(body)
    if "grant_type" not in form:
        raise OAuthError("invalid_request", Bilingual(fr="le champ grant_type manque", en="the grant_type is missing"))
    if form["grant_type"] != "client_credentials":
        raise OAuthError(
            "unsupported_grant_type",
            Bilingual(
                fr="le champ grant_type doit être client_credentials", en="the grant_type must be client_credentials"
            ),
        )
    if form.get("client_assertion_type") != ASSERTION_TYPE:
        raise OAuthError(
            "invalid_request",
            Bilingual(
                fr=f"le champ client_assertion_type doit être {ASSERTION_TYPE}",
                en=f"the client_assertion_type must be {ASSERTION_TYPE}",
            ),
        )
    return form


def _form(body: bytes) -> dict[str, str]:
    """Return the form's fields; a repeated one is refused (RFC 6749 section 3.2)."""
    try:
        pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=16)
    except ValueError as error:
        raise OAuthError(
            "invalid_request", Bilingual(fr="le formulaire est illisible", en="the form can't be read")
        ) from error
    form = dict(pairs)
    if len(form) != len(pairs):
        raise OAuthError(
            "invalid_request",
            Bilingual(fr="un champ du formulaire est répété", en="a field of the form is repeated"),
        )
    return form
