"""Accepting an alert as a part of the trace that its request belongs to (W3C Trace Context)."""

from __future__ import annotations

from starlette.types import Scope

from gateway.http.certificates import shown_certificate
from gateway.http.services import Services
from gateway.store.acceptance import Answer
from schemas.tracing import traceparent_of


async def accept(use: Services, scope: Scope, submission: bytes) -> Answer:
    """Store an alert under its request's trace, by what its connection showed. Raises ``GatewayError``."""
    certificate = shown_certificate(scope)
    traceparent = traceparent_of(scope["headers"])
    if use.tracing is None:
        return await use.intake.accept(submission, certificate=certificate, traceparent=traceparent)
    with use.tracing.span("accept", parent=traceparent) as traceparent:
        answer = await use.intake.accept(submission, certificate=certificate, traceparent=traceparent)
        use.tracing.note(alert_id=answer.alert_id)
        return answer
