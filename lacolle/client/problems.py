"""Reading a refusal: an RFC 9457 problem, the token endpoint's error, or whatever else stood in its place."""

from __future__ import annotations

from datetime import datetime

import httpx2
from pydantic import BaseModel, ConfigDict

from lacolle.client.answers import Words
from lacolle.client.waiting import retry_after
from lacolle.errors import FieldError, ProblemError
from schemas.bilingual import Language


class _FieldError(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)

    pointer: str
    message: str


class _TokenError(BaseModel):
    """RFC 6749 section 5.2."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    error: str
    error_description: str = ""
    reason: Words | None = None
    """What this exchange says beside the description, which is English alone; another server may not."""

    def in_language(self, language: Language) -> str:
        return self.error_description if self.reason is None else self.reason.bilingual.in_language(language)


class _Problem(BaseModel):
    """RFC 9457 section 3.1; members may be absent, and ones unknown here are ignored (section 3.2)."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    type: str = "about:blank"
    title: str = ""
    detail: str | None = None
    instance: str | None = None
    errors: tuple[_FieldError, ...] = ()


def problem_in(answer: httpx2.Response, *, now: datetime, language: Language = "en") -> ProblemError:
    """Return the refusal that an answer is; one that says nothing readable has the type ``about:blank``.

    ``language`` chooses where the answer is in both; else it is in the one that its request asked for.
    """
    told = _read(answer, language)
    return ProblemError(
        type_=told.type,
        title=told.title or f"HTTP {answer.status_code} {answer.reason_phrase}".strip(),
        status=answer.status_code,
        detail=told.detail,
        errors=tuple(FieldError(pointer=error.pointer, message=error.message) for error in told.errors),
        request_id=told.instance or answer.headers.get("x-request-id"),
        retry_after=retry_after(answer.headers.get("retry-after"), now=now),
    )


def _read(answer: httpx2.Response, language: Language) -> _Problem:
    media_type = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    try:
        match media_type:
            case "application/problem+json":
                return _Problem.model_validate_json(answer.content)
            case "application/json":
                told = _TokenError.model_validate_json(answer.content)
                return _Problem(type=told.error, title=told.in_language(language))
            case _:
                return _Problem()
    except ValueError:  # the models', or a sentence that lacks a language
        return _Problem()  # its status still says what kind of refusal it was
