"""Whole numbers in a query: one spelling each, so that nobody between a client and this exchange reads another number.

Python and pydantic read ``1_0``, `` 1``, ``+1``, ``01`` and the digits of other scripts as numbers, too.
"""

from __future__ import annotations

import re
from typing import Annotated, Final

from pydantic import BeforeValidator, Field

_LIMIT: Final = (1 << 53) - 1
_CANONICAL: Final = re.compile(r"0|[1-9][0-9]{0,15}")


def _spelled(value: object) -> object:
    if isinstance(value, str) and _CANONICAL.fullmatch(value) is None:
        raise ValueError("not a whole number in canonical decimal digits")
    return value


canonical_number: Final = BeforeValidator(_spelled)
"""What makes a parameter one of these numbers, within whatever bounds."""
Index = Annotated[int, Field(ge=0, le=_LIMIT), canonical_number]
"""A place in the log, from 0; in ASCII digits without sign, space, separator or leading zero."""
Size = Annotated[int, Field(ge=1, le=_LIMIT), canonical_number]
"""A number of entries, from 1; spelled as an ``Index`` is."""
