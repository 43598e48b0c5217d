"""The two forms in which a client signs an alert."""

from __future__ import annotations

import random
from typing import Any

import pytest

from lacolle.client.submissions import (
    SubmissionForm,
    TooLargeToSeparateError,
    document_in,
    form_for,
    media_type_of,
    signed_submission,
)
from schemas.alerts.catalogue import InvalidAlertError, alert_types
from schemas.ids import AlertType
from schemas.signing.jws import ALERT, read_compact, verify
from schemas.signing.keys import SigningKey
from schemas.signing.sd_jwt import read_sd_jwt, verify_sd_jwt
from schemas.signing.strict_json import JsonValue, parse_json
from tests.unit.adapters.copies import wanted_person
from tests.unit.lacolle.scripted import NOW
from tests.unit.schemas.alerts.samples import example


def signed(
    alert: dict[str, Any],
    key: SigningKey,
    form: SubmissionForm | None = None,
    *,
    seed: int = 7,
    unchecked: bool = False,
) -> bytes:
    """Return an alert signed, with randomness that repeats itself."""
    salts = random.Random(seed).randbytes  # noqa: S311 - salts of a test
    return signed_submission(alert, form=form, key=key, now=NOW, randomness=salts, unchecked=unchecked)


@pytest.mark.parametrize("alert_type", alert_types())
def test_every_type_is_signed_as_it_asks(alert_type: AlertType, agency_key: SigningKey) -> None:
    """Whatever the type, what is signed is the alert, whole, under the agency's key, in the form that its type asks."""
    alert = example(".".join(alert_type.split("/")[:2]))
    submission = signed(alert, agency_key)
    assert document_in(submission) == alert
    if form_for(alert) is SubmissionForm.SD_JWT:
        assert verify_sd_jwt(read_sd_jwt(submission), agency_key.public).document == alert
    else:
        assert parse_json(verify(read_compact(submission, ALERT), agency_key.public)) == alert


@pytest.mark.parametrize(
    ("alert_type", "form"),
    [
        ("law-enforcement/wanted-person/v1", SubmissionForm.SD_JWT),
        ("public-health/case-notification/v1", SubmissionForm.SD_JWT),
        ("emergency-management/public-warning/v1", SubmissionForm.JOSE),
        ("environment/air-quality/v1", SubmissionForm.JOSE),
        ("no/such-type/v1", SubmissionForm.JOSE),
    ],
)
def test_a_type_with_persons_in_it_is_signed_so_that_they_can_be_left_out(
    alert_type: str, form: SubmissionForm
) -> None:
    """Fields that identify a person, or tell of a person's health, ask for an SD-JWT; others for a plain signature."""
    assert form_for({"type": alert_type}) is form


@pytest.mark.parametrize(("form", "media_type"), [("jose", "application/jose"), ("sd-jwt", "application/alert+sd-jwt")])
def test_the_form_may_be_chosen(form: str, media_type: str, agency_key: SigningKey) -> None:
    """The form that is asked for is taken for any type, and its media type follows from the bytes."""
    for alert in (wanted_person(), example("emergency-management.public-warning")):
        submission = signed(alert, agency_key, SubmissionForm(form))
        assert media_type_of(submission) == media_type
        assert document_in(submission) == alert


def test_nobody_can_guess_what_a_digest_is_of(agency_key: SigningKey) -> None:
    """Signed again an alert says the same under other salts, so that digests of two copies tell nothing."""
    first, second = (signed(wanted_person(), agency_key, seed=seed) for seed in (1, 2))
    assert first.split(b"~")[0] != second.split(b"~")[0]
    assert set(first.split(b"~")[1:-1]).isdisjoint(second.split(b"~")[1:-1])
    assert document_in(first) == document_in(second)


@pytest.mark.parametrize("form", SubmissionForm)
def test_an_invalid_alert_is_signed_in_no_form(form: SubmissionForm, agency_key: SigningKey) -> None:
    """An alert that the exchange would refuse is refused here, unless the caller insists."""
    alert: dict[str, JsonValue] = {**wanted_person(), "status": "Perhaps"}
    with pytest.raises(InvalidAlertError):
        signed(alert, agency_key, form)
    assert document_in(signed(alert, agency_key, form, unchecked=True)) == alert


def test_what_has_too_many_parts_is_refused_in_words(agency_key: SigningKey) -> None:
    """An alert of more parts than a reader takes is not signed, and the reason says what to do."""
    alert = wanted_person()
    alert["info"][0]["area"] = [{"areaDesc": f"{number}"} for number in range(1_000)]
    alert["info"] = alert["info"][:1] * 5
    with pytest.raises(TooLargeToSeparateError, match="--form jose") as refused:
        signed(alert, agency_key)
    assert "--form jose" in refused.value.reason.fr
    assert document_in(signed(alert, agency_key, SubmissionForm.JOSE)) == alert
