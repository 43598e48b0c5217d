"""Refusals, read and told."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest

from lacolle.client.problems import problem_in
from lacolle.errors import FieldError

NOW = datetime(2026, 1, 17, tzinfo=UTC)
PROBLEM = {
    "type": "https://lacolle.example/problems/invalid-alert",
    "title": "The alert is not valid",
    "status": 422,
    "instance": "b7c5",
    "errors": [{"pointer": "/sent", "message": "the time sent lies in the future"}],
    "more": "later versions may say more",
}


def _answer(status: int, *, body: Any, media_type: str = "application/problem+json") -> httpx2.Response:  # noqa: ANN401 - any JSON
    return httpx2.Response(status, json=body, headers={"Content-Type": media_type})


def test_a_problem_is_read_whole() -> None:
    """Every member of a problem is there, unknown ones are passed over, and the name is the type's end."""
    problem = problem_in(_answer(422, body=PROBLEM), now=NOW)
    assert (problem.type, problem.name) == (PROBLEM["type"], "invalid-alert")
    assert (problem.title, problem.status, problem.request_id) == ("The alert is not valid", 422, "b7c5")
    assert problem.errors == (FieldError(pointer="/sent", message="the time sent lies in the future"),)


def test_a_problem_says_what_to_do_next() -> None:
    """The message has the title, each place, the advice in the language asked for, and the request's id."""
    problem = problem_in(_answer(422, body=PROBLEM), now=NOW)
    assert "/sent: the time sent" in str(problem)
    assert "Correct the alert" in str(problem)
    assert "Corrigez l'alerte" in problem.in_language("fr")
    assert "b7c5" in str(problem)


@pytest.mark.parametrize(
    ("body", "media_type"),
    [
        ({"title": ["not", "text"]}, "application/problem+json"),
        ([], "application/problem+json"),
        ("<html>", "text/html"),
        ({"unrelated": 1}, "application/json"),
    ],
)
def test_an_answer_without_a_problem_is_told_by_its_status(body: object, media_type: str) -> None:
    """Whatever else an error answer holds, its status is told, and its content is not repeated."""
    problem = problem_in(_answer(502, body=body, media_type=media_type), now=NOW)
    assert (problem.status, problem.type) == (502, "about:blank")
    assert problem.title == "HTTP 502 Bad Gateway"
    assert "html" not in str(problem)


@pytest.mark.parametrize(
    "name",
    [
        "malformed-submission",
        "signature-not-trusted",
        "not-permitted",
        "identifier-reused",
        "body-too-large",
        "invalid-alert",
        "rate-limited",
        "log-unavailable",
        "not-found",
    ],
)
def test_every_refusal_of_the_contract_has_advice(name: str) -> None:
    """Each problem that a submission can meet tells, in both languages, what to do next."""
    bare = problem_in(_answer(400, body={"type": "urn:problems/unheard-of", "title": "No"}), now=NOW)
    problem = problem_in(_answer(400, body={"type": f"urn:problems/{name}", "title": "No"}), now=NOW)
    for language in ("fr", "en"):
        assert len(problem.in_language(language).splitlines()) == len(bare.in_language(language).splitlines()) + 1
