"""How far a group has come in a partition, against a model: the longest run of done records from the first."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bus.kafka.progress import PartitionProgress


@given(
    gaps=st.lists(st.integers(min_value=1, max_value=3), min_size=1, max_size=12),
    order=st.permutations(range(12)),
    known=st.integers(min_value=0, max_value=12),
)
def test_nothing_is_committed_before_all_earlier_ones_are_done(gaps: list[int], order: list[int], known: int) -> None:
    """Whatever the order of done, and wherever offsets have gaps, a commit never passes a record that is in hand."""
    offsets = [sum(gaps[: place + 1]) for place in range(len(gaps))]
    progress = PartitionProgress()
    for offset in offsets:
        progress.handed_out(offset)
    done: set[int] = set()
    for place in [each for each in order if each < len(offsets)][:known]:
        progress.done(offsets[place])
        progress.done(offsets[place])
        done.add(offsets[place])
        run = 0
        while run < len(offsets) and offsets[run] in done:
            run += 1
        assert progress.committable == (offsets[run - 1] + 1 if run else None)
        assert progress.settled == (run == len(offsets))


def test_what_was_committed_is_not_committed_again() -> None:
    """Once an offset is committed there is nothing to commit until more is done."""
    progress = PartitionProgress()
    for offset in (5, 6):
        progress.handed_out(offset)
    progress.done(5)
    assert progress.committable == 6
    progress.committed(6)
    assert progress.committable is None
    progress.done(6)
    assert progress.committable == 7


def test_offsets_that_do_not_rise_are_of_another_log() -> None:
    """A record at or before the last that was handed out is noticed, also once all are done and committed."""
    progress = PartitionProgress()
    assert progress.precedes(0)
    progress.handed_out(5)
    progress.done(5)
    progress.committed(6)
    assert progress.precedes(6)
    assert not progress.precedes(5)
    assert not progress.precedes(0)
