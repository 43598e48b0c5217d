"""Only a jurisdiction's own authority says who its agencies are, and what it said last and lawfully is what counts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from schemas.ids import AlertType, JurisdictionCode, KeyId, ParticipantId
from schemas.registry import Registry, may_send
from schemas.signing.canonical import canonical_plain_bytes
from schemas.signing.jws import AGREEMENT, STATEMENT, sign_compact
from schemas.signing.keys import SigningKey
from schemas.statements import (
    Jurisdiction,
    KeyRevocation,
    ParticipantStatement,
    Role,
    StatementError,
    VerifiedStatement,
    read_statement,
)
from schemas.timestamps import utc_text

T0 = datetime(2026, 1, 17, 12, tzinfo=UTC)
MS = timedelta(milliseconds=1)
SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)

QUEBEC = SigningKey.generate(KeyId("ca-qc.authority"), "Ed25519")
NEW_YORK = SigningKey.generate(KeyId("us-ny.authority"), "ES256")
SQ = SigningKey.generate(KeyId("ca-qc.sq.1"), "ES256")
SQ_NEXT = SigningKey.generate(KeyId("ca-qc.sq.2"), "Ed25519")
NYSP = SigningKey.generate(KeyId("us-ny.nysp.1"), "ES256")


def jurisdiction(code: str, *authorities: SigningKey) -> Jurisdiction:
    """Pin a jurisdiction."""
    return Jurisdiction.model_validate(
        {
            "code": code,
            "name": {"fr": code, "en": code},
            "authority_keys": [dict(key.public.jwk) for key in authorities],
        }
    )


PINNED = {
    JurisdictionCode("CA-QC"): jurisdiction("CA-QC", QUEBEC),
    JurisdictionCode("US-NY"): jurisdiction("US-NY", NEW_YORK),
}


def key_entry(key: SigningKey, *, start: datetime = T0, until: datetime = T0 + 100 * DAY) -> dict[str, Any]:
    """Write a key as a statement holds it."""
    return {"jwk": dict(key.public.jwk), "from": utc_text(start), "until": utc_text(until)}


def participant(**changes: object) -> dict[str, Any]:
    """Write the Sûreté's statement, with changes; None takes a member away."""
    statement: dict[str, object] = {
        "statement": "participant",
        "participant": "ca-qc.sq",
        "jurisdiction": "CA-QC",
        "name": {"fr": "Sûreté du Québec", "en": "Sûreté du Québec"},
        "roles": ["sender", "receiver"],
        "sends": ["law-enforcement/*"],
        "keys": [key_entry(SQ)],
        "hosts": ["alerts.sq.example"],
        "from": utc_text(T0),
        "until": utc_text(T0 + 100 * DAY),
        **changes,
    }
    return {name: value for name, value in statement.items() if value is not None}


def nysp(**changes: object) -> dict[str, Any]:
    """Write the New York State Police's statement, with changes."""
    own = {"participant": "us-ny.nysp", "jurisdiction": "US-NY", "keys": [key_entry(NYSP)]}
    return participant(**{**own, **changes})


def revocation(**changes: object) -> dict[str, Any]:
    """Write the revocation of the Sûreté's key, with changes."""
    return {
        "statement": "key-revocation",
        "participant": "ca-qc.sq",
        "kid": SQ.kid,
        "revoked_at": utc_text(T0 + DAY),
        "reason": {"fr": "Clé perdue", "en": "Key lost"},
        **changes,
    }


def signed(document: dict[str, Any], *, by: SigningKey = QUEBEC, at: datetime = T0) -> bytes:
    """Sign a statement."""
    return sign_compact(canonical_plain_bytes(document), key=by, profile=STATEMENT, iat=int(at.timestamp()))


def verified(document: dict[str, Any], *, by: SigningKey = QUEBEC, at: datetime = T0) -> VerifiedStatement:
    """Sign a statement and read it back as the registry does."""
    return read_statement(signed(document, by=by, at=at), PINNED)


def registry(*statements: VerifiedStatement) -> Registry:
    """Build a registry."""
    return Registry.of(PINNED, statements)


