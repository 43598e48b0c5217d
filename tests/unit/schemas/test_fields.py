"""The members that signed documents share keep to their forms."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from schemas.fields import HostField, Name, PublicKeyField, TypePattern, Window
from schemas.ids import KeyId
from schemas.signing.keys import SigningKey

HOSTS: TypeAdapter[str] = TypeAdapter(HostField)
PATTERNS: TypeAdapter[str] = TypeAdapter(TypePattern)


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "alerts.example.org",
        "xn--qubec-csa.example",
        "a-b.c",
        "192.0.2.7",
        "127.0.0.1",
        "2001:db8::1",
        "::1",
    ],
)
def test_hosts_are_names_and_canonical_addresses(host: str) -> None:
    """A name in lower case and a literal address in its one spelling are taken as they are."""
    assert HOSTS.validate_python(host) == host


@pytest.mark.parametrize(
    "host",
    [
        "",
        "A.example",
        "example.",
        ".example",
        "a..b",
        "-a.b",
        "a-.b",
        "a_b.c",
        "québec.example",
        "example:443",
        "https://example",
        "[::1]",
        "2001:DB8::1",
        "2001:db8:0::1",
        "010.0.0.1",
        "127.1",
        "2130706433",
        "0x7f.1",
        "0x7f000001",
        "a.0x7f",
        "a.0x",
        "*.example",
        "a" * 64,
        "a." * 127 + "ab",
        "user@example",
        "example\n",
        "fe80::1%eth0",
    ],
)
def test_what_could_mean_another_host_is_refused(host: str) -> None:
    """Ports, schemes, wildcards, upper case and the odd spellings of addresses are refused."""
    with pytest.raises(ValidationError):
        HOSTS.validate_python(host)


@pytest.mark.parametrize("pattern", ["law-enforcement/*", "public-health/outbreak/v1", "a/b/v999"])
def test_type_patterns_name_a_type_or_a_domain(pattern: str) -> None:
    """A whole type and all of a domain can be named."""
    assert PATTERNS.validate_python(pattern) == pattern


@pytest.mark.parametrize(
    "pattern", ["*", "*/*", "law-*", "law-enforcement", "law-enforcement/*/v1", "a/b/v0", "a/b/v*", "A/*", "a/*\n"]
)
def test_wider_patterns_do_not_exist(pattern: str) -> None:
    """There is no way to name every domain, every version or a part of a name."""
    with pytest.raises(ValidationError):
        PATTERNS.validate_python(pattern)


def test_a_window_ends_after_it_begins() -> None:
    """An empty window and a backward one are refused."""
    window = Window.model_validate({"from": "2026-01-01T00:00:00Z", "until": "2026-01-01T00:00:00.001Z"})
    assert window.first < window.end
    for until in ("2026-01-01T00:00:00Z", "2025-12-31T23:59:59.999Z"):
        with pytest.raises(ValidationError):
            Window.model_validate({"from": "2026-01-01T00:00:00.000Z", "until": until})


@pytest.mark.parametrize(
    "name", [{"fr": "x"}, {"en": "x"}, {"fr": "x", "en": " "}, {"fr": "", "en": "x"}, {"fr": "x", "en": "x", "es": "x"}]
)
def test_a_name_has_both_languages_and_no_third(name: dict[str, str]) -> None:
    """French and English are both there and not blank."""
    with pytest.raises(ValidationError):
        Name.model_validate(name)
    assert Name(fr="Sûreté", en="Police").bilingual.in_language("fr") == "Sûreté"


def test_a_key_is_read_and_written_as_its_jwk() -> None:
    """A member that is a key becomes a ``PublicKey`` and goes out as the JWK it was; a private one is refused."""
    key = SigningKey.generate(KeyId("k1"), "Ed25519")
    keys: TypeAdapter[object] = TypeAdapter(PublicKeyField)
    assert keys.validate_python(dict(key.public.jwk)) == key.public
    assert keys.dump_python(key.public, mode="json") == dict(key.public.jwk)
    refused_values: tuple[object, ...] = (key.to_jwk(), "k1", None, [])
    for bad in refused_values:
        with pytest.raises(ValidationError) as refused:
            keys.validate_python(bad)
        assert key.to_jwk()["d"] not in str(refused.value.errors(include_input=False))
