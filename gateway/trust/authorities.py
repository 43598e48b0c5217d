"""Whose authority signed something: the jurisdictions' pinned keys, and no participant's."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from agreements.steps import authorities
from gateway.errors import UntrustedSignatureError
from gateway.signatures.beside import Signatures
from gateway.trust.registry import CurrentRegistry
from schemas.ids import JurisdictionCode, KeyId
from schemas.signing.jws import SignatureNotTrustedError, Unverified


class Authorities:
    """Verifies what authorities signed, in the process beside this one.

    One document is verified at a time, so that strangers never take more than one place there.
    """

    def __init__(self, registry: CurrentRegistry, signatures: Signatures) -> None:
        self._registry = registry
        self._signatures = signatures
        self._turn = asyncio.Lock()

    def is_pinned(self, kid: KeyId) -> bool:
        """Whether a key's id is an authority's."""
        return kid in authorities(self._registry.jurisdictions)

    async def signers(self, unverified: Sequence[Unverified]) -> list[JurisdictionCode]:
        """Return whose authorities signed, once all are verified.

        A key that is not pinned costs as much time as one that is, and is refused in the same words: raises
        ``UntrustedSignatureError``.
        """
        pinned = authorities(self._registry.jurisdictions)
        signers: list[JurisdictionCode] = []
        async with self._turn:
            for each in unverified:
                signer, key = pinned.get(each.kid, (None, None))
                try:
                    await self._signatures.verify(each, key)
                except SignatureNotTrustedError as error:
                    raise UntrustedSignatureError from error
                if signer is None:
                    raise UntrustedSignatureError
                signers.append(signer)
        return signers
