"""Flows within flows: what is theirs alone, what comes back, and what goes through them."""

from __future__ import annotations

import wave
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given

from ivr.flow.course import FAREWELL_S, SILENT_S
from ivr.flow.loader import load_flow
from ivr.flow.machine import FlowMachine
from ivr.flow.model import Flow
from ivr.flow.protocol import (
    AudioFile,
    Commit,
    Enter,
    Event,
    Failure,
    Finish,
    HangUp,
    Heard,
    HungUpEvent,
    Key,
    Listen,
    Outcome,
    PromptDone,
    Replied,
    Say,
    SendRequest,
    Text,
    Tick,
    Transfer,
    Transferred,
)
from tests.flow.calls import Call
from tests.flow.subflows import DESK, NOTE, PART, SHOP, THANKS, WAITS, changed, messages, written
from tests.flow.test_machine_properties import run, steps

Build = Callable[..., Flow]


@pytest.fixture
def build(tmp_path: Path) -> Build:
    return partial(written, tmp_path)


@pytest.fixture
def call(build: Build) -> Call:
    call = Call(build(SHOP, PART), vendor="Sharma")
    call.start()
    call.send(PromptDone(call.saying), 1.0)
    return call


class TestGoing:
    def test_its_steps_are_entered_by_its_name_with_the_values_it_was_given(self, call: Call) -> None:
        assert call.of(Enter) == [Enter("part", 1), Enter("ask", 1, "part")]
        assert call.said == "Small or large, Sharma?"
        assert call.machine.step == "part/ask"

    def test_what_it_found_comes_back_by_next(self, call: Call) -> None:
        call.send(Key("2"), 2.0)
        assert call.of(Outcome) == [Outcome("ask", "large", "which", "2", "part")]
        call.send(Key("4"), 3.0)
        call.send(Key("#"), 3.5)
        assert call.of(Outcome)[-1] == Outcome("part", "next", "thanks")
        assert call.said == "Thank you, large."
        assert call.machine.result == {"size": "large", "floor": 4}
        assert call.machine.step == "thanks"

    def test_the_result_is_committed_before_its_own_prompt_announces_it(self, call: Call) -> None:
        kinds = [type(command) for command in call.send(Key("2"), 2.0)]
        assert kinds.index(Commit) < kinds.index(Say)
        assert call.of(Commit)[0].result == {"size": "large", "floor": None}

    def test_a_value_that_never_changed_comes_back_as_well(self, call: Call) -> None:
        call.send(Key("1"), 2.0)
        assert call.of(Commit) == []
        call.send(Key("#"), 3.0)
        assert call.machine.result["size"] == "small"

    def test_another_end_is_otherwise_with_its_cause(self, call: Call) -> None:
        call.send(Key("3"), 2.0)
        assert call.of(Outcome)[-1] == Outcome("part", "otherwise", "sorry", "rejected")
        assert call.of(HangUp) == []
        assert call.said == "Sorry."

    def test_a_step_may_be_entered_as_often_as_it_says_itself(self, call: Call) -> None:
        call.send(Key("9"), 2.0)
        assert call.said == "Small or large, Sharma?"
        call.send(Key("9"), 3.0)
        assert call.of(Outcome)[-1] == Outcome("part", "otherwise", "sorry", "step ask was entered 2 times")

    def test_its_time_is_its_own(self, call: Call) -> None:
        assert call.machine.due == 61.0
        call.tick()
        assert call.of(Outcome) == [Outcome("part", "otherwise", "sorry", "the call took too long")]
        assert call.said == "Sorry."

    def test_the_time_of_the_call_bounds_it(self, build: Build) -> None:
        long = changed(PART, ("call: 1m", "call: 60m"))
        call = Call(
            build(
                changed(SHOP, ("call: 5m", "call: 90s")), changed(long, ("length: 1..2, ", "length: 1..2, "))
            ),
            vendor="S",
        )
        call.start()
        call.send(PromptDone(call.saying), 1.0)
        assert call.machine.due == 90.0
        call.tick()
        assert call.of(Outcome) == [Outcome("part", "failure", "sorry", "the call took too long")]

    def test_it_begins_afresh_each_time(self, build: Build) -> None:
        again = changed(SHOP, ("next: thanks\n", "next: part\n"), (THANKS, ""), ("call: 5m", "call: 20m"))
        call = Call(build(again, PART), vendor="Sharma")
        call.start()
        call.send(PromptDone(call.saying), 1.0)
        for at in (2.0, 3.0):
            call.send(Key("2"), at)
            assert call.machine.values["part/chosen"] == "large"
            call.send(Key("#"), at + 0.5)
        assert call.machine.values["part/chosen"] == "small"
        assert {e.visit for e in call.history if isinstance(e, Enter) and e.flow} == {1}
        ids = [say.id for say in call.history if isinstance(say, Say)]
        assert len(ids) == len(set(ids))


