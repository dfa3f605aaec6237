"""The sums of a flow's traffic, from the words of events."""

from __future__ import annotations

from ivr.traffic import Ending, Traffic, Way, add_events, add_last_steps

_OFFER = '{"step":"offer","visit":1}'
_AGAIN = '{"step":"offer","visit":2}'
_WITHIN = '{"step":"offer","visit":1,"flow":"payment"}'
_ACCEPTED = '{"step":"offer","outcome":"accept","next":"minutes","via":"1"}'
_SAID_YES = '{"step":"offer","outcome":"accept","next":"minutes","via":"affirm"}'


def test_calls_that_came_to_a_step_and_how_often_they_did() -> None:
    traffic = Traffic()
    add_events(traffic, [("step", _OFFER, 10), ("step", _AGAIN, 4)])
    assert (traffic.entered["offer"], traffic.visits["offer"]) == (10, 14)
    assert traffic.mean_visits("offer") == 1.4
    assert traffic.mean_visits("nowhere") == 0.0


def test_a_way_is_one_by_whatever_it_was_taken() -> None:
    traffic = Traffic()
    add_events(traffic, [("outcome", _ACCEPTED, 3), ("outcome", _SAID_YES, 2)])
    assert traffic.ways == {Way("offer", "accept", "minutes"): 5}


def test_steps_of_a_flow_within_and_erased_events_are_left_out() -> None:
    traffic = Traffic()
    add_events(traffic, [("step", _WITHIN, 5), ("step", "{}", 2), ("outcome", "{}", 2)])
    add_last_steps(traffic, [("{}", 1), (None, 3), (_WITHIN, 1)])
    assert traffic == Traffic()


def test_where_they_hung_up() -> None:
    traffic = Traffic()
    left = '{"step":"minutes","outcome":"hangup","next":"tell","via":""}'
    add_last_steps(traffic, [(_OFFER, 7), (left, 2), (_AGAIN, 1)])
    assert traffic.hung_up == {"offer": 8, "minutes": 2}


def test_sums_are_added_up() -> None:
    one, other = Traffic(calls=2, live=1), Traffic(calls=3)
    for each in (one, other):
        add_events(each, [("step", _OFFER, 2), ("outcome", _ACCEPTED, 1)])
        add_last_steps(each, [(_OFFER, 1)])
        each.endings[Ending("normal", "caller")] += 1
    one.add(other)
    assert (one.calls, one.live, one.entered["offer"], one.visits["offer"]) == (5, 1, 4, 4)
    assert one.ways == {Way("offer", "accept", "minutes"): 2}
    assert (one.hung_up, one.endings) == ({"offer": 2}, {Ending("normal", "caller"): 2})
