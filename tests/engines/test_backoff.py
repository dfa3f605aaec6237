"""Waits double up to a limit, start anew after a reset, and differ between workers."""

from __future__ import annotations

import random

from engines.backoff import Backoff


def test_waits_double_up_to_the_limit() -> None:
    backoff = Backoff(first_s=0.5, most_s=3.0, jitter=0.0)
    assert [backoff.next() for _ in range(5)] == [0.5, 1.0, 2.0, 3.0, 3.0]
    backoff.reset()
    assert backoff.next() == 0.5


def test_jitter_shortens_by_its_share_at_most() -> None:
    backoff = Backoff(first_s=1.0, most_s=1.0, jitter=0.3, draw=random.Random(7))
    waits = [backoff.next() for _ in range(100)]
    assert 0.7 <= min(waits) < 0.75
    assert 0.95 < max(waits) <= 1.0
