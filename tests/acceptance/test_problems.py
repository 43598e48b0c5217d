"""Refusals as RFC 9457 problems: a stable type, both languages, the request's name, and nothing of what was sent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx2
import pytest

from tests.acceptance.agency import ALERTS, PREVIEW, Agencies, Agency, members
from tests.acceptance.alerts import changed, outbreak, stolen_vehicle
from tests.acceptance.conftest import ServerProcess
from tests.acceptance.independent import Key, dumped, sealed

BASE = "https://lacolle.example/problems/"
MARKER = "zq7marker"

Refuse = Callable[[Agency, dict[str, str]], httpx2.Response]


def _reused(sq: Agency, headers: dict[str, str]) -> httpx2.Response:
    alert = stolen_vehicle()
    sq.send(alert)
    return sq.post(sq.sign(changed(alert, {"info.0.event": "Autre"})), **headers)


def _read(path: str) -> Refuse:
    def read(sq: Agency, headers: dict[str, str]) -> httpx2.Response:
        return sq.http.get(path, headers={"Authorization": f"Bearer {sq.token()}", **_dashed(headers)})

    return read


def _dashed(headers: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}


REFUSALS: dict[tuple[int, str], Refuse] = {
    (400, "malformed-submission"): lambda sq, headers: sq.post(b"no jws", **headers),
    (401, "signature-not-trusted"): lambda sq, headers: sq.post(
        sq.sign(stolen_vehicle(), Key.new("nobody")), **headers
    ),
    (401, "token-refused"): lambda sq, headers: sq.http.get(f"{ALERTS}/x", headers=_dashed(headers)),
    (403, "not-permitted"): lambda sq, headers: sq.post(sq.sign(outbreak(sender="ca-qc.sq")), **headers),
    (404, "not-found"): _read(f"{ALERTS}/01a201cd-c2aa-7ef2-a6e2-abe51ab7a86c"),
    (405, "method-not-allowed"): lambda sq, headers: sq.http.delete(ALERTS, headers=_dashed(headers)),
    (409, "identifier-reused"): _reused,
    (413, "body-too-large"): lambda sq, headers: sq.post(b"A" * (2 * 1024 * 1024 + 1), **headers),
    (415, "unsupported-media-type"): lambda sq, headers: sq.post(b"x", Content_Type="text/plain", **headers),
    (422, "invalid-alert"): lambda sq, headers: sq.post(sq.sign(stolen_vehicle({"status": "x"})), **headers),
    (422, "invalid-query"): lambda sq, headers: sq.http.get(
        "/v1/log/proofs/inclusion", params={"index": "x"}, headers=_dashed(headers)
    ),
}


@pytest.mark.parametrize(("status", "name"), REFUSALS)
def test_form(sq: Agency, status: int, name: str) -> None:
    """Each refusal is a problem with its type, a title, its status and the request's id, which is new each time."""
    answers = [REFUSALS[status, name](sq, {}) for _ in range(2)]
    for answer in answers:
        body = members(answer)
        assert answer.status_code == status
        assert answer.headers["content-type"] == "application/problem+json"
        assert body["type"] == BASE + name
        assert body["status"] == status
        assert isinstance(body["title"], str)
        assert body["title"]
        assert set(body) <= {"type", "title", "status", "detail", "instance", "errors", "expected", "limit"}
    first, second = (members(answer)["instance"] for answer in answers)
    assert first != second


def _texts(answer: httpx2.Response) -> list[str]:
    """Return every text of a problem that a person reads."""
    body = members(answer)
    messages = [error["message"] for error in body.get("errors", [])]
    return [body["title"], *([body["detail"]] if "detail" in body else []), *messages]


@pytest.mark.parametrize(("status", "name"), REFUSALS)
def test_languages(sq: Agency, status: int, name: str) -> None:
    """Each refusal speaks French or English as the client prefers, in all that a person reads, and says which."""
    french, english = (REFUSALS[status, name](sq, {"Accept_Language": language}) for language in ("fr-CA", "en-CA"))
    assert french.headers["content-language"] == "fr"
    assert english.headers["content-language"] == "en"
    assert len(_texts(french)) == len(_texts(english))
    for one, other in zip(_texts(french), _texts(english), strict=True):
        assert one != other


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("fr", "fr"),
        ("FR-ca", "fr"),
        ("fr-FR, en;q=0.5", "fr"),
        ("en, fr;q=0.9", "en"),
        ("en;q=0.1, fr;q=0.2", "fr"),
        ("de, fr;q=0.5, en;q=0.1", "fr"),
        ("en-US", "en"),
        ("fr;q=0, en", "en"),
        ("en;q=0, fr;q=0.1", "fr"),
    ],
)
def test_preference(sq: Agency, accepted: str, language: str) -> None:
    """The language is the one that Accept-Language weighs highest (RFC 9110 section 12.5.4)."""
    assert sq.post(b"", Accept_Language=accepted).headers["content-language"] == language


