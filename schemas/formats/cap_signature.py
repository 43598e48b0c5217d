"""The XML signatures that a CAP message may bear (CAP 1.2 section 3.3.4.1; W3C, XML Signature, 11 April 2013).

A message may not be refused merely because its signature can't be verified here; a *wrong* signature refuses it.

* Wrong: not formed as a signature must be, base64 that is not canonical included (a lenient decoder drops the bits by
  which it was altered); a certificate that can't be read, or whose own signature its issuer's key at hand contradicts;
  a value that is not the key's under a digest that is the message's, or the other way round: one of them was altered.
* Not verifiable: an algorithm not trusted any more, or not known; no certificate; a reference or a transform other than
  those of an enveloped signature; a certificate outside its dates when the alert was sent, which proves nothing;
  a signature in which neither digest nor value fits, which is what is left of another message.
* Whether a certificate is to be trusted is not judged: nobody named an anchor.

Agencies and relays sign a message and then lay it out anew, which breaks every signature by the letter. The whitespace
between elements says nothing in CAP, so a signature counts that is right in the message as received or in one of few
layouts. What was signed is then taken from the verifier, and must say the same as what was received.
"""

from __future__ import annotations

import base64
import binascii
import copy
import hashlib
import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, TypeAlias

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.utils import CryptographyDeprecationWarning
from lxml import etree
from signxml.algorithms import DigestAlgorithm, SignatureMethod
from signxml.exceptions import InvalidDigest, SignXMLException
from signxml.verifier import SignatureConfiguration, VerifyResult, XMLVerifier

from schemas.bilingual import Bilingual
from schemas.formats.cap_layout import content_layouts, signature_layouts
from schemas.formats.safe_xml import Element

_DS: Final = "{http://www.w3.org/2000/09/xmldsig#}"
_ENVELOPED: Final = "http://www.w3.org/2000/09/xmldsig#enveloped-signature"
_EXCLUSIVE: Final = "http://www.w3.org/2001/10/xml-exc-c14n#"
_CANONICAL: Final = frozenset(
    method + comments
    for method in (
        "http://www.w3.org/TR/2001/REC-xml-c14n-20010315",
        "http://www.w3.org/2006/12/xml-c14n11",
        _EXCLUSIVE,
    )
    for comments in ("", "WithComments" if method == _EXCLUSIVE else "#WithComments")
)
_DIGESTS: Final = {
    DigestAlgorithm.SHA256.value: hashlib.sha256,
    DigestAlgorithm.SHA384.value: hashlib.sha384,
    DigestAlgorithm.SHA512.value: hashlib.sha512,
}
_METHODS: Final = frozenset(
    method
    for method in SignatureMethod
    if method.name.startswith(("RSA_SHA", "ECDSA_SHA")) and "SHA1" not in method.name
)
MOST_SIGNATURES: Final = 4
MOST_CERTIFICATES: Final = 8

Obstacle: TypeAlias = Literal["algorithm", "certificate-dates", "key-missing", "reference", "transform", "unrelated"]
"""Why a signature can't be verified here."""


class _Verifier(XMLVerifier):
    """A verifier that undoes ``xmlns=""``, which libxml2 writes where it canonicalises a part of a document."""

    excise_empty_xmlns_declarations = True


class WrongSignatureError(Exception):
    """The message bears a signature that is not right."""

    def __init__(self, code: str, reason: Bilingual) -> None:
        super().__init__(reason.en)
        self.code = code
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Judgement:
    """What came of a signature: ``signed`` is what it signs, exactly where it was verified; else ``obstacle`` says why.

    ``certificate`` is the SHA-256 fingerprint of the signer's certificate, in hexadecimal.
    """

    signed: Element | None
    obstacle: Obstacle | None
    certificate: str | None


