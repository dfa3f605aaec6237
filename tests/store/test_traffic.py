"""The traffic of a flow, counted in the store by hours."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from ivr.store import CallEvent, Ending, NewCall, Store, database_url
from ivr.store.traffic import HOUR_S, Counted, TrafficCounts
from ivr.traffic import Way
from media.leg import Direction

DAWN = 1_000 * float(HOUR_S)
NOW = DAWN + 10 * HOUR_S


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    store = await Store.open(database_url(tmp_path))
    yield store
    await store.close()


async def _call(
    store: Store,
    id: str,
    at: float,
    *events: tuple[str, dict[str, Any]],
    flow: str = "order",
    hash: str = "aa",
    direction: Direction = "inbound",
    ended: tuple[str, str] | None = ("normal", "us"),
) -> None:
    await store.create_call(NewCall(id, direction, at, flow=flow, flow_hash=hash))
    await store.append_events(id, [CallEvent(at, kind, data) for kind, data in events], durable=True)
    if ended is not None:
        await store.finish_call(id, Ending(at + 60, *ended))


def _step(name: str, visit: int = 1, **more: str) -> tuple[str, dict[str, Any]]:
    return "step", {"step": name, "visit": visit, **more}


def _out(step: str, outcome: str, following: str) -> tuple[str, dict[str, Any]]:
    return "outcome", {"step": step, "outcome": outcome, "next": following, "via": "1"}


async def _count(store: Store, since: float = DAWN, until: float = NOW, hash: str | None = None) -> Counted:
    return await store.traffic("order", hash, since, until, now=NOW, within_s=60.0)


async def test_steps_ways_and_endings_of_one_flow_in_a_time(store: Store) -> None:
    accepted = _step("offer"), _out("offer", "accept", "bye"), _step("bye")
    await _call(store, "a", DAWN + 10, *accepted)
    await _call(store, "b", DAWN + 2 * HOUR_S, _step("offer"), _step("offer", 2), *accepted[1:])
    await _call(store, "before", DAWN - 1, *accepted)
    await _call(store, "later", NOW, *accepted)
    await _call(store, "other", DAWN + 10, *accepted, flow="other")
    counted = await _count(store)
    traffic = counted.traffic
    assert (counted.complete, traffic.calls, traffic.live) == (True, 2, 0)
    assert (traffic.entered, traffic.visits) == ({"offer": 2, "bye": 2}, {"offer": 3, "bye": 2})
    assert traffic.ways == {Way("offer", "accept", "bye"): 2}
    assert traffic.endings == {("normal", "us"): 2}
    assert traffic.hung_up == {}


async def test_where_the_far_end_hung_up_or_vanished(store: Store) -> None:
    await _call(store, "at-once", DAWN, ended=("normal", "caller"))
    await _call(store, "in-offer", DAWN, _step("ask"), _step("offer"), ended=("normal", "caller"))
    told = _out("offer", "hangup", "tell")
    await _call(store, "with-hangup", DAWN, _step("offer"), told, _step("tell"), ended=("normal", "caller"))
    within = _step("pay"), _step("card", flow="payment")
    await _call(store, "in-a-flow-within", DAWN, *within, ended=("normal", "callee"), direction="outbound")
    await _call(store, "vanished", DAWN, _step("ask"), ended=("media_timeout", "us"))
    await _call(store, "we-did", DAWN, _step("ask"), ended=("normal", "us"))
    await _call(store, "handed-over", DAWN, _step("ask"), ended=("transferred", "caller"))
    assert (await _count(store)).traffic.hung_up == {"offer": 2, "pay": 1, "ask": 1}


async def test_one_version_alone(store: Store) -> None:
    await _call(store, "old", DAWN, _step("offer"), hash="aa")
    await _call(store, "new", DAWN, _step("offer"), hash="bb")
    assert (await _count(store, hash="bb")).traffic.visits == {"offer": 1}
    assert (await _count(store)).traffic.visits == {"offer": 2}


async def test_an_erased_call_counts_without_its_steps(store: Store) -> None:
    await _call(store, "a", DAWN, _step("offer"), ended=("normal", "caller"))
    await store.erase_call("a", NOW)
    traffic = (await _count(store)).traffic
    assert (traffic.calls, traffic.visits, traffic.hung_up) == (1, {}, {})


async def test_an_hour_is_counted_once_unless_a_call_of_it_lives(store: Store) -> None:
    """What is added to a finished hour behind its back is not seen; what happens in a live call is."""
    await _call(store, "over", DAWN + 5, _step("offer"))
    await _call(store, "live", DAWN + HOUR_S + 5, _step("offer"), ended=None)
    first = await _count(store)
    assert (first.traffic.visits["offer"], first.traffic.live) == (2, 1)
    for call in ("over", "live"):
        await store.append_events(call, [CallEvent(DAWN, *_step("offer", 2))], durable=True)
    assert (await _count(store)).traffic.visits["offer"] == 3


async def test_part_of_an_hour_is_not_taken_for_the_whole(store: Store) -> None:
    for minute in range(0, 60, 10):
        await _call(store, f"m{minute}", DAWN + minute * 60, _step("offer"))
    assert (await _count(store)).traffic.calls == 6
    assert (await _count(store, DAWN + 1800, NOW)).traffic.calls == 3
    assert (await _count(store, DAWN, DAWN + 1200)).traffic.calls == 2


async def test_without_time_the_newest_hours_are_told_and_the_next_goes_on(store: Store) -> None:
    for hour in range(4):
        await _call(store, f"h{hour}", DAWN + hour * HOUR_S + 1, _step("offer"))
    ticks = iter(range(1000))
    counts = TrafficCounts(clock=lambda: float(next(ticks)))
    count: Callable[..., Any] = counts.count
    reached: list[tuple[bool, int, float]] = []
    async with store._engine.connect() as connection:  # a clock of the test's own
        for _ in range(5):
            counted = await count(connection, "order", None, DAWN, DAWN + 4 * HOUR_S, now=NOW, within_s=1.5)
            reached.append((counted.complete, counted.traffic.calls, counted.since))
    assert reached == [
        (False, 1, DAWN + 3 * HOUR_S),
        (False, 2, DAWN + 2 * HOUR_S),
        (False, 3, DAWN + HOUR_S),
        (True, 4, DAWN),
        (True, 4, DAWN),
    ]
