"""What somebody leaves on networks: addresses, names, devices, files. Every value leads to a person and is marked."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from typing import Annotated, Final, Literal

from pydantic import StringConstraints

from schemas.alerts.check_digits import luhn_holds
from schemas.alerts.fields import CapTime, Label, RuledPart
from schemas.alerts.marks import IDENTIFYING
from schemas.alerts.rules import BrokenRule, Rule
from schemas.bilingual import Bilingual

ObservableKind = Literal[
    "ipv4-addr",
    "ipv6-addr",
    "domain-name",
    "url",
    "email-addr",
    "user-account",
    "phone-number",
    "imei",
    "imsi",
    "mac-addr",
    "md5",
    "sha-1",
    "sha-256",
    "sha-512",
    "photo-dna",
    "pdq",
]
"""STIX 2.1's cyber-observables (section 6), hashes of its vocabulary and the perceptual ones, and numbers of phones."""


class Observable(RuledPart):
    """An address, a name, a device or a file's digest, as seen; ``service`` is where a user account is."""

    kind: ObservableKind
    value: Annotated[str, StringConstraints(pattern=r"^[^\s\p{Cc}\uFFFE\uFFFF]{1,2048}$"), IDENTIFYING]
    service: Label | None = None
    seen: CapTime | None = None

    def rules(self) -> Iterator[BrokenRule]:
        """Yield that the value is not of its kind."""
        if not _is_of(self.kind, self.value):
            yield _NOT_OF_KIND.at("value")


def _is_of(kind: ObservableKind, value: str) -> bool:
    match kind:
        case "ipv6-addr":
            return _is_ipv6(value)
        case "imei":
            return _FORMS[kind].fullmatch(value) is not None and luhn_holds(value)
        case _:
            return _FORMS[kind].fullmatch(value) is not None


def _is_ipv6(value: str) -> bool:
    """Whether a value is an address or a block of them (RFC 4291), without a zone, which means one machine only."""
    try:
        ipaddress.IPv6Interface(value)
    except ValueError:
        return False
    return "%" not in value


_OCTET: Final = r"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_LABEL: Final = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9])?"
_DOMAIN: Final = rf"(?=.{{1,253}}\Z)(?:{_LABEL}\.)+[A-Za-z][A-Za-z0-9-]{{0,61}}[A-Za-z0-9]"

_FORMS: Final = {
    "ipv4-addr": re.compile(rf"{_OCTET}(?:\.{_OCTET}){{3}}(?:/(?:3[0-2]|[12]?[0-9]))?"),
    "domain-name": re.compile(_DOMAIN),
    "url": re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://.+"),
    "email-addr": re.compile(rf"[^@]{{1,64}}@{_DOMAIN}"),
    "user-account": re.compile(r".{1,256}"),
    "phone-number": re.compile(r"\+[1-9][0-9]{6,14}"),
    "imei": re.compile(r"[0-9]{15}"),
    "imsi": re.compile(r"[0-9]{14,15}"),
    "mac-addr": re.compile(r"[0-9a-f]{2}(?::[0-9a-f]{2}){5}"),
    "md5": re.compile(r"[0-9a-f]{32}"),
    "sha-1": re.compile(r"[0-9a-f]{40}"),
    "sha-256": re.compile(r"[0-9a-f]{64}"),
    "sha-512": re.compile(r"[0-9a-f]{128}"),
    "photo-dna": re.compile(r"[A-Za-z0-9+/]{192}"),
    "pdq": re.compile(r"[0-9a-f]{64}"),
}
"""Numbers of phones as ITU-T E.164 writes them; IMEI and IMSI as 3GPP TS 23.003; digests in lower-case hexadecimal."""

_NOT_OF_KIND: Final = Rule(
    "observable-of-another-kind",
    Bilingual(
        fr="Cette valeur n'a pas la forme de ce qu'elle est censée être, ou son chiffre de contrôle ne concorde pas.",
        en="This value is not of the form of what it is said to be, or its check digit does not hold.",
    ),
)
