"""Real CAP alerts, all the way: imported, signed, accepted, routed, delivered as CAP again, and the same as before.

The alerts lie in the past, so each is moved to the present by a constant of its own (``lacolle.demo.capfolder``), and
times are compared as distances from the alert's own ``sent``.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from lxml import etree

from lacolle.client import Accepted, Client
from lacolle.demo.capfolder import CapFile, Mover, in_order, read_folder_of_cap
from lacolle.errors import ProblemError
from lacolle.samples import WorldOptions, build_world
from schemas.alerts.header import instant
from schemas.ids import ParticipantId
from tests.acceptance.conftest import ServerProcess, free_port

DATA: Final = Path(os.environ.get("LACOLLE_DATA", Path(__file__).resolve().parents[3] / "shared" / "data"))
SENDER: Final = ParticipantId("ca-qc.msp")
PARTNER: Final = ParticipantId("us-ny.doh")
DELIVERED_WITHIN: Final = 60.0
TIMES: Final = ("sent", "effective", "onset", "expires")

OVER_BEFORE_SENT: Final = {
    "2014-06-11T051500-0500_Alert_da456469-e202-49fd-a498-7592cb5944a1.xml",
    "2014-06-19T141500-0500_Alert_de8c8828-cdb4-4dc9-92ed-88af07875a43.xml",
}
"""Valid CAP whose every ``expires`` lies before its own ``sent``: an exchange rightly calls them expired, always."""

AHEAD: Final = timedelta(seconds=200)
"""Alerts that expire the moment they are sent are sent a little ahead, within the exchange's tolerance of clocks."""


@contextmanager
def exchange_with_outbox(directory: Path) -> Iterator[tuple[ServerProcess, Path]]:
    """Run an exchange whose one connected partner takes CAP in a folder; yield it with that folder."""
    settings = {"limits": {"rate_per_second": 10000.0, "burst": 10000, "body_bytes": 8 * 1024 * 1024}}
    world = build_world(directory, WorldOptions(port=free_port(), settings=settings))
    outbox = directory / "outbox"
    outbox.mkdir()
    transport = {"transport": "directory", "path": str(outbox)}
    partners = {"partners": [{"participant": PARTNER, "format": "cap", "transport": transport}]}
    (world.folder / "partners.yaml").write_text(yaml.safe_dump(partners), encoding="utf-8")
    server = ServerProcess(world, directory / "server.log")
    server.start()
    try:
        yield server, outbox
    finally:
        server.stop()


def told(root: etree._Element) -> Any:  # noqa: ANN401 - a tree of names, texts and children
    """Return what a CAP alert says: names, texts, order; times as distances from ``sent``; no signature, no layout."""
    sent = instant(_cap_time(str(root.findtext("{*}sent"))))

    def of(element: etree._Element) -> Any:  # noqa: ANN401 - the same
        name = etree.QName(element).localname
        children = [child for child in element.iterchildren(tag=etree.Element) if "xmldsig" not in str(child.tag)]
        if children:
            return name, [of(child) for child in children]
        text = "".join(map(str, element.itertext()))
        if name in TIMES:
            return name, (instant(_cap_time(text)) - sent).total_seconds()
        if name == "references":
            return name, [reference.rpartition(",")[0] for reference in text.split()]
        return name, text

    return of(root)


def _cap_time(text: str) -> str:
    """Return a time in CAP 1.2's form; CAP 1.1 also knew ``Z`` and fractions of a second."""
    return datetime.fromisoformat(text.strip()).replace(microsecond=0).isoformat().replace("+00:00", "-00:00")


def send(client: Client, mover: Mover, file: CapFile) -> Accepted:
    """Send a file's alert as if it were sent now, and return the exchange's answer."""
    alert = file.alert or {}
    blocks = alert.get("info")
    infos = [block for block in blocks if isinstance(block, dict)] if isinstance(blocks, list) else []
    ends = max((instant(str(info["expires"])) for info in infos if "expires" in info), default=None)
    ahead = AHEAD if ends == instant(str(alert["sent"])) else timedelta()
    now = datetime.now().astimezone().replace(microsecond=0) + ahead
    return client.send(mover.move(alert, now=now))


@pytest.mark.slow
def test_every_valid_alert_is_delivered_as_the_cap_it_was(tmp_path: Path) -> None:
    """Nothing that a real alert says is lost between an agency's CAP file and its partner's."""
    if not DATA.is_dir():
        pytest.skip(f"the public alerts are not at {DATA} (LACOLLE_DATA names another place)")
    files = [file for file in read_folder_of_cap(DATA / "cap-real", sender=SENDER) if file.fault is None]
    assert len(files) >= 389
    delivered, expired = 0, set[str]()
    waiting = in_order(files)
    while waiting:
        # the collection holds some alerts several times: an identifier is one alert's, so each copy has its exchange
        with exchange_with_outbox(tmp_path / f"round-{len(waiting)}") as (exchange, outbox):
            sent, refused, waiting = _send_all(exchange, waiting)
            expired |= refused
            held = _delivered(exchange, outbox, set(sent))
        for alert_id, path in sent.items():
            assert told(etree.fromstring(held[alert_id])) == told(etree.parse(path).getroot()), path.name
        delivered += len(sent)
    assert expired == OVER_BEFORE_SENT
    assert delivered == len(files) - len(expired)


def _send_all(exchange: ServerProcess, files: list[CapFile]) -> tuple[dict[str, Path], set[str], list[CapFile]]:
    """Send files; return what was accepted, by alert id, what had expired, and the files of identifiers used before."""
    member, mover = exchange.world.members[SENDER], Mover()
    sent: dict[str, Path] = {}
    expired: set[str] = set()
    again: list[CapFile] = []
    with Client(exchange.world.base_url, participant=SENDER, key=member.keys[0]) as client:
        for file in files:
            try:
                accepted = send(client, mover, file)
            except ProblemError as refusal:
                if refusal.name == "identifier-reused":
                    again.append(file)
                elif [each.pointer.rpartition("/")[2] for each in refusal.errors] == ["expires"]:
                    expired.add(file.path.name)
                else:
                    raise
            else:
                if accepted.replayed:
                    again.append(file)
                else:
                    sent[accepted.alert_id] = file.path
    return sent, expired, again


def _delivered(exchange: ServerProcess, outbox: Path, wanted: set[str]) -> dict[str, bytes]:
    """Return what the partner holds, by alert id, once it holds everything."""
    member = exchange.world.members[PARTNER]
    until = time.monotonic() + DELIVERED_WITHIN
    while len(list(outbox.glob("*.xml"))) < len(wanted) and time.monotonic() < until:
        time.sleep(0.1)
    by_delivery = {path.stem.rpartition("Z-")[2]: path.read_bytes() for path in outbox.glob("*.xml")}
    held: dict[str, bytes] = {}
    with Client(exchange.world.base_url, participant=PARTNER, key=member.keys[0]) as client:
        for alert_id in wanted:
            (delivery,) = client.status(alert_id).deliveries
            held[alert_id] = by_delivery[delivery.delivery_id]
    return held
