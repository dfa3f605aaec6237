"""Somebody else speaks with the caller for a while: the flow is silent, and goes on where it was."""

from __future__ import annotations

from pathlib import Path

import pytest

from ivr.flow.agent_protocol import AgentSays, Converse, StopConversing
from ivr.flow.loader import load_flow
from ivr.flow.machine import HUNG_UP
from ivr.flow.protocol import (
    BeginWaiting,
    EndMessage,
    Enter,
    Failure,
    GivenBack,
    HungUpEvent,
    KeepMessage,
    Key,
    Listen,
    Outcome,
    PromptDone,
    Replied,
    RequestFailed,
    Say,
    SendRequest,
    Signal,
    StopListening,
    StopSaying,
    StopTransfer,
    TakenOver,
    Tick,
    Transfer,
    Yield,
)
from tests.flow.calls import TWO_PARTS, Call
from tests.flow.nested import PART, SHOP


def test_it_falls_silent_before_anybody_else_speaks(call: Call) -> None:
    call.start()
    assert [type(command) for command in call.send(TakenOver(), 2.0)] == [StopSaying, StopListening, Yield]
    assert call.machine.taken_over
    assert call.machine.due is None
    assert call.machine.lookahead() == ()


def test_what_happens_meanwhile_is_none_of_its_business(call: Call) -> None:
    call.start()
    call.send(TakenOver(), 2.0)
    for event in (Key("1"), PromptDone(call.saying), Tick(), Failure("x"), TakenOver()):
        assert call.send(event, 3.0) == []
    assert call.machine.step == "offer"


def test_the_step_asks_again_when_it_has_the_caller_back(call: Call) -> None:
    call.start()
    first = call.said
    call.send(TakenOver(), 2.0)
    call.send(Key("2"), 3.0)
    enter, say, listen = call.send(GivenBack(), 60.0)
    assert enter == Enter("offer", 2)
    assert isinstance(say, Say)
    assert isinstance(listen, Listen)
    assert call.said == first
    call.send(Key("1"), 61.0)
    assert call.machine.step != "offer"


def test_nothing_is_given_back_that_was_not_taken(call: Call) -> None:
    call.start()
    assert call.send(GivenBack(), 1.0) == []


def test_the_time_that_it_had_not_does_not_count(call: Call) -> None:
    call.start()
    bound = call.machine.flow.limits.call_s
    call.send(TakenOver(), 2.0)
    call.send(GivenBack(), 2.0 + 10 * bound)
    call.send(Key("1"), 3.0 + 10 * bound)
    assert not call.machine.finished
    assert call.machine.step != "offer"


def test_who_hangs_up_meanwhile_is_reported_as_ever(call: Call) -> None:
    call.start()
    call.send(TakenOver(), 2.0)
    commands = call.send(HungUpEvent(), 3.0)
    assert any(isinstance(command, SendRequest) for command in commands)
    assert not any(isinstance(command, Say | Listen) for command in commands)
    while not call.machine.finished:
        call.tick()
    assert call.finish.cause == HUNG_UP


def at_the_request() -> tuple[Call, str]:
    call = Call(load_flow(TWO_PARTS))
    call.start()
    for key in "12":
        call.send(Key(key))
    call.send(PromptDone(call.saying))
    for key in "34":
        call.send(Key(key))
    (request,) = call.of(SendRequest)
    return call, request.id


def test_a_request_under_way_is_answered_beneath_and_never_sent_twice() -> None:
    call, id = at_the_request()
    call.send(TakenOver(), 0.5)
    assert call.machine.due is not None, "its time runs"
    assert not any(
        isinstance(command, Enter | Outcome | Say)
        for command in call.send(Replied(id, 200, {"order": {"state": "ready"}}), 1.0)
    )
    assert call.machine.due is None
    assert call.send(RequestFailed(id, "late"), 2.0) == []
    call.send(GivenBack(), 60.0)
    assert call.of(SendRequest) == []
    assert call.said == "It is ready."


def test_a_request_that_nobody_answers_is_over_when_the_flow_goes_on() -> None:
    call, _ = at_the_request()
    call.send(TakenOver(), 0.5)
    call.tick()
    assert call.machine.due is None
    call.send(GivenBack(), 60.0)
    assert call.machine.step == "report"


