"""How many calls a trunk may have, and how many in a minute."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.leg import Cause, HungUp
from sip.lines import BUSY_RETRY_S, Lines
from sip.pacing import Bucket, Buckets, per_minute
from sip.stack import TrunkBusy
from sip.trunks import Trunk
from tests.sip.agents import agent, event, until

LOCAL = ("127.0.0.0/8",)


def test_a_bucket_gives_its_burst_at_once_and_then_its_rate() -> None:
    bucket = Bucket(3, 2.0)
    assert [bucket.take(10.0) for _ in range(3)] == [0.0, 0.0, 0.0]
    assert bucket.take(10.0) is None
    assert bucket.wait_s(10.0) == 0.5
    assert bucket.take(10.1, patience_s=1.0) == pytest.approx(0.4)
    assert bucket.take(10.5) is None  # the token of 10.5 is promised away
    assert bucket.take(11.0) == 0.0
    assert [bucket.take(1000.0) is not None for _ in range(4)] == [True, True, True, False]


@given(
    count=st.integers(1, 400),
    gaps=st.lists(st.floats(0.0, 20.0), min_size=1, max_size=600),
)
def test_no_minute_has_more_than_its_calls(count: int, gaps: list[float]) -> None:
    bucket = per_minute(count)
    now, passed = 0.0, []
    for gap in gaps:
        now += gap
        while bucket.take(now) is not None:
            passed.append(now)
    assert all(sum(start <= at < start + 59.999 for at in passed) <= count for start in passed)


def test_two_hundred_a_minute_are_spread_but_all_pass() -> None:
    bucket = per_minute(200)
    passed = [at for at in range(6000) for _ in range(3) if bucket.take(at / 100) is not None]
    assert len(passed) == 200
    assert sum(at < 100 for at in passed) < 25


def test_of_many_keys_the_one_not_seen_for_longest_is_forgotten() -> None:
    buckets: Buckets[str] = Buckets(1, 0.1, size=2)
    assert buckets.take("a", 0.0)
    assert not buckets.take("a", 1.0)
    assert buckets.empty("a", 1.0)
    assert not buckets.empty("b", 1.0)
    assert buckets.take("b", 1.0)
    assert buckets.take("c", 1.0)
    assert len(buckets) == 2
    assert buckets.take("a", 1.0)


def test_the_lines_of_a_trunk() -> None:
    lines = Lines({"t": Trunk(max_calls=2), "paced": Trunk(calls_per_minute=1, invites_per_minute=1)})
    assert lines.place("t", 0.0) == 0.0
    assert lines.invited("t", 0.0) is None
    lines.take("t")
    assert lines["t"] == 2
    assert lines.wait_s("t", 0.0) == lines.invited("t", 0.0) == BUSY_RETRY_S
    with pytest.raises(TrunkBusy, match="has its 2 calls"):
        lines.place("t", 0.0)
    lines.give_back("t")
    assert lines.wait_s("t", 0.0) is None

    assert lines.place("paced", 0.0) == 0.0
    with pytest.raises(TrunkBusy, match="for this minute") as busy:
        lines.place("paced", 20.0)
    assert busy.value.retry_s == lines.wait_s("paced", 20.0) == 41
    assert lines["paced"] == 1
    assert lines.place("paced", 59.5) == pytest.approx(0.5)  # waits for its turn
    assert lines.invited("paced", 0.0) is None
    assert lines.invited("paced", 30.0) == 31


async def test_calls_beyond_the_pace_are_told_when_to_come_again() -> None:
    paced = Trunk(allow=LOCAL, calls_per_minute=1)
    async with agent(trunk=paced) as a, agent() as b:
        assert a.ua.wait_s("peer") is None
        leg = await a.call(b.uri())
        await b.called()
        with pytest.raises(TrunkBusy) as busy:
            await a.call(b.uri())
        assert 50 < busy.value.retry_s <= 60
        assert a.ua.calls("peer") == 1
        await leg.hang_up()
        await until(leg, HungUp)


async def test_a_flood_of_invites_from_a_trunk_gets_503() -> None:
    async with agent() as a, agent(trunk=Trunk(allow=LOCAL, invites_per_minute=1)) as b:
        first = await a.call(b.uri())
        await b.called()
        second = await a.call(b.uri())
        found = await until(second, HungUp)
        assert (found.cause, found.code) == (Cause.UNAVAILABLE, 503)
        await first.hang_up()
        await event(first, HungUp)
