"""What all sections of the settings share: nothing unknown is passed over, and no secret is taken."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, model_validator

from schemas.bilingual import Bilingual
from schemas.faults import BrokenRuleError

_SECRETS: Final = ("password", "passphrase", "secret", "token", "private_key", "credentials")
_PRIVATE: Final = "PRIVATE KEY-----"


class SettingsError(Exception):
    """The settings can't be used; each line of ``reason`` names a file, a line and a reason."""

    def __init__(self, reason: Bilingual) -> None:
        super().__init__(reason.en)
        self.reason = reason


class Section(BaseModel):
    """A part of the settings. A secret written into it is refused: settings are shown, copied and kept."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _no_secret(cls, given: Any) -> Any:  # noqa: ANN401 - whatever the file says here
        if isinstance(given, Mapping) and any(is_secret(name, value) for name, value in given.items()):
            raise BrokenRuleError(SECRET_IN_SETTINGS)
        return given


def is_secret(name: object, value: object) -> bool:
    """Say whether a member is a secret itself; those that name a file are not."""
    return name in _SECRETS or (isinstance(value, str) and _PRIVATE in value)


SECRET_IN_SETTINGS: Final = Bilingual(
    fr="Un secret n'a pas sa place dans les réglages : mettez-le dans un fichier que la plateforme seule peut lire, "
    "et nommez ce fichier ici (password_file).",
    en="A secret has no place in the settings: put it into a file that the exchange alone can read, and name that "
    "file here (password_file).",
)
