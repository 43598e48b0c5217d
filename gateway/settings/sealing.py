"""The settings of what keeps content at rest: the key-encryption key, and how long content stays."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator

from gateway.settings.section import Section
from schemas.bilingual import Bilingual
from schemas.faults import BrokenRuleError


class TokenSettings(Section):
    """A key in a PKCS#11 token: the token's library, its label and the key's, and the file of the user's PIN."""

    module: str
    token_label: Annotated[str, StringConstraints(min_length=1, max_length=32)]
    key_label: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    pin_file: str


class SealingSettings(Section):
    """Where the key-encryption key is: in a file, in an environment variable, or in a PKCS#11 token.

    Without any of them it is ``content.kek`` in ``files.keys``.
    """

    kek_file: str | None = None
    kek_variable: Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9_]{0,63}$")] | None = None
    pkcs11: TokenSettings | None = None

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if sum(each is not None for each in (self.kek_file, self.kek_variable, self.pkcs11)) > 1:
            raise BrokenRuleError(
                Bilingual(
                    fr="kek_file, kek_variable et pkcs11 s'excluent : une plateforme n'a qu'une clé qui protège les "
                    "clés du contenu.",
                    en="kek_file, kek_variable and pkcs11 exclude each other: an exchange has one key-encryption key.",
                )
            )
        return self


class RetentionSettings(Section):
    """For how many days what is kept is kept.

    ``days_default`` an alert's content where no agreement under which it was passed on names a term; ``log_words_days``
    what the log's entries withhold and is no alert's: six years, as 45 CFR 164.528 has accountings kept.
    """

    days_default: int = Field(default=365, ge=1, le=36_525)
    log_words_days: int = Field(default=2_192, ge=1, le=36_525)
