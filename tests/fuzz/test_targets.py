"""A short run of every target; `make fuzz` is the long one."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.agent import left
from tests.fuzz.targets import TARGETS, inputs


@pytest.mark.parametrize("name", TARGETS)
def test_the_seeds_are_taken(name: str) -> None:
    target, starts = TARGETS[name]
    for start in starts:
        target(start)


@pytest.mark.parametrize("name", [name for name in TARGETS if name != "agent"])
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_changed_seeds_do_no_harm(name: str, data: st.DataObject) -> None:
    target, starts = TARGETS[name]
    target(data.draw(inputs(starts)))


def test_nothing_of_a_stranger_call_is_left() -> None:
    target, starts = TARGETS["agent"]

    @settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(data=inputs(starts))
    def fired(data: bytes) -> None:
        target(data)

    fired()
    left()
