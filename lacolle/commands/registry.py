"""Who takes part in an exchange, read from its folder; no private key is needed for that."""

from __future__ import annotations

from pathlib import Path

from gateway.settings.exchange import Files
from lacolle import folder
from schemas.registry import Registry


def read_registry(path: Path) -> Registry:
    """Return the registry that a folder's ``jurisdictions.yaml`` and ``statements`` make, as the exchange reads them.

    Raises ``ConfigurationError``.
    """
    return folder.read_registry(path, Files())
