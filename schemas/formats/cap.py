"""The Common Alerting Protocol, both ways: CAP 1.2 out, CAP 1.2 and 1.1 in (OASIS, 1 July 2010 and 1 October 2005).

Everything that CAP 1.2 can say survives CAP to native to CAP, element by element. Not kept are comments, processing
instructions, the whitespace between elements and around dates and numbers, which say nothing, and XML signatures:
those are verified when the message is read, the body notes what came of it, and the message that leaves is signed by
others. A CAP 1.1 message leaves as CAP 1.2; its ``Z`` becomes ``-00:00`` as CAP 1.2 writes it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from lxml import etree

from schemas.alerts.catalogue import Fault, InvalidAlertError, parse_alert
from schemas.alerts.header import Alert, instant
from schemas.bilingual import Bilingual
from schemas.formats.cap_gaps import copy_values
from schemas.formats.cap_reader import locate, native_document
from schemas.formats.cap_signature import MOST_SIGNATURES, WrongSignatureError, judge
from schemas.formats.cap_tree import Tree, read_tree
from schemas.formats.cap_writer import Values, alert_values, cap_element
from schemas.formats.safe_xml import Element, XmlError, line_of, parse_xml
from schemas.ids import ParticipantId
from schemas.signing.strict_json import JsonValue
from schemas.withholding.manifest import Manifest


class CapError(Exception):
    """The message can't be taken in; ``faults`` says where and why, with paths such as ``/alert/info[1]/urgency``."""

    def __init__(self, faults: tuple[Fault, ...]) -> None:
        super().__init__("; ".join(f"{fault.pointer} (line {fault.line}): {fault.code}" for fault in faults))
        self.faults = faults


def read_cap(xml: bytes, *, sender: ParticipantId) -> dict[str, JsonValue]:
    """Return a CAP message as a native public warning of ``sender``, valid and ready to be signed.

    Its TLP label follows the scope: Public CLEAR, Restricted AMBER, Private RED. References are to alerts of
    ``sender``, who handed in the earlier messages too. Raises ``CapError``.
    """
    try:
        root = parse_xml(xml)
    except XmlError as error:
        raise CapError((Fault("/", error.code, error.reason, error.line),)) from None
    tree = read_tree(root)
    if tree.faults:
        raise CapError(tree.faults)
    document = native_document(tree.alert, sender=sender, signatures=list(_judged(root, tree)))
    try:
        parse_alert(document)
    except InvalidAlertError as error:
        raise CapError(tuple(locate(fault, tree.alert) for fault in error.faults)) from None
    return document


def write_cap(alert: Alert) -> bytes:
    """Return an alert as a CAP 1.2 message in UTF-8, which the schema of OASIS accepts; never raises.

    Info blocks without ``expires`` get the header's. See ``schemas.formats.cap_writer`` for what becomes of the rest.
    """
    document: dict[str, JsonValue] = alert.model_dump(mode="json", exclude_unset=True)
    return _message(alert_values(document))


def write_cap_copy(document: Mapping[str, JsonValue], manifest: Manifest) -> bytes:
    """Return what a recipient may have of an alert as a CAP 1.2 message, which says what it lacks.

    The schema of OASIS accepts it; see ``schemas.formats.cap_gaps``. Raises ``NotWritableError``, and ``KeyError`` for
    a type that there is not.
    """
    return _message(copy_values(document, manifest))


def _message(values: Values) -> bytes:
    root = cap_element(values)
    etree.indent(root)
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8")


def _judged(root: Element, tree: Tree) -> Iterator[JsonValue]:
    """Yield what came of each XML signature of a message. What was verified is what was signed, not what stands by."""
    if len(tree.signatures) > MOST_SIGNATURES:
        raise CapError((tree.alert.fault("too-many-signatures", _TOO_MANY_SIGNATURES),))
    for number, signature in enumerate(tree.signatures, start=1):
        path = f"/alert/Signature[{number}]"
        try:
            judgement = judge(root, signature, sent=instant(tree.alert.get("sent") or ""))
        except WrongSignatureError as error:
            raise CapError((Fault(path, error.code, error.reason, line_of(signature)),)) from None
        if judgement.signed is not None and read_tree(judgement.signed).alert != tree.alert:
            raise CapError((Fault(path, "signature-of-another", _ANOTHER, line_of(signature)),))
        note: dict[str, JsonValue] = {"verified": judgement.signed is not None}
        if judgement.obstacle is not None:
            note["reason"] = judgement.obstacle
        if judgement.certificate is not None:
            note["certificate"] = judgement.certificate
        yield note


_TOO_MANY_SIGNATURES = Bilingual(
    fr="Ce message porte trop de signatures XML.", en="This message bears too many XML signatures."
)
_ANOTHER = Bilingual(
    fr="La signature XML couvre autre chose que ce message.", en="The XML signature covers something other than this."
)