def refusal(compact: bytes) -> str:
    """Return the English reason that a signed statement is refused with."""
    with pytest.raises(StatementError) as refused:
        read_statement(compact, PINNED)
    return refused.value.reason.en


def not_taken(known: Registry, statement: VerifiedStatement) -> str:
    """Return the English reason that a registry refuses a statement with."""
    with pytest.raises(StatementError) as refused:
        known.with_statement(statement)
    return refused.value.reason.en


def test_the_own_authoritys_statement_is_read() -> None:
    """A statement under the participant's own authority comes back with who signed it and when."""
    read = verified(participant(), at=T0 + 500 * MS)
    assert isinstance(read.statement, ParticipantStatement)
    assert read.statement.roles == (Role.SENDER, Role.RECEIVER)
    assert read.statement.keys[0].kid == SQ.kid
    assert (read.issued_at, read.authority_kid) == (T0, QUEBEC.kid)


def test_any_of_a_jurisdictions_authority_keys_may_sign() -> None:
    """A jurisdiction may pin several authority keys, for a change of keys; each one counts."""
    second = SigningKey.generate(KeyId("ca-qc.authority.2"), "ES256")
    pinned = {JurisdictionCode("CA-QC"): jurisdiction("CA-QC", QUEBEC, second)}
    for key in (QUEBEC, second):
        assert read_statement(signed(participant(), by=key), pinned).authority_kid == key.kid


def test_another_jurisdictions_authority_does_not_count() -> None:
    """New York's authority cannot register or revoke for Québec, whatever the statement says of its jurisdiction."""
    assert "own jurisdiction" in refusal(signed(participant(), by=NEW_YORK))
    assert "own jurisdiction" in refusal(signed(revocation(), by=NEW_YORK, at=T0 + DAY))
    assert "must begin with" in refusal(signed(participant(jurisdiction="US-NY"), by=NEW_YORK))
    assert "must begin with" in refusal(signed(participant(participant="us-ny.sq"), by=QUEBEC))


def test_unpinned_keys_are_refused_alike() -> None:
    """A stranger's key, a participant's own key and a key that borrows an authority's name get one answer."""
    stranger = SigningKey.generate(KeyId("x.authority"), "Ed25519")
    borrowed = SigningKey.generate(QUEBEC.kid, "Ed25519")
    answers = {refusal(signed(participant(), by=key)) for key in (stranger, borrowed, SQ)}
    assert answers == {"No pinned authority key signed this statement."}


def test_another_kind_of_jws_is_no_statement() -> None:
    """What the authority signed as an agreement is not taken as a statement."""
    payload = canonical_plain_bytes(participant())
    assert "typ" in refusal(sign_compact(payload, key=QUEBEC, profile=AGREEMENT, iat=int(T0.timestamp())))
    assert refusal(b"not a jws")


