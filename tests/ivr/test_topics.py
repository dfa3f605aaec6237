"""Topics that events fill: nothing that a caller says makes more than one level of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.topics import MAX_LEVEL, Topic

EVENT = {
    "id": "i1",
    "event": "orders",
    "call_id": "c1",
    "flow": "vendor-order",
    "body": {"order": "48213", "n": 7, "free": True, "none": None, "at": {"city": "नाशिक"}},
}


@pytest.mark.parametrize(
    ("text", "topic"),
    [
        ("all", "all"),
        ("/all/", "/all/"),
        ("{flow}/{call_id}/{event}/{id}", "vendor-order/c1/orders/i1"),
        ("o/{body.order}/x", "o/48213/x"),
        ("o-{body.order}-{body.n}/{body.free}", "o-48213-7/true"),
        ("{body.at.city}", "नाशिक"),
        ("{body.none}/{body.gone}/{body.order.id}", "_/_/_"),
        ("{body.at}", '{"city": "नाशिक"}'),
    ],
)
def test_an_event_fills_its_topic(text: str, topic: str) -> None:
    assert Topic.parse(text).of(EVENT) == topic


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "1 to 500 characters"),
        ("x" * 501, "1 to 500 characters"),
        ("a/+/b", "subscribers"),
        ("a/#", "subscribers"),
        ("$SYS/x", "the broker's own"),
        ("a/{body.order", "write it as"),
        ("a/}", "write it as"),
        ("a\nb", "write it as"),
        ("a/{order}", r"\{order\} is not known: write \{id\}, \{event\}, \{time\}, \{call_id\}, \{flow\} or"),
        ("a/{body}", "is not known"),
        ("a/{body.__class__.x y}", "is not known"),
        ("a/{}", "is not known"),
    ],
)
def test_what_is_no_topic_is_refused(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        Topic.parse(text)


def test_it_says_what_it_wants_of_the_body() -> None:
    assert Topic.parse("{flow}/{body.order}/{body.at.city}").wants == {"order", "at"}
    assert Topic.parse("{flow}/x").wants == frozenset()


@pytest.mark.parametrize(
    ("value", "level"),
    [
        ("a/b", "a%2Fb"),
        ("+", "%2B"),
        ("#", "%23"),
        ("$SYS", "%24SYS"),
        ("50%", "50%25"),
        ("", "_"),
        ("\x00\n\x7f\x85", "%00%0A%7F%C2%85"),
        ("\ud800", "%3F"),
        ("x" * 1000, "x" * MAX_LEVEL),
    ],
)
def test_what_would_be_more_than_a_level_is_written_out(value: str, level: str) -> None:
    assert Topic.parse("{body.order}").of({**EVENT, "body": {"order": value}}) == level


@given(st.recursive(st.text() | st.integers() | st.none(), lambda inner: st.lists(inner, max_size=3)))
def test_whatever_is_filled_in_is_one_level(value: object) -> None:
    topic = Topic.parse("orders/{body.order}/events").of({**EVENT, "body": {"order": value}})
    first, level, last = topic.split("/")
    assert (first, last) == ("orders", "events")
    assert level
    assert not set(level) & set("+#$\x00")
    assert len(topic.encode()) < 65_536
