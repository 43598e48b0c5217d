"""Where the program's log lines go: standard error, or a file; JSON for programs, words for people."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import TextIO

import structlog


def write_logs(*, as_json: bool, file: Path | None = None, level: str = "info") -> None:
    """Send log lines of ``level`` and above to ``file``, or to standard error; as JSON where asked, or nobody watches.

    What belongs to an alert names it in ``alert_id``, in every role: one id, or those of all that went together.
    """
    stream: TextIO = sys.stderr if file is None else file.open("a", encoding="utf-8", buffering=1)
    for_program = as_json or not stream.isatty()
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer() if for_program else structlog.dev.ConsoleRenderer()
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(stream),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=logging.WARNING, handlers=[_ToStructlog()], force=True)


class _ToStructlog(logging.Handler):
    """Passes on what libraries log: the event's name and an exception's class, never their message's arguments."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record of another library as one of ours."""
        error = record.exc_info[0].__name__ if record.exc_info and record.exc_info[0] else None
        structlog.get_logger(record.name).warning(str(record.msg), library=record.name, error=error)
