"""voicemail: nobody is spoken to before it is known who answered, and a machine gets what the flow says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import pytest

from ivr.flow.loader import load_flow
from ivr.flow.model import Flow
from ivr.flow.protocol import (
    AnsweredBy,
    AskWhoAnswered,
    BargeIn,
    Commit,
    Failure,
    GreetingOver,
    HangUp,
    HungUpEvent,
    Key,
    Outcome,
    PromptDone,
    Say,
    SendRequest,
    Text,
    Tick,
)
from ivr.flow.verbs import voicemail
from ivr.screening import OnMachine, Screening
from media.amd import Timings
from tests.flow import calls
from tests.flow.calls import Call

CALLBACK = load_flow(calls.CALLBACK)
MESSAGE = "This is Sharma. Please call back."
Who = Literal["human", "machine", "unknown"]


def answered(who: Who, flow: Flow = CALLBACK) -> Call:
    call = Call(flow, shop="Sharma")
    call.start()
    call.send(AnsweredBy(who), 2.0)
    return call


def test_it_is_asked_before_anything_is_said() -> None:
    call = Call(CALLBACK, shop="Sharma")
    call.start()
    timings = {"greeting_ms": 2500, "maximum_words": 6, "beep_wait_ms": 20_000}
    assert call.of(AskWhoAnswered) == [AskWhoAnswered(to_greeting_end=True, timings=timings)]
    assert not call.of(Say)


def test_both_prompts_are_made_ready_meanwhile() -> None:
    call = Call(CALLBACK, shop="Sharma")
    both = {MESSAGE, "This is Sharma. Press one for the offer."}
    assert {u.text for u in call.machine.lookahead() if isinstance(u, Text)} == both, "while it rings"
    call.start()
    assert {u.text for u in call.machine.lookahead() if isinstance(u, Text)} == both


@pytest.mark.parametrize("who", ["human", "unknown"])
def test_who_is_no_machine_hears_the_flow(who: Who) -> None:
    call = answered(who)
    assert call.of(Outcome) == [Outcome("who", "next", "offer", who)]
    assert call.machine.result["answered_by"] == who
    assert call.said.startswith("This is Sharma. Press")


def test_a_machine_gets_the_message_after_its_greeting_and_the_call_ends() -> None:
    call = answered("machine")
    assert not call.of(Say), "it still greets"
    assert call.of(Commit)[0].result["answered_by"] == "machine"
    call.send(GreetingOver(), 8.0)
    assert call.said == MESSAGE
    assert call.of(Say)[0].barge_in is BargeIn.NONE
    call.send(PromptDone(call.saying), 12.0)
    assert call.of(HangUp) == [HangUp("normal")]
    assert call.of(Outcome)[0] == Outcome("who", "hangup", "report", "")
    assert call.of(SendRequest)[0].body == {"answered_by": "machine", "wanted": False}
    kinds = [type(command) for command in call.last]
    assert kinds.index(HangUp) < kinds.index(SendRequest)
    assert call.finish.cause == "normal"


def test_a_greeting_without_an_end_is_spoken_over_at_last() -> None:
    call = answered("machine")
    assert call.machine.due == 2.0 + 20.0 + voicemail.SLACK_S
    call.tick()
    assert call.said == MESSAGE


def test_without_any_word_nobody_is_sure() -> None:
    call = Call(CALLBACK, shop="Sharma")
    call.start()
    call.tick()
    assert call.at == 5.0 + voicemail.SLACK_S
    assert call.machine.result["answered_by"] == "unknown"
    assert call.machine.step == "offer"


def test_a_key_is_kept_for_the_step_after() -> None:
    call = Call(CALLBACK, shop="Sharma")
    call.start()
    call.send(Key("1"), 1.0)
    call.send(AnsweredBy("human"), 1.0)
    assert call.machine.result == {"answered_by": "human", "wanted": True}


def test_a_key_in_the_greeting_is_a_human_after_all() -> None:
    call = answered("machine")
    call.send(Key("1"), 4.0)
    call.send(AnsweredBy("human"), 4.0)
    assert call.machine.result == {"answered_by": "human", "wanted": True}


def test_nothing_cuts_the_message_and_nothing_comes_twice() -> None:
    call = answered("machine")
    call.send(GreetingOver(), 8.0)
    for event in (Key("1"), AnsweredBy("human"), GreetingOver(), AnsweredBy("machine")):
        assert call.send(event, 9.0) == []


@pytest.mark.parametrize("greeting_over", [False, True])
def test_a_machine_that_hangs_up_ends_the_call_as_ever(greeting_over: bool) -> None:
    call = answered("machine")
    if greeting_over:
        call.send(GreetingOver(), 8.0)
    call.send(HungUpEvent(), 9.0)
    assert not call.of(HangUp)
    assert call.finish.cause == "hangup"
    assert call.finish.result["answered_by"] == "machine"


def test_a_failure_while_it_is_asked_ends_the_call() -> None:
    call = Call(CALLBACK, shop="Sharma")
    call.start()
    call.send(Failure("media lost"), 1.0)
    assert call.finish.cause == "failed"


Build = Callable[[str], Flow]


def written(fields: str, events: str = "events: {hangup: note}\n") -> str:
    note = "  note: {set: {noted: true}, next: bye}\n" if events else ""
    return f"""
