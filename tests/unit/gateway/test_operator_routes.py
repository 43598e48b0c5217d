"""Metrics on the public port are for whoever operates this machine: who that is."""

from __future__ import annotations

from ipaddress import ip_network

import pytest
from fastapi import Request

from gateway.http.health import is_from_here

PROXY = ip_network("127.0.0.9/32")


def asked(host: str | None, **headers: str) -> Request:
    """Return a request from an address, whose header names are written with underscores."""
    fields = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    client = None if host is None else (host, 40_000)
    return Request({"type": "http", "headers": fields, "client": client, "method": "GET", "path": "/metrics"})


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.1", "::1", "::ffff:127.0.0.1"])
def test_who_is_here(host: str) -> None:
    """Whoever asks over this machine's own addresses is here, in either protocol."""
    assert is_from_here(asked(host), (PROXY,))


@pytest.mark.parametrize(
    "request_",
    [
        asked("203.0.113.7"),
        asked("2001:db8::7"),
        asked("::ffff:203.0.113.7"),
        asked("10.0.0.7"),
        asked("127.0.0.9"),
        asked("::ffff:127.0.0.9"),
        asked(None),
        asked("127.0.0.1", x_forwarded_for="203.0.113.7"),
        asked("127.0.0.1", forwarded="for=203.0.113.7"),
        asked("127.0.0.1", via="1.1 proxy"),
    ],
    ids=lambda request: f"{request.client} {request.headers.keys()}",
)
def test_who_is_not(request_: Request) -> None:
    """Another machine is not, and no proxy on this one that speaks for another."""
    assert not is_from_here(request_, (PROXY,))
