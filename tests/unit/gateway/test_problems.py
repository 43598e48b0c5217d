"""Refusals as HTTP problems: every error has one, in both languages, and none repeats what was sent."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from fastapi import FastAPI, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from gateway import errors
from gateway.http.problems import PROBLEMS, install, problem_of, problem_response
from schemas.alerts.catalogue import Fault
from schemas.bilingual import Bilingual

REASON = Bilingual(fr="parce que", en="because")
BASE = "https://exchange.example/problems"
ANY_ERROR: tuple[errors.GatewayError, ...] = (
    errors.MalformedSubmissionError(REASON, "/info"),
    errors.UntrustedSignatureError(),
    errors.NotPermittedError(REASON),
    errors.IdentifierReusedError(),
    errors.AlertRefusedError((Fault("/info/0/event", "missing", REASON),)),
    errors.RateLimitedError(2.1),
    errors.LogUnavailableError(),
    errors.LogUnavailableError(60.0, reason=REASON),
    errors.OverCapacityError(),
    errors.NotFoundError(),
    errors.TokenRefusedError(scope="alerts:read"),
    errors.BodyTooLargeError(1024),
    errors.MediaTypeError("application/jose"),
    errors.InterruptedBodyError(),
    errors.InvalidQueryError(REASON),
    errors.StatementRefusedError(REASON),
    errors.AgreementRefusedError(REASON),
    errors.ConsentClosedError(),
    errors.ContentHeldError(),
    errors.ContentGoneError(),
    errors.JustificationRequiredError(500),
    errors.UnsoundAgreementError((("/valid/until", REASON),)),
    errors.DraftRefusedError(REASON),
    errors.SimulationBusyError(),
    errors.ExportBusyError(),
)


def every_error() -> Iterator[type[errors.GatewayError]]:
    """Yield each class of the tree but its root and what only a start can meet."""
    waiting = list(errors.GatewayError.__subclasses__())
    while waiting:
        each = waiting.pop()
        waiting.extend(each.__subclasses__())
        if not issubclass(each, errors.StoreError):
            yield each


def request(language: str | None = None) -> Request:
    """Return a request in a language."""
    app = FastAPI()
    app.state.problem_base = BASE
    headers = [] if language is None else [(b"accept-language", language.encode())]
    return Request({"type": "http", "app": app, "headers": headers, "method": "GET", "path": "/"})


def answered(error: errors.GatewayError, language: str | None = None) -> tuple[Response, dict[str, Any]]:
    """Return the answer to an error, and what it says."""
    response = problem_response(request(language), error)
    return response, orjson.loads(bytes(response.body))


@pytest.mark.parametrize("error", list(every_error()), ids=lambda error: error.name)
def test_every_error_has_its_own_problem(error: type[errors.GatewayError]) -> None:
    """No error that a request can meet falls back to an internal one, or to another's."""
    assert error in PROBLEMS
    assert error.name != errors.GatewayError.name
    titles = PROBLEMS[error].title
    assert titles.fr.strip() != titles.en.strip()
    assert 400 <= PROBLEMS[error].status < 600


def test_names_and_titles_are_unique() -> None:
    """Whoever reads a problem's type, or its title, knows which refusal it is."""
    names = [error.name for error in every_error()]
    assert len(set(names)) == len(names)
    assert {type(error) for error in ANY_ERROR} == set(every_error())
    assert len({problem.title.fr for problem in PROBLEMS.values()}) == len(PROBLEMS)
    assert len({problem.title.en for problem in PROBLEMS.values()}) == len(PROBLEMS)


