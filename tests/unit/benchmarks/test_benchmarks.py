"""What the benchmarks rest on: submissions that both services take, and figures that say what they claim."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from benchmarks import naive
from benchmarks.load import percentile_ms
from benchmarks.partner import Endpoint
from benchmarks.sample import alerts, generate_keys, sign, write_submissions
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
