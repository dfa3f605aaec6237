"""Who waits how long when both sides change a session at once."""

from __future__ import annotations

import pytest

from sip.glare import crossed, retry_after, retry_s
from tests.sip.sip_parts import answer, request


def test_who_made_the_call_id_always_waits_longer() -> None:
    ours, theirs = [retry_s(True) for _ in range(200)], [retry_s(False) for _ in range(200)]
    assert all(2.1 <= pause <= 4.0 for pause in ours)
    assert all(0.0 <= pause <= 2.0 for pause in theirs)
    assert min(len(set(ours)), len(set(theirs))) > 10


@pytest.mark.parametrize(
    ("status", "extra", "again"),
    [(491, "", True), (500, "Retry-After: 3", True), (500, "", False), (488, "Retry-After: 3", False)],
)
def test_what_is_tried_again(status: int, extra: str, again: bool) -> None:
    assert crossed(status, answer(request(), status, extra=extra)) == again
    assert crossed(408, None) is False


def test_a_pause_is_asked_of_up_to_ten_seconds() -> None:
    values = {int(value) for _ in range(300) for name, value in retry_after() if name == "Retry-After"}
    assert values == set(range(11))