class TestLanguage:
    def test_it_speaks_the_language_of_the_call(self, build: Build) -> None:
        call = Call(build(SHOP, PART), vendor="शर्मा", spoken="hi")
        call.start()
        call.send(PromptDone(call.saying), 1.0)
        assert call.said == "छोटा या बड़ा, शर्मा?"
        assert call.machine.language == "hi"

    CHOOSE = """
flow: tongue
languages: [hi, en]
result: {spoken: {type: language, default: hi}}
start: ask
steps:
  ask:
    menu:
      prompt: ask
      choices:
        one: {key: "1", set: {spoken: hi}, next: told}
        two: {key: "2", set: {spoken: en}, next: told}
      otherwise: bye
  told: {say: told, next: bye}
  bye: {end: normal}
prompts:
  ask: {en: Which?, hi: कौन?}
  told: {en: "You said {{ spoken }}.", hi: "आपने कहा {{ spoken }}।"}
"""
    CALLER = """
flow: caller
languages: [en, hi]
variables: {mine: {type: language, default: en}}
start: tongue
steps:
  tongue: {flow: {name: tongue, result: {mine: spoken}}, next: bye, otherwise: bye}
  bye: {say: done, next: over}
  over: {end: normal}
prompts: {done: {en: Done., hi: हुआ।}}
"""

    def test_a_language_chosen_in_it_comes_back_like_any_value(self, build: Build) -> None:
        call = Call(build(self.CALLER, self.CHOOSE))
        call.start()
        assert call.said == "Which?", "the session's language, not the default of the flow within"
        call.send(Key("1"), 1.0)
        assert call.said == "आपने कहा हिंदी।"
        call.send(PromptDone(call.saying), 2.0)
        assert call.said == "हुआ।"

    def test_without_a_result_the_call_stays_as_it_was(self, build: Build) -> None:
        call = Call(build(changed(self.CALLER, (", result: {mine: spoken}", "")), self.CHOOSE))
        call.start()
        call.send(Key("1"), 1.0)
        call.send(PromptDone(call.saying), 2.0)
        assert call.said == "Done."


class TestKeys:
    def test_keys_typed_ahead_go_into_it_and_out_of_it(self, build: Build) -> None:
        more = "{collect: {prompt: hello, into: floor, keys: {length: 2}, next: report, otherwise: report}}"
        asks = changed(
            SHOP,
            ("{say: hello, next: part}", "{request: {get: state, timeout: 5s}, next: part, otherwise: part}"),
            ("{say: thanks, next: report}", more),
        )
        call = Call(build(asks, PART), vendor="Sharma")
        call.start()
        for key in "27#55":
            call.send(Key(key), 1.0)
        call.send(Replied(call.of(SendRequest)[0].id if call.of(SendRequest) else "request1", 200), 2.0)
        assert call.machine.finished
        assert call.machine.result == {"size": "large", "floor": 55}
        assert not any(isinstance(command, Say) for command in call.history)


