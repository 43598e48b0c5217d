"""The settings of witnesses: who they are, and which of them must have cosigned for the exchange to be well."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Final, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from audit.cosignature import CosignerKey
from audit.errors import MalformedNoteError
from audit.policy import Group, WitnessPolicy
from gateway.settings.section import Section
from schemas.bilingual import Bilingual
from schemas.faults import BrokenRuleError
from schemas.ids import JurisdictionCode


def _vkey(text: str) -> str:
    try:
        CosignerKey.from_vkey(text)
    except MalformedNoteError:
        raise BrokenRuleError(_NO_WITNESS_KEY) from None
    return text


class WitnessSettings(Section):
    """One witness: its verifier key, as its operator publishes it, and whose it is.

    ``url`` is what ``/add-checkpoint`` follows; who only verifies needs none.
    """

    vkey: Annotated[str, AfterValidator(_vkey)]
    jurisdiction: Annotated[JurisdictionCode, StringConstraints(pattern=r"^[A-Z]{2}(-[A-Z0-9]{1,3})?$")]
    url: (
        Annotated[str, StringConstraints(pattern=r"^https?://[^\s/?#@]+(/[^\s?#]*[^\s?#/])?$", max_length=200)] | None
    ) = None

    @property
    def key(self) -> CosignerKey:
        """The key that its cosignatures are checked with."""
        return CosignerKey.from_vkey(self.vkey)


class GroupSettings(Section):
    """``threshold`` of the jurisdictions in ``of``; ``US-*`` is every one whose code begins so."""

    of: Annotated[
        tuple[Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}(-([A-Z0-9]{1,3}|\*))?$|^\*$")], ...],
        Field(strict=False, min_length=1, max_length=64),
    ]
    threshold: int = Field(default=1, ge=1, le=64)


class PolicySettings(Section):
    """All of ``groups`` must have cosigned, each time anew ``within`` so many seconds."""

    groups: Annotated[tuple[GroupSettings, ...], Field(strict=False, min_length=1, max_length=32)]
    within: int = Field(default=60, ge=1, le=86_400)


class WitnessesSettings(Section):
    """The witnesses of the exchange log. ``ca_file`` replaces the system's authorities where they are asked."""

    known: Annotated[tuple[WitnessSettings, ...], Field(strict=False, max_length=32)] = ()
    policy: PolicySettings | None = None
    ca_file: str | None = None

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        for told in ([each.key.name for each in self.known], [each.key.public_key for each in self.known]):
            if any(times > 1 for times in Counter(told).values()):
                raise BrokenRuleError(_TWICE)
        return self

    @model_validator(mode="after")
    def _can_be_met(self) -> Self:
        policy, known = self.witness_policy, {each.jurisdiction for each in self.known}
        if policy is not None and not all(group.is_met_by(known) for group in policy.groups):
            raise BrokenRuleError(_NEVER_MET)
        return self

    @property
    def witness_policy(self) -> WitnessPolicy | None:
        """The policy over these witnesses; None where there is none."""
        if self.policy is None:
            return None
        return WitnessPolicy(
            witnesses={each.key: each.jurisdiction for each in self.known},
            groups=tuple(Group(each.of, each.threshold) for each in self.policy.groups),
            within=self.policy.within,
        )


_NO_WITNESS_KEY: Final = Bilingual(
    fr="Il faut ici la clé de vérification d'un témoin (nom+identifiant+clé), telle que « lacolle witness init » la "
    "donne.",
    en="This must be a witness's verifier key (name+id+key), as “lacolle witness init” tells it.",
)
_TWICE: Final = Bilingual(
    fr="Deux témoins ont le même nom ou la même clé : chacun a les siens.",
    en="Two witnesses have the same name or key: each has its own.",
)
_NEVER_MET: Final = Bilingual(
    fr="Les témoins connus ne peuvent satisfaire cette exigence : il y manque des administrations.",
    en="The known witnesses can't meet this policy: it lacks jurisdictions.",
)