@pytest.mark.parametrize(
    "accepted", ["", "*", "de", "fr;q=x", ";;;", "q=1", ",", "fr;q=1e400", "x" * 4000, "fr;q=-1", "fr-", "é"]
)
def test_odd_preferences(sq: Agency, accepted: str) -> None:
    """Whatever else stands in Accept-Language, the refusal is in one of the two languages."""
    answer = sq.http.post(
        ALERTS, content=b"", headers=[(b"Content-Type", b"application/jose"), (b"Accept-Language", accepted.encode())]
    )
    assert answer.status_code == 400
    assert answer.headers["content-language"] in ("fr", "en")


def _marked(value: Any) -> Any:  # noqa: ANN401 - any JSON
    """Return a JSON value with the marker at the end of every text."""
    match value:
        case str():
            return value + MARKER
        case list():
            return [_marked(each) for each in value]
        case dict():
            return {name: _marked(each) for name, each in value.items()}
        case _:
            return value


def _each_marked(document: dict[str, Any]) -> list[dict[str, Any]]:
    """Return a document once for each of its members, with the marker in all texts below that member."""
    return [{**document, name: _marked(value)} for name, value in document.items()]


def test_nothing_is_echoed(sq: Agency, standing: ServerProcess) -> None:
    """No answer and no line of the server's log repeats a text of the alert, right or wrong as it may be."""
    answers = [sq.submit(alert) for alert in [_marked(stolen_vehicle()), *_each_marked(stolen_vehicle())]]
    answers += [sq.preview(alert) for alert in _each_marked(stolen_vehicle({"status": "x"}))]
    assert {answer.status_code for answer in answers} >= {201, 403, 422}
    header = sq.header()
    twisted = [{**header, name: f"{value}{MARKER}"} for name, value in header.items()] + [{**header, MARKER: MARKER}]
    answers += [sq.post(sealed(each, dumped(stolen_vehicle()), sq.key)) for each in twisted]
    answers += [sq.post(sq.sign(f'{{"type": "{MARKER}\\ud800"}}'.encode())), sq.post(MARKER.encode())]
    answers += [sq.post(MARKER.encode(), Content_Type=MARKER), sq.post(MARKER.encode(), Content_Encoding=MARKER)]
    answers += [sq.post(sq.sign(MARKER), PREVIEW), sq.http.get(f"/{MARKER}"), sq.http.get(f"/log/tile/{MARKER}")]
    answers += [sq.get(f"{ALERTS}/{MARKER}"), sq.get(ALERTS, sender=MARKER, identifier=MARKER)]
    answers += [sq.http.get(f"{ALERTS}/x", headers={"Authorization": f"Bearer {MARKER}"})]
    answers += [sq.http.get("/v1/log/proofs/inclusion", params={"index": MARKER})]
    for answer in answers:
        assert MARKER not in answer.text, answer.text
        assert not any(MARKER in value for value in answer.headers.values())
    assert MARKER not in standing.log_file.read_text(encoding="utf-8")


def test_a_pointer_names_members_and_nothing_else(sq: Agency) -> None:
    """A pointer ends before a name that does not look like a member's: it may be content that slipped there."""
    slipped = "Jean Tremblay, né en 1985"
    answer = sq.submit(stolen_vehicle({slipped: 1}))
    assert [error["pointer"] for error in members(answer)["errors"]] == [""]
    for value in ('"\\ud800"', '1, "twice": 1, "twice": 2', "1e999"):
        malformed = sq.post(sq.sign(f'{{"body": {{"{slipped}": {{"inner": {value}}}}}}}'.encode()))
        assert malformed.status_code == 400
        assert "Tremblay" not in malformed.text
        assert members(malformed)["pointer"] == "/body"
    assert len(sq.post(sq.sign(f'{{"{"a" * 500_000}": "\\ud800"}}'.encode())).content) < 2_000


def test_methods(agencies: Agencies) -> None:
    """A method that an address does not have gets 405 and a list of those that it has (RFC 9110 section 15.5.6)."""
    answer = agencies.http.delete(ALERTS)
    assert answer.status_code == 405
    assert {"GET", "POST"} <= {name.strip() for name in answer.headers["allow"].split(",")}