class TestHangUp:
    def test_without_a_hang_up_event_of_its_own_it_is_over_and_the_call_reports(self, call: Call) -> None:
        call.send(Key("2"), 2.0)
        call.send(HungUpEvent(), 3.0)
        assert call.of(Outcome) == [
            Outcome("part", "hangup", "report"),
            Outcome("report", "next", "bye", "background"),
        ]
        assert call.of(SendRequest)[0].body == {"size": "large", "floor": None}
        assert call.finish.cause == "hangup"

    def test_its_silent_steps_run_first_and_then_those_of_the_call(self, build: Build) -> None:
        call = Call(build(SHOP, WAITS), vendor="Sharma")
        call.start()
        call.send(PromptDone(call.saying), 1.0)
        call.send(HungUpEvent(), 2.0)
        note = call.of(SendRequest)[0]
        assert note.endpoint == "note"
        assert not call.machine.finished
        call.send(Replied(note.id, 200), 3.0)
        assert [c.endpoint for c in call.of(SendRequest)] == ["report"]
        assert call.of(SendRequest)[0].body == {"size": "small", "floor": 7}
        assert call.finish.cause == "hangup"

    def test_what_takes_too_long_in_it_does_not_keep_the_call_from_reporting(self, build: Build) -> None:
        more = NOTE.replace("note", "more").replace("otherwise: done", "otherwise: again")
        again = NOTE.replace("note: ", "again: ", 1).replace("post: note", "post: more")
        slow = changed(WAITS, ("next: kept", "next: more"), ("  kept:", f"{more}{again}  kept:"))
        slow = slow.replace("timeout: 5s", "timeout: 30s")
        call = Call(build(SHOP, slow), vendor="Sharma")
        call.start()
        call.send(PromptDone(call.saying), 1.0)
        call.send(HungUpEvent(), 2.0)
        call.send(Replied(call.of(SendRequest)[0].id, 200), 30.0)
        while not call.machine.finished:
            call.tick()
        assert call.at == 2.0 + SILENT_S
        sent = [c.endpoint for c in call.history if isinstance(c, SendRequest)]
        assert sent == ["note", "more", "more", "report"]


class TestSilentFlows:
    REPORTS = """
flow: reports
languages: [en, hi, mr]
params: {size: text}
start: send
steps:
  send: {request: {post: report, body: {size: "{{ size }}"}, timeout: 2s}, next: bye, otherwise: bye}
  bye: {end: normal}
"""
    SHOP = changed(
        SHOP,
        ("  report: {request: {post: report, body: result, background: true}, next: bye}",
         '  report: {flow: {name: reports, with: {size: "{{ size }}"}}, next: bye, otherwise: bye}'),
    )  # fmt: skip

    def test_a_flow_of_silent_steps_runs_after_the_hang_up(self, build: Build) -> None:
        call = Call(build(self.SHOP, PART, self.REPORTS), vendor="Sharma")
        call.start()
        call.send(HungUpEvent(), 2.0)
        request = call.of(SendRequest)[0]
        assert request.body == {"size": "unknown"}
        call.send(Replied(request.id, 200), 3.0)
        assert call.finish.cause == "hangup"

    def test_one_under_way_goes_on_and_runs_once(self, build: Build) -> None:
        call = Call(build(self.SHOP, PART, self.REPORTS), vendor="Sharma")
        call.start()
        call.send(PromptDone(call.saying), 1.0)
        call.send(Key("3"), 2.0)
        call.send(PromptDone(call.saying), 3.0)
        request = call.of(SendRequest)[0]
        assert call.send(HungUpEvent(), 3.5) == []
        call.send(Replied(request.id, 200), 4.0)
        assert call.machine.finished
        assert sum(isinstance(c, SendRequest) for c in call.history) == 1


