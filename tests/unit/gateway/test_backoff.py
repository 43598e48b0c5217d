"""When a delivery is tried again: never at once, ever later up to the cap, never sooner than the partner asked."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.backoff import LONGEST_WISH, Backoff

ATTEMPTS = st.integers(1, 1_000_000)
FRACTIONS = st.floats(0, 1, exclude_max=True)
BACKOFFS = st.builds(Backoff, base=st.floats(0.01, 86_400), cap=st.floats(0.01, 604_800))


@given(backoff=BACKOFFS, attempt=ATTEMPTS, fraction=FRACTIONS)
def test_the_delay_is_in_the_upper_half_of_its_interval(backoff: Backoff, attempt: int, fraction: float) -> None:
    """The interval doubles with each attempt up to the cap; nothing is retried in its first half, nothing after it."""
    delay = backoff.delay(attempt=attempt, fraction=fraction, retry_after=None)
    interval = min(backoff.cap, backoff.base * 2 ** min(attempt - 1, 64))
    assert interval / 2 <= delay <= interval


@given(backoff=BACKOFFS, attempt=ATTEMPTS, fraction=FRACTIONS)
def test_a_later_attempt_never_has_a_shorter_interval(backoff: Backoff, attempt: int, fraction: float) -> None:
    """With the same dice, the next attempt waits at least as long."""
    now, then = (backoff.delay(attempt=each, fraction=fraction, retry_after=None) for each in (attempt, attempt + 1))
    assert then >= now


@given(backoff=BACKOFFS, attempt=ATTEMPTS, fraction=FRACTIONS, wish=st.floats(0, allow_infinity=False))
def test_a_partner_s_wish_is_a_lower_bound_within_a_day(
    backoff: Backoff, attempt: int, fraction: float, wish: float
) -> None:
    """Retry-After counts where it is longer than the backoff, and no more than a day of it."""
    own = backoff.delay(attempt=attempt, fraction=fraction, retry_after=None)
    assert backoff.delay(attempt=attempt, fraction=fraction, retry_after=wish) == max(own, min(wish, LONGEST_WISH))


@given(backoff=BACKOFFS, fractions=st.tuples(FRACTIONS, FRACTIONS))
def test_the_dice_spread_the_retries(backoff: Backoff, fractions: tuple[float, float]) -> None:
    """The larger the fraction, the later the retry: partners that come back are not met by everything at once."""
    low, high = sorted(fractions)
    assert backoff.delay(attempt=3, fraction=low, retry_after=None) <= backoff.delay(
        attempt=3, fraction=high, retry_after=None
    )
    ends = [backoff.delay(attempt=3, fraction=fraction, retry_after=None) for fraction in (0.0, 0.5)]
    assert ends[0] < ends[1]
