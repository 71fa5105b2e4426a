"""Wilson's interval agrees with published figures and has its mathematical properties."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eduguard.evaluation.intervals import Share, count_needed


@st.composite
def shares(draw: st.DrawFn) -> Share:
    of = draw(st.integers(1, 10**7))
    return Share(count=draw(st.integers(0, of)), of=of)


@pytest.mark.parametrize(
    ("count", "of", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_the_intervals_are_those_of_newcombes_table(count: int, of: int, low: float, high: float) -> None:
    """R. G. Newcombe, Statistics in Medicine 17 (1998), table I, the score method without continuity correction."""
    share = Share(count=count, of=of)
    assert (round(share.low, 4), round(share.high, 4)) == (low, high)


def test_nothing_of_nothing_may_be_anything() -> None:
    share = Share(count=0, of=0)
    assert (share.rate, share.low, share.high) == (0.0, 0.0, 1.0)


@given(shares())
def test_the_counted_share_is_in_its_interval(share: Share) -> None:
    assert 0 <= share.low <= share.rate <= share.high <= 1


@given(shares())
def test_what_is_not_counted_has_the_mirrored_interval(share: Share) -> None:
    rest = Share(count=share.of - share.count, of=share.of)
    assert rest.low == pytest.approx(1 - share.high)
    assert rest.high == pytest.approx(1 - share.low)


@given(shares())
def test_one_more_moves_both_ends_up(share: Share) -> None:
    if share.count < share.of:
        more = Share(count=share.count + 1, of=share.of)
        assert more.low > share.low
        assert more.high > share.high or share.high == 1


@given(shares(), st.integers(2, 50))
def test_the_same_share_of_more_is_known_better(share: Share, times: int) -> None:
    more = Share(count=share.count * times, of=share.of * times)
    assert more.high - more.low < share.high - share.low


@given(st.floats(1e-6, 0.5))
def test_so_many_without_a_mistake_reach_the_goal_and_one_fewer_does_not(goal: float) -> None:
    needed = count_needed(goal)
    assert Share(count=0, of=needed).high <= goal + 1e-12
    assert Share(count=0, of=needed - 1).high > goal - 1e-12


def test_one_in_a_thousand_needs_3838_pairs() -> None:
    """It is 3.84 (the square of 1.96) times 999, rounded up."""
    assert count_needed(0.001) == 3838