class TestOperator:
    SPOKEN = changed(PART, ('{key: "3", next: nope}', '{key: "3", intent: deny, next: nope}'))

    @pytest.mark.parametrize("event", [Heard("operator"), Key("0")])
    def test_an_operator_that_it_does_not_have_is_that_of_the_call(
        self, build: Build, event: Heard | Key
    ) -> None:
        call = Call(build(SHOP, self.SPOKEN), vendor="Sharma")
        call.start()
        call.send(PromptDone(call.saying), 1.0)
        assert "operator" in call.of(Listen)[0].speech.phrases
        call.send(event, 2.0)
        via = "operator" if isinstance(event, Heard) else "0"
        assert call.of(Outcome) == [
            Outcome("ask", "operator", "", via, "part"),
            Outcome("part", "operator", "desk", via),
        ]
        assert call.of(Transfer)[0].target == "+911234567890"

    def test_its_own_comes_first(self, build: Build) -> None:
        own = changed(self.SPOKEN, ("start: ask\n", "events: {operator: which}\nstart: ask\n"))
        call = Call(build(SHOP, own), vendor="Sharma")
        call.start()
        call.send(PromptDone(call.saying), 1.0)
        call.send(Key("0"), 2.0)
        assert call.of(Outcome) == [Outcome("ask", "operator", "which", "0", "part")]

    def test_without_any_nobody_listens_for_one(self, build: Build) -> None:
        shop = changed(
            SHOP,
            (", operator: desk", ""),
            (DESK, ""),
        )
        call = Call(build(shop, self.SPOKEN), vendor="Sharma")
        call.start()
        call.send(PromptDone(call.saying), 1.0)
        assert "operator" not in call.of(Listen)[0].speech.phrases
        call.send(Key("0"), 2.0)
        assert call.of(Outcome)[0].via == "no-match"


class TestTransfer:
    HANDS = """
flow: part
languages: [en, hi]
params: {shop: text}
result: {chosen: {one_of: [small, large], default: small}, storey: optional count}
start: ask
steps:
  ask:
    menu:
      prompt: ask
      choices: {go: {key: "1", next: over}, stay: {key: "2", next: done}}
      otherwise: done
  over: {transfer: {to: "+911234567890"}, next: note, otherwise: done}
  note: {set: {storey: 3}, next: done}
  done: {end: normal}
prompts: {ask: {en: Over?, hi: जोड़ूँ?}}
"""

    def test_after_a_transfer_that_was_done_all_is_silent(self, build: Build) -> None:
        call = Call(build(SHOP, self.HANDS), vendor="Sharma")
        call.start()
        call.send(PromptDone(call.saying), 1.0)
        call.send(Key("1"), 2.0)
        call.send(Transferred("done"), 3.0)
        assert call.of(Say) == []
        assert call.of(SendRequest)[0].body == {"size": "small", "floor": 3}
        assert call.finish.cause == "transferred"

    def test_after_one_that_was_not_the_call_goes_on(self, build: Build) -> None:
        call = Call(build(SHOP, self.HANDS), vendor="Sharma")
        call.start()
        call.send(PromptDone(call.saying), 1.0)
        call.send(Key("1"), 2.0)
        call.send(Transferred("busy"), 3.0)
        assert call.said == "Thank you, small."

    def test_nobody_is_there_to_be_thanked_where_next_is_always_a_transfer(
        self, build: Build, tmp_path: Path
    ) -> None:
        always = changed(
            self.HANDS,
            ('key: "2", next: done', 'key: "2", next: nope'),
            ("otherwise: done", "otherwise: nope"),
            ("  done: {end: normal}", "  done: {end: normal}\n  nope: {end: busy}"),
        )
        (told,) = messages(tmp_path, SHOP, always)
        assert "step thanks (say) runs after the caller was handed over, when nobody hears it" in told


class TestFailure:
    def test_a_failure_of_the_call_is_for_the_flow_that_expects_one(self, call: Call) -> None:
        call.send(Failure("no voice"), 2.0)
        assert call.of(Outcome) == [Outcome("part", "failure", "sorry", "no voice")]

    def test_the_flow_within_first(self, build: Build) -> None:
        own = changed(PART, ("start: ask\n", "events: {failure: done}\nstart: ask\n"))
        call = Call(build(SHOP, own), vendor="Sharma")
        call.start()
        call.send(PromptDone(call.saying), 1.0)
        call.send(Failure("no voice"), 2.0)
        assert call.of(Outcome) == [
            Outcome("ask", "failure", "done", "no voice", "part"),
            Outcome("part", "otherwise", "sorry", "failed"),
        ]
        call.send(Failure("still none"), 3.0)
        assert call.of(Outcome) == [Outcome("sorry", "failure", "sorry", "still none")]
        assert call.machine.due == 3.0 + FAREWELL_S


