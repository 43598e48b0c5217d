"""What the routes call: the use cases of one gateway process, put together in ``gateway.roles.front``."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network
from typing import cast

from fastapi import Request
from prometheus_client import CollectorRegistry

from audit.policy import WitnessPolicy
from gateway.books.reconciling import Reconciliations
from gateway.clock import Clock
from gateway.http.bodies import BodyBudget
from gateway.inquiry.auditing import Auditing
from gateway.inquiry.evidencing import Evidences
from gateway.inquiry.exporting import Exports
from gateway.intake.accept import Intake
from gateway.intake.acknowledge import Acknowledgements
from gateway.intake.batches import BatchIntake
from gateway.intake.consenting import Consents
from gateway.intake.enrol import Enrolment
from gateway.intake.holding import Holds
from gateway.intake.tokens import TokenIssuer
from gateway.intake.treaties import Treaties
from gateway.sealing.contents import Contents
from gateway.simulation.simulating import Simulations
from gateway.store.engine import Store
from gateway.trust.registry import CurrentRegistry
from gateway.watching.checks import HasLatest
from gateway.watching.health import Health
from schemas.signing.keys import PublicKey
from schemas.tracing import Tracing


@dataclass(frozen=True, slots=True)
class Services:
    """The use cases and readers that the routes share. ``body_limit`` and ``batch_limit`` are in bytes.

    ``metrics`` is None where the operator has a listener of its own: then the public port says whether, not why. What
    comes from ``trusted_proxies`` is somebody else's.
    ``tracing`` is None where nobody records spans.
    """

    intake: Intake
    batches: BatchIntake
    bodies: BodyBudget
    acknowledgements: Acknowledgements
    consents: Consents
    holds: Holds
    auditing: Auditing
    exports: Exports
    evidences: Evidences
    reconciliations: Reconciliations
    enrolment: Enrolment
    treaties: Treaties
    simulations: Simulations
    tokens: TokenIssuer
    registry: CurrentRegistry
    store: Store
    contents: Contents
    checkpoints: HasLatest
    health: Health
    metrics: CollectorRegistry | None
    trusted_proxies: tuple[IPv4Network | IPv6Network, ...]
    public_keys: tuple[PublicKey, ...]
    body_limit: int
    batch_limit: int
    clock: Clock
    tracing: Tracing | None = None
    witness_policy: WitnessPolicy | None = None


def services(request: Request) -> Services:
    """Return the services of the app that a request came to."""
    return cast("Services", request.app.state.services)
