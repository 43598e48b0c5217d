"""A partner's profile: what it may say, and the transport that it leads to."""

from __future__ import annotations

import secrets
import ssl
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import ValidationError

from adapters.formats import Format, native
from adapters.registry import DirectoryProfile, HttpsProfile, PartnerProfile, open_transport
from adapters.transports.addresses import AllowList
from adapters.transports.directory import DirectoryTransport
from adapters.transports.https import Exchange, HttpsTransport
from schemas.faults import sentence_for
from schemas.ids import KeyId
from schemas.parcels import Delivered
from schemas.signing.keys import SigningKey
from tests.unit.bus.parcels import parcel

HTTPS = {"transport": "https", "url": "https://partner.example/alerts"}
OWN_TOPICS = {"transport": "own-topics"}
DIRECTORY = {"transport": "directory", "path": "/var/spool/partner"}


def profile(**members: object) -> PartnerProfile:
    """Return a profile, with some members set otherwise."""
    return PartnerProfile.model_validate(
        {"participant": "us-ny.state-police", "format": "native", "transport": HTTPS, **members}
    )


@pytest.fixture
def exchange() -> Exchange:
    """Return who hands over."""
    return Exchange(
        origin="exchange.example",
        key=SigningKey.generate(KeyId("exchange"), "Ed25519"),
        tls=ssl.create_default_context(),
        now=lambda: datetime.now(UTC),
        randomness=secrets.token_bytes,
    )


def test_a_profile_is_read() -> None:
    """A profile names the participant, the format and one transport with its own settings."""
    read = profile(format="cap", transport={**HTTPS, "timeout": 3})
    assert read.participant == "us-ny.state-police"
    assert read.format is Format.CAP
    assert read.transport == HttpsProfile(transport="https", url="https://partner.example/alerts", timeout=3.0)
    read = profile(transport=DIRECTORY)
    assert read.transport == DirectoryProfile(transport="directory", path=Path("/var/spool/partner"))


def test_a_profile_survives_json() -> None:
    """What is written as JSON reads back the same."""
    for transport in (HTTPS, DIRECTORY, OWN_TOPICS):
        read = profile(transport=transport)
        assert PartnerProfile.model_validate_json(read.model_dump_json()) == read


@pytest.mark.parametrize(
    "members",
    [
        {"participant": "State Police"},
        {"format": "fax"},
        {"format": None},
        {"transport": {"transport": "fax"}},
        {"transport": {"url": "https://partner.example/alerts"}},
        {"transport": {**HTTPS, "path": "/var"}},
        {"transport": {**HTTPS, "timeout": 0}},
        {"transport": {**HTTPS, "timeout": 301}},
        {"transport": {**HTTPS, "timeout": "10"}},
        {"transport": {**DIRECTORY, "path": 1}},
        {"more": 1},
    ],
)
def test_a_profile_is_strict(members: dict[str, object]) -> None:
    """A member that is unknown, mistyped or out of bounds is refused."""
    with pytest.raises(ValidationError):
        profile(**members)


@pytest.mark.parametrize(
    "url",
    [
        "http://partner.example/alerts",
        "HTTPS:/partner.example",
        "https:///alerts",
        "https://user@partner.example/alerts",
        "https://user:password@partner.example/alerts",
        "https://partner.example/alerts?token=1",
        "https://partner.example/alerts#here",
        "https://partner.example:99999/",
        "https://[::1/",
        "file:///etc/passwd",
        "partner.example",
        "",
    ],
)
def test_a_url_is_refused_in_both_languages(url: str) -> None:
    """Only https to a host, with nothing that would go unsigned or hold a secret; the reason is bilingual."""
    with pytest.raises(ValidationError) as refusal:
        profile(transport={**HTTPS, "url": url})
    reason = sentence_for(refusal.value.errors()[0])
    assert "https://" in reason.fr
    assert "https://" in reason.en
    assert reason.fr != reason.en


def test_a_url_is_kept_as_it_is_sent() -> None:
    """The URL is the one that the signature covers: host in lower case, encoded, without the usual port."""
    read = profile(transport={**HTTPS, "url": "https://Partner.Example:443/été"})
    assert isinstance(read.transport, HttpsProfile)
    assert read.transport.url == "https://partner.example/%C3%A9t%C3%A9"


def test_a_relative_path_is_refused() -> None:
    """A directory is named in full, since nobody knows where the worker runs."""
    with pytest.raises(ValidationError) as refusal:
        profile(transport={**DIRECTORY, "path": "spool"})
    assert "complet" in sentence_for(refusal.value.errors()[0]).fr


async def test_a_newer_statement_s_hosts_count_at_once(exchange: Exchange) -> None:
    """The hosts are asked for with each message, so a host that is allowed no more gets no further one."""
    hosts: tuple[str, ...] = ("partner.example",)
    https = open_transport(profile(), hosts=lambda: hosts, exchange=exchange)
    assert isinstance(https, HttpsTransport)
    assert https._allowed() == AllowList.of(["partner.example"])
    hosts = ("other.example",)
    assert https._allowed() == AllowList.of(["other.example"])
    await https.close()


async def test_each_profile_opens_its_transport(exchange: Exchange) -> None:
    """A profile leads to the transport that it names, with its settings and the statement's hosts."""
    https = open_transport(
        profile(transport={**HTTPS, "timeout": 3.0}), hosts=lambda: ("partner.example",), exchange=exchange
    )
    assert isinstance(https, HttpsTransport)
    assert (https._timeout, https._allowed()) == (3.0, AllowList.of(["partner.example"]))
    await https.close()
    directory = open_transport(profile(transport=DIRECTORY), hosts=tuple, exchange=exchange)
    assert isinstance(directory, DirectoryTransport)
    assert directory._directory == Path("/var/spool/partner")
    await directory.close()


async def test_a_partner_that_reads_its_own_topics_has_what_is_there(exchange: Exchange) -> None:
    """Its parcels are delivered where they are; only the native form is there, so another format is refused."""
    transport = open_transport(profile(transport=OWN_TOPICS), hosts=tuple, exchange=exchange)
    message = native(parcel())
    assert await transport.deliver(message) == Delivered("on its own topics")
    await transport.close()
    with pytest.raises(ValidationError):
        profile(format="cap", transport=OWN_TOPICS)
