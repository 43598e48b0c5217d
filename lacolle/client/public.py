"""Reading what an exchange shows to everybody: its log's checkpoint, tiles and entry bundles."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import httpx2

from lacolle.errors import ConfigurationError, ExchangeUnreachableError, TroubledError, UnexpectedAnswerError
from schemas.bilingual import Bilingual

_TIMEOUT: Final = 30.0


@asynccontextmanager
async def fetching(base: str, *, ca_file: Path | None) -> AsyncIterator[Callable[[str], Awaitable[bytes]]]:
    """Yield a function that gets a file below ``base``.

    It raises ``ExchangeUnreachableError`` where no answer comes, ``TroubledError`` where it says that it can't for now,
    and ``UnexpectedAnswerError`` where the file is not there. Raises ``ConfigurationError`` where ``ca_file`` can't be
    read.
    """
    try:
        tls = ssl.create_default_context(cafile=ca_file)
    except OSError:
        raise ConfigurationError(
            Bilingual(
                fr=f"{ca_file} ne peut être lu, ou n'est pas un certificat PEM.",
                en=f"{ca_file} can't be read, or is no PEM certificate.",
            )
        ) from None
    async with httpx2.AsyncClient(verify=tls, timeout=_TIMEOUT, trust_env=False) as client:

        async def fetch(path: str) -> bytes:
            try:
                answer = await client.get(f"{base}/{path}")
            except (httpx2.HTTPError, httpx2.InvalidURL):
                raise ExchangeUnreachableError(_UNREACHABLE) from None
            if answer.is_server_error or answer.status_code == httpx2.codes.TOO_MANY_REQUESTS:
                raise TroubledError(_NO_LOG)
            if answer.status_code != httpx2.codes.OK:
                raise UnexpectedAnswerError(_NO_LOG)
            return answer.content

        yield fetch


_UNREACHABLE: Final = Bilingual(
    fr="La plateforme ne répond pas : vérifiez l'adresse, le certificat (--ca-file) et qu'elle est en marche.",
    en="The exchange does not answer: check the address, the certificate (--ca-file), and that it is running.",
)
_NO_LOG: Final = Bilingual(
    fr="Aucun journal complet n'est publié à cette adresse.", en="No complete log is published at this address."
)
