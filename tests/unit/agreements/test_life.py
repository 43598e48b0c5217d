"""The life of an agreement: a truth table of its states, and what no order of steps can bring about."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agreements.book import Book, ConflictingVersionsError
from agreements.decide import decide
from agreements.life import State, StepRefusedError
from agreements.reasons import Code
from agreements.signed import VerifiedAgreement, agreement_bytes, read_signed
from agreements.snapshot import Snapshot
from agreements.steps import LoggedStep, StepKind
from schemas.ids import JurisdictionCode
from schemas.signing.jws import join_signatures
from tests.unit.agreements.builders import (
    EVERYONE,
    ME,
    NOW,
    NY,
    NYSP,
    QC,
    SQ,
    VSP,
    VT,
    Json,
    agreement,
    alert,
    candidates,
    document,
    grant,
    info,
    jurisdictions,
    ref,
    signature,
    step,
    verified,
)

BILATERAL = verified(document())
OPEN = verified(
    document(
        grant("1", to=["US-NY", "US-VT", "US-ME"]),
        {**grant("2", to=["CA-QC"]), "from": ["US-ME"]},
        id="open.test",
        parties=["CA-QC", "US-NY", "US-VT"],
        accession=["US-ME"],
    )
)
LATER = NOW + timedelta(hours=12)


def book(about: VerifiedAgreement, *steps: LoggedStep) -> Book:
    """Return the book of an agreement and the steps taken since."""
    made = Book.of([about])
    for each in steps:
        made = made.with_step(each)
    return made


def state(made: Book, about: VerifiedAgreement = BILATERAL, *, now: datetime = LATER) -> State:
    """Return the state of an agreement at an instant."""
    name = about.document.id, about.document.version
    return Snapshot.under(candidates(*EVERYONE), made).state(name, now)


def of(about: VerifiedAgreement, *said: tuple[str, JurisdictionCode]) -> list[LoggedStep]:
    """Return steps about an agreement, a minute apart."""
    return [step(kind, party, minute, of=about) for minute, (kind, party) in enumerate(said)]


STATES: list[tuple[list[tuple[str, JurisdictionCode]], State]] = [
    ([], State.IN_FORCE),
    ([("suspension", QC)], State.SUSPENDED),
    ([("suspension", NY)], State.SUSPENDED),
    ([("suspension", QC), ("resumption", QC)], State.SUSPENDED),
    ([("suspension", QC), ("resumption", NY)], State.SUSPENDED),
    ([("suspension", QC), ("resumption", QC), ("resumption", NY)], State.IN_FORCE),
    ([("suspension", QC), ("resumption", NY), ("resumption", QC)], State.IN_FORCE),
    ([("suspension", QC), ("suspension", NY), ("resumption", QC), ("resumption", NY)], State.IN_FORCE),
    ([("suspension", QC), ("resumption", QC), ("suspension", NY), ("resumption", NY)], State.SUSPENDED),
    ([("suspension", QC), ("resumption", NY), ("suspension", NY), ("resumption", QC)], State.SUSPENDED),
    ([("withdrawal", QC)], State.ENDED),
    ([("suspension", QC), ("withdrawal", NY)], State.ENDED),
]


@pytest.mark.parametrize(("said", "expected"), STATES)
def test_the_states_of_a_bilateral_agreement(said: list[tuple[str, JurisdictionCode]], expected: State) -> None:
    """Any party suspends or ends it alone; only all of them, after the last suspension, resume it."""
    assert state(book(BILATERAL, *of(BILATERAL, *said))) is expected


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (datetime(2025, 12, 31, 23, 59, 59, tzinfo=UTC), State.SIGNED),
        (datetime(2026, 1, 1, tzinfo=UTC), State.IN_FORCE),
        (datetime(2026, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC), State.IN_FORCE),
        (datetime(2027, 1, 1, tzinfo=UTC), State.EXPIRED),
    ],
)
def test_the_states_that_time_brings(now: datetime, expected: State) -> None:
    """A version is in force from the first instant of its validity, and no longer at its last."""
    assert state(book(BILATERAL), now=now) is expected


def test_a_state_is_of_its_instant() -> None:
    """What came later does not change what was said of an instant before, to the millisecond."""
    steps = of(BILATERAL, ("suspension", QC), ("suspension", NY), ("resumption", QC), ("resumption", NY))
    made = Snapshot.under(candidates(NYSP), book(BILATERAL, *steps))
    moment = timedelta(milliseconds=1)
    said = {
        NOW - moment: Code.GRANTED,
        NOW: Code.SUSPENDED,
        steps[3].at - moment: Code.SUSPENDED,
        steps[3].at: Code.GRANTED,
    }
    for now, code in said.items():
        (decision,) = decide(alert(info()), made, now, reached={})
        assert decision.reason.code == code
    for now, by in ((NOW, QC), (steps[1].at - moment, QC), (steps[1].at, NY)):
        (decision,) = decide(alert(info()), made, now, reached={})
        assert dict(decision.reason.arguments)["by"] == by


def test_a_version_that_is_replaced_says_so() -> None:
    """From the first instant of the version that replaces it, whatever became of that one."""
    valid = {"from": "2026-06-02T00:00:00Z", "until": "2027-01-01T00:00:00Z"}
    both = Book.of([BILATERAL, verified(document(version=2, valid=valid))])
    assert state(both, now=NOW) is State.IN_FORCE
    assert state(both, now=datetime(2026, 6, 2, tzinfo=UTC)) is State.REPLACED
    lapse = Snapshot.under((), both).lapse(ref(), SQ, NYSP, datetime(2026, 6, 2, tzinfo=UTC))
    assert lapse is not None
    assert lapse.code == Code.REPLACED


REFUSED: list[list[tuple[str, JurisdictionCode]]] = [
    [("resumption", QC)],
    [("suspension", VT)],
    [("withdrawal", VT)],
    [("accession", VT)],
    [("accession", QC)],
    [("suspension", QC), ("resumption", NY), ("resumption", NY)],
    [("withdrawal", QC), ("suspension", NY)],
    [("withdrawal", QC), ("withdrawal", NY)],
]


@pytest.mark.parametrize("said", REFUSED)
def test_steps_that_have_no_place(said: list[tuple[str, JurisdictionCode]]) -> None:
    """Strangers state nothing, nobody resumes what runs, and what is over stays over."""
    *before, last = of(BILATERAL, *said)
    made = book(BILATERAL, *before)
    with pytest.raises(StepRefusedError):
        made.with_step(last)


def test_a_step_again_changes_nothing() -> None:
    """A statement counts once, whenever it comes again: a suspension that was lifted stays lifted."""
    steps = of(BILATERAL, ("suspension", QC), ("resumption", QC), ("resumption", NY))
    made = book(BILATERAL, *steps)
    for each in steps:
        assert made.with_step(LoggedStep(each.verified, LATER)) is made


def test_an_older_statement_does_not_count() -> None:
    """Of one party's statements a later one stands, and a resumption lifts no suspension that was signed after it."""
    early = step("suspension", QC, -5)
    late = step("suspension", QC, 0)
    with pytest.raises(StepRefusedError):
        book(BILATERAL, late).with_step(early)
    with pytest.raises(StepRefusedError):
        book(BILATERAL, late).with_step(step("resumption", NY, -1))