def judge(alert: Element, signature: Element, *, sent: datetime) -> Judgement:
    """Verify a signature, a child of an ``alert`` element; ``sent`` is when the alert says that it was sent.

    Raises ``WrongSignatureError``. Neither element is changed.
    """
    _require_form(signature)
    certificates = _certificates(signature)
    fingerprint = certificates[0].fingerprint(SHA256()).hex() if certificates else None
    obstacle = _obstacle(signature, certificates, sent)
    if obstacle is not None:
        return Judgement(None, obstacle, fingerprint)
    content = _content_as_signed(alert, signature)
    if content is not None:
        signed = _signed(content, signature, certificates[0], sent)
        if signed is None:
            raise WrongSignatureError("signature-value", _VALUE)
        return Judgement(signed, None, fingerprint)
    if _value_fits(alert, signature, certificates[0], sent):
        raise WrongSignatureError("signature-digest", _DIGEST)
    return Judgement(None, "unrelated", fingerprint)


def _require_form(signature: Element) -> None:
    """Refuse what lacks a part of XML Signature section 4, or holds base64 that does not decode to one thing."""
    parts = (
        "SignedInfo/{}CanonicalizationMethod",
        "SignedInfo/{}SignatureMethod",
        "SignedInfo/{0}Reference/{0}DigestMethod",
        "SignedInfo/{0}Reference/{0}DigestValue",
        "SignatureValue",
    )
    certificates = sum(1 for _ in signature.iter(f"{_DS}X509Certificate"))
    if certificates > MOST_CERTIFICATES or any(signature.find(_DS + part.format(_DS)) is None for part in parts):
        raise WrongSignatureError("signature-malformed", _MALFORMED)
    for name in ("DigestValue", "SignatureValue", "X509Certificate"):
        for element in signature.iter(_DS + name):
            _decoded(element)


def _decoded(element: Element) -> bytes:
    if len(element):
        raise WrongSignatureError("signature-malformed", _MALFORMED)
    text = re.sub(r"[ \t\r\n]", "", element.text or "")
    try:
        data = base64.b64decode(text, validate=True)
    except binascii.Error:
        raise WrongSignatureError("signature-base64", _BASE64) from None
    if base64.b64encode(data).decode() != text:  # RFC 4648 section 3.5: pad bits are zero
        raise WrongSignatureError("signature-base64", _BASE64)
    return data


def _certificates(signature: Element) -> list[x509.Certificate]:
    """Return the certificates beside the signature, the signer's first; broken ones refuse the message."""
    certificates = []
    for element in signature.iter(f"{_DS}X509Certificate"):
        try:
            with warnings.catch_warnings():
                # Signers of CAP in the field have serial number 0, which RFC 5280 forbids and which harms nothing here.
                warnings.simplefilter("ignore", CryptographyDeprecationWarning)
                certificates.append(x509.load_der_x509_certificate(_decoded(element)))
        except ValueError:
            raise WrongSignatureError("signature-certificate", _CERTIFICATE) from None
    for certificate in certificates:
        for issuer in certificates:
            if issuer.subject == certificate.issuer and _contradicts(certificate, issuer):
                raise WrongSignatureError("signature-certificate", _CERTIFICATE)
    return certificates