class TestLookahead:
    def texts(self, call: Call) -> set[str]:
        return {u.text for u in call.machine.lookahead() if isinstance(u, Text)}

    def test_it_sees_into_the_flow(self, build: Build) -> None:
        call = Call(build(SHOP, PART), vendor="Sharma")
        call.start()
        assert self.texts(call) == {"Small or large, Sharma?"}

    def test_it_sees_out_of_it_with_what_is_known(self, call: Call) -> None:
        assert self.texts(call) == {"Which floor?", "Small or large, Sharma?", "Sorry."}
        call.send(Key("2"), 2.0)
        assert self.texts(call) == {"Thank you, large."}

    def test_it_sees_through_flows_that_say_nothing(self, build: Build) -> None:
        head = PART.partition("limits")[0].replace("default: small", "default: large")
        silent = f"{head}start: bye\nsteps: {{bye: {{end: normal}}}}\n"
        call = Call(build(SHOP, silent), vendor="Sharma")
        call.start()
        assert self.texts(call) == {"Thank you, large."}

    def test_audio_lies_in_the_folder_of_its_flow(self, tmp_path: Path) -> None:
        parts = tmp_path / "parts"
        parts.mkdir()
        with wave.open(str(parts / "ask.wav"), "wb") as audio:
            audio.setnchannels(1)
            audio.setsampwidth(2)
            audio.setframerate(8000)
            audio.writeframes(bytes(16000))
        (tmp_path / "shop.yaml").write_text(SHOP, encoding="utf-8")
        spoken = changed(
            PART, ('en: "Small or large, {{ shop }}?"', 'en: {audio: ask.wav, text: "{{ shop }}?"}')
        )
        (parts / "part.yaml").write_text(spoken, encoding="utf-8")
        call = Call(load_flow(tmp_path / "shop.yaml"), vendor="Sharma")
        call.start()
        (ahead,) = call.machine.lookahead()
        call.send(PromptDone(call.saying), 1.0)
        (said,) = call.of(Say)[0].utterances
        assert isinstance(said, AudioFile)
        assert said == ahead
        assert (said.folder, said.path) == (str(parts), "ask.wav")


def test_ticks_come_to_an_end(call: Call) -> None:
    for _ in range(20):
        if call.machine.due is None:
            break
        call.send(Tick(), call.machine.due)
    assert call.machine.finished


def nested() -> Flow:
    over = '  over: {transfer: {to: "+911234567890"}, next: note, otherwise: which}\nprompts:\n'
    part = changed(WAITS, ('{key: "9", next: ask}', '{key: "9", next: over}'), ("prompts:\n", over))
    with TemporaryDirectory() as folder:
        return written(Path(folder), SHOP, part)


NESTED = nested()


@given(steps)
def test_whatever_happens_a_call_with_a_flow_within_ends_once(script: list[tuple[Event, float]]) -> None:
    machine = FlowMachine(NESTED, NESTED.bind({"vendor": "X"}))
    log = run(machine, script)
    commands = [command for _, batch in log for command in batch]
    assert machine.finished
    assert [c for c in commands if isinstance(c, Finish)] == [commands[-1]]
    assert sum(isinstance(c, HangUp) for c in commands) <= 1
    assert isinstance(commands[-1], Finish)
    assert set(commands[-1].result) == {"size", "floor"}
    committed = [c.result for c in commands if isinstance(c, Commit)]
    assert not committed or committed[-1] == commands[-1].result
    ids = [c.id for c in commands if isinstance(c, Say | SendRequest)]
    assert len(ids) == len(set(ids))
    reports = [c for c in commands if isinstance(c, SendRequest) and c.endpoint == "report"]
    assert len(reports) <= 2
    gone = next((at for at, (event, _) in enumerate(log) if isinstance(event, HungUpEvent)), len(log))
    for _, batch in log[gone:]:
        assert not any(isinstance(c, Say | Listen | Transfer | HangUp) for c in batch)


@given(steps)
def test_looking_ahead_never_changes_a_call_with_a_flow_within(script: list[tuple[Event, float]]) -> None:
    values = NESTED.bind({"vendor": "X"})
    plain, looking = FlowMachine(NESTED, values), FlowMachine(NESTED, values)
    assert plain.start(0.0) == looking.start(0.0)
    now = 0.0
    for event, wait in script:
        now += wait
        looking.lookahead()
        assert plain.handle(event, now) == looking.handle(event, now)
