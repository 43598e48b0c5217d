"""Both sides' books, compared: what agrees, what each side alone has, and who may say so."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import orjson
import pytest
import yaml

from lacolle import Client
from lacolle.certificates import LocalAuthority
from lacolle.client.book import ReceivedBook
from lacolle.samples import WorldOptions, build_world
from schemas.decisions import Lane
from schemas.ids import AgreementId, DeliveryId, ParticipantId
from schemas.reconciliation import Period, read_exchange_statement
from schemas.signing.keys import PublicKey
from tests.acceptance.agency import Agencies, Agency, exchange_key, faults_of, members, problem_of, utc_now
from tests.acceptance.alerts import outbreak, stolen_vehicle
from tests.acceptance.commands import lacolle
from tests.acceptance.conftest import ServerProcess, calling, free_port
from tests.acceptance.databases import exchange_database
from tests.acceptance.independent import Document, Key
from tests.acceptance.partner import Answer, Handed, Partner
from tests.patience import GIVES_UP_AFTER, PATIENCE

PATH: Final = "/v1/reconciliations"
TYP: Final = "reconciliation-statement+jws"
NOTHING: Final = f"sha-256:{hashlib.sha256().hexdigest()}"
WELL: Final = Answer()


@dataclass
class Stage:
    """An exchange, New York's police behind HTTPS, and Vermont's health department, which reads files."""

    server: ServerProcess
    agencies: Agencies
    partner: Partner
    outbox: Path

    @property
    def sq(self) -> Agency:
        """Who sends."""
        return self.agencies["ca-qc.sq"]

    @property
    def ny(self) -> Agency:
        """Who receives."""
        return self.agencies["us-ny.nysp"]

    def client(self) -> Client:
        """Return the recipient's client."""
        member = self.server.world.members[ParticipantId("us-ny.nysp")]
        return Client(self.server.world.base_url, participant=member.participant, key=member.keys[0], patience=5.0)

    def sent(self, count: int = 1) -> list[Handed]:
        """Send alerts, and return what the partner was handed once the exchange knows how that came out."""
        handed = []
        for _ in range(count):
            alert_id = str(self.sq.send(stolen_vehicle())["alert_id"])
            self.settle(self.sq, alert_id, "us-ny.nysp")
            handed.append(self.partner.handed(alert_id)[-1])
        return handed

    @staticmethod
    def settle(sender: Agency, alert_id: str, participant: str) -> Document:
        """Return a delivery once it has its last state; fail where it gets none in time."""
        until = time.monotonic() + 8.0 * PATIENCE
        while True:
            deliveries = sender.read(alert_id)["deliveries"]
            found: Document = next(each for each in deliveries if each["participant"] == participant)
            if found["settled"] is not None:
                return found
            assert time.monotonic() < until, found
            time.sleep(0.02)


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest) -> Iterator[str | None]:
    """Yield the URL of the exchange's PostgreSQL database; None for SQLite."""
    if request.param == "sqlite":
        yield None
        return
    with exchange_database(request.getfixturevalue("postgres")) as url:
        yield url


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, database: str | None) -> Iterator[Stage]:
    """Return the stage, set once for the module: each test compares a time of its own."""
    directory = tmp_path_factory.mktemp("reconciliation")
    authority = LocalAuthority(directory / "ca")
    partner = Partner(authority.issue("us-ny.nysp"))
    options = WorldOptions(
        port=free_port(),
        settings={
            "delivery": {"ca_file": str(authority.ca_file), "retry_base": 0.05, "retry_cap": 0.2, "timeout": 2.0},
            "limits": {"rate_per_second": 10000.0, "burst": 10000},
        },
        endpoints={ParticipantId("us-ny.nysp"): partner.url},
    )
    server = ServerProcess(build_world(directory / "world", options), directory / "server.log", database)
    outbox = directory / "outbox"
    outbox.mkdir()
    file = server.world.folder / "partners.yaml"
    profiles = yaml.safe_load(file.read_text(encoding="utf-8"))
    transport = {"transport": "directory", "path": str(outbox)}
    profiles["partners"].append({"participant": "us-vt.vdh", "format": "native", "transport": transport})
    file.write_text(yaml.safe_dump(profiles), encoding="utf-8")
    with ExitStack() as stack:
        partner.start()
        stack.callback(partner.stop)
        server.start()
        stack.callback(server.stop)
        yield Stage(server, stack.enter_context(calling(server)), partner, outbox)


