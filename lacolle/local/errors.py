"""What can go wrong when an engine is started here."""

from __future__ import annotations

from lacolle.errors import LacolleError


class LocalServerUnavailableError(LacolleError):
    """This machine lacks what the server is made of, and it can't be had."""


class LocalServerFailedError(LacolleError):
    """The server did not start, or not in time; its log says why."""
