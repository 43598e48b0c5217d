# ruff: noqa: N815 - members are named alike in every type, as CAP's are
"""Incidents on networks: STIX 2.1 observables, CVE and ATT&CK identifiers, impacts of NIST SP 800-61, revision 2."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar, Final, Literal

from pydantic import StringConstraints

from schemas.alerts.about import AlertAboutBelongings
from schemas.alerts.fields import CapTime, Code, Count, Label, Part, many
from schemas.alerts.header import Body, TypeName
from schemas.alerts.marks import IDENTIFYING
from schemas.alerts.online import Observable
from schemas.alerts.organisations import Sector
from schemas.alerts.persons import Contact
from schemas.alerts.rules import BrokenRule, Rule
from schemas.alerts.times import Period
from schemas.bilingual import Bilingual
from schemas.ids import AlertType, JurisdictionField


class Impact(Part):
    """What is lost: function, information, and how hard it is to recover (NIST SP 800-61r2, tables 3-2 to 3-4)."""

    functional: Literal["none", "low", "medium", "high"]
    information: Annotated[
        tuple[Literal["none", "privacy-breach", "proprietary-breach", "integrity-loss"], ...], many(4, least=1)
    ]
    recoverability: Literal["regular", "supplemented", "extended", "not-recoverable"]
    personsConcerned: Count | None = None


class Product(Part):
    """Software or hardware that is attacked; ``versions`` as its maker writes them."""

    vendor: Label
    name: Label
    versions: Label | None = None


class CyberIncident(Body):
    """What happens, to which sector, by what it is recognised, and what is done."""

    reference: Code
    reportingJurisdiction: JurisdictionField
    category: Literal[
        "ransomware",
        "data-breach",
        "denial-of-service",
        "phishing",
        "business-email-compromise",
        "intrusion",
        "malware",
        "supply-chain",
        "vulnerability-exploited",
        "defacement",
        "industrial-control",
        "reconnaissance",
    ]
    state: Literal["suspected", "confirmed", "contained", "eradicated", "recovered", "closed", "false-positive"]
    sectors: Annotated[tuple[Sector, ...], many(16, least=1)]
    period: Period | None = None
    detected: CapTime | None = None
    impact: Impact | None = None
    actor: Annotated[Label | None, IDENTIFYING] = None
    malware: Annotated[tuple[Label, ...], many(32)] = ()
    vulnerabilities: Annotated[
        tuple[Annotated[str, StringConstraints(pattern=r"^CVE-[0-9]{4}-[0-9]{4,19}$")], ...], many(64)
    ] = ()
    techniques: Annotated[
        tuple[Annotated[str, StringConstraints(pattern=r"^T[0-9]{4}(\.[0-9]{3})?$")], ...], many(128)
    ] = ()
    products: Annotated[tuple[Product, ...], many(64)] = ()
    observables: Annotated[tuple[Observable, ...], many(2_048)] = ()
    ransomDemanded: bool = False
    measures: Annotated[
        tuple[
            Literal["block", "patch", "isolate", "reset-credentials", "hunt", "restore-backups", "preserve-evidence"],
            ...,
        ],
        many(7),
    ] = ()
    contact: Contact | None = None

    def rules(self) -> Iterator[BrokenRule]:
        """Yield the rules among the body's own members that do not hold."""
        if self.category == "vulnerability-exploited" and not self.vulnerabilities:
            yield _NO_VULNERABILITY.at("vulnerabilities")
        if self.impact is not None and "none" in self.impact.information and len(self.impact.information) > 1:
            yield _NONE_AND_SOME.at("impact", "information")


class CyberIncidentAlert(AlertAboutBelongings):
    """Networks or what runs on them are attacked."""

    title: ClassVar[Bilingual] = Bilingual(fr="Cyberincident", en="Cyber incident")

    type: Annotated[AlertType, TypeName(AlertType("law-enforcement/cyber-incident/v1"))]
    body: CyberIncident


_NO_VULNERABILITY: Final = Rule(
    "vulnerability-missing",
    Bilingual(
        fr="La vulnérabilité exploitée doit être nommée (CVE).",
        en="The vulnerability that is exploited must be named (CVE).",
    ),
)
_NONE_AND_SOME: Final = Rule(
    "none-and-some",
    Bilingual(fr="« none » exclut toute autre valeur.", en="“none” excludes every other value."),
)
