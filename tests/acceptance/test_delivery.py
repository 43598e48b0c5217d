"""From 201 to the partner: over HTTPS and into a directory, in the partner's format, until there is a last word."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from xml.etree import ElementTree as ET

import pytest
import yaml

from lacolle.certificates import LocalAuthority
from lacolle.samples import WorldOptions, build_world
from schemas.ids import ParticipantId
from tests.acceptance.agency import Agencies, Agency, exchange_key
from tests.acceptance.alerts import cancel_of, from_now, outbreak, stolen_vehicle, update_of, wanted_person
from tests.acceptance.conftest import ServerProcess, calling, free_port, reading_log
from tests.acceptance.databases import exchange_database
from tests.acceptance.independent import Document, unb64
from tests.acceptance.log_reader import LogReader
from tests.acceptance.partner import Answer, Handed, Partner, digest_of, verify_message
from tests.patience import PATIENCE

CAP = "{urn:oasis:names:tc:emergency:cap:1.2}"
NEVER_LISTED = "127.0.0.2"


@dataclass
class Deliveries:
    """An exchange with partners: where each is, and the folder of the one that reads files."""

    server: ServerProcess
    agencies: Agencies
    log: LogReader
    partners: dict[str, Partner]
    outbox: Path

    def delivery(self, sender: Agency, alert_id: str, participant: str) -> Document:
        """Return what the sender sees of one recipient's delivery."""
        deliveries = sender.read(alert_id)["deliveries"]
        return next(each for each in deliveries if each["participant"] == participant)

    def settled(self, sender: Agency, alert_id: str, participant: str, *, within: float = 8.0) -> Document:
        """Return a delivery once it has its last state; fail where it gets none in time."""
        until = time.monotonic() + within * PATIENCE
        while (found := self.delivery(sender, alert_id, participant))["settled"] is None:
            assert time.monotonic() < until, found
            time.sleep(0.02)
        return found


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest) -> Iterator[str | None]:
    """Yield the URL of the exchange's PostgreSQL database; None for SQLite."""
    if request.param == "sqlite":
        yield None
        return
    with exchange_database(request.getfixturevalue("postgres")) as url:
        yield url


@pytest.fixture(scope="module")
def deliveries(tmp_path_factory: pytest.TempPathFactory, database: str | None) -> Iterator[Deliveries]:
    """Return an exchange with partners; one has another authority's certificate, one is where it may not be."""
    directory = tmp_path_factory.mktemp("delivery")
    ours, theirs = LocalAuthority(directory / "ca"), LocalAuthority(directory / "other-ca")
    reached = ("us-ny.nysp", "us-vt.vsp", "us-me.msp", "ca-qc.sq", "ca-qc.msp")
    partners = {name: Partner(ours.issue(name)) for name in reached}
    partners["ca.phac"] = Partner(theirs.issue("ca.phac"))
    partners["us-ny.doh"] = Partner(ours.issue("us-ny.doh"), host=NEVER_LISTED)
    delivery = {"ca_file": str(ours.ca_file), "retry_base": 0.05, "retry_cap": 0.2, "timeout": 2.0}
    options = WorldOptions(
        port=free_port(),
        settings={"delivery": delivery, "limits": {"rate_per_second": 10000.0, "burst": 10000}},
        endpoints={ParticipantId(name): partner.url for name, partner in partners.items()},
    )
    server = ServerProcess(build_world(directory / "world", options), directory / "server.log", database)
    outbox = directory / "outbox"
    outbox.mkdir()
    _add_directory_partner(server.world.folder / "partners.yaml", "us-vt.vdh", outbox)
    with ExitStack() as stack:
        for partner in partners.values():
            partner.start()
            stack.callback(partner.stop)
        server.start()
        stack.callback(server.stop)
        agencies = stack.enter_context(calling(server))
        yield Deliveries(server, agencies, reading_log(server, agencies), partners, outbox)


def _add_directory_partner(file: Path, participant: str, outbox: Path) -> None:
    profiles = yaml.safe_load(file.read_text(encoding="utf-8"))
    transport = {"transport": "directory", "path": str(outbox)}
    profiles["partners"].append({"participant": participant, "format": "native", "transport": transport})
    file.write_text(yaml.safe_dump(profiles), encoding="utf-8")