@pytest.fixture(autouse=True)
def _all_well(stage: Stage) -> Iterator[None]:
    """Let the partner take what comes after a test."""
    yield
    stage.partner.respond = lambda _: WELL


def past(begins: str) -> Period:
    """Return the time from an instant until now, once now is over."""
    while (until := utc_now()) <= begins:
        time.sleep(0.0005)
    while utc_now() <= until:
        time.sleep(0.0005)
    return Period.model_validate({"from": begins, "until": until})


@pytest.fixture
def book(tmp_path: Path) -> Iterator[ReceivedBook]:
    """Return an empty book."""
    with ReceivedBook(tmp_path / "book.sqlite3") as opened:
        yield opened


def write_down(book: ReceivedBook, *handed: Handed, body: bytes | None = None, lane: Lane | None = Lane.URGENT) -> None:
    """Write down what came; stolen vehicles go by the urgent lane, of which no header of HTTPS tells."""
    for each in handed:
        book.record(
            DeliveryId(each.delivery_id),
            each.body if body is None else body,
            at=datetime.now(UTC),
            agreement=AgreementId(each.headers["ce-agreement"].partition("/")[0]),
            lane=lane,
        )


def logged(stage: Stage, kind: str, begins: str, auditor: str = "ca-qc.cai") -> list[Document]:
    """Return the contents of what an auditor sees of a kind since an instant."""
    agency = stage.agencies[auditor]
    headers = {"Authorization": f"Bearer {agency.token('log:read')}", "Justification": "essai"}
    parameters = {"kind": kind, "from": begins, "limit": "200"}
    answer = agency.http.get("/v1/log/entries", params=parameters, headers=headers)
    assert answer.status_code == 200, answer.text
    return [each["entry"]["content"] for each in members(answer)["entries"]]


def differences_logged(stage: Stage, begins: str) -> list[Document]:
    """Return what an auditor sees of differences, once a checkpoint covers them; fail where none comes."""
    until = time.monotonic() + GIVES_UP_AFTER
    while not (found := logged(stage, "reconciliation-differed", begins)):
        assert time.monotonic() < until
        time.sleep(0.05)
    return found


def statement(period: Period, **changes: Any) -> Document:  # noqa: ANN401 - any member
    """Return a statement that nothing came."""
    said = {"participant": "us-ny.nysp", "from": period.start, "until": period.until, "at": utc_now(), "groups": []}
    return {**said, **changes}


def everything(body: bytes) -> Document:
    """Return the group of everything, with the digest of some lines."""
    digest = f"sha-256:{hashlib.sha256(body).hexdigest()}"
    return {"agreement": None, "lane": None, "deliveries": body.count(b"\n"), "digest": digest}


@pytest.mark.parametrize("lane", [Lane.URGENT, None])
def test_both_agree(stage: Stage, book: ReceivedBook, lane: Lane | None) -> None:
    """What came, twice or once, is what was handed over, by group or in all: the exchange's signed word says so."""
    begins = utc_now()
    handed = stage.sent(2)
    write_down(book, *handed, *handed, lane=lane)
    period = past(begins)
    with stage.client() as client:
        reconciled = client.reconcile(book.lines(period), period)
    assert reconciled.agreed
    assert reconciled.groups == ()
    assert sum(group.deliveries for group in reconciled.statement.groups) == 2
    assert reconciled.statement.open == 0
    assert reconciled.statement.log_origin == WorldOptions().origin


def test_each_difference_is_named(stage: Stage, book: ReceivedBook) -> None:
    """Missing at the partner, taken though its answer said no, and other bytes: each by its id, in the sender's log."""
    begins = utc_now()
    lost, altered = stage.sent(2)
    stage.partner.respond = lambda _: Answer(400)
    (refused,) = stage.sent()
    write_down(book, refused)
    write_down(book, altered, body=altered.body + b"x")
    stage.ny.acknowledge(refused.alert_id, refused.delivery_id)
    period = past(begins)
    with stage.client() as client:
        reconciled = client.reconcile(book.lines(period), period)
    assert not reconciled.agreed
    named = {each.delivery_id: each for group in reconciled.groups for each in group.named.deliveries}
    said = {key: (each.difference, each.state, each.acknowledged) for key, each in named.items()}
    assert said == {
        lost.delivery_id: ("missing", "delivered", False),
        altered.delivery_id: ("altered", "delivered", False),
        refused.delivery_id: ("extra", "refused", True),
    }
    assert named[altered.delivery_id].ours == hashlib.sha256(altered.body).hexdigest()
    (entry,) = differences_logged(stage, begins)
    assert (entry["missing"], entry["extra"], entry["altered"]) == (1, 1, 1)
    assert {each["delivery_id"] for each in entry["deliveries"]} == named.keys()
    assert logged(stage, "reconciled", begins) == []  # the recipient's own, not Québec's
    told = stage.sq.http.get("/metrics").text
    assert 'lacolle_reconciliations_total{agreed="false",participant="us-ny.nysp"}' in told
    assert 'lacolle_reconciliation_differences_total{difference="missing",participant="us-ny.nysp"}' in told


