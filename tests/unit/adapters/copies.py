"""A recipient's copies in their three forms, as the exchange makes them of an example, signed with real keys.

The same number makes the same parcel, as in ``tests.unit.bus.parcels``.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, Final

from schemas.alerts.catalogue import marked_paths
from schemas.decisions import Treatment, Withholding
from schemas.ids import AlertType, KeyId
from schemas.parcels import Parcel
from schemas.signing.canonical import canonical_bytes
from schemas.signing.jws import ALERT, sign_compact
from schemas.signing.keys import SigningKey
from schemas.signing.sd_jwt import read_sd_jwt, verify_sd_jwt
from schemas.signing.sd_jwt_issuing import issue
from schemas.withholding.copies import CopyForm, derive, sign_derived, sign_manifest, withhold_from
from schemas.withholding.disclosable import disclosable
from schemas.withholding.pseudonyms import Pseudonyms
from tests.unit.bus import parcels
from tests.unit.schemas.alerts.samples import example

Document = dict[str, Any]

AGENCY: Final = SigningKey.generate(KeyId("ca-qc.sq.2026-1"), "ES256")
EXCHANGE: Final = SigningKey.generate(KeyId("exchange.transport"), "Ed25519")
SIGNED_AT: Final = int(parcels.NOON.timestamp())
UNDER: Final = parcels.parcel().under
PSEUDONYMS: Final = Pseudonyms(bytes(32))


def wanted_person() -> Document:
    """Return the example whose body tells who somebody is."""
    return example("law-enforcement.wanted-person")


def identifying(document: Document, treatment: Treatment = Treatment.REDACT) -> tuple[Withholding, ...]:
    """Return what a clause withholds that names the class ``identifying``."""
    paths = marked_paths(AlertType(document["type"]), "identifying")
    return tuple(Withholding(path, treatment, "identifying", UNDER) for path in paths)


def named(paths: Iterable[str], treatment: Treatment = Treatment.REDACT) -> tuple[Withholding, ...]:
    """Return what a clause withholds that names paths."""
    return tuple(Withholding(path, treatment, "", UNDER) for path in paths)


def original(document: Document, key: SigningKey = AGENCY, *, number: int = 1) -> Parcel:
    """Return a parcel with the submission itself."""
    body = sign_compact(canonical_bytes(document), key=key, profile=ALERT, iat=SIGNED_AT)
    return _parcel(document, CopyForm.ORIGINAL, body, number)


def derived(
    document: Document, withholdings: Sequence[Withholding], key: SigningKey = EXCHANGE, *, number: int = 1
) -> Parcel:
    """Return a parcel with a copy that the exchange derived, which must lack something."""
    whole = original(document, number=number)
    copy = derive(
        document,
        alert_type=whole.alert_type,
        withholdings=withholdings,
        alert_id=whole.alert_id,
        original=whole.body,
        pseudonyms=PSEUDONYMS,
    )
    assert copy is not None
    return _parcel(document, CopyForm.DERIVED, sign_derived(copy, key=key), number)


def disclosed(
    document: Document, key: SigningKey = AGENCY, *, signed_at: int = SIGNED_AT, decoys: int = 0, number: int = 1
) -> Parcel:
    """Return a parcel with an SD-JWT and all of its disclosures; ``signed_at`` is in seconds since 1970."""
    body = issue(
        document,
        disclosable=disclosable(AlertType(document["type"])),
        key=key,
        iat=signed_at,
        randomness=random.Random(7).randbytes,  # noqa: S311 - salts of a test
        decoys=decoys,
    )
    return _parcel(document, CopyForm.PRESENTED, body, number)


def presented(
    document: Document,
    withholdings: Sequence[Withholding],
    *,
    agency: SigningKey = AGENCY,
    exchange: SigningKey = EXCHANGE,
    signed_at: int = SIGNED_AT,
    number: int = 1,
) -> Parcel:
    """Return a parcel with an SD-JWT that lacks something, and its manifest beside it."""
    whole = disclosed(document, agency, signed_at=signed_at, number=number)
    copy = withhold_from(
        verify_sd_jwt(read_sd_jwt(whole.body), agency.public),
        alert_type=whole.alert_type,
        withholdings=withholdings,
        alert_id=whole.alert_id,
        original=whole.body,
    )
    assert copy is not None
    manifest = sign_manifest(copy.manifest, key=exchange).decode()
    return replace(_parcel(document, CopyForm.PRESENTED, copy.sd_jwt, number), manifest=manifest)


def _parcel(document: Document, form: CopyForm, body: bytes, number: int) -> Parcel:
    return replace(
        parcels.parcel(number, body=body),
        sender=document["sender"],
        alert_type=AlertType(document["type"]),
        content_type=form,
        exercise=document["status"] != "Actual",
    )