@pytest.fixture
def sq(deliveries: Deliveries) -> Agency:
    """Return the Sûreté du Québec's system, speaking to the exchange with partners."""
    return deliveries.agencies["ca-qc.sq"]


@pytest.fixture
def ny(deliveries: Deliveries) -> Agency:
    """Return the New York State Police's system."""
    return deliveries.agencies["us-ny.nysp"]


@pytest.fixture(autouse=True)
def _all_well(deliveries: Deliveries) -> Iterator[None]:
    """Let every partner take what comes again after a test."""
    yield
    for partner in deliveries.partners.values():
        partner.respond = lambda _: Answer()


def test_native(deliveries: Deliveries, sq: Agency) -> None:
    """A partner of the native form gets the very bytes that the agency signed, once, and the delivery's own name."""
    alert = stolen_vehicle()
    submission = sq.sign(alert)
    body = sq.post(submission).json()
    [request] = deliveries.partners["us-ny.nysp"].wait_for(body["alert_id"])
    assert request.method == "POST"
    assert request.body == submission
    assert request.headers["content-type"] == "application/jose"
    seen = deliveries.settled(sq, body["alert_id"], "us-ny.nysp")
    assert seen["state"] == "delivered"
    assert seen["attempts"] == 1
    assert request.delivery_id == seen["delivery_id"]


def test_dead_records_are_counted_from_nothing(deliveries: Deliveries, sq: Agency) -> None:
    """Before any record dies, each partner that the node hands over to has its count, which is 0."""
    told = sq.http.get("/metrics").text
    for participant in (*deliveries.partners, "us-vt.vdh"):
        assert f'lacolle_records_dead_total{{participant="{participant}"}} 0.0' in told


def test_cloudevents(deliveries: Deliveries, sq: Agency) -> None:
    """What a partner needs to know of a delivery stands in CloudEvents' headers (binary mode)."""
    sent = {status: sq.send(stolen_vehicle({"status": status})) for status in ("Actual", "Exercise")}
    for status, body in sent.items():
        [request] = deliveries.partners["us-ny.nysp"].wait_for(body["alert_id"])
        headers = request.headers
        [recipient] = [each for each in body["recipients"] if each["participant"] == "us-ny.nysp"]
        assert headers["ce-specversion"] == "1.0"
        assert headers["ce-id"] == headers["idempotency-key"]
        assert headers["ce-subject"] == body["alert_id"]
        assert headers["ce-type"] == "org.lacolle.alert.v1"
        assert headers["ce-source"] == f"/{WorldOptions().origin}"
        assert headers["ce-sender"] == "ca-qc.sq"
        assert headers["ce-agreement"] == f"{recipient['agreement']}#{recipient['clause']}"
        assert headers.get("ce-exercise", "false") == ("false" if status == "Actual" else "true")
        assert headers["ce-deadline"]
        assert headers["ce-time"]
        assert headers["ce-dataschema"].endswith("/v1/schemas/law-enforcement/stolen-vehicle/v1")


def test_signature(deliveries: Deliveries, sq: Agency) -> None:
    """Each request is signed by the exchange over method, authority, path and content, anew each time (RFC 9421)."""
    partner = deliveries.partners["us-ny.nysp"]
    keys = {kid: exchange_key(sq.http, kid) for kid in ("lacolle.example.log:transport",)}
    nonces = set()
    for _ in range(2):
        [request] = partner.wait_for(sq.send(stolen_vehicle())["alert_id"])
        assert request.headers["content-digest"] == digest_of(request.body)
        signature = verify_message(request, authority=urlsplit(partner.url).netloc, keys=keys)
        assert {"@method", "@authority", "@path", "content-digest"} <= set(signature.components)
        assert abs(int(signature.parameters["created"]) - time.time()) < 60
        nonces.add(signature.parameters["nonce"])
    assert len(nonces) == 2


