"""The E-model against figures that ITU-T publishes, and what must hold for every path."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.emodel import G711_CONCEALED, G711_PLAIN, Path, burst_ratio, delay_impairment, mos, rating


@pytest.mark.parametrize(
    ("r", "score"),
    [(0, 1.0), (50, 2.58), (60, 3.10), (70, 3.60), (80, 4.02), (90, 4.34), (93.2, 4.41), (100, 4.5)],
)
def test_the_opinion_scores_of_g107_table_b1(r, score):
    assert mos(r) == pytest.approx(score, abs=0.01)


def test_a_perfect_call_is_93_2():
    assert rating(Path(0.0, 0.0)) == 93.2
    assert mos(rating(Path(0.0, 20.0))) == pytest.approx(4.41, abs=0.005)


@pytest.mark.parametrize(
    ("delay_ms", "impairment"), [(100, 0.0), (150, 0.2), (200, 3.0), (300, 14.8), (400, 24.1)]
)
def test_delay_costs_nothing_up_to_100_ms_and_much_beyond_200(delay_ms, impairment):
    assert delay_impairment(delay_ms) == pytest.approx(impairment, abs=0.1)


@pytest.mark.parametrize(
    ("percent", "concealed", "plain"),
    [(1, 89.6, 75.3), (2, 86.2, 63.0), (5, 77.4, 42.1), (10, 66.1, 26.8)],
)
def test_loss_costs_what_ie_and_bpl_of_g113_say(percent, concealed, plain):
    path = Path(percent / 100, 0.0)
    assert rating(path, G711_CONCEALED) == pytest.approx(concealed, abs=0.1)
    assert rating(path, G711_PLAIN) == pytest.approx(plain, abs=1.0)


def test_loss_in_bursts_is_worse_than_the_same_at_random():
    assert rating(Path(0.05, 0.0, burst=2.0)) < rating(Path(0.05, 0.0)) - 1


def test_the_burst_ratio_is_one_for_single_losses_and_grows_with_runs():
    assert burst_ratio(lost=10, runs=10, expected=1000) == 1.0
    assert burst_ratio(lost=10, runs=2, expected=1000) == pytest.approx(4.95)
    assert burst_ratio(lost=0, runs=0, expected=1000) == 1.0


shares = st.floats(0, 1)
delays = st.floats(0, 5000)


@given(shares, shares, delays, delays, st.floats(1, 50))
def test_more_loss_or_delay_never_sounds_better(loss, more_loss, delay, more_delay, burst):
    better = Path(min(loss, more_loss), min(delay, more_delay), burst)
    worse = Path(max(loss, more_loss), max(delay, more_delay), burst)
    assert rating(worse) <= rating(better) + 1e-9
    assert 1.0 <= mos(rating(worse)) <= mos(rating(better)) + 1e-9 <= 4.5