def test_what_was_never_sent_is_unknown(stage: Stage) -> None:
    """A delivery of another participant is no more known than one that nobody made."""
    begins = utc_now()
    alert_id = str(stage.sq.send(stolen_vehicle())["alert_id"])
    deliveries = stage.sq.read(alert_id)["deliveries"]
    other = next(each for each in deliveries if each["participant"] != "us-ny.nysp")["delivery_id"]
    stage.settle(stage.sq, alert_id, "us-ny.nysp")
    period = past(begins)
    body = f"{other} {'0' * 64}\n".encode()
    answer = stage.ny.post(stage.ny.sign(statement(period, groups=[everything(body)]), typ=TYP), PATH)
    assert answer.status_code == 201, answer.text
    found = members(send_lines(stage.ny, members(answer)["reconciliation_id"], body))
    assert {each["delivery_id"]: each["state"] for each in found["deliveries"]}[other] == "unknown"


def test_the_same_statement_has_one_answer(stage: Stage) -> None:
    """Sent again, also signed again, it is no second comparison."""
    said = statement(past(utc_now()))
    first = stage.ny.post(stage.ny.sign(said, typ=TYP), PATH)
    again = stage.ny.post(stage.ny.sign(said, stage.ny.keys[1], typ=TYP), PATH)
    assert (first.status_code, again.status_code) == (201, 200), first.text
    assert members(first) == members(again)


def test_lines_that_are_sent_again_add_nothing_to_the_log(stage: Stage) -> None:
    """What differs is written down once for a statement: nobody fills others' log by sending the same lines again."""
    begins = utc_now()
    stage.sent()
    answer = stage.ny.post(stage.ny.sign(statement(past(begins), groups=[everything(b"")]), typ=TYP), PATH)
    taken = members(answer)["reconciliation_id"]
    first, *again = (members(send_lines(stage.ny, taken, b"")) for _ in range(3))
    assert first["log_indexes"]
    assert again == [first, first]


def test_a_period_is_its_recipient_s(stage: Stage) -> None:
    """Each sees what was handed to itself: another's statement is about nothing, and nobody speaks for another."""
    begins = utc_now()
    stage.sent()
    period = past(begins)
    window = {"from": period.start, "until": period.until}
    mine = members(stage.ny.get(PATH, **window))
    assert sum(group["deliveries"] for group in mine["groups"]) == 1
    key = PublicKey.from_jwk(exchange_key(stage.sq.http, "lacolle.example.log:receipt"))
    assert read_exchange_statement(mine["statement"].encode(), key).participant == "us-ny.nysp"
    foreign = stage.agencies["us-me.msp"]
    assert members(foreign.get(PATH, **window))["groups"] == []
    assert problem_of(foreign.post(foreign.sign(statement(period), typ=TYP), PATH), 403) == "not-permitted"
    taken = members(stage.ny.post(stage.ny.sign(statement(period), typ=TYP), PATH))["reconciliation_id"]
    assert problem_of(send_lines(foreign, taken, b""), 404) == "not-found"
    assert problem_of(send_lines(stage.ny, "0" * 64, b""), 404) == "not-found"
    assert problem_of(send_lines(stage.ny, "x", b""), 404) == "not-found"


def test_only_what_is_over(stage: Stage) -> None:
    """A day that is not over, or is none, has no statement; nor is a statement taken of one."""
    today = datetime.now(UTC).date()
    for day in (today.isoformat(), "2026-02-30", "2999-12-31", "9999-12-31", "2026-1-1", "hier"):
        assert problem_of(stage.ny.get(f"{PATH}/{day}"), 422) == "invalid-query", day
    assert members(stage.ny.get(f"{PATH}/2020-01-01"))["groups"] == []
    tomorrow = {"from": utc_now(), "until": "2999-01-01T00:00:00Z"}
    assert problem_of(stage.ny.get(PATH, **tomorrow), 422) == "invalid-query"
    assert problem_of(stage.sq.http.get(f"{PATH}/2020-01-01"), 401) == "token-refused"