flow: one
languages: [en]
params: {{shop: text}}
result:
  who: {{one_of: [human, machine, unknown], default: unknown}}
  noted: {{type: yes_no, default: false}}
{events}start: ask
steps:
  ask: {{voicemail: {{{fields}, into: who}}, next: hello}}
  hello: {{say: {{en: Hello.}}, next: bye}}
{note}  bye: {{end: normal}}
"""


def test_a_machine_is_hung_up_on(flow_of: Build) -> None:
    call = answered("machine", flow_of(written("machine: hang_up")))
    assert call.of(HangUp) == [HangUp("answering_machine")]
    assert call.finish.cause == "answering_machine"
    assert call.finish.result == {"who": "machine", "noted": True}
    assert not any(isinstance(command, Say) for command in call.history)
    assert call.send(HungUpEvent(), 2.1) == []


def test_without_hangup_steps_the_call_is_over_at_once(flow_of: Build) -> None:
    call = answered("machine", flow_of(written("machine: hang_up", events="")))
    assert [type(c).__name__ for c in call.last][-2:] == ["HangUp", "Finish"]
    assert call.finish.cause == "answering_machine"


def test_a_machine_may_be_gone_on_with(flow_of: Build) -> None:
    call = answered("machine", flow_of(written("machine: go_on")))
    assert call.said == "Hello."
    assert call.machine.result["who"] == "machine"
    assert not any(c.to_greeting_end for c in call.history if isinstance(c, AskWhoAnswered))


def test_it_hangs_up_in_a_flow_within_too(tmp_path, flow_of: Build) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "one.yaml").write_text(written("machine: hang_up"), encoding="utf-8")
    outer = """
flow: outer
languages: [en]
params: {shop: text}
result: {found: optional text, told: {type: yes_no, default: false}}
events: {hangup: tell}
start: within
steps:
  within: {flow: {name: one, with: {shop: "{{ shop }}"}}, next: bye, otherwise: bye}
  tell: {set: {told: true}, next: bye}
  bye: {end: normal}
"""
    call = answered("machine", flow_of(outer))
    assert [c.step for c in call.of(Outcome) if c.outcome == "hangup"] == ["ask", "within"]
    assert call.finish.result["told"] is True
    assert call.finish.cause == "answering_machine"


def test_what_is_not_set_is_as_the_driver_has_it() -> None:
    assert Timings().total_ms == voicemail.TOTAL_MS
    assert Screening(OnMachine.CONTINUE).beep_wait_ms == voicemail.BEEP_WAIT_MS
    known = {f"{name}_ms" for name in voicemail.TIMINGS} | {"maximum_words"}
    assert known == {*Timings.__dataclass_fields__, *Screening.__dataclass_fields__} - {"action", "timings"}


def test_ticks_that_come_too_early_change_nothing() -> None:
    call = Call(CALLBACK, shop="Sharma")
    call.start()
    assert call.send(Tick(), 1.0) == []
