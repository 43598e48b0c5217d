"""What a partner believes of a copy in each form, with real keys, and what it refuses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

import pytest

from lacolle.client.copies import ConsumedAlert, trusted_copy
from lacolle.client.forms import CopyNotTrustedError
from lacolle.client.senders import Owner, SenderUnknownError
from lacolle.commands.consumed import consumed, consumed_document
from schemas.bilingual import Bilingual
from schemas.decisions import Treatment
from schemas.ids import AlertId, AlertType, KeyId, ParticipantId
from schemas.parcels import Parcel
from schemas.signing.keys import PublicKey, SigningKey
from schemas.withholding.copies import CopyForm
from tests.unit.adapters.copies import (
    AGENCY,
    EXCHANGE,
    UNDER,
    derived,
    disclosed,
    identifying,
    named,
    original,
    presented,
    wanted_person,
)
from tests.unit.bus.parcels import identifier

NYSP = ParticipantId("us-ny.nysp")
FORGED_AGENCY = SigningKey.generate(AGENCY.kid, "ES256")
FORGED_EXCHANGE = SigningKey.generate(EXCHANGE.kid, "Ed25519")
DOCUMENT = wanted_person()
WITHHELD = identifying(DOCUMENT)


class Senders:
    """Knows one agency's key, and another's that is revoked."""

    def find(self, kid: KeyId, *, at: datetime) -> Owner | None:
        """Return whose a key is."""
        match kid:
            case AGENCY.kid:
                return NYSP, AGENCY.public
            case "revoked":
                return None
            case _:
                raise SenderUnknownError(Bilingual(fr=f"Inconnue : {at}.", en=f"Unknown: {at}."))


def exchange() -> Mapping[KeyId, PublicKey]:
    """Return the exchange's keys."""
    return {EXCHANGE.kid: EXCHANGE.public}


def nobody() -> Mapping[KeyId, PublicKey]:
    """Fail where the exchange's keys are asked for."""
    raise AssertionError("the exchange's keys were asked for")


def trusted(parcel: Parcel) -> ConsumedAlert:
    """Return what a partner believes."""
    return trusted_copy(parcel, Senders(), exchange=exchange)


@pytest.mark.parametrize("parcel", [original(DOCUMENT), disclosed(DOCUMENT)])
def test_what_lacks_nothing_is_the_senders_own_word(parcel: Parcel) -> None:
    """An original and a whole SD-JWT are verified by the sender's key alone, and say all that the sender said."""
    alert = trusted_copy(parcel, Senders(), exchange=nobody)
    assert (alert.document, alert.manifest, alert.undisclosed) == (DOCUMENT, None, 0)
    assert (alert.form, alert.submission) == (parcel.content_type, parcel.body)


def test_a_derived_copy_is_the_exchanges_word() -> None:
    """A derived copy is verified by the exchange's key, and its manifest names the clause of what is not there."""
    alert = trusted(derived(DOCUMENT, WITHHELD))
    assert alert.form is CopyForm.DERIVED
    assert alert.manifest is not None
    assert {each.under for each in alert.manifest.withheld} == {str(UNDER)}
    assert "name" not in alert.document["body"]["person"]  # type: ignore[call-overload,index,operator]  # an object


def test_a_presented_copy_is_the_senders_word_with_the_exchanges_beside_it() -> None:
    """The sender's own signature is on what is there, the exchange's on what is not; both are kept."""
    parcel = presented(DOCUMENT, WITHHELD)
    alert = trusted(parcel)
    assert (alert.form, alert.manifest_jws) == (CopyForm.PRESENTED, parcel.manifest)
    assert alert.manifest is not None
    assert "/body/person/name" in {each.pointer for each in alert.manifest.withheld}
    assert alert.undisclosed == 0
    assert "name" not in alert.document["body"]["person"]  # type: ignore[call-overload,index,operator]  # an object


def test_digests_that_nothing_answers_to_are_told() -> None:
    """A sender may have put decoys among its digests, and a broker may have taken something: the reader is told."""
    alert = trusted(disclosed(DOCUMENT, decoys=2))
    assert alert.undisclosed > 0
    assert any("leurres" in line.fr for line in consumed(alert) if isinstance(line, Bilingual))