@pytest.mark.parametrize(
    ("document", "place"),
    [
        (participant(statement="membership"), "The member statement"),
        (participant(statement=None), "The member statement"),
        (participant(extra=1), "/extra: "),
        (participant(roles=[]), "/roles: "),
        (participant(roles=["sender", "sender"]), "/roles: "),
        (participant(roles=["operator"]), "/roles/0: "),
        (participant(sends=["*"]), "/sends/0: "),
        (participant(sends="law-enforcement/*"), "/sends: "),
        (participant(hosts=["https://x"]), "/hosts/0: "),
        (participant(hosts=None), "/hosts: "),
        (participant(name={"fr": "x"}), "/name/en: "),
        (participant(until=utc_text(T0)), "The end must come after"),
        (participant(until="2027-01-01"), "/until: "),
        (participant(keys=[key_entry(SQ, until=T0)]), "/keys/0: "),
        (participant(keys=[{**key_entry(SQ), "jwk": {**SQ.to_jwk()}}]), "/keys/0/jwk: This key contains its private"),
        (participant(keys=[key_entry(SQ), key_entry(SQ)]), "Two keys have the same kid"),
        (participant(participant="ca-qc"), "/participant: "),
        (revocation(kid="a b"), "/kid: "),
        (revocation(reason="lost"), "/reason: "),
        (revocation(revoked_at=None), "/revoked_at: "),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_malformed_statement_is_refused_at_its_place(document: dict[str, Any], place: str) -> None:
    """Even under the right signature a statement must be one, and the reason says where it is not."""
    assert refusal(signed(document, at=T0 + DAY)).startswith(place)


def test_a_payload_that_is_no_object_is_refused() -> None:
    """Signed bytes that are not JSON, and JSON that is no object, are no statement."""
    for payload in (b"", b"[]", b'{"statement":"participant","statement":"participant"}'):
        assert refusal(sign_compact(payload, key=QUEBEC, profile=STATEMENT, iat=int(T0.timestamp())))


def test_a_revocation_can_not_be_dated_after_its_signature() -> None:
    """It counts at once: the second of the signature is the latest; a later end is a new statement's ``until``."""
    at = T0 + DAY
    within_the_second = verified(revocation(revoked_at=utc_text(at + 999 * MS)), at=at)
    assert isinstance(within_the_second.statement, KeyRevocation)
    assert "at once" in refusal(signed(revocation(revoked_at=utc_text(at + SECOND)), at=at))


def test_an_unknown_key_is_not_trusted() -> None:
    """Nobody is trusted in an empty registry, and no kid but the registered one in another."""
    assert registry().trusted_key(SQ.kid, T0) is None
    assert registry(verified(participant())).trusted_key(KeyId("ca-qc.sq.9"), T0) is None


def test_a_registered_key_is_trusted_with_its_holder() -> None:
    """The key comes back with the statement that it stands in."""
    found = registry(verified(participant())).trusted_key(SQ.kid, T0)
    assert found is not None
    assert found[0].participant == "ca-qc.sq"
    assert found[1] == SQ.public


@pytest.mark.parametrize("of_the_key", [True, False])
def test_windows_open_at_from_and_close_before_until(of_the_key: bool) -> None:  # noqa: FBT001 - pytest gives it
    """To the millisecond, for the key's window and for its statement's: from is inside, until is not."""
    start, until = T0 + DAY, T0 + 2 * DAY
    narrow = {"from": utc_text(start), "until": utc_text(until)}
    document = participant(keys=[key_entry(SQ, start=start, until=until)]) if of_the_key else participant(**narrow)
    known = registry(verified(document))
    assert known.trusted_key(SQ.kid, start - MS) is None
    assert known.trusted_key(SQ.kid, start) is not None
    assert known.trusted_key(SQ.kid, until - MS) is not None
    assert known.trusted_key(SQ.kid, until) is None


def test_windows_in_another_offset_are_the_same_instants() -> None:
    """What counts is the instant, in whichever zone the clock gives it."""
    known = registry(verified(participant()))
    assert known.trusted_key(SQ.kid, (T0 - MS).astimezone()) is None
    assert known.trusted_key(SQ.kid, T0.astimezone()) is not None


def test_a_newer_statement_replaces_the_older_one_whole() -> None:
    """Keys, roles and hosts are those of the newest statement; a key that it leaves out is trusted no more."""
    newer = participant(keys=[key_entry(SQ_NEXT)], roles=["auditor"], hosts=[])
    before = registry(verified(participant()))
    after = before.with_statement(verified(newer, at=T0 + SECOND))
    assert after.trusted_key(SQ.kid, T0) is None
    assert after.trusted_key(SQ_NEXT.kid, T0) is not None
    current = after.participants[ParticipantId("ca-qc.sq")]
    assert (current.statement.roles, current.issued_at) == ((Role.AUDITOR,), T0 + SECOND)
    assert before.trusted_key(SQ.kid, T0) is not None


def test_an_older_statement_is_never_taken_again() -> None:
    """A replay of what was replaced, and another statement of the same second, are refused."""
    known = registry(verified(participant()), verified(participant(keys=[]), at=T0 + SECOND))
    assert "as new or newer" in not_taken(known, verified(participant()))
    assert "as new or newer" in not_taken(known, verified(participant(keys=[]), at=T0 + SECOND))
    assert "as new or newer" in not_taken(known, verified(participant(), at=T0 + SECOND))


def test_participants_are_independent() -> None:
    """One participant's newer statement neither replaces nor outdates another's."""
    known = registry(verified(participant(), at=T0 + DAY), verified(nysp(), by=NEW_YORK, at=T0))
    assert known.trusted_key(SQ.kid, T0) is not None
    assert known.trusted_key(NYSP.kid, T0) is not None


def test_a_kid_never_belongs_to_two_participants() -> None:
    """Neither the same key nor another one is registered under a kid that someone else has, or ever had."""
    key = SigningKey.generate(KeyId("of-nobody-in-particular"), "Ed25519")
    imitation = SigningKey.generate(key.kid, "ES256")
    known = registry(verified(participant(keys=[key_entry(key)])))
    without = known.with_statement(verified(participant(keys=[]), at=T0 + SECOND))
    for state in (known, without):
        for taken in (key, imitation):
            assert "another key" in not_taken(state, verified(nysp(keys=[key_entry(taken)]), by=NEW_YORK))


@pytest.mark.parametrize("kid", ["ca-qc.sq:2028", "CA-QC.anybody", QUEBEC.kid, NEW_YORK.kid])
def test_no_authority_takes_a_name_of_anothers(kid: str) -> None:
    """Whoever took first what another's next key will be called, or an authority's own name, would bar it for good."""
    key = SigningKey.generate(KeyId(kid), "Ed25519")
    assert "another jurisdiction's code" in refusal(signed(nysp(keys=[key_entry(key)]), by=NEW_YORK))


def test_a_kid_never_names_a_second_key() -> None:
    """A participant that changes its key gives it a new name, so that old signatures keep their meaning."""
    changed = SigningKey.generate(SQ.kid, "ES256")
    known = registry(verified(participant()))
    assert "another key" in not_taken(known, verified(participant(keys=[key_entry(changed)]), at=T0 + SECOND))


def test_a_revoked_key_is_trusted_before_and_not_from_its_revocation_on() -> None:
    """The instant of revocation is already outside, to the millisecond."""
    known = registry(verified(participant()), verified(revocation(), at=T0 + DAY))
    assert known.trusted_key(SQ.kid, T0 + DAY - MS) is not None
    assert known.trusted_key(SQ.kid, T0 + DAY) is None
    assert known.trusted_key(SQ.kid, T0 + 50 * DAY) is None


def test_a_revocation_is_for_good() -> None:
    """A newer statement that names the revoked key again does not bring it back."""
    known = registry(
        verified(participant()),
        verified(revocation(), at=T0 + DAY),
        verified(participant(keys=[key_entry(SQ), key_entry(SQ_NEXT)]), at=T0 + 2 * DAY),
    )
    assert known.trusted_key(SQ.kid, T0 + 3 * DAY) is None
    assert known.trusted_key(SQ_NEXT.kid, T0 + 3 * DAY) is not None


def test_a_key_that_was_left_out_can_still_be_revoked() -> None:
    """A key that is no longer registered may turn out to be stolen; it does not come back afterwards."""
    known = registry(verified(participant()), verified(participant(keys=[]), at=T0 + SECOND))
    known = known.with_statement(verified(revocation(), at=T0 + DAY))
    known = known.with_statement(verified(participant(), at=T0 + 2 * DAY))
    assert known.trusted_key(SQ.kid, T0 + 3 * DAY) is None


def test_a_revocation_must_name_the_participants_own_key() -> None:
    """An unknown key and another participant's are not revoked, and a revoked one not again."""
    known = registry(verified(participant()), verified(nysp(), by=NEW_YORK))
    at = T0 + DAY
    assert "no such key" in not_taken(known, verified(revocation(kid="ca-qc.sq.9"), at=at))
    assert "no such key" in not_taken(known, verified(revocation(kid=NYSP.kid), at=at))
    assert known.trusted_key(NYSP.kid, at) is not None
    revoked = known.with_statement(verified(revocation(), at=at))
    assert "already" in not_taken(revoked, verified(revocation(revoked_at=utc_text(T0)), at=at))


def test_building_refuses_what_taking_would_refuse() -> None:
    """A registry is built in the order in which statements were taken, by the same rules."""
    with pytest.raises(StatementError):
        registry(verified(participant(), at=T0 + SECOND), verified(participant()))
    with pytest.raises(StatementError):
        registry(verified(revocation(), at=T0 + DAY), verified(participant()))


def test_a_registry_does_not_change() -> None:
    """Nobody adds a participant or a jurisdiction behind the registry's back."""
    known = registry(verified(participant()))
    for mapping in (known.jurisdictions, known.participants, known.keys, known.owners):
        with pytest.raises(TypeError):
            mapping["x"] = None  # type: ignore[index]  # what must fail


@pytest.mark.parametrize(
    ("patterns", "allowed"),
    [
        ([], False),
        (["law-enforcement/*"], True),
        (["public-health/*"], False),
        (["law-enforcement/stolen-vehicle/v1"], True),
        (["law-enforcement/stolen-vehicle/v2"], False),
        (["law-enforcement/stolen-vehicle/v11"], False),
        (["law/*", "law-enforcement-special/*"], False),
        (["public-health/*", "law-enforcement/stolen-vehicle/v1"], True),
    ],
    ids=str,
)
def test_a_participant_sends_what_its_statement_names(patterns: list[str], allowed: bool) -> None:  # noqa: FBT001 - pytest gives it
    """A whole type or a whole domain; nothing where nothing is named."""
    assert may_send(patterns, AlertType("law-enforcement/stolen-vehicle/v1")) is allowed


def test_a_jurisdiction_is_written_as_it_is_read() -> None:
    """The pinned document survives the store: JSON out, and the same jurisdiction in."""
    pinned = PINNED[JurisdictionCode("CA-QC")]
    document = pinned.model_dump(mode="json")
    assert document["authority_keys"] == [dict(QUEBEC.public.jwk)]
    assert Jurisdiction.model_validate(document) == pinned


def test_a_statement_is_written_as_it_is_read() -> None:
    """A model of a statement gives back the members that were signed, ``from`` under its own name."""
    for document in (participant(), revocation()):
        model = ParticipantStatement if document["statement"] == "participant" else KeyRevocation
        assert model.model_validate(document).model_dump(mode="json") == document


@pytest.mark.parametrize(
    "changes", [{"authority_keys": []}, {"code": "Québec"}, {"name": "Québec"}, {"parent": "Canada"}, {"x": 1}], ids=str
)
def test_a_jurisdiction_needs_a_code_a_name_and_an_authority(changes: dict[str, object]) -> None:
    """Without a pinned key nobody could speak for a jurisdiction, and it is refused."""
    document = PINNED[JurisdictionCode("CA-QC")].model_dump(mode="json")
    with pytest.raises(ValidationError):
        Jurisdiction.model_validate({**document, **changes})


def test_a_replaced_key_keeps_what_it_signed() -> None:
    """A key of a replaced statement is trusted for nothing new, and known for what it signed until then.

    So is the same key's older window where the newer statement holds it for a later one.
    """
    older = verified(participant(keys=[key_entry(SQ), key_entry(SQ_NEXT)]), at=T0)
    newer = verified(participant(keys=[key_entry(SQ_NEXT, start=T0 + 9 * DAY)]), at=T0 + DAY)
    known = registry(older, newer)
    for kid in (SQ.kid, SQ_NEXT.kid):
        assert known.trusted_key(kid, T0) is None
        assert known.trusted_key(kid, T0 + DAY) is None
        assert known.key_at(kid, T0 + DAY) is None
        found = known.key_at(kid, T0 + DAY - MS)
        assert found is not None
        assert found[0].participant == "ca-qc.sq"
    assert known.key_at(SQ_NEXT.kid, T0 + 9 * DAY) == known.trusted_key(SQ_NEXT.kid, T0 + 9 * DAY) is not None
    assert known.key_at(SQ.kid, T0 - MS) is None
    assert [(held.key.kid, held.end) for held in known.superseded_of(ParticipantId("ca-qc.sq"))] == [
        (SQ.kid, T0 + DAY),
        (SQ_NEXT.kid, T0 + DAY),
    ]


def test_a_replaced_key_that_is_revoked_signed_nothing() -> None:
    """Whoever found it can date what he signs; so it is listed no more and known for no instant."""
    newer = verified(participant(keys=[key_entry(SQ_NEXT)]), at=T0 + DAY)
    revoked = registry(verified(participant()), newer).with_statement(verified(revocation(), at=T0 + 2 * DAY))
    assert revoked.key_at(SQ.kid, T0) is None
    assert revoked.superseded_of(ParticipantId("ca-qc.sq")) == ()


def whose_roles(known: Registry, at: datetime) -> tuple[Role, ...] | None:
    """Return the roles of the statement that says whose the Sûreté's key was; None where none does."""
    found = known.key_at(SQ.kid, at)
    return None if found is None else found[0].roles


def test_the_past_is_judged_by_the_statement_that_stood_then() -> None:
    """A newer statement about the same key ends the older one's window at its signature, and begins there itself."""
    older, newer = participant(roles=["sender"]), participant(roles=["auditor"])
    known = registry(verified(older), verified(newer, at=T0 + 2 * DAY), verified(participant(), at=T0 + 4 * DAY))
    assert whose_roles(known, T0) == (Role.SENDER,)
    assert whose_roles(known, T0 + 2 * DAY - MS) == (Role.SENDER,)
    assert whose_roles(known, T0 + 2 * DAY) == (Role.AUDITOR,)
    assert whose_roles(known, T0 + 4 * DAY - MS) == (Role.AUDITOR,)
    assert whose_roles(known, T0 + 4 * DAY) == (Role.SENDER, Role.RECEIVER)
    windows = [(held.first, held.end) for held in known.superseded_of(ParticipantId("ca-qc.sq"))]
    assert windows == [(T0, T0 + 2 * DAY), (T0 + 2 * DAY, T0 + 4 * DAY)]


def test_a_key_that_was_dropped_is_not_given_the_time_in_between() -> None:
    """A later statement that names a dropped key again, from the beginning, trusts it from its own signature on."""
    known = registry(
        verified(participant()),
        verified(participant(keys=[key_entry(SQ_NEXT)]), at=T0 + DAY),
        verified(participant(), at=T0 + 3 * DAY),
    )
    assert known.key_at(SQ.kid, T0 + DAY - MS) is not None
    assert known.key_at(SQ.kid, T0 + DAY) is None
    assert known.key_at(SQ.kid, T0 + 3 * DAY - MS) is None
    assert known.key_at(SQ.kid, T0 + 3 * DAY) is not None


@pytest.mark.parametrize("until", [T0 + DAY, T0 + 50 * DAY])
def test_no_hindsight_changes_how_long_a_key_counted(until: datetime) -> None:
    """A newer statement neither begins a key earlier than the older one did, nor ends it before its own signature."""
    older = participant(keys=[key_entry(SQ, start=T0 + DAY)])
    newer = participant(keys=[key_entry(SQ, start=T0, until=until)])
    known = registry(verified(older), verified(newer, at=T0 + 2 * DAY))
    assert known.key_at(SQ.kid, T0 + DAY - MS) is None
    assert known.key_at(SQ.kid, T0 + DAY) is not None
    assert known.key_at(SQ.kid, T0 + 2 * DAY - MS) is not None
    assert (known.key_at(SQ.kid, T0 + 2 * DAY) is not None) == (until > T0 + 2 * DAY)


def test_a_newer_statement_counts_at_once_whatever_its_clock_said() -> None:
    """What it drops is refused, what it names is trusted, from the moment it is known: its clock may be ahead."""
    known = registry(verified(participant()), verified(participant(keys=[key_entry(SQ_NEXT)]), at=T0 + DAY + SECOND))
    assert known.trusted_key(SQ.kid, T0 + DAY) is None
    assert known.trusted_key(SQ_NEXT.kid, T0 + DAY) is not None
    again = known.with_statement(verified(participant(), at=T0 + 2 * DAY))
    assert again.trusted_key(SQ.kid, T0 + 2 * DAY - SECOND) is not None
