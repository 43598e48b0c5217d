"""What the routes call: the use cases of one gateway process, put together in ``gateway.front``."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network
from typing import cast

from fastapi import Request
from prometheus_client import CollectorRegistry

from audit.policy import WitnessPolicy
from gateway.accept import Intake
from gateway.acknowledge import Acknowledgements
from gateway.auditing import Auditing
from gateway.batches import BatchIntake
from gateway.checks import HasLatest
from gateway.clock import Clock
from gateway.consenting import Consents
from gateway.enrol import Enrolment
from gateway.evidencing import Evidences
from gateway.exporting import Exports
from gateway.health import Health
from gateway.holding import Holds
from gateway.http.bodies import BodyBudget
from gateway.reconciling import Reconciliations
from gateway.registry import CurrentRegistry
from gateway.sealing.contents import Contents
from gateway.simulating import Simulations
from gateway.store.engine import Store
from gateway.tokens import TokenIssuer
from gateway.treaties import Treaties
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
