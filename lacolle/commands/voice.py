"""How a command speaks: in one language, to a person or, with ``--json``, to a program."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson
import typer

from agreements.signed import UntrustedAgreementError
from agreements.written import InvalidAgreementError
from audit.errors import AuditError
from gateway.errors import StoreError
from gateway.settings.section import SettingsError
from lacolle.errors import LacolleError
from schemas.alerts.catalogue import Fault, InvalidAlertError
from schemas.bilingual import Bilingual, Language
from schemas.formats.cap import CapError
from schemas.located_yaml import YamlError
from schemas.signing.jws import MalformedJwsError
from schemas.signing.strict_json import JsonError

_LOCALE_VARIABLES: Final = ("LC_ALL", "LC_MESSAGES", "LANG")
"""In the order in which they count (POSIX.1-2017, Base Definitions, section 8.2)."""

EXPECTED: Final = (
    LacolleError,
    AuditError,
    SettingsError,
    StoreError,
    InvalidAlertError,
    CapError,
    InvalidAgreementError,
    UntrustedAgreementError,
    YamlError,
    MalformedJwsError,
    JsonError,
)
"""The errors that a command tells a person about; any other is a bug of ours, and shows as one."""


@dataclass(frozen=True, slots=True)
class Voice:
    """The language of what a command says, and whether its answer is JSON."""

    language: Language
    as_json: bool

    def answer(self, document: Mapping[str, Any], lines: Iterable[Bilingual | str]) -> None:
        """Say what came of a command: one JSON object for a program, the lines for a person."""
        if self.as_json:
            typer.echo(orjson.dumps(document).decode())
            return
        for line in lines:
            typer.echo(self.words(line))

    def json_text(self, document: Mapping[str, Any]) -> str:
        """Return a document as indented JSON, for a person to copy."""
        return orjson.dumps(document, option=orjson.OPT_INDENT_2).decode()

    def complain(self, error: Exception) -> None:
        """Say on standard error what went wrong and what to do about it; ``error`` is one of ``EXPECTED``."""
        for line in self._complaint(error):
            typer.echo(line, err=True)

    def mention(self, text: Bilingual) -> None:
        """Say on standard error what goes on meanwhile, also beside an answer in JSON."""
        typer.echo(self.words(text), err=True)

    def words(self, text: Bilingual | str) -> str:
        """Return a text in the command's language; a ``str`` belongs to both."""
        return text if isinstance(text, str) else text.in_language(self.language)

    def _complaint(self, error: Exception) -> Iterable[str]:
        match error:
            case InvalidAlertError(faults=faults) | CapError(faults=faults):
                yield self.words(_INVALID)
                yield from (self._fault(fault) for fault in faults)
            case InvalidAgreementError(errors=errors):
                yield from (each.in_language(self.language) for each in errors)
            case LacolleError() | YamlError():
                yield error.in_language(self.language)
            case (
                AuditError(reason=reason)
                | SettingsError(reason=reason)
                | StoreError(reason=reason)
                | UntrustedAgreementError(reason=reason)
                | MalformedJwsError(reason=reason)
            ):
                yield self.words(reason)
            case JsonError(reason=reason, pointer=pointer):
                yield self.words(reason) + ("" if pointer is None else f" ({pointer})")
            case _:
                raise error

    def _fault(self, fault: Fault) -> str:
        line = "" if fault.line is None else f" ({self.words(_LINE)} {fault.line})"
        return f"  {fault.pointer or '/'}{line}: {self.words(fault.message)}"


def machine_language() -> Language:
    """Return the language of the environment's locale: French for any French one, else English."""
    locale = next((os.environ[name] for name in _LOCALE_VARIABLES if os.environ.get(name)), "")
    return "fr" if locale.lower().startswith("fr") else "en"


def standard_input() -> bytes:
    """Return everything that comes on standard input."""
    return sys.stdin.buffer.read()


_LINE: Final = Bilingual(fr="ligne", en="line")
_INVALID: Final = Bilingual(
    fr="L'alerte n'est pas valide, et rien n'a été envoyé. Corrigez ces endroits :",
    en="The alert is not valid, and nothing was sent. Correct these places:",
)
