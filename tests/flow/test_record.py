"""record: a message begins after the beep, ends by a pause, a key, its length or a hang-up, and is never
lost."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from ivr.flow.loader import load_flow
from ivr.flow.model import Flow
from ivr.flow.protocol import (
    BargeIn,
    Beep,
    Commit,
    EndMessage,
    Failure,
    HungUpEvent,
    KeepMessage,
    Key,
    MessageFailed,
    Outcome,
    PromptDone,
    Say,
    SendRequest,
    SpeechBegan,
    SpeechPaused,
    StopSaying,
)
from tests.flow import calls
from tests.flow.calls import Call

HELPLINE = load_flow(calls.HELPLINE)


def recording(flow: Flow = HELPLINE) -> Call:
    """A call whose message has begun, at 3 s."""
    call = Call(flow)
    call.start()
    call.send(PromptDone(call.saying), 2.0)
    call.send(PromptDone(call.saying), 3.0)
    assert call.of(KeepMessage) == [KeepMessage("complaint")]
    return call


def left(call: Call) -> Outcome:
    """How the step was left, by the last event."""
    return call.of(Outcome)[0]


def test_the_prompt_then_the_beep_then_the_message() -> None:
    call = Call(HELPLINE)
    call.start()
    assert call.said == "Speak after the tone."
    call.send(PromptDone(call.saying), 2.0)
    assert call.of(Say)[0].utterances == (Beep(),)
    assert call.of(Say)[0].barge_in is BargeIn.NONE
    assert not call.of(KeepMessage)
    call.send(PromptDone(call.saying), 3.0)
    assert call.last == [KeepMessage("complaint")]


def test_a_pause_ends_it_and_its_name_is_in_the_result_before_anything_is_said() -> None:
    call = recording()
    call.send(SpeechBegan(), 4.0)
    assert call.machine.due == 33.0, "while somebody speaks only the length ends it"
    call.send(SpeechPaused(), 9.0)
    assert call.machine.due == 13.0
    call.tick()
    assert left(call) == Outcome("complaint", "next", "noted", "silence")
    kinds = [type(command) for command in call.last]
    assert kinds.index(EndMessage) < kinds.index(Commit) < kinds.index(Say)
    assert call.of(EndMessage) == [EndMessage("complaint", kept=True)]
    assert call.of(Commit)[0].result["message"] == "complaint"


def test_a_pause_counts_from_when_it_began() -> None:
    call = recording()
    call.send(SpeechBegan(), 4.0)
    call.send(SpeechPaused(0.3), 9.0)
    assert call.machine.due == pytest.approx(12.7)
    call.tick()
    assert left(call).via == "silence"


def test_pauses_within_it_do_not_end_it() -> None:
    call = recording()
    for at in (4.0, 9.0, 14.0):
        call.send(SpeechBegan(), at)
        call.send(SpeechPaused(), at + 2)
    assert call.at == 16.0
    assert call.machine.step == "complaint"
    assert call.machine.due == 20.0


def test_the_end_key_ends_it_and_others_do_not() -> None:
    call = recording()
    call.send(SpeechBegan(), 4.0)
    call.send(Key("5"), 5.0)
    assert call.last == []
    call.send(Key("#"), 6.0)
    assert left(call).via == "key"
    assert call.machine.result["message"] == "complaint"


def test_the_longest_message() -> None:
    call = recording()
    call.send(SpeechBegan(), 4.0)
    call.tick()
    assert call.at == 33.0
    assert left(call) == Outcome("complaint", "next", "noted", "length")


@pytest.mark.parametrize(("key", "via"), [(False, "silence"), (True, "key")])
def test_where_nothing_was_said_nothing_is_kept(key: bool, via: str) -> None:
    call = recording()
    call.send(Key("#"), 4.0) if key else call.tick()
    assert left(call) == Outcome("complaint", "otherwise", "again", via)
    assert call.of(EndMessage) == [EndMessage("complaint", kept=False)]
    assert call.machine.result["message"] is None
    assert not call.of(Commit)


def test_a_second_message_has_a_name_of_its_own() -> None:
    call = recording()
    call.tick()
    call.send(Key("1"), 10.0)
    call.send(PromptDone(call.saying), 12.0)
    call.send(PromptDone(call.saying), 13.0)
    assert call.of(KeepMessage) == [KeepMessage("complaint-2")]
    call.send(SpeechBegan(), 14.0)
    call.send(Key("#"), 15.0)
    assert call.machine.result["message"] == "complaint-2"


def test_a_hang_up_keeps_what_was_said_and_reports_it() -> None:
    call = recording()
    call.send(SpeechBegan(), 4.0)
    call.send(HungUpEvent(), 8.0)
    assert call.of(EndMessage) == [EndMessage("complaint", kept=True)]
    assert call.of(SendRequest)[0].body == {"message": "complaint", "minutes": None}
    kinds = [type(command) for command in call.last]
    assert kinds.index(EndMessage) < kinds.index(Commit) < kinds.index(SendRequest)
    assert call.finish.result["message"] == "complaint"


def test_a_hang_up_before_a_word_leaves_nothing() -> None:
    call = recording()
    call.send(HungUpEvent(), 8.0)
    assert call.of(EndMessage) == [EndMessage("complaint", kept=False)]
    assert call.finish.result["message"] is None


@pytest.mark.parametrize("prompts_heard", [0, 1])
def test_a_hang_up_before_it_begins_ends_no_message(prompts_heard: int) -> None:
    call = Call(HELPLINE)
    call.start()
    for at in range(prompts_heard):
        call.send(PromptDone(call.saying), float(at))
    call.send(HungUpEvent(), 8.0)
    assert not call.of(EndMessage)
    assert call.finish.cause == "hangup"


def test_a_call_that_fails_keeps_what_was_said() -> None:
    call = recording()
    call.send(SpeechBegan(), 4.0)
    call.send(Failure("media lost"), 5.0)
    assert call.of(EndMessage) == [EndMessage("complaint", kept=True)]
    assert call.finish.result["message"] == "complaint"


def test_a_disk_that_fails_takes_otherwise_with_what_there_is() -> None:
    call = recording()
    call.send(SpeechBegan(), 4.0)
    call.send(MessageFailed("disk full"), 5.0)
    assert left(call) == Outcome("complaint", "otherwise", "again", "disk full")
    assert call.machine.result["message"] == "complaint"


def test_a_key_goes_on_to_the_beep() -> None:
    call = Call(HELPLINE)
    call.start()
    call.send(Key("#"), 1.0)
    assert [type(command) for command in call.last] == [StopSaying, Say]
    assert call.of(Say)[0].utterances == (Beep(),)
    call.send(Key("#"), 1.2)
    assert call.last == [], "the beep is heard to its end"


Build = Callable[[str], Flow]


def written(fields: str, into: str = "optional text") -> str:
    return f"""
