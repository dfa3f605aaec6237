"""What the pages say of trunks and engines that do not stand well, and how figures become charts."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from ivr.admin import charts
from ivr.admin.advice import for_engine, for_trunk
from ivr.api.engines import Engine
from ivr.api.hourly import MinuteFigures, TimesTaken
from ivr.api.trunks import Target, Trunk

NONE = TimesTaken(count=0, p50_ms=None, p95_ms=None)


def trunk(**changes: Any) -> Trunk:
    whole = Trunk(
        name="exotel",
        profile="exotel",
        up=True,
        reason="",
        registered=None,
        rtt_ms=18.0,
        targets=[
            Target(address="tcp:192.0.2.1:5060", up=True),
            Target(address="tcp:192.0.2.2:5060", up=True),
        ],
        seen_as=None,
        calls=3,
        max_calls=100,
    )
    return whole.model_copy(update=changes)


def engine(**changes: Any) -> Engine:
    whole = Engine(
        name="kokoro",
        kind="tts",
        state="up",
        breaker="closed",
        restarts=0,
        jobs=0,
        latency_ms=80.0,
        last_failure="",
    )
    return whole.model_copy(update=changes)


def minute(at: int, **changes: Any) -> MinuteFigures:
    whole = MinuteFigures(
        at=datetime(2025, 11, 22, 9, at, tzinfo=UTC),
        began=2,
        answered=2,
        ended={"normal": 2},
        refused={},
        calls=1,
        lateness_ms=1.0,
        cpu=0.2,
        turn=NONE,
        key=NONE,
        asr=NONE,
        tts=NONE,
        llm=NONE,
    )
    return whole.model_copy(update=changes)


# --- advice


def test_nothing_is_said_of_what_stands_well() -> None:
    assert list(for_trunk(trunk())) == []
    assert list(for_trunk(trunk(up=None, rtt_ms=None, targets=[]))) == []
    assert list(for_engine(engine())) == []


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"seen_as": "198.51.100.4:5060"}, "set sip.advertise"),
        ({"registered": False}, "not registered"),
        ({"up": False, "targets": []}, "No address of its proxy answers"),
        (
            {"targets": [Target(address="a", up=False), Target(address="b", up=True)]},
            "a does not answer: calls go by",
        ),
        ({"up": False, "targets": [Target(address="a", up=False)]}, "a does not answer OPTIONS"),
        ({"rtt_ms": 420.0}, "420 ms"),
        ({"calls": 85}, "85 of 100 lines"),
    ],
)
def test_each_fault_of_a_trunk_has_one_sentence(changes: dict[str, Any], says: str) -> None:
    (sentence,) = for_trunk(trunk(**changes))
    assert says in sentence


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"breaker": "open"}, "left alone"),
        ({"breaker": "half open"}, "tried again"),
        ({"state": "down"}, "does not run"),
        ({"restarts": 4}, "4 times"),
    ],
)
def test_each_fault_of_an_engine_has_one_sentence(changes: dict[str, Any], says: str) -> None:
    (sentence,) = for_engine(engine(**changes))
    assert says in sentence


# --- charts


def series(option: charts.Option) -> dict[str, list[float | None]]:
    return {each["name"]: each["data"] for each in option["series"]}


def test_calls_by_the_minute() -> None:
    option = charts.calls([minute(0), minute(1, calls=7, began=9)], dark=False)
    assert option["xAxis"]["data"] == ["09:00", "09:01"]
    assert series(option) == {"at once": [1, 7], "began": [2, 9], "answered": [2, 2]}


def test_a_minute_without_a_turn_is_a_gap_and_not_a_zero() -> None:
    turn = TimesTaken(count=4, p50_ms=142.04, p95_ms=310.0)
    option = charts.turns([minute(0), minute(1, turn=turn)], dark=True)
    assert series(option)["speech p50"] == [None, 142.04]
    assert series(option)["key p95"] == [None, None]


def test_language_models_are_drawn_where_there_are_some() -> None:
    assert "language model p50" not in series(charts.engines([minute(0)], dark=False))
    llm = TimesTaken(count=1, p50_ms=1.0, p95_ms=1.0)
    assert "language model p50" in series(charts.engines([minute(0, llm=llm)], dark=False))


def test_failures_are_those_that_no_ordinary_call_ends_with() -> None:
    ended = {"normal": 9, "transferred": 1, "failed": 2, "no_answer": 1}
    minutes = [minute(0, ended=ended, refused={"no capacity": 3}), minute(1)]
    found = series(charts.failures(minutes, dark=False))
    assert found == {"refused: no capacity": [3, 0], "failed": [2, 0], "no_answer": [1, 0]}
    assert charts.told(minutes) == "refused: no capacity: 3, failed: 2, no_answer: 1"
    assert series(charts.failures([minute(0)], dark=False)) == {"none": [0]}
    assert charts.told([minute(0)]) == "none"


def test_causes_that_are_too_many_are_added_up() -> None:
    ended = {f"cause {number}": 10 - number for number in range(8)}
    found = series(charts.failures([minute(0, ended=ended)], dark=False))
    assert list(found)[-1] == "other causes"
    assert found["other causes"] == [5 + 4 + 3]
    assert len(found) == charts.MOST_CAUSES + 1
