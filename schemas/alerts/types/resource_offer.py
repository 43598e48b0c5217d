# ruff: noqa: N815 - members are named alike in every type, as CAP's are
"""Offers of resources: EDXL-RM 1.0's ResponseToRequestResource and UnsolicitedOffer; no persons."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar, Final, Literal

from schemas.alerts.fields import Code, many
from schemas.alerts.header import Alert, Body, TypeName
from schemas.alerts.mutual_aid import Costs, Credentials, RequestName, ResourceLine
from schemas.alerts.persons import Contact
from schemas.alerts.places import Crossing, Locality
from schemas.alerts.rules import BrokenRule, Rule
from schemas.alerts.times import Period
from schemas.bilingual import Bilingual
from schemas.ids import AlertType, JurisdictionField


class ResourceOffer(Body):
    """What is offered, in answer to which request; ``resources`` keep the request's line numbers."""

    number: Code
    offeringJurisdiction: JurisdictionField
    answer: Literal["accept", "conditional", "decline", "unsolicited"]
    request: RequestName | None = None
    declineReason: (
        Literal["none-available", "own-emergency", "cannot-arrive-in-time", "not-authorised", "not-of-this-type"] | None
    ) = None
    resources: Annotated[tuple[ResourceLine, ...], many(256)] = ()
    available: Period | None = None
    travelHours: Literal["0-6", "6-12", "12-24", "24-48", "over-48"] | None = None
    departsFrom: Locality | None = None
    crossing: Crossing | None = None
    credentials: Credentials = ()
    conditions: Annotated[
        tuple[
            Literal[
                "recall-at-any-time",
                "reimbursement-agreed-first",
                "own-command-kept",
                "lodging-needed",
                "escort-needed",
                "rotation-after-14-days",
                "french-speaking",
                "english-speaking",
                "bilingual",
            ],
            ...,
        ],
        many(9),
    ] = ()
    costs: Costs | None = None
    contact: Contact

    def rules(self) -> Iterator[BrokenRule]:
        """Yield the rules among the body's own members that do not hold."""
        if (self.answer == "unsolicited") != (self.request is None):
            yield _REQUEST_OR_NONE.at("request")
        if (self.answer == "decline") != (self.declineReason is not None):
            yield _REASON_OR_NONE.at("declineReason")
        if (self.answer == "decline") == bool(self.resources):
            yield _RESOURCES_OR_NONE.at("resources")
        if self.answer == "conditional" and not self.conditions:
            yield _CONDITIONS_MISSING.at("conditions")


class ResourceOfferAlert(Alert):
    """A jurisdiction offers help, or declines to; Cancel withdraws the offer."""

    title: ClassVar[Bilingual] = Bilingual(fr="Offre de ressources", en="Resource offer")

    type: Annotated[AlertType, TypeName(AlertType("emergency-management/resource-offer/v1"))]
    body: ResourceOffer


_REQUEST_OR_NONE: Final = Rule(
    "request-or-unsolicited",
    Bilingual(
        fr="Une réponse nomme la demande; une offre spontanée n'en a pas.",
        en="An answer names the request; an unsolicited offer has none.",
    ),
)
_REASON_OR_NONE: Final = Rule(
    "reason-of-decline",
    Bilingual(fr="Un refus, et lui seul, dit son motif.", en="A decline, and nothing else, says its reason."),
)
_RESOURCES_OR_NONE: Final = Rule(
    "resources-of-offer",
    Bilingual(fr="Une offre a des ressources; un refus n'en a pas.", en="An offer has resources; a decline has none."),
)
_CONDITIONS_MISSING: Final = Rule(
    "conditions-missing",
    Bilingual(fr="Une offre conditionnelle dit ses conditions.", en="A conditional offer says its conditions."),
)