def test_cap(deliveries: Deliveries, sq: Agency) -> None:
    """A partner of CAP 1.2 gets the alert as XML: the same header, info and area, and an Update's references."""
    alert = stolen_vehicle()
    update = update_of(alert)
    for document in (alert, update):
        [request] = deliveries.partners["us-vt.vsp"].wait_for(sq.send(document)["alert_id"])
        assert request.headers["content-type"].partition(";")[0] == "application/cap+xml"
        root = ET.fromstring(request.body)  # noqa: S314 - our own exchange's, and what a partner would do
        assert root.tag == f"{CAP}alert"
        for name in ("identifier", "sent", "status", "msgType", "scope"):
            assert root.findtext(f"{CAP}{name}") == document[name]
        assert root.findtext(f"{CAP}sender") == "ca-qc.sq"
        info, [block] = document["info"][0], root.findall(f"{CAP}info")
        for name in ("language", "event", "urgency", "severity", "certainty", "headline", "description", "instruction"):
            assert block.findtext(f"{CAP}{name}") == info[name]
        assert [each.text for each in block.findall(f"{CAP}category")] == info["category"]
        assert block.findtext(f"{CAP}area/{CAP}areaDesc") == "Lacolle"
        assert block.findtext(f"{CAP}area/{CAP}geocode/{CAP}value") == "2456060"
        references = root.findtext(f"{CAP}references") or ""
        assert references.split() == document["references"]
        assert "1M8GDM9AXKP042788" in request.body.decode("utf-8")


def test_directory(deliveries: Deliveries) -> None:
    """A partner that reads a directory finds one whole file per delivery, with the signed bytes."""
    msss = deliveries.agencies["ca-qc.msss"]
    submissions = [msss.sign(outbreak()) for _ in range(3)]
    sent = [msss.post(submission).json()["alert_id"] for submission in submissions]
    states = [deliveries.settled(msss, alert_id, "us-vt.vdh") for alert_id in sent]
    assert {each["state"] for each in states} == {"delivered"}
    found = {file.name: file.read_bytes() for file in deliveries.outbox.iterdir()}
    for state, submission in zip(states, submissions, strict=True):
        assert [content for name, content in found.items() if state["delivery_id"] in name] == [submission]
    assert not any(name.startswith(".") for name in found)


def test_nobody_else(deliveries: Deliveries, sq: Agency) -> None:
    """What a participant is not entitled to never reaches its endpoint."""
    body = sq.send(stolen_vehicle())
    for name in ("us-ny.nysp", "us-vt.vsp"):
        deliveries.settled(sq, body["alert_id"], name)
    wanted = sq.send(wanted_person())
    deliveries.partners["us-me.msp"].wait_for(wanted["alert_id"])
    for name in ("us-me.msp", "ca-qc.msp", "ca-qc.sq"):
        assert deliveries.partners[name].handed(body["alert_id"]) == []


def test_each_delivery_comes_once(deliveries: Deliveries, sq: Agency) -> None:
    """While a partner answers, nothing is handed over twice."""
    sent = [sq.send(stolen_vehicle())["alert_id"] for _ in range(15)]
    for alert_id in sent:
        assert deliveries.settled(sq, alert_id, "us-ny.nysp")["attempts"] == 1
    assert [len(deliveries.partners["us-ny.nysp"].handed(alert_id)) for alert_id in sent] == [1] * len(sent)


def answers_first(deliveries: Deliveries, sq: Agency, answers: Mapping[int, Sequence[Answer]]) -> dict[int, str]:
    """Send New York an alert for each list of answers that it gives before it takes it; return the alerts' ids."""
    alerts = {key: stolen_vehicle({"addresses": ["us-ny.nysp"]}) for key in answers}
    waiting = {alert["identifier"]: iter(answers[key]) for key, alert in alerts.items()}

    def respond(request: Handed) -> Answer:
        identifier = json.loads(unb64(request.body.decode("ascii").split(".")[1]))["identifier"]
        return next(waiting.get(identifier, iter(())), Answer())

    deliveries.partners["us-ny.nysp"].respond = respond
    return {key: sq.send(alert)["alert_id"] for key, alert in alerts.items()}


