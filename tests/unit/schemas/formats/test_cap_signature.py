"""A signature that is right is noted, one that can't be judged is noted as such, a wrong one refuses the message."""

from __future__ import annotations

import base64
import re
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree

from schemas.formats.cap import read_cap
from tests.unit.schemas.formats.messages import MESSAGE, MSP, Signer, refusal


def noted(message: bytes) -> list[dict[str, Any]]:
    """Return what a message's body says of its signatures."""
    body: Any = read_cap(message, sender=MSP)["body"]
    notes: list[dict[str, Any]] = body.get("signature", [])
    return notes


def swapped(signed: bytes, pattern: bytes, replacement: bytes) -> bytes:
    """Replace one passage of a signed message, which must be there."""
    result, count = re.subn(pattern, replacement, signed, count=1, flags=re.DOTALL)
    assert count == 1
    return result


def test_a_right_signature_is_noted(signer: Signer) -> None:
    """A verified signature is noted with its certificate's fingerprint; an unsigned message has no note."""
    assert noted(signer.sign(MESSAGE.encode())) == [
        {"verified": True, "certificate": signer.certificate.fingerprint(SHA256()).hex()}
    ]
    assert noted(MESSAGE.encode()) == []


@pytest.mark.parametrize("indent", [None, "", "  ", "    ", "\t"])
def test_a_signature_survives_another_layout(signer: Signer, indent: str | None) -> None:
    """Whitespace between elements says nothing in CAP: a message indented anew is still the one that was signed."""
    tight = re.sub(r">\s+<", "><", MESSAGE[MESSAGE.index("<alert") :]).encode()
    root = etree.fromstring(signer.sign(tight))
    if indent is not None:
        etree.indent(root, space=indent)
    assert noted(etree.tostring(root))[0]["verified"]


def test_signatures_beside_one_another(signer: Signer) -> None:
    """A relay that signs next to the agency breaks neither signature."""
    root = etree.fromstring(signer.sign(MESSAGE.encode()))
    other = etree.fromstring(signer.sign(MESSAGE.encode()))
    root.append(other[-1])
    assert [note["verified"] for note in noted(etree.tostring(root))] == [True, True]


def test_a_changed_message_is_refused(signer: Signer) -> None:
    """One word changed under a signature refuses the message."""
    fault = refusal(signer.sign(MESSAGE.encode()).replace(b"Inondation", b"Incendie"))
    assert (fault.pointer, fault.code) == ("/alert/Signature[1]", "signature-digest")


def test_a_changed_value_is_refused(signer: Signer) -> None:
    """A value that is not the key's refuses the message."""
    signed = signer.sign(MESSAGE.encode())
    assert refusal(swapped(signed, rb"(SignatureValue>\s*)....", rb"\1AAAA")).code == "signature-value"


def test_the_certificate_of_another_is_refused(signer: Signer) -> None:
    """A value by one key beside the certificate of another refuses the message."""
    other = Signer.generate(begins=datetime(2026, 1, 1, tzinfo=UTC), ends=datetime(2027, 1, 1, tzinfo=UTC))
    theirs = re.search(rb"<ds:X509Certificate>.*?</ds:X509Certificate>", other.sign(MESSAGE.encode()), re.DOTALL)
    assert theirs is not None
    signed = swapped(signer.sign(MESSAGE.encode()), rb"<ds:X509Certificate>.*?</ds:X509Certificate>", theirs[0])
    assert refusal(signed).code == "signature-value"


def test_base64_has_one_form(signer: Signer) -> None:
    """A digest whose unused bits were altered decodes to the same octets, and is refused (RFC 4648 section 3.5)."""
    signed = signer.sign(MESSAGE.encode())
    digest = re.search(rb"<ds:DigestValue>(.*?)</ds:DigestValue>", signed)
    assert digest is not None
    alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    altered = digest[1][:42] + alphabet[alphabet.index(digest[1][42]) + 1 :][:1] + b"="
    assert refusal(signed.replace(digest[1], altered)).code == "signature-base64"