def test_a_statement_is_about_one_document() -> None:
    """Another version, another agreement or another text of the same name is not what was meant."""
    other = verified(document(grant("9")))
    for stranger in (step("suspension", QC, 0, version=2), step("suspension", QC, 0, of=other)):
        with pytest.raises(StepRefusedError):
            book(BILATERAL).with_step(stranger)


def test_nothing_changes_what_has_expired() -> None:
    """A statement that reaches the log after the last instant is refused."""
    with pytest.raises(StepRefusedError):
        book(BILATERAL).with_step(step("suspension", QC, 366 * 24 * 60))


def decisions(made: Book, now: datetime, sender: str = SQ) -> dict[str, str]:
    """Return the code of every decision on a warning, by recipient."""
    under = Snapshot.under(candidates(*EVERYONE), made)
    return {each.recipient: each.reason.code for each in decide(alert(info(), sender=sender), under, now, reached={})}


def test_a_withdrawal_from_many_is_between_one_and_the_others() -> None:
    """Nothing passes to or from whom has left; the others go on, and the last but one ends it for all."""
    (first,) = of(OPEN, ("withdrawal", NY))
    after = decisions(book(OPEN, first), LATER)
    assert (after[NYSP], after[VSP]) == (Code.ENDED, Code.GRANTED)
    assert decisions(book(OPEN, first), first.at - timedelta(milliseconds=1))[NYSP] == Code.GRANTED
    both = book(OPEN, first, step("withdrawal", VT, 1, of=OPEN))
    assert state(both, OPEN) is State.ENDED
    assert set(decisions(both, LATER).values()) <= {Code.ENDED, Code.NO_GRANT_AT_HOME}


def test_an_accession_needs_nobody_else() -> None:
    """Whom the document names becomes a party by its own statement, from that instant, both ways, and once."""
    (joining,) = of(OPEN, ("accession", ME))
    before, after = book(OPEN), book(OPEN, joining)
    assert decisions(before, LATER)["us-me.msp"] == Code.NOT_ACCEDED
    assert decisions(after, LATER)["us-me.msp"] == Code.GRANTED
    assert decisions(after, joining.at - timedelta(milliseconds=1))["us-me.msp"] == Code.NOT_ACCEDED
    assert decisions(before, LATER, "us-me.msp")[SQ] == Code.NOT_ACCEDED
    assert decisions(after, LATER, "us-me.msp")[SQ] == Code.GRANTED
    with pytest.raises(StepRefusedError):
        after.with_step(step("accession", ME, 1, of=OPEN))
    left = after.with_step(step("withdrawal", ME, 1, of=OPEN))
    with pytest.raises(StepRefusedError):
        left.with_step(step("accession", ME, 2, of=OPEN))