def test_deferred(deliveries: Deliveries, sq: Agency) -> None:
    """An answer that asks to come again is followed by another attempt, of the same delivery, until it is taken."""
    deferring = (408, 425, 429, 500, 501, 502, 503, 504, 599)
    sent = answers_first(deliveries, sq, {status: [Answer(status)] * 2 for status in deferring})
    for status, alert_id in sent.items():
        requests = deliveries.partners["us-ny.nysp"].wait_for(alert_id, count=3)
        assert len({(request.delivery_id, request.body) for request in requests}) == 1
        assert len({request.headers["signature"] for request in requests}) == 3
        seen = deliveries.settled(sq, alert_id, "us-ny.nysp")
        assert (seen["state"], seen["attempts"]) == ("delivered", 3), status


def test_refused(deliveries: Deliveries, sq: Agency) -> None:
    """Any other refusal, a redirect too, is the last word: nothing comes again or elsewhere, and the sender sees it."""
    elsewhere = deliveries.partners["us-me.msp"]
    refusing = (300, 301, 302, 303, 307, 308, 400, 401, 402, 403, 404, 405, 409, 410, 413, 415, 422, 451)
    sent = answers_first(deliveries, sq, {status: [Answer(status, {"Location": elsewhere.url})] for status in refusing})
    for status, alert_id in sent.items():
        seen = deliveries.settled(sq, alert_id, "us-ny.nysp")
        assert (seen["state"], seen["attempts"]) == ("refused", 1), status
    for alert_id in sent.values():
        assert len(deliveries.partners["us-ny.nysp"].handed(alert_id)) == 1
        assert elsewhere.handed(alert_id) == []


def test_taken(deliveries: Deliveries, sq: Agency) -> None:
    """Every 2xx is the partner's word that it took the message."""
    sent = answers_first(deliveries, sq, {status: [Answer(status)] for status in (200, 201, 202, 204, 205, 226)})
    for status, alert_id in sent.items():
        seen = deliveries.settled(sq, alert_id, "us-ny.nysp")
        assert (seen["state"], seen["attempts"]) == ("delivered", 1), status


def test_retry_after(deliveries: Deliveries, sq: Agency) -> None:
    """A partner that names a time is not asked before."""
    partner = deliveries.partners["us-ny.nysp"]
    answers = iter([Answer(503, {"Retry-After": "1"})])
    partner.respond = lambda _: next(answers, Answer())
    body = sq.send(stolen_vehicle({"addresses": ["us-ny.nysp"]}))
    first, second = partner.wait_for(body["alert_id"], count=2)
    assert second.at - first.at >= 0.95


class Held:
    """A partner's answer that waits for the test; ``taken`` is set once somebody waits."""

    def __init__(self, partner: Partner, answer: Answer) -> None:
        self.taken, self.released = threading.Event(), threading.Event()
        self._answer = answer
        partner.respond = self._respond

    def _respond(self, _: Handed) -> Answer:
        self.taken.set()
        self.released.wait(10.0)
        return self._answer


@pytest.mark.parametrize(("status", "state"), [(204, "delivered"), (400, "refused")])
def test_an_outcome_is_an_entry(deliveries: Deliveries, sq: Agency, status: int, state: str) -> None:
    """A partner's last word is one entry of the log, good or bad."""
    held = Held(deliveries.partners["us-ny.nysp"], Answer(status))
    body = sq.send(stolen_vehicle({"addresses": ["us-ny.nysp"]}))
    assert held.taken.wait(5.0)
    before = deliveries.log.settled().size
    assert before > body["log_index"]
    held.released.set()
    assert deliveries.settled(sq, body["alert_id"], "us-ny.nysp")["state"] == state
    assert deliveries.log.holding(before, within=2.0).size == before + 1


def test_a_deadline_that_passes(deliveries: Deliveries, ny: Agency) -> None:
    """A delivery that nobody took by its alert's end expires, says so in the log, and is not tried any more."""
    partner = deliveries.partners["ca-qc.sq"]
    partner.respond = lambda _: Answer(503)
    deliveries.log.settled()
    body = ny.send(stolen_vehicle({"expires": from_now(seconds=2)}, sender="us-ny.nysp"))
    partner.wait_for(body["alert_id"], count=2)
    before = deliveries.log.holding(body["log_index"], within=2.0).size
    assert deliveries.settled(ny, body["alert_id"], "ca-qc.sq")["state"] == "expired"
    assert deliveries.log.holding(before, within=2.0).size == before + 1
    tried = len(partner.handed(body["alert_id"]))
    partner.respond = lambda _: Answer()
    time.sleep(0.5)
    assert len(partner.handed(body["alert_id"])) == tried


