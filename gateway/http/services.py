"""What the routes call: the use cases of one gateway process, put together in ``gateway.exchange``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from fastapi import Request
from prometheus_client import CollectorRegistry

from gateway.accept import Intake
from gateway.acknowledge import Acknowledgements
from gateway.admission import Admission
from gateway.batches import BatchIntake
from gateway.checkpoints import CheckpointTask
from gateway.clock import Clock
from gateway.enrol import Enrolment
from gateway.health import Health
from gateway.registry import CurrentRegistry
from gateway.store.engine import Store
from gateway.tokens import TokenIssuer
from schemas.signing.keys import PublicKey


@dataclass(frozen=True, slots=True)
class Services:
    """The use cases and readers that the routes share. ``body_limit`` and ``batch_limit`` are in bytes."""

    admission: Admission
    intake: Intake
    batches: BatchIntake
    acknowledgements: Acknowledgements
    enrolment: Enrolment
    tokens: TokenIssuer
    registry: CurrentRegistry
    store: Store
    checkpoints: CheckpointTask
    health: Health
    metrics: CollectorRegistry
    public_keys: tuple[PublicKey, ...]
    body_limit: int
    batch_limit: int
    clock: Clock


def services(request: Request) -> Services:
    """Return the services of the app that a request came to."""
    return cast("Services", request.app.state.services)
