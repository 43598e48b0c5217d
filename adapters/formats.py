"""A parcel in its partner's own format: one writer per format, each from a parcel to a message.

======  ==========================  ================  ==================  ============================================
name    media type                  schema            extension           what it is
======  ==========================  ================  ==================  ============================================
native  the parcel's own            the parcel's own  ``jws``/``sd-jwt``  the recipient's copy, byte for byte
cap     ``application/cap+xml``     CAP's namespace   ``xml``             CAP 1.2, made from what the copy says
======  ==========================  ================  ==================  ============================================

A parcel's copy has one of three forms (``schemas.withholding.copies.CopyForm``), and each format takes all of them.
What an SD-JWT lacks is told beside it in the native format; a CAP message tells itself what it lacks.

The signature of a submission was verified when the exchange accepted it; an adapter knows no keys and translates what
the exchange gave it.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Final, TypeAlias, assert_never

from adapters.contract import Message
from schemas.alerts.catalogue import InvalidAlertError, alert_types, parse_alert
from schemas.formats.cap import write_cap, write_cap_copy
from schemas.formats.cap_gaps import NotWritableError
from schemas.formats.cap_grammar import CAP_12
from schemas.parcels import Parcel
from schemas.signing.jws import ALERT, REDACTED_ALERT, WITHHOLDING, MalformedJwsError, read_compact
from schemas.signing.sd_jwt import assemble, read_sd_jwt
from schemas.signing.strict_json import JsonError, JsonValue, parse_json
from schemas.withholding.copies import CopyForm, form_of, read_derived, read_manifest
from schemas.withholding.manifest import Manifest


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
    """Return the copy itself, with the manifest that goes beside it."""
    return Message(
        parcel=parcel,
        content_type=parcel.content_type,
        data_schema=parcel.data_schema,
        extension=_EXTENSIONS[_form_of(parcel)],
        body=parcel.body,
        manifest=parcel.manifest,
    )


def cap(parcel: Parcel) -> Message:
    """Return the alert, or what the recipient may have of it, as CAP 1.2 XML."""
    try:
        body = _cap_of(parcel, _form_of(parcel))
    except (MalformedJwsError, JsonError, InvalidAlertError, NotWritableError):
        raise UntranslatableError(_NOT_CAP) from None
    return Message(parcel=parcel, content_type="application/cap+xml", data_schema=CAP_12, extension="xml", body=body)


def _cap_of(parcel: Parcel, form: CopyForm) -> bytes:
    match form:
        case CopyForm.ORIGINAL:
            return write_cap(parse_alert(parse_json(read_compact(parcel.body, ALERT).payload)))
        case CopyForm.DERIVED:
            copy = read_derived(read_compact(parcel.body, REDACTED_ALERT).payload)
            return _cap_of_copy(copy.alert, copy.manifest, parcel)
        case CopyForm.PRESENTED:
            unverified = read_sd_jwt(parcel.body)
            document, _, _ = assemble(unverified.jws.payload, unverified.disclosures)
            if not parcel.manifest:
                return write_cap(parse_alert(document))
            manifest = read_manifest(read_compact(parcel.manifest.encode(), WITHHOLDING).payload)
            return _cap_of_copy(document, manifest, parcel)
        case _:
            assert_never(form)


def _cap_of_copy(document: JsonValue, manifest: Manifest, parcel: Parcel) -> bytes:
    """Return a copy from which something is withheld, and which must be of the type that the parcel says."""
    match document:
        case dict() if document.get("type") == parcel.alert_type in alert_types():
            return write_cap_copy(document, manifest)
        case _:
            raise UntranslatableError(_NOT_CAP)


def _form_of(parcel: Parcel) -> CopyForm:
    try:
        return form_of(parcel.content_type)
    except ValueError:
        raise UntranslatableError("format: no form of a copy") from None


_NOT_CAP: Final = "format: cannot be written as cap"
_EXTENSIONS: Final = {CopyForm.ORIGINAL: "jws", CopyForm.DERIVED: "jws", CopyForm.PRESENTED: "sd-jwt"}
"""The first two are compact JWSs, which their ``typ`` tells apart."""