def test_an_open_agreement_binds_two_only_where_both_are_bound() -> None:
    """Before it accedes a jurisdiction has no agreement in force with anybody."""
    (joining,) = of(OPEN, ("accession", ME))
    assert Snapshot.under((), book(OPEN)).binding(QC, ME, LATER) == ()
    assert Snapshot.under((), book(OPEN, joining)).binding(QC, ME, LATER) == ("open.test/1",)


def test_who_acceded_must_sign_what_replaces_it() -> None:
    """A version that leaves out a jurisdiction that has acceded is refused, and so is an accession to one replaced."""
    (joining,) = of(OPEN, ("accession", ME))
    without = document(id="open.test", version=2, parties=["CA-QC", "US-NY", "US-VT"])
    with pytest.raises(ConflictingVersionsError):
        book(OPEN, joining).with_agreement(verified(without))
    with pytest.raises(StepRefusedError):
        book(OPEN).with_agreement(verified(without)).with_step(joining)
    gone = step("withdrawal", ME, 1, of=OPEN)
    assert len(book(OPEN, joining, gone).with_agreement(verified(without)).chapters) == 2


def test_a_step_holds_for_the_versions_that_wait() -> None:
    """A suspension or a withdrawal is not undone by a successor that was signed before it, but by one signed after."""
    valid = {"from": "2026-06-02T00:00:00Z", "until": "2027-01-01T00:00:00Z"}
    second = verified(document(version=2, valid=valid))
    (suspended,) = of(BILATERAL, ("suspension", QC))
    waiting = Book.of([BILATERAL, second]).with_step(suspended)
    after = datetime(2026, 6, 3, tzinfo=UTC)
    assert state(waiting, second, now=after) is State.SUSPENDED
    assert state(book(BILATERAL, suspended).with_agreement(second), second, now=after) is State.IN_FORCE
    alone = Book.of([BILATERAL, second]).with_step(step("suspension", QC, 0, of=second))
    assert state(alone, BILATERAL, now=LATER - timedelta(hours=6)) is State.IN_FORCE
    for minute, party in enumerate((QC, NY), start=1):
        waiting = waiting.with_step(step("resumption", party, minute))
        alone_still = state(alone, second, now=after)
        assert alone_still is State.SUSPENDED
    assert state(waiting, second, now=after) is State.IN_FORCE


@pytest.mark.parametrize("order", list(permutations((QC, NY))))
def test_the_order_of_signatures_is_nothing(order: Sequence[JurisdictionCode]) -> None:
    """The parties sign in any order, and the document is the same; short of one signature it binds nobody."""
    payload = agreement_bytes(agreement(document()))
    signed = [signature(payload, party) for party in order]
    whole = read_signed(join_signatures(signed), jurisdictions())
    assert VerifiedAgreement(whole).signed.missing == ()
    with pytest.raises(ValueError, match="not signed"):
        VerifiedAgreement(read_signed(join_signatures(signed[:1]), jurisdictions()))


PARTIES = [QC, NY, VT, ME]
SAID = st.lists(
    st.tuples(st.sampled_from(["suspension", "resumption", "withdrawal", "accession"]), st.sampled_from(PARTIES)),
    max_size=12,
)


@given(SAID)
def test_no_path_leads_around_a_party(said: list[tuple[str, JurisdictionCode]]) -> None:
    """Whatever is stated in whatever order: after a suspension nothing passes before all who are bound have said so.

    Nobody is bound who neither signed nor acceded, and whom has left never is again.
    """
    made, resuming, running = book(OPEN), set[JurisdictionCode](), False
    left, joined = set[JurisdictionCode](), {QC, NY, VT}
    for each in of(OPEN, *said):
        kind, party = each.step.step, each.step.party
        try:
            made = made.with_step(each)
        except StepRefusedError:
            continue
        match kind:
            case StepKind.SUSPENSION:
                running, resuming = True, set()
            case StepKind.RESUMPTION:
                resuming.add(party)
            case StepKind.WITHDRAWAL:
                left.add(party)
            case StepKind.ACCESSION:
                joined.add(party)
        running = running and not resuming >= joined - left
    life = made.chapters[OPEN.document.id, 1].life
    expected = State.ENDED if len(joined - left) < 2 else State.SUSPENDED if running else State.IN_FORCE
    assert state(made, OPEN) is expected
    assert life.bound == (set() if expected is State.ENDED else joined - left)


def test_a_value_of_closed_says_nothing_new() -> None:
    """Documents from before accession keep their bytes, and one that says it is closed has the same."""
    value: Json = document()
    assert agreement_bytes(agreement({**value, "accession": "closed"})) == agreement_bytes(agreement(value))
    assert b"accession" not in agreement_bytes(agreement(value))
    with pytest.raises(ValueError, match="already"):
        agreement({**value, "accession": ["CA-QC"]})
    with pytest.raises(ValueError, match="at least one"):
        agreement({**value, "accession": []})
