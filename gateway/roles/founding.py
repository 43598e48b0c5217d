"""Founding an exchange: what its operator's files say, held against what the database holds, verified again.

Pins, statements and agreements that are new are stored, each with its entry. Several processes may found at once: each
write looks again inside its transaction, and what another has stored meanwhile is taken as it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import structlog

from agreements.signed import UntrustedAgreementError, VerifiedAgreement, read_signed
from gateway.clock import Clock
from gateway.errors import AgreementRefusedError, StatementRefusedError, StoreError
from gateway.intake.enrol import OwnKids, StatementRecorder
from gateway.log.ledger import Ledger
from gateway.store.agreements import AgreementWriter
from gateway.store.committer import Committer
from gateway.store.registry import (
    JurisdictionWriter,
    StoredRegistry,
    changed_pin,
    jurisdiction_document,
    read_registry,
)
from gateway.trust.assay import NOTHING_FOUND, Assayer
from gateway.trust.registry import CurrentRegistry
from gateway.upkeep.following import RegistryFollower, tampered, tell
from gateway.upkeep.vigil import Vigil
from schemas.bilingual import Bilingual
from schemas.ids import JurisdictionCode
from schemas.registry import Registry
from schemas.statements import Jurisdiction, StatementError, VerifiedStatement, read_statement

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Founding:
    """What an exchange is set up with: jurisdictions to pin, signed statements and agreements by their files."""

    jurisdictions: Sequence[Jurisdiction]
    statements: Mapping[str, bytes]
    agreements: Mapping[str, bytes]


@dataclass(frozen=True, slots=True)
class Founded:
    """The registry; what keeps it up with the log from here on, which the committer does in each batch; who watches."""

    registry: CurrentRegistry
    follower: RegistryFollower
    vigil: Vigil


async def found(ledger: Ledger, founding: Founding, *, clock: Clock, own: OwnKids) -> Founded:
    """Return the registry: what the database holds, verified again, and what the files add to it.

    ``own`` are names that no participant's key may have. Raises ``StoreError`` where a pin was changed, a signature
    does not hold, or a file is refused.
    """
    async with ledger.store.reading() as connection:
        stored = await read_registry(connection)
    jurisdictions = await _pin(ledger.committer, stored, founding.jurisdictions)
    founded = _taken_over(ledger, stored, jurisdictions)
    recorder = StatementRecorder(registry=founded.registry, committer=ledger.committer, clock=clock, own=own)
    await _enrol(recorder, founded.registry, stored, founding.statements)
    await _agree(ledger.committer, founded.registry, founding.agreements)
    await founded.vigil.look()
    return founded


async def found_read_only(ledger: Ledger, jurisdictions: Sequence[Jurisdiction]) -> Founded:
    """Return the registry as the database holds it, for a role that adds nothing to it.

    Raises ``StoreError`` where a pin was changed, or an authority statement's signature does not hold.
    """
    async with ledger.store.reading() as connection:
        stored = await read_registry(connection)
    founded = _taken_over(ledger, stored, _pinned(stored, jurisdictions))
    await founded.vigil.look()
    return founded


def _taken_over(
    ledger: Ledger, stored: StoredRegistry, jurisdictions: Mapping[JurisdictionCode, Jurisdiction]
) -> Founded:
    assayer = Assayer(jurisdictions)
    found_there = assayer.assay(stored.agreements)
    tell(NOTHING_FOUND, found_there)
    try:
        statements = [read_statement(each.compact, jurisdictions) for each in stored.statements]
        registry = CurrentRegistry(Registry.of(jurisdictions, statements), found_there, version=stored.version)
    except StatementError as error:
        raise StoreError(tampered(error)) from error
    ledger.committer.standing = follower = RegistryFollower(registry, ledger.store, assayer)
    return Founded(registry, follower, Vigil(registry, assayer, store=ledger.store, committer=ledger.committer))


def _pinned(stored: StoredRegistry, given: Sequence[Jurisdiction]) -> dict[JurisdictionCode, Jurisdiction]:
    """Return the jurisdictions of the operator's file, none of which may differ from its pin."""
    named = {jurisdiction.code: jurisdiction for jurisdiction in given}
    for code, document in stored.jurisdictions.items():
        if code not in named or jurisdiction_document(named[code]) != document:
            raise changed_pin(code)
    return named


async def _pin(
    committer: Committer, stored: StoredRegistry, given: Sequence[Jurisdiction]
) -> dict[JurisdictionCode, Jurisdiction]:
    """Pin what is new, and refuse what differs from its pin: an authority's key is not the operator's to change."""
    named = _pinned(stored, given)
    writer = JurisdictionWriter()
    for code in sorted(named.keys() - stored.jurisdictions.keys()):
        await committer.submit(writer, named[code])
    return named


async def _enrol(
    recorder: StatementRecorder, registry: CurrentRegistry, stored: StoredRegistry, given: Mapping[str, bytes]
) -> None:
    known = {each.compact for each in stored.statements}
    new: list[tuple[str, VerifiedStatement]] = []
    for name, compact in given.items():
        if compact not in known:
            try:
                new.append((name, read_statement(compact, registry.jurisdictions)))
            except StatementError as error:
                raise refused_file(name, error.reason) from error
    for name, statement in sorted(new, key=lambda each: (each[1].issued_at, each[0])):
        try:
            await recorder.record(statement)
        except StatementRefusedError as error:
            raise refused_file(name, error.reason) from error


async def _agree(committer: Committer, registry: CurrentRegistry, given: Mapping[str, bytes]) -> None:
    """Let every agreement that all of its parties signed count; one that waits for a party is named and left."""
    writer = AgreementWriter(registry)
    for name, general in given.items():
        try:
            signed = read_signed(general, registry.jurisdictions)
        except UntrustedAgreementError as error:
            raise refused_file(name, error.reason) from error
        # asked anew for each: another process that founds the same exchange may have been faster meanwhile
        if signed.payload in {agreement.signed.payload for agreement in registry.agreements}:
            continue
        if signed.missing:
            log.warning("agreement_awaits_signatures", agreement=signed.document.id, missing=list(signed.missing))
            continue
        if signed.document.id in registry.altered:
            continue  # it is there, under an alarm
        try:
            await committer.submit(writer, VerifiedAgreement(signed))
        except AgreementRefusedError as error:
            raise refused_file(name, error.reason) from error


def refused_file(name: str, reason: Bilingual) -> StoreError:
    """Return what the operator is told of a signed document that does not count."""
    return StoreError(Bilingual(fr=f"{name} est refusé : {reason.fr}", en=f"{name} is refused: {reason.en}"))
