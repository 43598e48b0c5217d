"""Lacolle: an exchange of signed alerts between jurisdictions. ``from lacolle import Client`` sends and reads them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lacolle.client import Client

__all__ = ["Client"]


def __getattr__(name: str) -> object:
    """Load what is asked for when it is asked for (PEP 562), so that ``import lacolle`` costs nothing."""
    if name == "Client":
        from lacolle.client import Client  # noqa: PLC0415 - that is the point

        return Client
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
