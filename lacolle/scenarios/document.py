"""A scenario as it is written: who takes part, under which agreements, two alerts, and what each is to come to.

One YAML file each in ``deploy/samples/scenarios``, named after its ``name``. ``position`` is its place in lists.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, Field, JsonValue, StringConstraints, ValidationError, model_validator

from agreements.lists import some_once
from agreements.obligations import FieldPath
from lacolle.errors import ConfigurationError
from lacolle.samples import SAMPLES, everyone
from schemas.bilingual import Bilingual
from schemas.consents import Answer
from schemas.faults import BrokenRuleError
from schemas.fields import Name, Part
from schemas.ids import ParticipantField
from schemas.located_yaml import LocatedDocument, YamlError, errors_of, load_yaml
from schemas.signing.canonical import canonical_bytes

SCENARIOS: Final = SAMPLES / "scenarios"
RELATIONS: Final = SAMPLES / "relations"
_Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+([.-][a-z0-9]+)*$", max_length=64)]


class Effect(StrEnum):
    """What a participant gets of an alert."""

    WHOLE = "whole"
    DERIVED = "derived"
    """A copy that lacks what the agreement withholds."""
    HELD = "held"
    """Nothing, until somebody consents."""
    DENIED = "denied"


REACHES: Final = frozenset({Effect.WHOLE, Effect.DERIVED})


class Expected(Part):
    """What one participant is to get.

    ``code`` is the reason of a denial (``agreements.reasons``), of the clause that came closest where one was
    considered; ``without`` are places whose values a derived copy must not show.
    """

    gets: Effect
    code: _Slug | None = None
    without: Annotated[tuple[FieldPath, ...], Field(max_length=32)] = ()

    @model_validator(mode="after")
    def _says_what_belongs(self) -> Self:
        if (self.code is not None) != (self.gets is Effect.DENIED) or bool(self.without) != (
            self.gets is Effect.DERIVED
        ):
            raise BrokenRuleError(
                Bilingual(
                    fr="Un refus a un « code », une copie dérivée un « without », et rien d'autre n'en a.",
                    en="A denial has a “code”, a derived copy a “without”, and nothing else has either.",
                )
            )
        return self


class ScenarioAlert(Part):
    """One alert: a sample, changed, and what each participant but its sender gets.

    ``changes`` name members of the header, dotted for those inside (``handling.tlp``); in a list they hold for each
    item. ``language`` leaves only the info blocks in that language. ``consents`` are the answers of those who are asked
    to consent; whoever is not named stays silent.
    """

    caption: Name
    sample: _Slug
    language: Literal["fr", "en"] | None = None
    changes: Mapping[str, JsonValue] = Field(default_factory=dict)
    consents: Mapping[ParticipantField, Annotated[Answer, Field(strict=False)]] = Field(default_factory=dict)
    expect: Annotated[Mapping[ParticipantField, Expected], Field(min_length=1)]

    @property
    def reaches(self) -> bool:
        """Whether anybody is to get it."""
        return any(expected.gets in REACHES for expected in self.expect.values())


class Scenario(Part):
    """One relation, shown by an alert that passes and one that does not."""

    scenario: Literal["lacolle.scenario/v1"]
    name: _Slug
    position: Annotated[int, Field(ge=1, le=1_000)]
    relation: Name
    shows: Name
    agreements: Annotated[tuple[_Slug, ...], AfterValidator(some_once)]
    participants: Annotated[tuple[ParticipantField, ...], AfterValidator(some_once)]
    passes: ScenarioAlert
    stops: ScenarioAlert

    @model_validator(mode="after")
    def _passes_and_stops(self) -> Self:
        if not self.passes.reaches or self.stops.reaches:
            raise BrokenRuleError(
                Bilingual(
                    fr="L'alerte « passes » doit atteindre quelqu'un, l'alerte « stops » personne.",
                    en="The “passes” alert must reach somebody, the “stops” alert nobody.",
                )
            )
        return self


class InvalidScenarioError(ConfigurationError):
    """A file is no scenario; the message names file, line and path of everything that is wrong."""

    def __init__(self, errors: tuple[YamlError, ...]) -> None:
        super().__init__(
            Bilingual(
                fr="\n".join(error.in_language("fr") for error in errors),
                en="\n".join(error.in_language("en") for error in errors),
            )
        )


def read_scenario(text: str, *, file: str) -> Scenario:
    """Return the scenario that a YAML text writes; ``file`` is its name in errors. Raises ``InvalidScenarioError``."""
    try:
        located = load_yaml(text, file=file)
    except YamlError as error:
        raise InvalidScenarioError((error,)) from None
    try:
        scenario = Scenario.model_validate_json(canonical_bytes(located.value))
    except ValidationError as error:
        raise InvalidScenarioError(errors_of(located, error)) from None
    unknown = _unknown(scenario, located)
    if unknown:
        raise InvalidScenarioError(unknown)
    return scenario


def read_scenarios() -> tuple[Scenario, ...]:
    """Return every scenario that ships, in the order of their positions. Raises ``InvalidScenarioError``."""
    found = [read_scenario(path.read_text(encoding="utf-8"), file=path.name) for path in SCENARIOS.glob("*.yaml")]
    return tuple(sorted(found, key=lambda scenario: (scenario.position, scenario.name)))


def scenario_named(name: str) -> Scenario:
    """Return a scenario by its name. Raises ``ConfigurationError``."""
    for scenario in read_scenarios():
        if scenario.name == name:
            return scenario
    raise ConfigurationError(
        Bilingual(
            fr=f"Aucun scénario ne s'appelle {name} : « lacolle demo --scenarios » les donne tous.",
            en=f"No scenario is called {name}: “lacolle demo --scenarios” lists them all.",
        )
    )


@cache
def agreement_files() -> Mapping[str, Path]:
    """Return the files of all sample agreements, by name."""
    return {path.stem: path for folder in (SAMPLES, RELATIONS) for path in everyone(folder).agreements}


@cache
def alert_files() -> Mapping[str, Path]:
    """Return the files of all sample alerts, by name."""
    return {path.stem: path for folder in (SAMPLES, RELATIONS) for path in (folder / "alerts").glob("*.json")}


@cache
def _participants() -> frozenset[str]:
    return frozenset(entry["participant"] for folder in (SAMPLES, RELATIONS) for entry in everyone(folder).participants)


def _unknown(scenario: Scenario, located: LocatedDocument) -> tuple[YamlError, ...]:
    """Return what a scenario names and nothing is: agreements, participants, samples."""
    named = [(("agreements", number), name in agreement_files()) for number, name in enumerate(scenario.agreements)]
    named += [(("participants", number), name in _participants()) for number, name in enumerate(scenario.participants)]
    errors = [located.error(place, _UNKNOWN) for place, known in named if not known]
    for member, alert in (("passes", scenario.passes), ("stops", scenario.stops)):
        if alert.sample not in alert_files():
            errors.append(located.error((member, "sample"), _UNKNOWN))
        for mapping, names in (("expect", alert.expect.keys()), ("consents", alert.consents.keys())):
            strangers = names - set(scenario.participants)
            errors += [located.error((member, mapping, name), _STRANGER) for name in sorted(strangers)]
    return tuple(errors)


_UNKNOWN: Final = Bilingual(
    fr="Rien de ce nom ne se trouve dans deploy/samples.", en="There is nothing of this name in deploy/samples."
)
_STRANGER: Final = Bilingual(
    fr="Ce participant n'est pas du scénario.", en="This participant does not take part in the scenario."
)
