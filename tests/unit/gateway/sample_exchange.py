"""The sample exchange on SQLite, with its registry and agreements, at which sample alerts are accepted in place."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import orjson

from gateway.clock import system_clock
from gateway.intake.accept import Intake
from gateway.intake.identification import Identification
from gateway.log.ledger import Ledger, open_ledger
from gateway.roles.founding import found
from gateway.sealing.contents import Contents
from gateway.store.engine import open_sqlite
from gateway.store.placing import Keeping
from gateway.trust.registry import CurrentRegistry
from lacolle.contents import contents_of
from lacolle.folder import read_folder
from lacolle.samples import SAMPLES, World
from schemas.ids import AlertId, ParticipantId
from schemas.signing.jws import ALERT, sign_compact
from tests.unit.gateway.ground import SQ, InPlace, acceptances, unlimited


@dataclass(frozen=True, slots=True)
class SampleExchange:
    """A founded exchange; ``path`` is its folder."""

    path: Path
    world: World
    ledger: Ledger
    contents: Contents
    registry: CurrentRegistry
    intake: Intake

    async def accept(self, sample: str = "missing-person", *, sender: ParticipantId = SQ, **header: object) -> AlertId:
        """Have a sample alert accepted, signed now by its sender, and return its id."""
        now = system_clock()
        document = sample_alert(sample, now=now, sender=sender, **header)
        (key, _) = self.world.members[sender].keys
        submission = sign_compact(orjson.dumps(document), key=key, profile=ALERT, iat=int(now.timestamp()))
        return (await self.intake.accept(submission)).alert_id


def sample_alert(sample: str, *, now: datetime, **header: object) -> dict[str, Any]:
    """Return an alert of the samples, sent now and good for a day."""
    document: dict[str, Any] = orjson.loads((SAMPLES / "alerts" / f"{sample}.json").read_bytes())
    sent = now.isoformat(timespec="seconds")
    return {**document, "sent": sent, "expires": (now + timedelta(days=1)).isoformat(timespec="seconds"), **header}


@asynccontextmanager
async def open_sample(world: World, place: Path) -> AsyncIterator[SampleExchange]:
    """Yield the sample exchange in a new folder; its ledger is closed at the end, or earlier by the test."""
    path = Path(shutil.copytree(world.folder, place / "exchange"))
    folder = read_folder(path)
    contents = contents_of(folder.settings, path)
    ledger = await open_ledger(
        open_sqlite(folder.database),
        contents=contents,
        words_days=folder.settings.retention.log_words_days,
        signer=folder.keys.log,
        clock=system_clock,
        randomness=os.urandom,
    )
    founded = await found(ledger, folder.founding, clock=system_clock, own=folder.keys.kids)
    intake = Intake(
        registry=founded.registry,
        identification=Identification(registry=founded.registry, signatures=InPlace(), clock=system_clock),
        store=ledger.store,
        committer=ledger.committer,
        acceptances=acceptances(keeping=Keeping(contents, 365)),
        limiter=unlimited(),
        clock=system_clock,
        give_up_after=timedelta(days=3),
        on_refused=lambda _error, _sender: None,
    )
    try:
        yield SampleExchange(path, world, ledger, contents, founded.registry, intake)
    finally:
        await ledger.close()
