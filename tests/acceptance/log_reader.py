"""The exchange log as anyone may read it: checkpoints, tiles and entry bundles, each verified by our own arithmetic."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import httpx2

from tests.acceptance.agency import members
from tests.acceptance.independent import Checkpoint, Document, read_checkpoint, tile_number
from tests.patience import PATIENCE

WIDTH: Final = 256
HASH: Final = 32
SETTLES_WITHIN: Final = 5.0
_STANDS = 3.0


@dataclass(frozen=True)
class LogReader:
    """Reads one log; ``key`` is its public key, known beforehand, ``origin`` its name."""

    http: httpx2.Client
    origin: str
    key: Mapping[str, str]

    def checkpoint(self) -> Checkpoint:
        """Return the current checkpoint, its signature verified."""
        answer = self.http.get("/log/checkpoint")
        assert answer.status_code == httpx2.codes.OK
        checkpoint = read_checkpoint(answer.content, name=self.origin, log_key=self.key)
        assert checkpoint.origin == self.origin
        return checkpoint

    def settled(self) -> Checkpoint:
        """Return the checkpoint once it has stood for some time longer than the second that one may lag behind."""
        until = time.monotonic() + SETTLES_WITHIN * PATIENCE
        last, since = self.checkpoint(), time.monotonic()
        while time.monotonic() - since < _STANDS:
            assert time.monotonic() < until, "the log keeps growing"
            time.sleep(0.1)
            current = self.checkpoint()
            if current != last:
                last, since = current, time.monotonic()
        return last

    def holding(self, index: int, *, within: float = 1.0) -> Checkpoint:
        """Return a checkpoint that holds an entry; fail where there is none in time, seconds."""
        until = time.monotonic() + within * PATIENCE
        while (checkpoint := self.checkpoint()).size <= index:
            assert time.monotonic() < until, f"no checkpoint over entry {index} within {within} s"
            time.sleep(0.02)
        return checkpoint

    def hashes(self, level: int, count: int) -> list[bytes]:
        """Return the first hashes of a level, from its tiles, whose sizes are checked."""
        found: list[bytes] = []
        for number, width in _tiles(count):
            tile = self._tile(f"{level}/{tile_number(number)}", width)
            assert len(tile) == width * HASH
            found += [tile[start : start + HASH] for start in range(0, len(tile), HASH)]
        return found

    def entries(self, count: int) -> list[bytes]:
        """Return the first entries, from the entry bundles."""
        found: list[bytes] = []
        for number, width in _tiles(count):
            bundle = self._tile(f"entries/{tile_number(number)}", width)
            bundled = []
            while bundle:
                length = int.from_bytes(bundle[:2])
                assert len(bundle) >= 2 + length
                bundled.append(bundle[2 : 2 + length])
                bundle = bundle[2 + length :]
            assert len(bundled) == width
            found += bundled
        return found

    def inclusion(self, index: int, size: int) -> list[bytes]:
        """Return the inclusion proof of an entry in the tree of a size."""
        return _proof(self.http.get("/v1/log/proofs/inclusion", params={"index": index, "size": size}))

    def consistency(self, first: int, second: int) -> list[bytes]:
        """Return the proof that the tree of one size continues that of another."""
        return _proof(self.http.get("/v1/log/proofs/consistency", params={"first": first, "second": second}))

    def _tile(self, name: str, width: int) -> bytes:
        answer = self.http.get(f"/log/tile/{name}" if width == WIDTH else f"/log/tile/{name}.p/{width}")
        assert answer.status_code == httpx2.codes.OK, name
        assert answer.headers["content-type"] == "application/octet-stream"
        return bytes(answer.content)


def read_log_key(file_content: bytes) -> Document:
    """Return the public half of a log's key file, which its operator publishes as a verifier key."""
    jwk = json.loads(file_content)
    return {name: jwk[name] for name in ("kty", "crv", "x")}


def _tiles(count: int) -> list[tuple[int, int]]:
    full = [(number, WIDTH) for number in range(count // WIDTH)]
    return [*full, (count // WIDTH, count % WIDTH)] if count % WIDTH else full


def _proof(answer: httpx2.Response) -> list[bytes]:
    assert answer.status_code == httpx2.codes.OK, answer.text
    return [base64.b64decode(each, validate=True) for each in members(answer)["proof"]]
