"""Drawing an alert's evidence: everything that its reader may see of it, in one file that is checked without us.

It is drawn under one checkpoint, and logged, with the digest of what was given, before it is given.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Final

from audit.checkpoints import Checkpoint
from audit.cosigned import read_cosigned
from audit.entry import Draft
from audit.evidence.archive import DOCUMENT, MANIFEST, NARRATIVE, VERIFIER, write_archive
from audit.evidence.bundle import Bundle
from audit.evidence.document import digest_of, manifest_bytes
from audit.kinds import Kind
from audit.log import read_head
from audit.policy import WitnessPolicy
from gateway.clock import Clock
from gateway.errors import LogUnavailableError, NotFoundError
from gateway.inquiry.gathering import Gathered, contents_of, document_of, gather
from gateway.intake.ratelimit import RateLimiter
from gateway.narrative.page import narrative_page
from gateway.relaying.copies import Copies
from gateway.sealing.contents import Contents
from gateway.signatures.beside import Signatures
from gateway.store.committer import Committer
from gateway.store.engine import Store
from gateway.store.entries import TogetherWriter
from gateway.store.proving import find_evidence, parties_of
from gateway.store.reader import Reader
from gateway.trust.registry import CurrentRegistry
from gateway.upkeep.rebuilding import Rebuilding
from gateway.watching.checks import HasLatest
from schemas.ids import AlertId, JurisdictionCode, ParticipantId
from schemas.signing.jws import EVIDENCE, signing_input, with_signature
from schemas.signing.keys import PublicKey
from schemas.timestamps import utc_text

COVERED_WITHIN: Final = 5.0
"""Seconds that a drawing waits for a checkpoint that covers what is in the log of its alert."""
COSIGNED_WITHIN: Final = 2.0
"""Seconds that it waits, after that, for witnesses to have cosigned it, where any are demanded."""
_LOOK: Final = 0.05


@dataclass(frozen=True, slots=True)
class ExchangeSigner:
    """Who signs bundles, and the keys by which others know the exchange."""

    key: PublicKey
    signatures: Signatures
    public_keys: tuple[PublicKey, ...]

    async def sign(self, payload: bytes) -> bytes:
        """Return the manifest's compact JWS. Raises what ``Signatures.sign`` raises."""
        to_sign = signing_input(payload, key=self.key, profile=EVIDENCE)
        (signature,) = await self.signatures.sign([to_sign])
        return with_signature(to_sign, signature)


