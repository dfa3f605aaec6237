import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.bench.stats import in_ms, percentile


def test_nearest_rank() -> None:
    ordered = list(range(1, 101))
    assert percentile(ordered, 0.5) == 50
    assert percentile(ordered, 0.99) == 99
    assert percentile(ordered, 1.0) == 100
    assert percentile([7], 0.01) == 7


def test_nothing_measured_is_told_as_none() -> None:
    assert in_ms([], "p50", "max") == {"p50": None, "max": None}
    with pytest.raises(ValueError, match="nothing"):
        percentile([], 0.5)


def test_nanoseconds_become_milliseconds() -> None:
    found = in_ms([3_000_000, 1_000_000, 2_000_000], "p50", "p95", "max")
    assert found == {"p50": 2.0, "p95": 3.0, "max": 3.0}


@given(st.lists(st.integers(0, 10**12), min_size=1), st.floats(0.0, 1.0))
def test_so_many_are_not_above_it(values: list[int], share: float) -> None:
    ordered = sorted(values)
    found = percentile(ordered, share)
    assert found in ordered
    assert sum(value <= found for value in ordered) >= share * len(ordered) - 1e-6