flow: one
languages: [en]
result: {{message: {into}}}
start: ask
steps:
  ask: {{record: {{prompt: {{en: Speak.}}, {fields}}}, next: bye, otherwise: bye}}
  bye: {{end: normal}}
"""


def test_without_a_beep_the_message_begins_at_the_end_of_the_prompt(flow_of: Build) -> None:
    call = Call(flow_of(written("beep: false, into: message")))
    call.start()
    call.send(PromptDone(call.saying), 1.0)
    assert call.last == [KeepMessage("ask")]


def test_a_prompt_that_nothing_may_cut(flow_of: Build) -> None:
    call = Call(flow_of(written("barge_in: none")))
    call.start()
    call.send(Key("#"), 0.5)
    assert call.last == []


def test_another_end_key(flow_of: Build) -> None:
    call = Call(flow_of(written('beep: false, end: "*"')))
    call.start()
    call.send(PromptDone(call.saying), 1.0)
    call.send(Key("#"), 2.0)
    assert call.last == []
    call.send(Key("*"), 3.0)
    assert call.of(Outcome)[0].via == "key"


PARENT = """
flow: parent
languages: [en]
result: {left: optional text, also: optional text}
events: {hangup: report}
limits: {call: 20m}
start: first
steps:
  first: {flow: {name: helpline, result: {left: message}}, next: second, otherwise: second}
  second: {flow: {name: helpline, result: {also: message}}, next: report, otherwise: report}
  report: {request: {post: parent-report, body: result, background: true}, next: bye}
  bye: {end: normal}
"""


@pytest.fixture
def parent(tmp_path: Path) -> Call:
    shutil.copy(calls.HELPLINE, tmp_path)
    (tmp_path / "parent.yaml").write_text(PARENT, encoding="utf-8")
    call = Call(load_flow(tmp_path / "parent.yaml"))
    call.start()
    return call


def to_message(call: Call) -> KeepMessage:
    call.send(PromptDone(call.saying), call.at + 2)
    call.send(PromptDone(call.saying), call.at + 1)
    return call.of(KeepMessage)[0]


def test_messages_of_flows_within_have_names_of_their_own(parent: Call) -> None:
    assert to_message(parent) == KeepMessage("helpline.complaint")
    parent.send(SpeechBegan(), parent.at)
    parent.send(Key("#"), parent.at + 1)
    parent.send(PromptDone(parent.saying), parent.at + 1)
    assert to_message(parent) == KeepMessage("helpline.complaint-2")
    parent.send(SpeechBegan(), parent.at)
    parent.send(Key("#"), parent.at + 1)
    assert parent.machine.result == {"left": "helpline.complaint", "also": "helpline.complaint-2"}


@pytest.mark.parametrize("event", [HungUpEvent(), Failure("media lost")])
def test_what_was_said_in_a_flow_within_is_kept(parent: Call, event: HungUpEvent | Failure) -> None:
    to_message(parent)
    parent.send(SpeechBegan(), parent.at)
    parent.send(event, parent.at + 1)
    assert parent.of(EndMessage) == [EndMessage("helpline.complaint", kept=True)]
    assert parent.machine.result["left"] == "helpline.complaint"
