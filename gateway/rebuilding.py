"""The registry as a database holds it, rebuilt without an exchange that runs: every signature is verified again."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy.ext.asyncio import AsyncConnection

from agreements.signed import UntrustedAgreementError, VerifiedAgreement, read_signed
from agreements.succession import ConflictingVersionsError
from gateway.errors import StoreError
from gateway.following import tampered
from gateway.registry import CurrentRegistry
from gateway.store.past import read_past_registry
from schemas.registry import Jurisdiction, Registry, StatementError, read_statement


async def rebuilt_registry(
    connection: AsyncConnection, jurisdictions: Iterable[Jurisdiction], *, version: int | None = None
) -> CurrentRegistry:
    """Return the registry as it was when it had come to ``version``, or as it is.

    ``jurisdictions`` are those pinned, with their authority keys. Raises ``StoreError`` where what is stored is not
    what authorities have signed.
    """
    pinned = {each.code: each for each in jurisdictions}
    past = await read_past_registry(connection, version)
    try:
        return CurrentRegistry(
            Registry.of(pinned, [read_statement(compact, pinned) for compact in past.statements]),
            [VerifiedAgreement(read_signed(signed, pinned)) for signed in past.agreements],
        )
    except (StatementError, UntrustedAgreementError, ConflictingVersionsError, ValueError) as error:
        raise StoreError(tampered(error)) from error
