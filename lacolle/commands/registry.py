"""Who takes part in an exchange, read from its folder; no private key is needed for that."""

from __future__ import annotations

from pathlib import Path

from lacolle.commands.inputs import InputError, read_input
from lacolle.folder import read_jurisdictions
from schemas.bilingual import Bilingual
from schemas.registry import Registry, StatementError, read_statement


def read_registry(folder: Path) -> Registry:
    """Return the registry that a folder's ``jurisdictions.yaml`` and ``statements`` make.

    Raises ``ConfigurationError`` and ``InputError``.
    """
    jurisdictions = {each.code: each for each in read_jurisdictions(folder / "jurisdictions.yaml")}
    registry = Registry.of(jurisdictions, ())
    for path in sorted((folder / "statements").glob("*.jws")):
        try:
            registry = registry.with_statement(read_statement(read_input(path).strip(), jurisdictions))
        except StatementError as error:
            raise InputError(Bilingual(fr=f"{path} : {error.reason.fr}", en=f"{path}: {error.reason.en}")) from None
    return registry
