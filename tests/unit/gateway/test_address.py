"""How PostgreSQL's address and its TLS are read: nothing beyond this machine goes in the clear unless told so."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import pytest

from gateway.errors import StoreError
from gateway.store.address import postgres_address
from lacolle.certificates import LocalAuthority

HERE = [
    "postgresql://lacolle@localhost/base",
    "postgresql://lacolle@127.0.0.1:6432/base",
    "postgresql://lacolle@[::1]/base",
    "postgresql://lacolle@/base?host=/run/postgresql",
    "postgresql://lacolle@/base?host=localhost:5432&host=127.0.0.1:5433",
]
ELSEWHERE = [
    "postgresql://lacolle@db.example/base",
    "postgresql://lacolle@192.0.2.7/base",
    "postgresql://lacolle@localhost.example/base",
    "postgresql://lacolle@/base",
    "postgresql://lacolle@/base?host=localhost:5432&host=db.example:5432",
    "postgresql://lacolle@/base?host=localhost,db.example",
]


@pytest.mark.parametrize("url", HERE)
def test_this_machine_is_reached_in_the_clear(url: str) -> None:
    """A socket's folder and loopback need no certificate, unless TLS or an authority is asked for."""
    assert postgres_address(url).arguments()["ssl"] is False
    assert postgres_address(url, tls="verify").tls is not None


@pytest.mark.parametrize("url", ELSEWHERE)
def test_anywhere_else_is_verified(url: str) -> None:
    """Certificate and name are verified by default; in the clear is only where it is told, never by omission."""
    context = postgres_address(url).tls
    assert context is not None
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert postgres_address(url, tls="none").encryption is False


def test_the_authorities_that_are_named_are_the_only_ones(tmp_path: Path) -> None:
    """With a file of authorities the system's are not trusted, and TLS is asked for on this machine too."""
    context = postgres_address(HERE[0], ca_file=LocalAuthority(tmp_path).ca_file).tls
    assert context is not None
    assert len(context.get_ca_certs()) == 1


@pytest.mark.parametrize(
    ("query", "more"),
    [
        ("?sslmode=require", {}),
        ("?ssl=require", {}),
        ("?sslmode=disable", {}),
        ("?host=db.example&sslrootcert=ca.pem", {}),
        ("?passfile=secret-word", {}),
        ("", {"ca_file": Path("none.pem")}),
        ("", {"ca_file": Path("none.pem"), "tls": "none"}),
    ],
)
def test_what_would_not_be_heeded_is_refused(query: str, more: dict[str, Any]) -> None:
    """TLS that is asked for in the address, authorities that can't be read or would not be asked: refused in words."""
    with pytest.raises(StoreError) as refused:
        postgres_address(f"postgresql://lacolle:secret-word@db.example/base{query}", **more)
    for language in ("fr", "en"):
        said = getattr(refused.value.reason, language)
        assert "ca_file" in said or "autorités" in said or "authorities" in said
        assert "secret-word" not in said


def test_a_password_of_any_characters_reaches_the_server() -> None:
    """What a file holds is what the server is told, and no description of the address repeats it."""
    odd = "a/b@c:%"
    address = postgres_address("postgresql://lacolle@/base?host=%2Frun", password=odd)
    assert (address.arguments()["password"], address.url.password) == (odd, odd)
    assert address.arguments()["host"] == "/run"
    assert odd not in repr(address)
