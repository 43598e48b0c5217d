"""Steps: only a party's own authority makes one, in one form."""

from __future__ import annotations

import pytest

from agreements.steps import LoggedStep, Step, UnsoundStepError, document_digest, read_step, sign_step, step_bytes
from schemas.signing.canonical import canonical_bytes
from schemas.signing.jws import AGREEMENT, AGREEMENT_STEP, sign_compact
from schemas.signing.keys import SigningKey
from tests.unit.agreements.builders import NY, QC, authority, document, jurisdictions, step, verified

SOUND: LoggedStep = step("suspension", QC, 0)


def test_a_step_is_read_as_it_was_signed() -> None:
    """What an authority signed about a document is read back whole, and names the document's bytes."""
    read = read_step(SOUND.verified.compact, jurisdictions())
    assert read == SOUND.verified
    assert read.step.digest == document_digest(verified(document()).signed.payload)
    assert b"reason" not in step_bytes(read.step)


def _resigned(key: SigningKey, **changes: object) -> bytes:
    payload = canonical_bytes({**SOUND.step.model_dump(mode="json", exclude_none=True), **changes})  # type: ignore[dict-item]  # any JSON, also of a wrong type
    return sign_compact(payload, key=key, profile=AGREEMENT_STEP, iat=int(SOUND.step.made_at.timestamp()))


WRONG: list[dict[str, object]] = [
    {"step": "expulsion"},
    {"unexpected": 1},
    {"digest": "sha-256:00"},
    {"version": 0},
    {"party": "quebec"},
    {"at": "2026-06-01T12:00:01.000Z"},
    {"at": "2026-06-01"},
    {"reason": {"fr": "seulement"}},
]


@pytest.mark.parametrize("changes", WRONG)
def test_unsound_steps(changes: dict[str, object]) -> None:
    """A step of another form, or of two times, is none."""
    with pytest.raises(UnsoundStepError):
        read_step(_resigned(authority(QC), **changes), jurisdictions())


def test_wrong_signers() -> None:
    """Another party's authority, a stranger, and a forger under the authority's name state nothing for a party."""
    stranger = SigningKey.generate(authority(QC).kid, "Ed25519")
    for key in (authority(NY), stranger, SigningKey.generate(NY, "Ed25519")):  # type: ignore[arg-type]  # any name does
        with pytest.raises(UnsoundStepError):
            read_step(_resigned(key), jurisdictions())


def test_no_other_signed_word_is_a_step() -> None:
    """A signature over an agreement can't be taken for a step, nor bytes that are no JWS."""
    other = sign_compact(step_bytes(SOUND.step), key=authority(QC), profile=AGREEMENT, iat=1_780_000_000)
    for compact in (other, b"", b"a.b.c"):
        with pytest.raises(UnsoundStepError):
            read_step(compact, jurisdictions())


def test_any_byte_changed_is_no_step() -> None:
    """One bit of the payload or the signature, and nobody stated it."""
    compact = SOUND.verified.compact
    for place in range(0, len(compact), 7):
        changed = bytearray(compact)
        changed[place] ^= 1
        with pytest.raises(UnsoundStepError):
            read_step(bytes(changed), jurisdictions())


def test_a_reason_is_kept() -> None:
    """A party may say why, in both languages."""
    reason = {"fr": "Vérification en cours.", "en": "Under review."}
    said = Step.model_validate({**SOUND.step.model_dump(mode="json", exclude_none=True), "reason": reason})
    assert read_step(sign_step(said, authority(QC)), jurisdictions()).step.reason == said.reason