@pytest.mark.parametrize("error", ANY_ERROR, ids=lambda error: error.name)
@pytest.mark.parametrize(("accept", "language"), [(None, "en"), ("fr-CA, en;q=0.5", "fr"), ("en", "en")])
def test_a_problem_speaks_its_reader_s_language(error: errors.GatewayError, accept: str | None, language: str) -> None:
    """RFC 9457's members are there, in the language that was asked for, and the request's id in both of its places."""
    response, problem = answered(error, accept)
    title = problem_of(error).title
    assert problem["title"] == (title.fr if language == "fr" else title.en)
    assert problem["type"] == f"{BASE}/{error.name}"
    assert problem["status"] == response.status_code == problem_of(error).status
    assert problem["instance"] == response.headers["x-request-id"]
    assert response.headers["content-language"] == language
    assert response.headers["content-type"] == "application/problem+json"


def test_a_reason_and_its_place_are_told_in_words() -> None:
    """Details, pointers and faults stand where the wire contract has them, in the reader's language."""
    _, malformed = answered(ANY_ERROR[0], "fr")
    assert (malformed["detail"], malformed["pointer"]) == ("parce que", "/info")
    _, invalid = answered(ANY_ERROR[4], "fr")
    assert invalid["errors"] == [{"pointer": "/info/0/event", "message": "parce que"}]


def test_whoever_is_to_come_again_is_told_when() -> None:
    """Retry-After is whole seconds, rounded up, and never zero."""
    for error, seconds in (
        (errors.RateLimitedError(2.1), "3"),
        (errors.RateLimitedError(0.01), "1"),
        (errors.LogUnavailableError(), "1"),
        (errors.OverCapacityError(), "1"),
    ):
        assert answered(error)[0].headers["retry-after"] == seconds


def test_a_token_that_is_missing_or_too_weak_is_challenged() -> None:
    """401 names the scope (RFC 6750 section 3); a token without the scope is 403 and says so."""
    missing, _ = answered(errors.TokenRefusedError(scope="log:read", presented=False))
    spent, _ = answered(errors.TokenRefusedError(scope="log:read"))
    weak, problem = answered(errors.TokenRefusedError(scope="log:read", insufficient=True))
    assert (missing.status_code, missing.headers["www-authenticate"]) == (401, 'Bearer scope="log:read"')
    assert (spent.status_code, spent.headers["www-authenticate"]) == (
        401,
        'Bearer scope="log:read", error="invalid_token"',
    )
    assert (weak.status_code, problem["status"]) == (403, 403)
    assert weak.headers["www-authenticate"] == 'Bearer scope="log:read", error="insufficient_scope"'


def test_a_class_that_is_missing_is_its_ancestor_s() -> None:
    """A subclass without a problem of its own has its parent's; a stranger to the table is an internal error."""

    class Narrower(errors.NotFoundError):
        """Something narrower is not found."""

    assert problem_of(Narrower()).status == 404
    assert (
        problem_of(errors.StoreError(Bilingual(fr="La base est en cause.", en="The database is at fault."))).status
        == 500
    )


@pytest.mark.parametrize(
    ("raised", "status", "name"),
    [
        (errors.NotFoundError(), 404, "not-found"),
        (HTTPException(405, headers={"Allow": "GET"}), 405, "method-not-allowed"),
        (HTTPException(418), 418, "http-error"),
        (RuntimeError("ABC 123"), 500, "internal-error"),
    ],
)
async def test_whatever_a_route_raises_leaves_as_a_problem(raised: Exception, status: int, name: str) -> None:
    """Ours, the framework's, and what nobody expected: one form, and no word of what went wrong inside."""
    app = FastAPI()
    app.state.problem_base = BASE
    install(app)

    @app.get("/")
    async def route() -> None:
        raise raised

    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:  # noqa: ANN401 - ASGI's messages
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": "/", "headers": [], "query_string": b"", "app": app}
    try:
        await app(scope, receive, send)
    except RuntimeError:
        assert status == 500  # the server hears of it too, after the answer
    assert sent[0]["status"] == status
    body = b"".join(message.get("body", b"") for message in sent)
    assert orjson.loads(body)["type"] == f"{BASE}/{name}"
    assert b"ABC 123" not in body