def test_one_that_is_not_answered_yet_is_still_awaited() -> None:
    call, id = at_the_request()
    call.send(TakenOver(), 0.5)
    assert call.send(GivenBack(), 0.6) == []
    call.send(Replied(id, 200, {"order": {"state": "ready"}}), 0.7)
    assert call.said == "It is ready."


def test_a_step_of_a_flow_within_is_entered_anew_there(tmp_path: Path) -> None:
    (tmp_path / "part.yaml").write_text(PART)
    (tmp_path / "shop.yaml").write_text(SHOP)
    call = Call(load_flow(tmp_path / "shop.yaml"), vendor="X")
    call.start()
    assert call.machine.step == "part/ask"
    call.send(TakenOver(), 1.0)
    assert call.send(GivenBack(), 2.0)[0] == Enter("ask", 2, "part")
    call.send(Key("2"), 3.0)
    assert call.said == "Thank you, large."


WAITS = """
flow: waits
languages: [en]
result: {rider: optional text}
limits: {call: 5m}
events: {hangup: bye}
start: search
steps:
  search: {wait: {for: 30s, sound: music, until: rider-found, values: [rider], key: "#"}, next: desk}
  desk: {transfer: {to: desk}, next: bye, otherwise: bye}
  bye: {end: normal}
"""


@pytest.fixture
def waiting(tmp_path: Path) -> Call:
    (tmp_path / "waits.yaml").write_text(WAITS)
    call = Call(load_flow(tmp_path / "waits.yaml"))
    call.start()
    assert call.of(BeginWaiting)
    return call


def test_a_wait_goes_on_beneath_and_its_key_is_not_pressed(waiting: Call) -> None:
    waiting.send(TakenOver(), 1.0)
    waiting.send(Key("#"), 2.0)
    waiting.send(Signal("rider-found", {"rider": "Rahul"}), 3.0)
    assert waiting.machine.step == "search"
    waiting.send(GivenBack(), 4.0)
    assert waiting.machine.step == "desk"
    assert waiting.machine.result == {"rider": "Rahul"}


def test_a_search_for_an_agent_is_called_off_and_begun_anew(waiting: Call) -> None:
    waiting.tick()
    assert waiting.of(Transfer)
    assert any(isinstance(command, StopTransfer) for command in waiting.send(TakenOver(), 31.0))
    waiting.send(GivenBack(), 40.0)
    assert waiting.of(Transfer)


def test_a_flow_that_is_over_has_nothing_to_take(call: Call) -> None:
    call.start()
    call.send(HungUpEvent(), 1.0)
    assert not any(isinstance(command, Yield) for command in call.send(TakenOver(), 1.0))


TALKS = """
flow: talks
languages: [en]
result: {order: optional digits}
limits: {call: 5m}
start: talk
steps:
  talk:
    agent: {instructions: "You help.", slots: {order: "the order"}}
    next: leave
    otherwise: leave
    operator: leave
  leave: {record: {prompt: {en: "Speak."}}, next: bye, otherwise: bye}
  bye: {end: normal}
"""


def test_a_conversation_with_an_agent_is_over_and_another_begins(tmp_path: Path) -> None:
    (tmp_path / "talks.yaml").write_text(TALKS)
    call = Call(load_flow(tmp_path / "talks.yaml"))
    call.start()
    (first,) = call.of(Converse)
    call.send(TakenOver(), 1.0)
    assert [stopped.id for stopped in call.of(StopConversing)] == [first.id]
    assert call.send(AgentSays(first.id, "late words"), 2.0) == []
    call.send(GivenBack(), 3.0)
    (second,) = call.of(Converse)
    assert second.id != first.id


def test_a_message_under_way_is_kept_and_another_is_asked_for(tmp_path: Path) -> None:
    start, _, end = TALKS.partition("  talk:")
    leave = end[end.index("  leave:") :]
    (tmp_path / "talks.yaml").write_text(start.replace("start: talk", "start: leave") + leave)
    call = Call(load_flow(tmp_path / "talks.yaml"))
    call.start()
    for _ in range(2):  # the prompt, and the beep
        call.send(PromptDone(call.saying), call.at + 1.0)
    (begun,) = [command for command in call.history if isinstance(command, KeepMessage)]
    call.send(TakenOver(), call.at + 5.0)
    assert [ended.name for ended in call.of(EndMessage)] == [begun.name]
    call.send(GivenBack(), call.at + 60.0)
    assert call.said == "Speak."