class Evidences:
    """The use case of ``GET /v1/alerts/{alert_id}/evidence``."""

    def __init__(
        self,
        *,
        store: Store,
        contents: Contents,
        committer: Committer,
        checkpoints: HasLatest,
        policy: WitnessPolicy | None = None,
        registry: CurrentRegistry,
        copies: Copies,
        signer: ExchangeSigner,
        limiter: RateLimiter,
        clock: Clock,
    ) -> None:
        self._store = store
        self._contents = contents
        self._committer = committer
        self._checkpoints = checkpoints
        self._policy = policy
        self._registry = registry
        self._rebuilding = Rebuilding(registry.jurisdictions.values())
        self._copies = copies
        self._signer = signer
        self._limiter = limiter
        self._clock = clock
        self._entries = TogetherWriter()
        self._turn = asyncio.Lock()
        self._turns: defaultdict[ParticipantId, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def draw(self, reader: Reader, alert_id: AlertId, *, justification: str) -> bytes:
        """Return the file of an alert's evidence, as the reader may see it, once the log says that it was drawn.

        One is drawn at a time, and of those that wait one for each participant: who asks for many waits for its own.
        Raises ``RateLimitedError``, ``NotFoundError`` and ``LogUnavailableError``.
        """
        self._limiter.take(reader.participant, now=time.monotonic())
        async with self._turns[reader.participant]:
            checkpoint = await self._covering(reader, alert_id)
            async with self._turn:
                return await self._drawn(reader, alert_id, checkpoint, justification=justification)

    async def _drawn(self, reader: Reader, alert_id: AlertId, checkpoint: Checkpoint, *, justification: str) -> bytes:
        async with self._store.reading() as connection:
            gathered = await gather(
                connection,
                self._contents,
                self._registry,
                self._rebuilding,
                reader=reader,
                alert_id=alert_id,
                checkpoint=checkpoint,
            )
        members = await asyncio.to_thread(self._members, reader, gathered)
        questions = _questions(reader, gathered, justification=justification, document=members[DOCUMENT])
        await self._committer.submit(self._entries, questions)
        manifest = await self._signer.sign(manifest_bytes(alert_id, members))
        return await asyncio.to_thread(write_archive, {MANIFEST: manifest, **members})

    async def _covering(self, reader: Reader, alert_id: AlertId) -> Checkpoint:
        """Return a checkpoint that covers what the log has of an alert by now."""
        async with self._store.reading() as connection:
            found = await find_evidence(connection, self._contents, reader, alert_id)
            head = await read_head(connection)
        if found is None:
            raise NotFoundError
        until = time.monotonic() + COVERED_WITHIN
        while True:
            latest = self._checkpoints.latest
            if latest is not None and latest.size >= head.size:
                return await self._cosigned(latest)
            if time.monotonic() > until:
                if latest is not None and latest.size > found.row.log_index:
                    return latest
                raise LogUnavailableError
            await asyncio.sleep(_LOOK)

    async def _cosigned(self, covering: Checkpoint) -> Checkpoint:
        """Return a checkpoint as large that enough witnesses have cosigned; after a while, the one that there is."""
        if self._policy is None:
            return covering
        until = time.monotonic() + COSIGNED_WITHIN
        while time.monotonic() < until:
            async with self._store.reading() as connection:
                found = await read_cosigned(connection, self._policy.is_met_by)
            if found is not None and found.size >= covering.size:
                return found
            await asyncio.sleep(_LOOK)
        return covering

    def _members(self, reader: Reader, gathered: Gathered) -> dict[str, bytes]:
        """Return every member but the manifest, in the order in which they stand in the file."""
        contents = contents_of(gathered, self._copies)
        evidence = document_of(
            gathered,
            contents,
            at=utc_text(self._clock()),
            by=reader.participant,
            exchange_keys=self._signer.public_keys,
        )
        enclosed = {content.name: content.data for content in contents}
        members = {DOCUMENT: evidence.to_bytes(), **enclosed}
        return {
            DOCUMENT: members[DOCUMENT],
            NARRATIVE: narrative_page(Bundle(members, evidence)),
            VERIFIER: verifier_program(),
            **enclosed,
        }


@cache
def verifier_program() -> bytes:
    """Return the program that checks a bundle by itself, which every bundle has beside it."""
    return resources.files("audit.evidence").joinpath(VERIFIER).read_bytes()


def _questions(reader: Reader, gathered: Gathered, *, justification: str, document: bytes) -> Sequence[Draft]:
    """Return what the log says of a drawing: to the reader's jurisdiction all, and to each other its part.

    The others are the parties of what it shows about the alert: none learns from it who else received. Those of
    agreements that are enclosed need not know that the alert was: it may have been withheld from them.
    """
    shown: dict[JurisdictionCode, list[int]] = {
        party: [each.entry.index for each in gathered.about if party in each.whole["jurisdictions"]]
        for party in parties_of(each.whole for each in gathered.about)
    }
    shown[reader.jurisdiction] = sorted(each.entry.index for each in (*gathered.about, *gathered.beside))
    return [
        Draft(
            kind=Kind.QUERIED,
            actor=reader.participant,
            jurisdictions=(party,),
            alert_id=AlertId(gathered.found.row.alert_id),
            agreement=None,
            content={
                "filters": {"alert_id": gathered.found.row.alert_id},
                "justification": justification,
                "after": -1,
                "shown": shown[party],
                "evidence": digest_of(document),
            },
        )
        for party in sorted(shown, key=lambda each: (each != reader.jurisdiction, each))
    ]