@pytest.mark.parametrize(
    ("pattern", "replacement", "code"),
    [
        (rb"<ds:SignatureValue>.*?</ds:SignatureValue>", b"", "signature-malformed"),
        (rb"<ds:DigestMethod [^>]*/>", b"", "signature-malformed"),
        (rb"(<ds:X509Certificate>\s*).", rb"\1!", "signature-base64"),
        (rb"(<ds:X509Certificate>\s*)....", rb"\1AAAA", "signature-certificate"),
        (rb"(<ds:DigestValue>)", rb"\1<!-- x -->", "signature-malformed"),
    ],
)
def test_a_damaged_signature_is_refused(signer: Signer, pattern: bytes, replacement: bytes, code: str) -> None:
    """A signature without its parts, or with parts that do not decode, refuses the message."""
    assert refusal(swapped(signer.sign(MESSAGE.encode()), pattern, replacement)).code == code


def test_a_certificate_that_its_own_key_contradicts_is_refused(signer: Signer) -> None:
    """The last octet of a self-signed certificate altered: its key says that it never signed that."""
    signed = signer.sign(MESSAGE.encode())
    octets = signer.certificate.public_bytes(Encoding.DER)
    altered = octets[:-1] + bytes([octets[-1] ^ 1])
    element = b"<ds:X509Certificate>" + base64.b64encode(altered) + b"</ds:X509Certificate>"
    pattern = rb"<ds:X509Certificate>.*?</ds:X509Certificate>"
    assert refusal(swapped(signed, pattern, element)).code == "signature-certificate"


@pytest.mark.parametrize(
    ("pattern", "replacement", "reason"),
    [
        (rb"<ds:KeyInfo>.*?</ds:KeyInfo>", b"", "key-missing"),
        (rb' URI=""', b"", "reference"),
        (rb' URI=""', b' URI="#info"', "reference"),
        (rb"xml-exc-c14n#", b"xml-other-c14n#", "transform"),
        (rb"xmldsig#enveloped-signature", b"xmldsig#base64", "transform"),
        (rb"ecdsa-sha256", b"ecdsa-sha1", "algorithm"),
        (rb"xmlenc#sha256", b"xmldsig#sha1", "algorithm"),
    ],
)
def test_what_cannot_be_judged_is_noted(signer: Signer, pattern: bytes, replacement: bytes, reason: str) -> None:
    """A processor may not refuse a message merely because it can't verify it (CAP 1.2 section 3.3.4.1)."""
    (note,) = noted(swapped(signer.sign(MESSAGE.encode()), pattern, replacement))
    assert (note["verified"], note["reason"]) == (False, reason)


def test_a_certificate_outside_its_dates_proves_nothing() -> None:
    """A certificate that was not valid when the alert was sent is noted, whatever its signature is worth."""
    late = Signer.generate(begins=datetime(2026, 5, 1, tzinfo=UTC), ends=datetime(2027, 1, 1, tzinfo=UTC))
    assert noted(late.sign(MESSAGE.encode()))[0]["reason"] == "certificate-dates"


def test_a_signature_of_another_message_proves_nothing(signer: Signer) -> None:
    """A signature in which neither digest nor value fits is what is left of another message: noted, no more."""
    signed = signer.sign(MESSAGE.encode()).replace(b"Inondation", b"Incendie")
    (note,) = noted(swapped(signed, rb"(SignatureValue>\s*)....", rb"\1AAAA"))
    assert (note["verified"], note["reason"]) == (False, "unrelated")


def test_what_is_signed_is_what_is_read(signer: Signer) -> None:
    """A signed alert wrapped into another is not read as the other's words."""
    inner = signer.sign(MESSAGE.encode())
    wrapped = MESSAGE.replace("</alert>", "").replace("Inondation", "Incendie").encode()
    assert refusal(wrapped + inner + b"</alert>").code == "misplaced"


def test_five_signatures_are_too_many(signer: Signer) -> None:
    """The work that signatures cost is bounded."""
    root = etree.fromstring(signer.sign(MESSAGE.encode()))
    for _ in range(4):
        root.append(etree.fromstring(etree.tostring(root[-1])))
    assert refusal(etree.tostring(root)).code == "too-many-signatures"
