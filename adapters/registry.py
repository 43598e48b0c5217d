"""A partner's profile, and the transport that it names.

A profile is configuration: who the partner is, in which format it reads and how messages get to it. To add a
transport: one file in ``adapters/transports``, and here its profile and one case of ``open_transport``.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Final, Literal, Self, TypeAlias, assert_never

import httpx2
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from adapters.contract import Transport
from adapters.formats import Format
from adapters.transports.addresses import AllowList
from adapters.transports.directory import DirectoryTransport
from adapters.transports.https import Endpoint, Exchange, HttpsTransport
from adapters.transports.own_topics import OwnTopicsTransport
from schemas.bilingual import Bilingual
from schemas.faults import BrokenRuleError
from schemas.ids import ParticipantField


def _partner_url(text: str) -> str:
    try:
        url = httpx2.URL(text)
    except httpx2.InvalidURL:
        raise BrokenRuleError(_NOT_A_URL) from None
    # A query would be sent and not signed: of the target, @path is all that the signature covers.
    if url.scheme != "https" or not url.host or url.userinfo or url.query or url.fragment:
        raise BrokenRuleError(_NOT_A_URL)
    if url.port is not None and not 0 < url.port <= _LAST_PORT:
        raise BrokenRuleError(_NOT_A_URL)
    return str(url)


def _absolute(path: Path) -> Path:
    if not path.is_absolute():
        raise BrokenRuleError(_NOT_ABSOLUTE)
    return path


_LAST_PORT: Final = 65_535
_NOT_A_URL: Final = Bilingual(
    fr="Il faut une adresse https:// avec un hôte, sans nom d'utilisateur, paramètres ni fragment.",
    en="This must be an https:// address with a host, and without a user name, query or fragment.",
)
_NOT_ABSOLUTE: Final = Bilingual(
    fr="Il faut le chemin complet du dossier.", en="This must be the directory's full path."
)
_NATIVE_ONLY: Final = Bilingual(
    fr="Les sujets d'un partenaire ne portent que la forme native : indiquez format: native.",
    en="A partner's own topics carry the native form alone: say format: native.",
)


class _Profile(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class HttpsProfile(_Profile):
    """Messages are POSTed to ``url``; one request may take ``timeout`` seconds, 300 at most."""

    transport: Literal["https"]
    url: Annotated[str, AfterValidator(_partner_url)]
    timeout: Annotated[float, Field(gt=0, le=300)] = 10.0


class DirectoryProfile(_Profile):
    """Messages become files in the directory ``path``, which must exist."""

    transport: Literal["directory"]
    path: Annotated[Path, Field(strict=False), AfterValidator(_absolute)]


class OwnTopicsProfile(_Profile):
    """The partner reads its own topics on Kafka itself (``lacolle consume``)."""

    transport: Literal["own-topics"]


TransportProfile: TypeAlias = Annotated[
    HttpsProfile | DirectoryProfile | OwnTopicsProfile, Field(discriminator="transport")
]


class PartnerProfile(_Profile):
    """How one partner takes its parcels."""

    participant: ParticipantField
    format: Annotated[Format, Field(strict=False)]
    transport: TransportProfile

    @model_validator(mode="after")
    def _native_on_its_own_topics(self) -> Self:
        if isinstance(self.transport, OwnTopicsProfile) and self.format is not Format.NATIVE:
            raise BrokenRuleError(_NATIVE_ONLY)
        return self


_allow_list = lru_cache(maxsize=1024)(AllowList.of)


def open_transport(profile: PartnerProfile, *, hosts: Callable[[], tuple[str, ...]], exchange: Exchange) -> Transport:
    """Return the transport of a partner's profile, which its user closes.

    ``hosts`` returns those of the authority statement that stands when it is asked, which is for each message, and
    ``exchange`` is who hands over; the others need neither.
    """
    match profile.transport:
        case HttpsProfile(url=url, timeout=timeout):
            return HttpsTransport(Endpoint(url=url, allowed=lambda: _allow_list(hosts()), timeout=timeout), exchange)
        case DirectoryProfile(path=path):
            return DirectoryTransport(path)
        case OwnTopicsProfile():
            return OwnTopicsTransport()
        case _:
            assert_never(profile.transport)
