"""Asking witnesses over HTTP."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import httpx2

from gateway.log.witness_calls import AskWitness, WitnessAnswer, WitnessTroubleError
from lacolle.errors import ConfigurationError
from schemas.bilingual import Bilingual

_TIMEOUT: Final = 5.0
_LONGEST_ANSWER: Final = 16 * 1024
_AS_IT_IS: Final = {"Accept-Encoding": "identity"}


@asynccontextmanager
async def asking(ca_file: Path | None) -> AsyncIterator[AskWitness]:
    """Yield what asks witnesses, on connections that are kept. Raises ``ConfigurationError``."""
    try:
        tls = ssl.create_default_context(cafile=ca_file)
    except OSError:
        raise ConfigurationError(
            Bilingual(
                fr=f"{ca_file} (witnesses.ca_file) ne peut être lu, ou n'est pas un certificat PEM.",
                en=f"{ca_file} (witnesses.ca_file) can't be read, or is no PEM certificate.",
            )
        ) from None
    async with httpx2.AsyncClient(verify=tls, timeout=_TIMEOUT, trust_env=False) as client:

        async def ask(url: str, body: bytes) -> WitnessAnswer:
            try:
                async with client.stream("POST", f"{url}/add-checkpoint", content=body, headers=_AS_IT_IS) as answer:
                    read = bytearray()
                    async for part in answer.aiter_raw():  # never unpacked: a little can be made of very much
                        read += part
                        if len(read) > _LONGEST_ANSWER:
                            raise WitnessTroubleError("a long answer")
                    return WitnessAnswer(answer.status_code, bytes(read))
            except httpx2.HTTPError as error:
                raise WitnessTroubleError(type(error).__name__) from None

        yield ask
