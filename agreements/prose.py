"""Text that the parties sign: nothing in it is hidden, and nothing reorders it."""

from __future__ import annotations

from typing import Annotated, Final, TypeAlias

from pydantic import StringConstraints

_HIDDEN: Final = r"\x00-\x09\x0B-\x1F\x7F-\x9F\u200B-\u200F\u202A-\u202E\u2060-\u206F\uFEFF"
"""Control characters and those that reorder or hide text: who signs must see what is there."""

Prose: TypeAlias = Annotated[
    str, StringConstraints(max_length=8_000, pattern=rf"^[^{_HIDDEN}]*[^{_HIDDEN}\s][^{_HIDDEN}]*$")
]
