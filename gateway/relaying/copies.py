"""Each recipient's copy of an alert: the submission itself, or what the terms of its permit leave of it.

Of an SD-JWT the exchange drops disclosures, and the agency's own signature stays good. Of a compact JWS, and of an
SD-JWT that holds under its signature what is to be withheld, the exchange derives a copy and signs it itself. The same
dispatch always gets the same copy but for a signature that is not deterministic, so one that is published again is no
other message.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from threading import Lock
from typing import Final

from schemas.decisions import Terms, Withholding
from schemas.ids import AlertId, AlertType
from schemas.signing.jws import MalformedJwsError
from schemas.signing.keys import SigningKey
from schemas.signing.sd_jwt import NotSeparableError
from schemas.signing.strict_json import JsonError
from schemas.submission import Form, Submission, form_of, read_submission
from schemas.withholding.copies import (
    CopyForm,
    PresentedCopy,
    StillThereError,
    derive,
    sign_derived,
    sign_manifest,
    withhold_from,
)
from schemas.withholding.pseudonyms import Pseudonyms

KEPT: Final = 256
"""How many copies are kept, the last ones made."""
KEPT_BYTES: Final = 65_536
"""Bytes up to which a copy is kept."""


class NoCopyError(Exception):
    """No copy can be made that lacks what it must, so none may go out. The message is fixed and shows nothing."""


@dataclass(frozen=True, slots=True)
class Copy:
    """What goes to a recipient, its media type, and the signed manifest that goes beside it; "" for none."""

    content_type: str
    body: bytes
    manifest: str = ""


class Copies:
    """Makes copies under the exchange's ``key``; ``pseudonyms`` are its own.

    One copy costs tens of milliseconds, for what is withheld is searched for in all the rest; those made last are kept,
    for several recipients often have one on the same terms. Any thread may ask.
    """

    def __init__(self, *, key: SigningKey, pseudonyms: Pseudonyms) -> None:
        self._key = key
        self._pseudonyms = pseudonyms
        self._kept: dict[tuple[bytes, AlertId, tuple[Withholding, ...]], Copy] = {}
        self._turn = Lock()

    def of(self, data: bytes, *, alert_id: AlertId, alert_type: AlertType, terms: Terms) -> Copy:
        """Return the copy of a submission on these terms. Raises ``NoCopyError``."""
        name = hashlib.sha256(data).digest(), alert_id, terms.withholdings
        kept = self._kept.get(name)
        if kept is not None:
            return kept
        copy = self._made(data, alert_id, alert_type, terms)
        if len(copy.body) <= KEPT_BYTES:
            with self._turn:
                self._kept[name] = copy
                if len(self._kept) > KEPT:
                    del self._kept[next(iter(self._kept))]
        return copy

    def _made(self, data: bytes, alert_id: AlertId, alert_type: AlertType, terms: Terms) -> Copy:
        try:
            submission = read_submission(data)
            presented = self._presented(submission, alert_id, alert_type, terms)
            return presented or self._derived(submission, alert_id, alert_type, terms)
        except (MalformedJwsError, JsonError, StillThereError, KeyError, ValueError):
            raise NoCopyError(_NO_COPY) from None

    def _presented(self, submission: Submission, alert_id: AlertId, alert_type: AlertType, terms: Terms) -> Copy | None:
        """Return an SD-JWT with fewer disclosures; None where that can't be, or the submission is none."""
        if submission.form is not Form.SD_JWT:
            return None
        try:
            copy = withhold_from(
                submission.sd_jwt(),
                alert_type=alert_type,
                withholdings=terms.withholdings,
                alert_id=alert_id,
                original=submission.data,
            )
        except NotSeparableError:
            return None
        match copy:
            case None:
                return Copy(CopyForm.PRESENTED, submission.data)
            case PresentedCopy(sd_jwt=shown, manifest=manifest):
                return Copy(CopyForm.PRESENTED, shown, sign_manifest(manifest, key=self._key).decode("ascii"))

    def _derived(self, submission: Submission, alert_id: AlertId, alert_type: AlertType, terms: Terms) -> Copy:
        copy = derive(
            submission.document(),
            alert_type=alert_type,
            withholdings=terms.withholdings,
            alert_id=alert_id,
            original=submission.data,
            pseudonyms=self._pseudonyms,
        )
        if copy is None:
            return Copy(CopyForm.ORIGINAL, submission.data)
        return Copy(CopyForm.DERIVED, sign_derived(copy, key=self._key))


def whole(data: bytes) -> Copy:
    """Return a submission as the copy of it that lacks nothing."""
    return Copy(form_of(data), data)


_NO_COPY: Final = "copy: cannot be made"
