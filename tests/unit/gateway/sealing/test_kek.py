"""The key-encryption key in memory, and how it is written."""

from __future__ import annotations

import os
from base64 import b64encode, urlsafe_b64encode

import pytest

from gateway.sealing.errors import KeyEncryptionKeyError
from gateway.sealing.kek import LocalKey, UnwrapError, key_text, read_key

KEY = bytes(range(220, 252))
"""In base64 it has signs of both alphabets."""


def local(key: bytes = KEY) -> LocalKey:
    """Return a key-encryption key."""
    return LocalKey(key, randomness=os.urandom)


def test_what_is_wrapped_unwraps_for_its_purpose_alone() -> None:
    """A wrapped key comes back for what it was wrapped for, and not altered, for another, or by another key."""
    wrapped = local().wrap(b"k" * 32, about="one")
    assert local().unwrap(wrapped, about="one") == b"k" * 32
    altered = wrapped[:-1] + bytes([wrapped[-1] ^ 1])
    for key, data, about in (
        (local(), wrapped, "other"),
        (local(), altered, "one"),
        (local(bytes(32)), wrapped, "one"),
    ):
        with pytest.raises(UnwrapError):
            key.unwrap(data, about=about)
    with pytest.raises(UnwrapError):
        local().unwrap(b"", about="one")


def test_the_same_key_is_never_wrapped_alike() -> None:
    """Each wrapping has a nonce of its own."""
    assert local().wrap(KEY, about="a") != local().wrap(KEY, about="a")


def test_a_name_tells_keys_apart_and_nothing_else() -> None:
    """Two keys have two names, one key has one, and no run of the key's bytes is in it."""
    assert local().name == local().name != local(bytes(32)).name
    assert KEY.hex()[:16] not in local().name


@pytest.mark.parametrize(
    "text",
    [
        key_text(KEY),
        KEY.hex(),
        KEY.hex().upper(),
        b64encode(KEY).decode().rstrip("="),
        urlsafe_b64encode(KEY).decode(),
        f"  {key_text(KEY)}\n",
    ],
)
def test_every_usual_spelling_is_read(text: str) -> None:
    """Base64 of either alphabet, with or without its padding, and hexadecimal digits are the same key."""
    assert read_key(text) == KEY


@pytest.mark.parametrize("text", ["", "no key", "=", key_text(KEY[:31]), KEY.hex()[:-2], key_text(KEY) + "A", "é" * 44])
def test_anything_else_is_refused_and_not_repeated(text: str) -> None:
    """What is no key of 32 bytes is refused, and the refusal shows nothing of it."""
    with pytest.raises(KeyEncryptionKeyError) as refused:
        read_key(text)
    assert not text or text not in str(refused.value)
