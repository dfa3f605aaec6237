"""How past calls went through a flow, counted while the store is open."""

import pytest

from ivr.store import CallEvent, Ending, NewCall, Store, StoreError, database_url
from ivr.store.visits import count_visits


async def test_steps_and_outcomes_of_the_calls_of_one_flow(tmp_path):
    url = database_url(tmp_path)
    store = await Store.open(url)
    try:
        for call, flow, via in (("a", "order", "1"), ("b", "order", "affirm"), ("c", "other", "1")):
            await store.create_call(NewCall(call, "inbound", 1.0, flow=flow))
            outcome = {"step": "offer", "outcome": "accept", "next": "bye", "via": via}
            events = [
                CallEvent(1.0, "step", {"step": "offer", "visit": 1}),
                CallEvent(2.0, "prompt", {"text": "hello"}),
                CallEvent(3.0, "outcome", outcome),
                CallEvent(4.0, "step", {"step": "bye", "visit": 1}),
                CallEvent(5.0, "step", {"step": "offer", "visit": 1, "flow": "within"}),
                CallEvent(6.0, "outcome", {**outcome, "flow": "within"}),
            ]
            await store.append_events(call, events)
        visits = count_visits(url, "order")
    finally:
        await store.close()
    assert visits.calls == 2
    assert dict(visits.steps) == {"offer": 2, "bye": 2}
    assert dict(visits.outcomes) == {("offer", "accept", "bye"): 2}
    assert count_visits(url, "nobody").calls == 0


async def test_where_callers_hung_up_and_what_an_erased_call_leaves(tmp_path):
    url = database_url(tmp_path)
    store = await Store.open(url)
    try:
        for call in ("a", "b"):
            await store.create_call(NewCall(call, "inbound", 1.0, flow="order"))
            await store.append_events(call, [CallEvent(1.0, "step", {"step": "offer", "visit": 1})])
            await store.finish_call(call, Ending(2.0, "normal", "caller"))
        await store.erase_call("b", 3.0)
        visits = count_visits(url, "order")
    finally:
        await store.close()
    assert (visits.calls, dict(visits.steps), dict(visits.lost)) == (2, {"offer": 1}, {"offer": 1})


def test_a_store_that_is_not_there_is_not_made(tmp_path):
    with pytest.raises(StoreError, match="cannot be read"):
        count_visits(database_url(tmp_path), "order")
    assert list(tmp_path.iterdir()) == []