def test_what_is_no_statement(stage: Stage) -> None:
    """Of another type, of another signer, too large, about the future, or naming a group twice: refused."""
    period = past(utc_now())
    said, ny = statement(period), stage.ny
    assert problem_of(ny.post(ny.sign(said, typ="acknowledgement+jws"), PATH), 400) == "malformed-submission"
    assert problem_of(ny.post(b"x", PATH), 400) == "malformed-submission"
    forged = Key(ny.key.kid, stage.agencies["us-me.msp"].key.private)
    assert problem_of(ny.post(ny.sign(said, forged, typ=TYP), PATH), 401) == "signature-not-trusted"
    assert ny.post(b"x" * 70_000, PATH).status_code == 413
    named = {"agreement": "ca-qc.us-ny.crime-2008", "lane": "urgent", "deliveries": 0, "digest": NOTHING}
    for groups in ([named, named], [{**named, "lane": None}], [named, everything(b"")], [named] * 201):
        assert faults_of(ny.post(ny.sign({**said, "groups": groups}, typ=TYP), PATH)), groups
    for changes in (
        {"until": "2999-01-01T00:00:00Z"},
        {"at": "2999-01-01T00:00:00Z"},
        {"from": "2020-01-01T00:00:00Z"},
        {"from": period.until, "until": period.start},
        {"extra": 1},
    ):
        assert faults_of(ny.post(ny.sign({**said, **changes}, typ=TYP), PATH)), changes


def test_only_the_lines_that_were_stated(stage: Stage) -> None:
    """Lines that the statement has no digest of are refused; so are unsorted, doubled, foreign or misshapen ones."""
    begins = utc_now()
    one, two = sorted(each.delivery_id for each in stage.sent(2))
    period, zeros = past(begins), "0" * 64
    body, taken = "", ""
    for body in (
        f"{two} {zeros}\n{one} {zeros}\n",
        f"{one} {zeros}\n{one} {zeros}\n",
        f"{one} {zeros}",
        f"{one} {zeros.replace('0', 'A')}\n",
        f"01890a5d-ac96-774b-bcce-b302099a8057 {zeros}\n",
        f"é {zeros}\n",
    ):
        stated = statement(period, groups=[everything(body.encode())])
        taken = members(stage.ny.post(stage.ny.sign(stated, typ=TYP), PATH))["reconciliation_id"]
        answer = send_lines(stage.ny, taken, body.encode())
        assert problem_of(answer, 400) == "malformed-submission", body
    assert problem_of(send_lines(stage.ny, taken, b""), 400) == "malformed-submission"
    assert problem_of(send_lines(stage.ny, taken, body.encode(), lane="urgent"), 422) == "invalid-query"
    assert send_lines(stage.ny, taken, b"x" * 10_300_000).status_code == 413


def send_lines(agency: Agency, reconciliation_id: str, body: bytes, **group: str) -> Any:  # noqa: ANN401 - httpx's
    """Post the lines of a group."""
    headers = {"Authorization": f"Bearer {agency.token()}", "Content-Type": "text/plain"}
    return agency.http.post(f"{PATH}/{reconciliation_id}/lines", content=body, params=group, headers=headers)


def test_the_command_reads_a_folder(stage: Stage, tmp_path: Path) -> None:
    """A partner that gets files needs no book: it compares the folder, and ends with 1 once a file is gone."""
    begins = utc_now()
    sender = stage.agencies["ca-qc.msss"]
    alert_id = str(sender.send(outbreak())["alert_id"])
    delivery = stage.settle(sender, alert_id, "us-vt.vdh")
    period = past(begins)
    member = stage.server.world.members[ParticipantId("us-vt.vdh")]
    environment = {
        "LACOLLE_URL": stage.server.world.base_url,
        "LACOLLE_PARTICIPANT": "us-vt.vdh",
        "LACOLLE_KEY": str(member.key_files[0]),
        "LACOLLE_EXCHANGE_KEYS": str(tmp_path / "exchange.json"),
    }
    words = ("reconcile", "--folder", stage.outbox, "--from", period.start, "--until", period.until)
    agreeing = lacolle(*words, "--json", environment=environment)
    assert (agreeing.status, orjson.loads(agreeing.out)["agreed"]) == (0, True), agreeing.err
    (file,) = stage.outbox.glob(f"*{delivery['delivery_id']}.*")
    file.unlink()
    differing = lacolle(*words, "--lang", "fr", environment=environment)
    assert differing.status == 1
    assert f"{delivery['delivery_id']} : manque chez vous" in differing.out
