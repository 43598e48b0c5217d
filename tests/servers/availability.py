"""What becomes of a test whose server can't be had: it skips with the reason, and fails in CI."""

from __future__ import annotations

import os
from typing import NoReturn

import pytest


def unavailable(reason: str) -> NoReturn:
    """Skip the test with one line of reason; fail it under ``CI=true``."""
    line = " ".join(reason.split())
    if os.environ.get("CI") == "true":
        pytest.fail(line, pytrace=False)
    pytest.skip(line)
