"""What the environment may set of a demonstration's exchange.

A demonstration makes its own world: where it listens, what it is called, its files, its database, its bus. Whoever has
variables of another exchange in his shell must not have the demonstration write into that one's database. All else
(limits, deadlines, retries, log level, telemetry) is the environment's to set, as it is for any exchange.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Self

from gateway.settings.environment import path_of
from gateway.settings.exchange import Settings
from gateway.settings.section import SettingsError
from schemas.bilingual import Bilingual
from schemas.located_yaml import YamlError

_OWN: Final = (
    ("base_url",),
    ("origin",),
    ("listen", "host"),
    ("listen", "port"),
    ("listen", "tls"),
    ("delivery", "ca_file"),
    ("files",),
    ("store",),
    ("bus",),
    ("operation", "host"),
    ("operation", "port"),
)
"""What a demonstration decides; a variable for a whole section that holds one of these would take it away."""


@dataclass(frozen=True, slots=True)
class Overrides:
    """The variables that count, and the names of those that don't because the demonstration decides what they set."""

    counting: Mapping[str, str]
    withheld: tuple[str, ...]

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Self:
        """Sort an environment's settings. Raises ``SettingsError`` for a name that is no setting's."""
        counting, withheld = dict[str, str](), list[str]()
        for name in sorted(environment):
            try:
                path = path_of(name, Settings.model_fields)
            except YamlError as error:
                raise SettingsError(Bilingual(fr=error.in_language("fr"), en=error.in_language("en"))) from None
            if not path or not environment[name]:
                continue
            if any(path[: len(own)] == own or own[: len(path)] == path for own in _OWN):
                withheld.append(name)
            else:
                counting[name] = environment[name]
        return cls(counting, tuple(withheld))

    def told(self) -> Bilingual | None:
        """Return what is said of those that don't count; None where there are none."""
        if not self.withheld:
            return None
        names = ", ".join(self.withheld)
        return Bilingual(
            fr=f"Sans effet ici : {names}. La démonstration choisit elle-même ses adresses, ses fichiers, sa base de "
            "données et son bus.",
            en=f"Without effect here: {names}. The demonstration chooses its own addresses, files, database and bus.",
        )
