"""``lacolle audit watch``: what it goes on after, what it ends at, and what it keeps."""

from __future__ import annotations

import http.server
import json
import threading
from base64 import b64encode
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from typer.testing import CliRunner

from audit.note import LogSigner
from lacolle.cli import application
from schemas.ids import KeyId
from schemas.signing.keys import SigningKey
from tests.unit.audit.logs import SmallLog

SIGNER: Final = LogSigner("lacolle.example/log", SigningKey.generate(KeyId("log"), "Ed25519"))
LOG: Final = SmallLog(SIGNER, 70)
FORK: Final = SmallLog(SIGNER, 70, seed="another history")
PROOF: Final = json.dumps({"proof": [b64encode(each).decode() for each in LOG.proof(7, 70)]}).encode()


@contextmanager
def saying(answers: Sequence[bytes | int | None]) -> Iterator[str]:
    """Yield the address of an exchange that says one thing after another, and the last for ever.

    A number is a refusal of that status, None a failure.
    """
    left = list(answers)

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = left.pop(0) if len(left) > 1 else left[0]
            status = 503 if body is None else 200
            if isinstance(body, int):
                status, body = body, None
            self.send_response(status)
            self.send_header("Content-Length", str(len(body or b"")))
            self.end_headers()
            self.wfile.write(body or b"")

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as the standard library calls it
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    serving.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        serving.join()
        server.server_close()


def watch(url: str, known: Path, *options: str) -> tuple[int, str]:
    """Run the command, and return its status and all that it said."""
    words = ["audit", "watch", "--url", url, "--log-key", SIGNER.vkey, "--known", str(known), "--lang", "en", *options]
    ran = CliRunner().invoke(application(), words)
    return ran.exit_code, ran.output


def test_a_fork_is_kept_beside_what_was_known(tmp_path: Path) -> None:
    """Both checkpoints are there afterwards, each signed by the log: together they prove what it did."""
    known = tmp_path / "checkpoint"
    for fork in (FORK.note(7), FORK.note(5)):
        known.write_bytes(LOG.note(7))
        with saying([fork]) as url:
            status, said = watch(url, known, "--once")
        assert (status, known.read_bytes()) == (1, LOG.note(7))
        assert (tmp_path / "checkpoint.contradiction").read_bytes() == fork
        assert "checkpoint.contradiction" in said


def test_a_gateway_that_lags_is_not_accused(tmp_path: Path) -> None:
    """A smaller log that the known one begins with is a lag: said so, nothing is kept of it, and the watch goes on."""
    known = tmp_path / "checkpoint"
    known.write_bytes(LOG.note(70))
    with saying([LOG.note(7), None, LOG.note(7), PROOF, LOG.note(0), LOG.note(70), FORK.note(70)]) as url:
        status, said = watch(url, known, "--every", "0.1", "--json")
    lags = [json.loads(line) for line in said.splitlines() if line.startswith("{")][:2]
    assert [(each["lags"], each["size"], each["known_size"]) for each in lags] == [(True, 7, 70), (True, 0, 70)]
    assert (status, known.read_bytes()) == (1, LOG.note(70))


def test_a_log_that_has_shrunk_is_no_lag(tmp_path: Path) -> None:
    """Where the smaller log is another's beginning, or the exchange lacks what it has signed, it is accused."""
    known = tmp_path / "checkpoint"
    known.write_bytes(LOG.note(70))
    for shrunk, proof in ((FORK.note(7), PROOF), (LOG.note(7), b"{}"), (LOG.note(7), 422)):
        with saying([shrunk, proof]) as url:
            status, said = watch(url, known, "--once")
        assert (status, "has shrunk" in said, known.read_bytes()) == (1, True, LOG.note(70))
        assert (tmp_path / "checkpoint.contradiction").read_bytes() == shrunk


def test_an_exchange_that_is_away_for_a_while_is_asked_again(tmp_path: Path) -> None:
    """What ends the watch is a contradiction, and not an exchange that is being restarted."""
    known = tmp_path / "checkpoint"
    with saying([LOG.note(7), None, LOG.note(70), PROOF, None, None, FORK.note(70)]) as url:
        status, said = watch(url, known, "--every", "0.1")
    assert (status, known.read_bytes()) == (1, LOG.note(70))
    assert "rewritten" in said


def test_a_damaged_file_is_not_the_log_s_doing(tmp_path: Path) -> None:
    """Where the file holds no checkpoint of this log, that is said, and nothing about its past."""
    known = tmp_path / "checkpoint"
    known.write_bytes(LOG.note(7)[:-20])
    with saying([LOG.note(7)]) as url:
        status, said = watch(url, known, "--once")
    assert (status, "holds no checkpoint of this log" in said) == (1, True)
