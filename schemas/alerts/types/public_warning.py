# ruff: noqa: N815 - CAP 1.2 gives its members their names
"""Warnings to the public: what CAP 1.2 can say and an alert's header and info do not.

A warning that came in as CAP leaves as the same CAP. Where the header says less than the CAP message did, the text
stands here as it was written, and the header's own must follow from it: two members of an alert never say different
things. A warning written natively needs none of these.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar, Final, Literal

from pydantic import StringConstraints

from schemas.alerts.fields import Content, Identifier, Part, Words, many
from schemas.alerts.geometry import usable_circles, usable_polygons
from schemas.alerts.header import Alert, Area, Body, NamedValue, TypeName
from schemas.alerts.resources import Resource
from schemas.alerts.rules import BrokenRule, Path
from schemas.alerts.written import read_cap_references, read_listed
from schemas.bilingual import Bilingual
from schemas.ids import AlertType


class AreaAsWritten(Part):
    """The drawings of an area as the CAP message had them, those included that no reader could draw."""

    polygon: Annotated[tuple[Content, ...], many(512)] | None = None
    circle: Annotated[tuple[Content, ...], many(512)] | None = None


class InfoMore(Part):
    """What a CAP info block says beyond the info block at the same position."""

    eventCode: Annotated[tuple[NamedValue, ...], many(64)] = ()
    parameter: Annotated[tuple[NamedValue, ...], many(1_024)] = ()
    resource: Annotated[tuple[Resource, ...], many(64)] = ()
    area: Annotated[tuple[AreaAsWritten, ...], many(1_024)] = ()


class XmlSignature(Part):
    """An XML signature that the CAP message bore, and what came of verifying it before the message was taken apart.

    ``certificate`` is the SHA-256 fingerprint of the signer's certificate in hexadecimal. The signature itself can't
    survive another layout of the message and is not kept.
    """

    verified: bool
    reason: Literal["algorithm", "certificate-dates", "key-missing", "reference", "transform", "unrelated"] | None = (
        None
    )
    certificate: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")] | None = None


class PublicWarning(Body):
    """What of a CAP message has no place elsewhere; ``sender`` is CAP's, and there exactly where it came as CAP."""

    sender: Identifier | None = None
    addresses: Words | None = None
    references: Words | None = None
    incidents: Words | None = None
    info: Annotated[tuple[InfoMore, ...], many(64)] = ()
    signature: Annotated[tuple[XmlSignature, ...], many(4)] = ()


class PublicWarningAlert(Alert):
    """The public is warned."""

    title: ClassVar[Bilingual] = Bilingual(fr="Avertissement à la population", en="Public warning")

    type: Annotated[AlertType, TypeName(AlertType("emergency-management/public-warning/v1"))]
    body: PublicWarning

    def rules(self) -> Iterator[BrokenRule]:
        """Yield every rule among several members that does not hold."""
        yield from super().rules()
        body = self.body
        if body.references is not None and self.references != read_cap_references(body.references, sender=self.sender):
            yield _contradiction("body", "references")
        if body.incidents is not None and self.incidents != read_listed(body.incidents):
            yield _contradiction("body", "incidents")
        if body.addresses is not None and self.addresses != (
            read_listed(body.addresses) if self.scope == "Private" else ()
        ):
            yield _contradiction("body", "addresses")
        if body.info:
            yield from self._info_rules()

    def _info_rules(self) -> Iterator[BrokenRule]:
        if len(self.body.info) != len(self.info):
            yield _contradiction("body", "info")
            return
        for block, (info, more) in enumerate(zip(self.info, self.body.info, strict=True)):
            if more.area and len(more.area) != len(info.area):
                yield _contradiction("body", "info", block, "area")
                continue
            for number, written in enumerate(more.area):
                yield from _drawing_rules(info.area[number], written, ("body", "info", block, "area", number))


def _drawing_rules(area: Area, written: AreaAsWritten, place: Path) -> Iterator[BrokenRule]:
    if written.polygon is not None and area.polygon != _texts(usable_polygons(written.polygon)):
        yield _contradiction(*place, "polygon")
    if written.circle is not None and area.circle != _texts(usable_circles(written.circle)):
        yield _contradiction(*place, "circle")


def _texts(drawings: Iterator[tuple[int, str]]) -> tuple[str, ...]:
    return tuple(text for _, text in drawings)


def _contradiction(*path: str | int) -> BrokenRule:
    return BrokenRule(path, "not-as-written", _NOT_AS_WRITTEN)


_NOT_AS_WRITTEN: Final = Bilingual(
    fr="Ce texte ne dit pas la même chose que l'en-tête de l'alerte.",
    en="This text does not say the same as the alert's header.",
)