def _contradicts(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Whether the issuer's key proves that it did not sign this certificate."""
    try:
        certificate.verify_directly_issued_by(issuer)
    except InvalidSignature:
        return True
    except (TypeError, ValueError, UnsupportedAlgorithm):
        return False  # a key or a hash that is not supported proves nothing
    return False


def _obstacle(signature: Element, certificates: Sequence[x509.Certificate], sent: datetime) -> Obstacle | None:
    info = _child(signature, "SignedInfo")
    references = info.findall(f"{_DS}Reference")
    method = _algorithm(info, "SignatureMethod")
    if len(references) != 1 or references[0].get("URI") != "":
        return "reference"
    if _algorithm(info, "CanonicalizationMethod") not in _CANONICAL or not _is_enveloped(info):
        return "transform"
    if _algorithm(references[0], "DigestMethod") not in _DIGESTS or method not in {each.value for each in _METHODS}:
        return "algorithm"
    if not certificates:
        return "key-missing"
    if not certificates[0].not_valid_before_utc <= sent <= certificates[0].not_valid_after_utc:
        return "certificate-dates"
    return None


def _is_enveloped(info: Element) -> bool:
    """Whether the transforms are those of an enveloped signature, with at most one canonicalisation."""
    transforms = [element.get("Algorithm") for element in info.iter(f"{_DS}Transform")]
    others = [transform for transform in transforms if transform != _ENVELOPED]
    prefixed = next(info.iter(f"{{{_EXCLUSIVE}}}InclusiveNamespaces"), None) is not None
    return _ENVELOPED in transforms and len(others) <= 1 and _CANONICAL.issuperset(others) and not prefixed


def _child(element: Element, name: str) -> Element:
    child = element.find(_DS + name)
    if child is None:
        raise WrongSignatureError("signature-malformed", _MALFORMED)
    return child


def _algorithm(element: Element, name: str) -> str:
    return _child(element, name).get("Algorithm") or ""


def _content_as_signed(alert: Element, signature: Element) -> Element | None:
    """Return the message in the layout whose digest the signature names, without this signature."""
    reference = _child(_child(signature, "SignedInfo"), "Reference")
    wanted = _decoded(_child(reference, "DigestValue"))
    digest = _DIGESTS[_algorithm(reference, "DigestMethod")]
    methods = [element.get("Algorithm") or "" for element in reference.iter(f"{_DS}Transform")]
    method = next((each for each in methods if each in _CANONICAL), "")
    for content in content_layouts(alert, signature):
        octets = etree.tostring(
            content, method="c14n", exclusive=method.startswith(_EXCLUSIVE), with_comments="WithComments" in method
        )
        if digest(octets).digest() == wanted:
            return content
    return None


def _signed(content: Element, signature: Element, certificate: x509.Certificate, sent: datetime) -> Element | None:
    """Return what the verifier says was signed, where the value fits in one of few layouts of the signature."""
    for candidate in signature_layouts(signature):
        try:
            return _verified(content, candidate, certificate, sent)
        except (InvalidSignature, SignXMLException, UnsupportedAlgorithm):
            continue
    return None


def _value_fits(content: Element, signature: Element, certificate: x509.Certificate, sent: datetime) -> bool:
    """Whether the value is the key's, whatever the digest: the verifier looks at the value first."""
    for candidate in signature_layouts(signature):
        try:
            _verified(content, candidate, certificate, sent)
        except InvalidDigest:
            return True
        except (InvalidSignature, SignXMLException, UnsupportedAlgorithm):
            continue
    return False


def _verified(content: Element, signature: Element, certificate: x509.Certificate, sent: datetime) -> Element | None:
    config = SignatureConfiguration(
        location="./",
        signature_methods=_METHODS,
        digest_algorithms=frozenset(map(DigestAlgorithm, _DIGESTS)),
        verification_time=sent,
    )
    message = copy.deepcopy(content)
    other = message.find(f"{_DS}Signature")
    message.insert(len(message) if other is None else message.index(other), signature)
    # A signature's Id holds a space in the field, so that its schema would refuse it.
    result = _Verifier().verify(message, x509_cert=certificate, validate_schema=False, expect_config=config)
    return result.signed_xml if isinstance(result, VerifyResult) else None


_MALFORMED: Final = Bilingual(
    fr="Cette signature XML n'a pas la forme requise.", en="This XML signature does not have the required form."
)
_BASE64: Final = Bilingual(
    fr="Cette signature XML contient du base64 qui n'est pas sous sa forme canonique.",
    en="This XML signature holds base64 that is not in its canonical form.",
)
_CERTIFICATE: Final = Bilingual(
    fr="Le certificat de cette signature XML est endommagé.", en="The certificate of this XML signature is damaged."
)
_DIGEST: Final = Bilingual(
    fr="Le message a été modifié depuis sa signature XML.", en="The message was changed after its XML signature."
)
_VALUE: Final = Bilingual(
    fr="Cette signature XML n'est pas celle de la clé de son certificat.",
    en="This XML signature is not by the key of its certificate.",
)
