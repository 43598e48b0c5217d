"""The parts that readiness names, each seen to work and seen to fail."""

from __future__ import annotations

from audit.note import LogSigner
from gateway.watching.checks import log_signer_check
from gateway.watching.health import WORKS, Condition
from schemas.ids import KeyId
from schemas.signing.keys import SigningKey
from tests.unit.gateway.ground import ORIGIN


class Confused(LogSigner):
    """Signs with another key than the one it names."""

    def sign(self, text: str) -> str:
        """Return a note of another key."""
        return LogSigner(self.origin, SigningKey.generate(KeyId("log.other"), "Ed25519")).sign(text)


async def test_the_log_s_key_is_tried() -> None:
    """A key whose notes verify works; one whose notes do not can't sign checkpoints, and fails the role."""
    key = SigningKey.generate(KeyId("log"), "Ed25519")
    assert await log_signer_check(LogSigner(ORIGIN, key))() == WORKS
    assert (await log_signer_check(Confused(ORIGIN, key))()).condition is Condition.FAILING
