"""CAP messages to read, made of invented data; and an agency that signs them with a key of its own."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from lxml import etree
from signxml.algorithms import DigestAlgorithm, SignatureMethod
from signxml.signer import XMLSigner

from schemas.alerts.catalogue import Fault, parse_alert
from schemas.alerts.header import Alert
from schemas.formats.cap import CapError, read_cap
from schemas.ids import ParticipantId

MSP = ParticipantId("ca-qc.msp")

MESSAGE = """\
<?xml version="1.0" encoding="UTF-8"?>
<alert xmlns="urn:oasis:names:tc:emergency:cap:1.2">
  <identifier>MSP-2026-0411-7</identifier>
  <sender>alertes@msp.example</sender>
  <sent>2026-04-11T06:15:00-04:00</sent>
  <status>Actual</status>
  <msgType>Alert</msgType>
  <scope>Public</scope>
  <info>
    <language>fr-CA</language>
    <category>Met</category>
    <event>Inondation</event>
    <urgency>Immediate</urgency>
    <severity>Severe</severity>
    <certainty>Observed</certainty>
    <area>
      <areaDesc>Lacolle</areaDesc>
    </area>
  </info>
</alert>
"""


def changed(old: str, new: str, message: str = MESSAGE) -> bytes:
    """Return a message with one passage replaced, which must be there."""
    assert old in message
    return message.replace(old, new, 1).encode()


def refusal(message: bytes) -> Fault:
    """Return the first fault that a message is refused with."""
    try:
        read_cap(message, sender=MSP)
    except CapError as error:
        return error.faults[0]
    raise AssertionError("the message was taken")


def imported(message: bytes) -> Alert:
    """Return the alert that a message is read as."""
    return parse_alert(read_cap(message, sender=MSP))


def said(element: etree._Element) -> Any:  # noqa: ANN401 - a tree of names, texts and children
    """Return what a CAP element says: names, exact texts, order; without signatures, comments and layout."""
    children = [child for child in element.iterchildren(tag=etree.Element) if "xmldsig" not in str(child.tag)]
    name = etree.QName(element).localname
    return (name, [said(child) for child in children]) if children else (name, "".join(map(str, element.itertext())))


@dataclass(frozen=True, slots=True)
class Signer:
    """A key and its certificate, signed by itself."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @classmethod
    def generate(cls, *, begins: datetime, ends: datetime) -> Signer:
        """Make a key and a certificate for some time."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "alertes.msp.example")])
        builder = x509.CertificateBuilder(name, name, key.public_key(), 1, begins, ends)
        return cls(key, builder.sign(key, hashes.SHA256()))

    def sign(self, message: bytes) -> bytes:
        """Return a message with an enveloped signature."""
        signer = XMLSigner(
            signature_algorithm=SignatureMethod.ECDSA_SHA256,
            digest_algorithm=DigestAlgorithm.SHA256,
            c14n_algorithm="http://www.w3.org/2001/10/xml-exc-c14n#",
        )
        signed = signer.sign(etree.fromstring(message), key=self.key, cert=[self.certificate])
        return etree.tostring(signed)