def test_a_partner_that_comes_back(deliveries: Deliveries, sq: Agency) -> None:
    """What waits for a partner that is down is delivered when it is back, in the order of each thread."""
    partner = deliveries.partners["us-me.msp"]
    partner.stop()
    alert = wanted_person({"addresses": ["us-me.msp"]})
    update = update_of(alert)
    sent = [sq.send(document)["alert_id"] for document in (alert, update)]
    time.sleep(0.5)
    assert deliveries.delivery(sq, sent[0], "us-me.msp")["settled"] is None
    partner.start()
    partner.wait_for(sent[1])
    assert deliveries.settled(sq, sent[1], "us-me.msp")["state"] == "delivered"
    order = [request.alert_id for request in partner.requests if request.alert_id in sent]
    assert order == sorted(order, key=sent.index)


def test_order_within_a_thread(deliveries: Deliveries, sq: Agency) -> None:
    """An Update waits for what is said of its Alert, and a Cancel for both; the last word comes last."""
    partner = deliveries.partners["us-ny.nysp"]
    alert = stolen_vehicle({"addresses": ["us-ny.nysp"]})
    held = Held(partner, Answer())
    sent = [sq.send(alert)["alert_id"]]
    assert held.taken.wait(5.0)
    update = update_of(alert)
    sent += [sq.send(update)["alert_id"], sq.send(cancel_of(update))["alert_id"]]
    time.sleep(0.3)
    assert [request.alert_id for request in partner.requests if request.alert_id in sent] == sent[:1]
    held.released.set()
    assert deliveries.settled(sq, sent[2], "us-ny.nysp")["state"] == "delivered"
    order = [request.alert_id for request in partner.requests if request.alert_id in sent]
    assert order == [each for each in sent if each in order]
    assert order[0] == sent[0]
    assert order[-1] == sent[2]


def test_a_partner_that_hangs_delays_nobody(deliveries: Deliveries, ny: Agency) -> None:
    """While one partner takes its time, another gets the same alerts at once."""
    held = Held(deliveries.partners["ca-qc.sq"], Answer())
    begun = time.monotonic()
    sent = [ny.send(wanted_person(sender="us-ny.nysp"))["alert_id"] for _ in range(8)]
    for alert_id in sent:
        deliveries.partners["ca-qc.msp"].wait_for(alert_id, within=2.0)
    assert time.monotonic() - begun < 4.0 * PATIENCE
    held.released.set()
    for alert_id in sent:
        assert deliveries.settled(ny, alert_id, "ca-qc.sq")["state"] == "delivered"


def test_untrusted_partners(deliveries: Deliveries) -> None:
    """Nothing is handed to an endpoint whose certificate is not trusted, or whose host its authority does not list."""
    msss = deliveries.agencies["ca-qc.msss"]
    body = msss.send(outbreak())
    assert deliveries.settled(msss, body["alert_id"], "us-vt.vdh")["state"] == "delivered"
    time.sleep(0.3)
    states: dict[str, Any] = {
        name: deliveries.delivery(msss, body["alert_id"], name)["state"] for name in ("ca.phac", "us-ny.doh")
    }
    assert "delivered" not in states.values()
    assert deliveries.partners["ca.phac"].requests == []
    assert deliveries.partners["us-ny.doh"].requests == []


def test_a_recipients_word(deliveries: Deliveries, sq: Agency, ny: Agency) -> None:
    """With what came in the delivery's headers a partner can acknowledge, and the sender sees it."""
    body = sq.send(stolen_vehicle({"addresses": ["us-ny.nysp"]}))
    [request] = deliveries.partners["us-ny.nysp"].wait_for(body["alert_id"])
    assert ny.acknowledge(request.alert_id, request.delivery_id, status="acted-on").status_code == 201
    deliveries.settled(sq, body["alert_id"], "us-ny.nysp")
    [acknowledgement] = deliveries.delivery(sq, body["alert_id"], "us-ny.nysp")["acknowledgements"]
    assert acknowledgement["status"] == "acted-on"
