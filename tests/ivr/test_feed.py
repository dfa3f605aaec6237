"""Who follows live calls, and what a slow one loses."""

from __future__ import annotations

import asyncio

import pytest

from ivr.feed import MOST, Feed, TooManyFollowers
from ivr.store import CallEvent


def event(number: int) -> CallEvent:
    return CallEvent(float(number), "step", {"step": str(number)})


async def test_one_call_or_all_are_followed_in_order():
    feed = Feed()
    with feed.follow("a") as one, feed.follow() as every:
        for number, call in enumerate("aba"):
            feed.tell(call, event(number))
        feed.close()
        assert [(call, told.at) async for call, told in one] == [("a", 0), ("a", 2)]
        assert [call async for call, _ in every] == ["a", "b", "a"]


async def test_who_waits_is_woken():
    feed = Feed()
    with feed.follow() as following:
        waiting = asyncio.create_task(anext(following))
        await asyncio.sleep(0)
        feed.tell("a", event(1))
        assert await asyncio.wait_for(waiting, 20) == ("a", event(1))


def test_a_slow_follower_loses_the_oldest_and_is_told_how_many():
    feed = Feed()
    with feed.follow(limit=2) as following:
        for number in range(5):
            feed.tell("a", event(number))
        assert ([told.at for _, told in following.take()], following.missed) == ([3, 4], 3)
        assert following.take() == []


def test_who_is_gone_is_told_nothing_and_leaves_nothing():
    feed = Feed()
    with feed.follow("a"), feed.follow("a"):
        pass
    feed.tell("a", event(1))
    assert not feed._of_call


def test_there_is_a_limit():
    feed = Feed()
    followers = [feed.follow() for _ in range(MOST)]
    for follower in followers:
        follower.__enter__()
    with pytest.raises(TooManyFollowers), feed.follow():
        pass
    followers[0].__exit__(None, None, None)
    with feed.follow():
        pass
