"""Text that the parties sign: nothing in it is hidden, and nothing reorders it."""

from __future__ import annotations

from typing import Annotated, Final, TypeAlias

from pydantic import StringConstraints

HIDDEN: Final = (
    r"\x00-\x09\x0B-\x1F\x7F-\x9F"
    r"\u00AD\u034F\u061C\u115F\u1160\u17B4\u17B5\u180B-\u180F\u200B-\u200F\u2028-\u202E\u2060-\u206F\u3164"
    r"\uFE00-\uFE0F\uFEFF\uFFA0\uFFF0-\uFFFB\U0001BCA0-\U0001BCA3\U0001D173-\U0001D17A\U000E0000-\U000E0FFF"
)
"""Control characters and those that reorder or hide text: who signs must see what is there.

Besides C0 and C1 the ``Default_Ignorable_Code_Point`` of Unicode, U+2028 and U+2029, and the interlinear annotations.
"""

Prose: TypeAlias = Annotated[
    str, StringConstraints(max_length=8_000, pattern=rf"^[^{HIDDEN}]*[^{HIDDEN}\s][^{HIDDEN}]*$")
]
