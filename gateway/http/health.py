"""For the operator: alive, ready, metrics; and the exchange's public keys."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final

import orjson
from fastapi import APIRouter, Request
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from starlette.responses import Response

from gateway.errors import NotFoundError
from gateway.http.services import services
from gateway.watching.health import Condition, Report
from gateway.watching.metrics import ReadinessCollector

router = APIRouter(tags=["operation"])


def alive_answer() -> Response:
    """Return what a process that answers at all answers."""
    return Response(b'{"status":"ok"}', media_type="application/json")


def readiness_answer(report: Report, *, bare: bool) -> Response:
    """Return a report as an answer; a ``bare`` one says whether, and not why."""
    document = report.document()
    return Response(
        orjson.dumps({"status": document["status"]} if bare else document),
        status_code=503 if report.condition is Condition.FAILING else 200,
        media_type="application/json",
    )


def metrics_answer(registry: CollectorRegistry, report: Report) -> Response:
    """Return a process's metrics in Prometheus' text format, the state of its parts among them."""
    readiness = CollectorRegistry()
    readiness.register(ReadinessCollector(report))
    return Response(generate_latest(registry) + generate_latest(readiness), media_type=CONTENT_TYPE_LATEST)


@router.get("/healthz", summary="Is the process alive?")
async def healthz() -> Response:
    """Answer 200 while the process answers at all."""
    return alive_answer()


@router.get(
    "/readyz",
    summary="Can the exchange accept alerts?",
    responses={503: {"description": "It can't, and says which parts are broken", "content": {"application/json": {}}}},
)
async def readyz(request: Request) -> Response:
    """Answer 200 where alerts can be accepted, ``degraded`` where a part is broken all the same; 503 else.

    The adapters do not work where some have not reported for over a minute on what is on the bus for them.
    """
    use = services(request)
    return readiness_answer(await use.health.report(), bare=use.metrics is None)


@router.get("/metrics", summary="Metrics in Prometheus' text format")
async def metrics(request: Request) -> Response:
    """Answer every metric of the process, to whoever asks from this machine; 404 to everyone else.

    404 to all where the operator has a listener of its own for them.
    """
    use = services(request)
    if use.metrics is None or not is_from_here(request, use.trusted_proxies):
        raise NotFoundError
    return metrics_answer(use.metrics, await use.health.report())


_PASSED_ON: Final = frozenset({"forwarded", "x-forwarded-for", "via"})


def is_from_here(request: Request, proxies: Iterable[IPv4Network | IPv6Network]) -> bool:
    """Say whether a request was made on this machine: its peer is, and is no proxy that speaks for another."""
    if request.client is None or not _PASSED_ON.isdisjoint(request.headers.keys()):
        return False
    address = ip_address(request.client.host)
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return address.is_loopback and not any(address in network for network in proxies)


@router.get("/.well-known/jwks.json", summary="The exchange's public keys")
async def jwks(request: Request) -> Response:
    """Answer the keys of receipts, access tokens and signed HTTP requests (RFC 7517 section 5)."""
    keys = [dict(key.jwk) | {"use": "sig"} for key in services(request).public_keys]
    return Response(orjson.dumps({"keys": keys}), media_type="application/jwk-set+json")