def _untrusted() -> dict[str, Parcel]:
    copy, shown, whole = derived(DOCUMENT, WITHHELD), presented(DOCUMENT, WITHHELD), original(DOCUMENT)
    other = presented(DOCUMENT, named(["/body/person/birthDate"]))
    another_alert = AlertId(identifier(2, 99))
    return {
        "a key that only borrows the sender's name": original(DOCUMENT, FORGED_AGENCY),
        "the same for an SD-JWT": disclosed(DOCUMENT, FORGED_AGENCY),
        "the same for one that lacks something": presented(DOCUMENT, WITHHELD, agency=FORGED_AGENCY),
        "a key that only borrows the exchange's name": derived(DOCUMENT, WITHHELD, FORGED_EXCHANGE),
        "a manifest by such a key": presented(DOCUMENT, WITHHELD, exchange=FORGED_EXCHANGE),
        "a revoked key": original(DOCUMENT, SigningKey.generate(KeyId("revoked"), "ES256")),
        "a manifest of other bytes": replace(shown, manifest=other.manifest),
        "bytes of another manifest": replace(shown, body=other.body),
        "disclosures that were taken out on the way": replace(shown, body=_with_fewer(shown.body)),
        "a manifest of another alert": replace(shown, alert_id=another_alert),
        "a derived copy of another alert": replace(copy, alert_id=another_alert),
        "a manifest of nothing": replace(whole, manifest=shown.manifest),
        "two manifests": replace(copy, manifest=shown.manifest),
        "no manifest at all": replace(shown, manifest="é"),
        "one form for another": replace(copy, content_type=CopyForm.ORIGINAL),
        "the other way round": replace(whole, content_type=CopyForm.DERIVED),
        "an SD-JWT as an original": replace(shown, content_type=CopyForm.ORIGINAL, manifest=""),
        "a form that there is not": replace(whole, content_type="application/json"),
        "another sender": replace(whole, sender=ParticipantId("us-vt.vsp")),
        "another sender of a derived copy": replace(copy, sender=ParticipantId("us-vt.vsp")),
        "another type": replace(copy, alert_type=AlertType("law-enforcement/stolen-vehicle/v1")),
        "an exercise as the real thing": replace(shown, exercise=True),
    }


def _with_fewer(sd_jwt: bytes) -> bytes:
    first, _, rest = sd_jwt.partition(b"~")
    return first + b"~" + rest.partition(b"~")[2]


@pytest.mark.parametrize("case", _untrusted())
def test_what_is_not_what_it_says_is_refused(case: str) -> None:
    """Nobody's signature, another's, another alert's, other bytes: refused by name, with a reason in both languages."""
    parcel = _untrusted()[case]
    with pytest.raises(CopyNotTrustedError) as refused:
        trusted(parcel)
    assert refused.value.name == parcel.delivery_id
    assert refused.value.reason.fr != refused.value.reason.en


@pytest.mark.parametrize("of", ["derived", "presented"])
def test_a_key_of_the_exchange_that_is_not_known_yet_waits(of: str) -> None:
    """Who has not learned the exchange's new key yet must not pass an alert over for good."""
    new = SigningKey.generate(KeyId("exchange.transport.2"), "Ed25519")
    parcel = derived(DOCUMENT, WITHHELD, new) if of == "derived" else presented(DOCUMENT, WITHHELD, exchange=new)
    with pytest.raises(SenderUnknownError, match="not among those known"):
        trusted(parcel)


def test_the_command_says_what_was_withheld_and_under_which_clause() -> None:
    """A person reads it in either language, a program as the manifest; a whole alert has no such lines."""
    reduced = (*named(["/body/person/birthDate"], Treatment.YEAR), *named(["/body/person/name"], Treatment.PSEUDONYM))
    lines = [
        line for line in consumed(trusted(derived(DOCUMENT, (*reduced, *WITHHELD)))) if isinstance(line, Bilingual)
    ]
    french, english = "\n".join(line.fr for line in lines), "\n".join(line.en for line in lines)
    assert "copie établie par la plateforme" in french
    assert f"/body/circumstances (1) : retenu selon {UNDER}, catégorie : identification d'une personne" in french
    assert f"/body/circumstances (1): withheld under {UNDER}, class: identifies a person" in english
    assert not any(
        "withheld" in line.en for line in consumed(trusted(original(DOCUMENT))) if isinstance(line, Bilingual)
    )


@pytest.mark.parametrize("treatment", Treatment)
def test_every_treatment_has_its_words(treatment: Treatment) -> None:
    """What was done to a value is said in words, whatever it was; the program gets the signed manifest too."""
    path = "/info/*/area/*" if treatment is Treatment.REGION else "/body/person/birthDate"
    alert = trusted(derived(DOCUMENT, named([path], treatment)))
    words = {"redact": "withheld", "pseudonym": "by a pseudonym", "year": "to the year", "region": "to the region"}
    assert any(words[treatment] in line.en for line in consumed(alert) if isinstance(line, Bilingual))
    document = consumed_document(alert)
    assert document["form"] == "application/redacted-alert+jws"
    assert document["manifest"]["withheld"][0]["under"] == str(UNDER)
    assert consumed_document(trusted(presented(DOCUMENT, WITHHELD)))["manifest_jws"]
