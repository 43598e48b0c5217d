"""How long a draft agreement takes to be replayed over past alerts, and in how much memory, on SQLite.

The sample exchange gets alerts as it stores them, half about stolen vehicles and half about missing persons, all
distinct; the draft is a next version of one of its agreements, which lets no missing person through and withholds two
fields of the vehicles. What is measured is the command as people run it, from its start to its end.

Run as ``python -m benchmarks.simulating --alerts N``; prints one JSON object.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import insert

from agreements.document import Agreement
from agreements.signed import agreement_bytes
from agreements.written import read_agreement
from benchmarks import sample
from benchmarks.process import ROOT, machine_ticks
from benchmarks.stage import MeasurementError
from gateway.clock import system_clock
from gateway.log.ledger import open_ledger
from gateway.roles.founding import found
from gateway.sealing.contents import Contents
from gateway.store.engine import open_sqlite
from gateway.store.tables import alerts as stored_alerts
from gateway.store.tables import content_keys
from lacolle.contents import contents_of
from lacolle.folder import read_folder
from lacolle.samples import SAMPLES, WorldOptions, build_world
from schemas.ids import AlertId, KeyId, ParticipantId, uuid7
from schemas.signing.jws import ALERT, sign_compact
from schemas.signing.keys import SigningKey

_SENDER = ParticipantId("ca-qc.sq")
_AGREEMENT = "ca-qc.us-vt.law-enforcement"
_EPOCH = datetime(2026, 11, 1, tzinfo=UTC)
_LEFT_OUT, _OTHER = "law-enforcement/missing-person/v1", "emergency-management/public-warning/v1"
_ROWS = 1_000
_ENDS = date(2099, 12, 31)


@dataclass(frozen=True, slots=True)
class Simulation:
    """What a simulation took: seconds, all its processes' time of processors, the most memory of one of them, in MiB.

    ``stolen_share`` is what the host took of the machine's time meanwhile.
    """

    alerts: int
    seconds: float
    cpu_seconds: float
    peak_mb: float
    stolen_share: float


async def build(place: Path, *, alerts: int) -> Path:
    """Make the sample exchange, store alerts in it, and return its folder."""
    path = build_world(place / "world", WorldOptions()).folder
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
    await found(ledger, folder.founding, clock=system_clock, own=folder.keys.kids)
    rows = _rows(alerts, contents)
    while batch := list(islice(rows, _ROWS)):
        async with ledger.store.writer.begin() as connection:
            await connection.execute(insert(stored_alerts), [alert for alert, _ in batch])
            await connection.execute(insert(content_keys), [key for _, key in batch])
    await ledger.close()
    return path


def measure(*, alerts: int) -> Simulation:
    """Build an exchange, and run the command on it. Raises ``MeasurementError``."""
    with tempfile.TemporaryDirectory(prefix="lacolle-bench-") as directory:
        path = asyncio.run(build(Path(directory), alerts=alerts))
        draft, answer = Path(directory) / "draft.yaml", Path(directory) / "answer.json"
        draft.write_bytes(agreement_bytes(_draft()))
        words = ("agreement", "simulate", str(draft), "--since", "2026-01-01", "--until", "2036-01-01")
        command = [sys.executable, "-m", "lacolle", *words, "--exchange", str(path), "--json"]
        began, ticks = time.perf_counter(), machine_ticks()
        with answer.open("wb") as file:
            process = subprocess.Popen(command, cwd=ROOT, stdout=file)
            _, status, used = os.wait4(process.pid, 0)
        seconds, stolen = time.perf_counter() - began, machine_ticks().stolen_since(ticks)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise MeasurementError(f"the command ended with {process.returncode}")
        told = orjson.loads(answer.read_bytes())
    if (told["alerts"], told["changed"], told["unreadable"]) != (alerts, alerts, 0):
        raise MeasurementError("the draft was to change something about each alert")
    return Simulation(
        alerts=alerts,
        seconds=seconds,
        cpu_seconds=used.ru_utime + used.ru_stime,
        peak_mb=used.ru_maxrss / 1024,
        stolen_share=stolen,
    )


def _draft() -> Agreement:
    """Return a next version that lets through less, with two fields left out of what it does."""
    signed = read_agreement((SAMPLES / "agreements" / f"{_AGREEMENT}.yaml").read_text(encoding="utf-8"), file="sample")
    document: dict[str, Any] = signed.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    document["version"] += 1
    for grant in document["grants"]:
        grant["types"] = [_OTHER if each == _LEFT_OUT else each for each in grant["types"]]
        redacted = {"obligation": "redact", "paths": ["/body/circumstances", "/body/vehicle/vin"]}
        grant["obligations"] = [*grant.get("obligations", ()), redacted]
    return Agreement.model_validate_json(orjson.dumps(document))


def _rows(count: int, contents: Contents) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    key = SigningKey.generate(KeyId(f"{_SENDER}:1"), "Ed25519")
    made = zip(
        sample.alerts("V", range(count - count // 2), sender=_SENDER, now=_EPOCH),
        sample.missing_persons("P", range(count), sender=_SENDER, now=_EPOCH),
        strict=False,
    )
    documents = (document for pair in made for document in pair)
    for number, document in zip(range(count), documents, strict=False):
        at = _EPOCH + timedelta(seconds=number)
        alert_id = AlertId(uuid7(at=at, randomness=number.to_bytes(10)))
        payload = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
        compact = sign_compact(payload, key=key, profile=ALERT, iat=int(at.timestamp()))
        sealed = contents.seal(alert_id, compact, until=_ENDS, today=_EPOCH.date(), randomness=os.urandom)
        alert = {
            "alert_id": alert_id,
            "log_index": 1_000 + number,
            "thread": alert_id,
            "sender": _SENDER,
            "identifier": document["identifier"],
            "payload_digest": sha256(payload).digest(),
            "type": document["type"],
            "status": document["status"],
            "msg_type": document["msgType"],
            "received_ms": int(at.timestamp() * 1000),
            "submission": sealed.data,
            "answer": b"{}",
            "submission_digest": sha256(compact).digest(),
            "handling": "{}",
        }
        yield (
            alert,
            {
                "alert_id": alert_id,
                "wrapped_by": sealed.key.by,
                "wrapped": sealed.key.wrapped,
                "due_ms": int(datetime.combine(_ENDS, datetime.min.time(), UTC).timestamp() * 1000),
                "retain_days": 3650,
                "basis": "default",
            },
        )


def main() -> None:
    """Measure, and print it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.simulating", description="Simulate a draft.")
    parser.add_argument("--alerts", type=int, default=100_000)
    result = measure(alerts=parser.parse_args().alerts)
    sys.stdout.write(orjson.dumps(asdict(result)).decode() + "\n")


if __name__ == "__main__":
    main()
