"""What the benchmarks rest on: submissions that both services take, and figures that say what they claim."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import httpx2
import pytest

from benchmarks import naive
from benchmarks.__main__ import IN_QUICK, KAFKA, PARTS, named, options
from benchmarks.connection import Answer
from benchmarks.load import percentile_ms, requests_of
from benchmarks.partner import Endpoint
from benchmarks.sample import alerts, generate_keys, missing_persons, sign, write_public_keys, write_submissions
from benchmarks.searching import require_room
from benchmarks.stage import MeasurementError
from benchmarks.telling_apart import distance
from schemas.alerts.catalogue import parse_alert
from schemas.signing.jws import ALERT, read_compact, verify
from schemas.signing.keys import PublicKey
from schemas.signing.strict_json import parse_json

NOW = datetime.now(UTC).replace(microsecond=0)
SENDER = "ca-qc.sq"


def test_both_services_take_the_samples() -> None:
    """Every sample is a valid alert to the exchange and to the naive service, about two kilobytes, and distinct."""
    keys = generate_keys(SENDER)
    public = {key["kid"]: PublicKey.from_jwk({name: key[name] for name in key if name != "d"}) for key in keys}
    identifiers = set()
    for submission in sign(alerts("A", range(50), sender=SENDER, now=NOW), keys=keys, now=NOW):
        unverified = read_compact(submission, ALERT)
        payload = verify(unverified, public[unverified.kid])
        assert 1_900 < len(payload) < 2_200
        identifiers.add(parse_alert(parse_json(payload)).identifier)
        assert naive.Alert.model_validate_json(payload).sender == SENDER
    assert len(identifiers) == 50


def test_missing_persons_are_alerts() -> None:
    """Every alert of the latency measurement is valid to the exchange, and distinct."""
    made = list(missing_persons("A", range(20), sender=SENDER, now=NOW))
    parsed = [parse_alert(parse_json(json.dumps(document).encode())) for document in made]
    assert len({alert.identifier for alert in parsed}) == 20
    assert {alert.type for alert in parsed} == {"law-enforcement/missing-person/v1"}


def test_batches_hold_every_submission(tmp_path: Path) -> None:
    """Requests of several submissions hold each once, in order, the last request what is left, and say their length."""
    file = tmp_path / "submissions"
    file.write_bytes(b"a\nb\nc\nd\ne\n")
    bodies = []
    for request in requests_of(file, host="h", together=2):
        head, _, body = request.partition(b"\r\n\r\n")
        assert head.startswith(b"POST /v1/alerts/batch ")
        assert f"Content-Length: {len(body)}".encode() in head
        bodies.append(body)
    assert bodies == [b"a\nb", b"c\nd", b"e"]


def test_each_line_of_a_batch_counts() -> None:
    """Of a batch that was answered each line's own status counts, of one that was refused the request's."""
    answered = Answer(due=0, at=1, status=200, body=b'{"status":201}\n{"status":429}\n{"status":201}\n')
    refused = Answer(due=0, at=1, status=413, body=b"{}")
    assert list(answered.statuses(batch=True)) == [201, 429, 201]
    assert list(refused.statuses(batch=True)) == [413]
    assert list(answered.statuses(batch=False)) == [200]


@pytest.mark.parametrize(("words", "parts"), [([], PARTS), (["--quick"], IN_QUICK), (["--only", "kafka"], KAFKA)])
def test_parts_are_chosen(words: list[str], parts: tuple[str, ...]) -> None:
    """Without a word every part is measured; quickly those that need no server; else those that were named."""
    assert named(options(words)) == parts


async def test_the_naive_service_keeps_alerts_on_postgresql(tmp_path: Path, postgres_bare_database: str) -> None:
    """On PostgreSQL an alert is stored once, and its retry gets the first answer."""
    keys = generate_keys(SENDER)
    write_public_keys(tmp_path / "keys.json", sender=SENDER, keys=keys)
    now = datetime.now(UTC).replace(microsecond=0)
    (submission,) = sign(alerts("A", range(1), sender=SENDER, now=now), keys=keys, now=now)
    settings = naive.Settings(keys=tmp_path / "keys.json", database=naive.postgres_url(postgres_bare_database))
    app = naive.create_app(settings)
    transport = httpx2.ASGITransport(app=app)
    async with app.router.lifespan_context(app), httpx2.AsyncClient(transport=transport, base_url="http://x") as http:
        answers = [await http.post("/v1/alerts", content=submission) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 200]
    assert answers[0].json()["alert_id"] == answers[1].json()["alert_id"]


def test_signing_is_shared_out_and_nothing_is_lost(tmp_path: Path) -> None:
    """The file holds as many distinct submissions as were asked for, half under each algorithm."""
    keys = generate_keys(SENDER)
    write_submissions(tmp_path / "submissions", count=40, sender=SENDER, keys=keys, now=NOW)
    read = [read_compact(line, ALERT) for line in (tmp_path / "submissions").read_bytes().splitlines()]
    assert len({one.payload for one in read}) == 40
    assert sorted(one.alg for one in read) == ["ES256"] * 20 + ["Ed25519"] * 20


@pytest.mark.parametrize(("percent", "milliseconds"), [(50, 50.0), (99, 99.0), (100, 100.0), (1, 1.0)])
def test_percentiles_are_nearest_rank(percent: int, milliseconds: float) -> None:
    """A percentile is a latency that was seen: of 1 to 100 ms, the nth percentile is n ms; of one, that one."""
    assert percentile_ms([value * 1_000_000 for value in range(1, 101)], percent) == milliseconds
    assert percentile_ms([7_000_000], percent) == 7.0
    assert percentile_ms([], percent) == 0.0


def test_an_endpoint_survives_the_command_line() -> None:
    """A partner's endpoint is the same after it was written as an option and read back."""
    for endpoint in (Endpoint(8443), Endpoint(8443, Path("chain.pem"), Path("key.pem"))):
        assert Endpoint.parse(str(endpoint)) == endpoint


def test_the_distance_of_two_distributions() -> None:
    """It is 0 for the same, 1 for what lies apart, and the largest difference between; the order says nothing."""
    assert distance([1, 2, 3], [3, 1, 2]) == 0
    assert distance([1, 2], [3, 4]) == 1
    assert distance([1, 2, 3, 4], [3, 4, 5, 6]) == 0.5


def test_a_log_without_room_is_not_begun(tmp_path: Path) -> None:
    """What a disk could not hold twice over is refused before anything is written."""
    require_room(tmp_path, entries=1)
    with pytest.raises(MeasurementError, match="are free"):
        require_room(tmp_path, entries=1 << 60)
