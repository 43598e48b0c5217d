"""The rate limit: a participant's burst, then its rate, and nobody else's."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import RateLimitedError
from gateway.intake.ratelimit import Rate, RateLimiter
from tests.unit.gateway.ground import NYSP, SQ

STEPS = st.lists(st.floats(0, 10), max_size=60)


def taken(limiter: RateLimiter, times: list[float]) -> int:
    """Return how many of these moments' submissions were let through."""
    through = 0
    for now in times:
        try:
            limiter.take(SQ, now=now)
        except RateLimitedError:
            continue
        through += 1
    return through


def moments(steps: list[float]) -> list[float]:
    """Return the moments that lie these steps apart."""
    times = [0.0]
    for step in steps:
        times.append(times[-1] + step)
    return times


def test_a_burst_and_then_the_rate() -> None:
    """As many as the burst go at once; then one each time the rate allows, and its error says when."""
    limiter = RateLimiter(Rate(per_second=2.0, burst=3))
    for _ in range(3):
        limiter.take(SQ, now=10.0)
    with pytest.raises(RateLimitedError) as limited:
        limiter.take(SQ, now=10.0)
    assert limited.value.retry_after == pytest.approx(0.5)
    limiter.take(SQ, now=10.5)
    with pytest.raises(RateLimitedError):
        limiter.take(SQ, now=10.9)
    limiter.take(SQ, now=11.0)


def test_buckets_are_each_participant_s_own() -> None:
    """One participant that uses up its rate leaves another's untouched."""
    limiter = RateLimiter(Rate(per_second=1.0, burst=1))
    limiter.take(SQ, now=0.0)
    limiter.take(NYSP, now=0.0)
    with pytest.raises(RateLimitedError):
        limiter.take(SQ, now=0.0)


@given(steps=STEPS, per_second=st.floats(0.01, 100), burst=st.integers(1, 50))
def test_never_more_than_burst_and_rate_together(steps: list[float], per_second: float, burst: int) -> None:
    """Over any span no more goes through than a full bucket and what the rate adds to it."""
    times = moments(steps)
    assert taken(RateLimiter(Rate(per_second, burst)), times) <= burst + (times[-1] - times[0]) * per_second + 1e-6


@given(steps=st.lists(st.floats(0.5, 10), max_size=40), burst=st.integers(1, 5))
def test_whoever_keeps_to_the_rate_is_never_refused(steps: list[float], burst: int) -> None:
    """Submissions no closer together than the rate allows all go through, even with the smallest bucket."""
    times = moments(steps)
    assert taken(RateLimiter(Rate(per_second=2.001, burst=burst)), times) == len(times)


@given(steps=STEPS, per_second=st.floats(0.01, 100), burst=st.integers(1, 5))
def test_the_wait_that_is_named_suffices(steps: list[float], per_second: float, burst: int) -> None:
    """Whoever waits as long as it was told gets through."""
    limiter = RateLimiter(Rate(per_second, burst))
    refused: list[tuple[float, float]] = []
    for now in moments(steps):
        try:
            limiter.take(SQ, now=now)
        except RateLimitedError as limited:
            refused.append((now, limited.retry_after))
            break
    for now, retry_after in refused:
        limiter.take(SQ, now=now + retry_after * (1 + 1e-6) + 1e-6)


def test_a_refusal_costs_nothing() -> None:
    """Whoever is refused again and again is let through when it would have been otherwise."""
    limiter = RateLimiter(Rate(per_second=1.0, burst=1))
    assert taken(limiter, [0.0, 0.1, 0.2, 0.3, 0.999, 1.0, 1.5, 2.0]) == 3
