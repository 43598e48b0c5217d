"""A parcel in its partner's own format: one writer per format, each from a parcel to a message.

======  ==========================  ================  =========  =====================================================
name    media type                  schema            extension  what it is
======  ==========================  ================  =========  =====================================================
native  the parcel's own            the parcel's own  ``jws``    the submission as the sender signed it, byte for byte
cap     ``application/cap+xml``     CAP's namespace   ``xml``    CAP 1.2, made from the submission's payload
======  ==========================  ================  =========  =====================================================

The signature of a submission was verified when the exchange accepted it; an adapter knows no keys and translates what
the exchange gave it.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import TypeAlias, assert_never

from adapters.contract import Message
from schemas.alerts.catalogue import InvalidAlertError, parse_alert
from schemas.formats.cap import write_cap
from schemas.formats.cap_grammar import CAP_12
from schemas.parcels import Parcel
from schemas.signing.jws import ALERT, MalformedJwsError, read_compact
from schemas.signing.strict_json import JsonError, parse_json


class Format(StrEnum):
    """The formats that a partner's profile may name."""

    NATIVE = "native"
    CAP = "cap"


class UntranslatableError(Exception):
    """The parcel can't be written in the partner's format, now or later. The message is fixed and shows nothing."""


Writer: TypeAlias = Callable[[Parcel], Message]
"""Returns a parcel in one format. Raises ``UntranslatableError``."""


def writer_of(name: Format) -> Writer:
    """Return the writer of a format."""
    match name:
        case Format.NATIVE:
            return native
        case Format.CAP:
            return cap
        case _:
            assert_never(name)


def native(parcel: Parcel) -> Message:
    """Return the submission itself."""
    return Message(
        parcel=parcel,
        content_type=parcel.content_type,
        data_schema=parcel.data_schema,
        extension="jws",
        body=parcel.body,
    )


def cap(parcel: Parcel) -> Message:
    """Return the alert as CAP 1.2 XML."""
    try:
        alert = parse_alert(parse_json(read_compact(parcel.body, ALERT).payload))
        body = write_cap(alert)
    except (MalformedJwsError, JsonError, InvalidAlertError):
        raise UntranslatableError("format: cannot be written as cap") from None
    return Message(parcel=parcel, content_type="application/cap+xml", data_schema=CAP_12, extension="xml", body=body)
