"""What PostgreSQL keeps of a password, held against the RFC's own exchange."""

from __future__ import annotations

import base64
import hashlib
import hmac

import pytest

from gateway.errors import StoreError
from gateway.store.scram import verifier

MESSAGES = (
    "n=user,r=rOprNGfwEbeRWgbNEkqO,"
    "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,"
    "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
)
"""The authentication message of RFC 7677, section 3."""


def test_the_verifier_answers_as_the_rfc_does() -> None:
    """By the server key of RFC 7677's password the server signs as it does there, and its client's proof is good."""
    kept = verifier("pencil", salt=base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ=="))
    head, keys = kept.rsplit("$", 1)
    assert head == "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ=="
    stored, server = (base64.b64decode(key) for key in keys.split(":"))
    signature = hmac.digest(server, MESSAGES.encode(), "sha256")
    assert base64.b64encode(signature) == b"6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="
    proof = base64.b64decode("dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=")
    mask = hmac.digest(stored, MESSAGES.encode(), "sha256")
    client = bytes(one ^ other for one, other in zip(proof, mask, strict=True))
    assert hashlib.sha256(client).digest() == stored


def test_a_password_that_would_need_preparation_is_refused() -> None:
    """SASLprep (RFC 4013) is not done here, so no password is taken that it might change."""
    for odd in ("mot de passé", "tab\there"):
        with pytest.raises(StoreError) as refused:
            verifier(odd, salt=b"salt")
        assert odd not in f"{refused.value}{refused.value.reason.fr}"
