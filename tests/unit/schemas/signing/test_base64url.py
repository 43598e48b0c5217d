"""base64url has one spelling here, and everything else is refused."""

from __future__ import annotations

import base64
import itertools

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from schemas.signing.base64url import Base64UrlError, decode, encode

TRICKY = b'AQgwZ-_+/= \n"\\u0\x00\xff'


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_bytes_come_back(data: bytes) -> None:
    """Encoding is Python's own without the padding, and decoding undoes it."""
    assert encode(data) == base64.urlsafe_b64encode(data).rstrip(b"=")
    assert decode(encode(data)) == data


def test_no_short_text_has_a_second_spelling() -> None:
    """Of all texts up to four characters, tricky ones among them, those that decode are what their bytes encode to."""
    accepted = 0
    for length in range(5):
        for characters in itertools.product(TRICKY, repeat=length):
            text = bytes(characters)
            try:
                data = decode(text)
            except Base64UrlError:
                continue
            accepted += 1
            assert encode(data) == text
    assert accepted > 1000


@settings(deadline=None)
@given(st.binary(max_size=40))
@example(b"QUJD\\u0041")
@example(b"QQ==")
@example(b"QR")
@example(b"QUI+")
@example(b"QUI/")
def test_whatever_decodes_is_canonical(text: bytes) -> None:
    """No text decodes but the one that its bytes encode to."""
    try:
        data = decode(text)
    except Base64UrlError:
        return
    assert encode(data) == text


@pytest.mark.parametrize(
    "text", [b"Q", b"QQ==", b"QQ=", b"QR", b"QUJ", b"Q Q", b"\nQQ", b"QQ\n", b"+-__", b"/-__", b"Q\xe9"]
)
def test_other_spellings_are_refused(text: bytes) -> None:
    """Padding, whitespace, the standard alphabet, used unused bits and impossible lengths are refused."""
    with pytest.raises(Base64UrlError):
        decode(text)
