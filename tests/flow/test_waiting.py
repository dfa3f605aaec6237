"""The verbs `wait` and `publish` on the machine, and signals bound to a flow."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given

from ivr.flow.loader import Environment, check_file, load_flow
from ivr.flow.machine import FlowMachine
from ivr.flow.model import Flow
from ivr.flow.problems import ParamError
from ivr.flow.protocol import (
    BeginWaiting,
    Commit,
    EndWaiting,
    Enter,
    Failure,
    Finish,
    HangUp,
    HungUpEvent,
    Key,
    Outcome,
    PromptDone,
    Publish,
    Say,
    Signal,
    Text,
    Tick,
)
from ivr.flow.signals import UnknownSignal, bind_signal, signals_of
from tests.flow import test_machine_properties as properties
from tests.flow.calls import Call

Build = Callable[[str], Flow]

FLOW = """
flow: finding
languages: [en]
params: {order: digits}
result: {rider: optional text, eta: optional minutes, outcome: {type: text, default: open}}
limits: {call: 10m, visits: 3}
events: {hangup: report, failure: sorry}
start: hello
steps:
  hello: {say: hello, next: search}
  search:
    wait: {for: 45s, sound: music, until: rider-found, values: [rider, eta]}
    next: found
  found:
    branch:
      - {if: "rider is not none", next: told}
      - {else: search}
  told: {say: told, next: pause}
  pause: {wait: 500ms, next: report}
  sorry: {say: sorry, next: report}
  report:
    publish: {to: rider-events, body: {order: "{{ order }}", rider: "{{ rider }}", kind: 1}}
    next: after
  after: {wait: {for: 30s, until: closed, values: [outcome]}, next: bye}
  bye: {end: normal}
prompts:
  hello: {en: "One moment."}
  told: {en: "{{ rider }} comes."}
  sorry: {en: "Sorry."}
"""


@pytest.fixture
def flow(flow_of: Build) -> Flow:
    return flow_of(FLOW)


@pytest.fixture
def call(flow: Flow) -> Call:
    return Call(flow, order="48213")


def waiting(call: Call) -> Call:
    """In the wait for a rider, since 1 s."""
    call.start()
    call.send(PromptDone(call.saying), 1.0)
    assert call.of(BeginWaiting) == [BeginWaiting("music")]
    return call


FOUND = Signal("rider-found", {"rider": "Ravi", "eta": 12})


class TestWait:
    def test_it_lasts_as_long_as_it_says(self, call: Call) -> None:
        waiting(call)
        assert call.machine.due == 46.0
        assert call.send(Tick(), 45.9) == []
        call.send(Tick(), 46.0)
        assert call.of(Outcome)[0] == Outcome("search", "next", "found", "time")
        assert call.of(Enter)[-1] == Enter("search", 2), "nobody was found: the flow looks again"
        assert [type(c) for c in call.last if isinstance(c, EndWaiting | BeginWaiting)] == [
            EndWaiting,
            BeginWaiting,
        ]

    def test_a_signal_ends_it_with_its_values_stored_before_they_are_told(self, call: Call) -> None:
        waiting(call)
        call.send(FOUND, 5.0)
        assert call.of(Outcome)[0] == Outcome("search", "next", "found", "rider-found")
        assert call.said == "Ravi comes."
        kinds = [type(command) for command in call.last]
        assert kinds.index(Commit) < kinds.index(Say)
        assert kinds.index(EndWaiting) < kinds.index(Say)
        assert call.machine.result["eta"] == 12

    def test_a_signal_that_comes_early_is_kept_and_the_last_of_a_name_counts(self, call: Call) -> None:
        call.start()
        assert call.send(Signal("rider-found", {"rider": "Asha", "eta": 5}), 0.2) == []
        assert call.send(FOUND, 0.4) == []
        call.send(PromptDone(call.saying), 1.0)
        assert call.said == "Ravi comes."
        assert call.of(BeginWaiting) == [], "there is nothing to wait for"

    def test_one_that_comes_before_the_flow_begins_is_kept_too(self, call: Call) -> None:
        assert call.send(FOUND) == []
        assert not call.machine.started
        call.start()
        call.send(PromptDone(call.saying), 1.0)
        assert call.said == "Ravi comes."

    def test_a_signal_counts_once(self, call: Call) -> None:
        waiting(call)
        call.send(Signal("rider-found", {"rider": None, "eta": None}), 2.0)
        assert call.of(Enter)[-1] == Enter("search", 2)
        assert call.machine.due == 47.0

    def test_one_that_another_step_waits_for_does_not_end_it(self, call: Call) -> None:
        waiting(call)
        assert call.send(Signal("closed", {"outcome": "done"}), 2.0) == []
        call.send(FOUND, 3.0)
        call.send(PromptDone(call.saying), 5.0)
        call.tick()
        assert call.finish.result["outcome"] == "done", "it was kept for the step that waits for it"

    def test_a_hang_up_takes_the_hang_up_event(self, call: Call) -> None:
        waiting(call)
        call.send(HungUpEvent(), 2.0)
        assert [enter.step for enter in call.of(Enter)] == ["report", "after", "bye"]
        assert call.of(EndWaiting) == [], "there is nobody to whom anything plays"
        assert call.finish == Finish({"rider": None, "eta": None, "outcome": "open"}, "hangup")

    def test_after_a_hang_up_it_passes_at_once_with_what_was_signalled(self, call: Call) -> None:
        waiting(call)
        call.send(Signal("closed", {"outcome": "done"}), 1.5)
        call.send(HungUpEvent(), 2.0)
        assert call.finish.result["outcome"] == "done"

    def test_a_hang_up_in_a_wait_that_may_be_silent_ends_it_where_it_is(self, call: Call) -> None:
        waiting(call)
        call.send(FOUND, 2.0)
        call.send(PromptDone(call.saying), 4.0)
        call.tick()
        assert call.machine.step == "after"
        call.send(HungUpEvent(), 6.0)
        assert call.of(Outcome) == [Outcome("after", "next", "bye", "hangup")]
        assert call.finish.cause == "hangup"
        assert len([c for c in call.history if isinstance(c, Publish)]) == 1, "once"

    def test_a_failure_ends_it(self, call: Call) -> None:
        waiting(call)
        call.send(Failure("no voice"), 2.0)
        kinds = [type(command) for command in call.last]
        assert kinds.index(EndWaiting) < kinds.index(Say)

    def test_the_music_stops_when_the_call_is_ended_in_it(self, flow_of: Build) -> None:
        call = Call(
            flow_of(FLOW.replace("failure: sorry", "operator: sorry").replace("10m", "4m")), order="1"
        )
        waiting(call)
        call.send(Failure("the call is too long"), 2.0)
        assert [type(c) for c in call.last] == [EndWaiting, HangUp, Finish]

    def test_keys_are_typed_ahead(self, flow_of: Build) -> None:
        call = Call(flow_of(KEYS.replace("WAIT", "for: 5s")))
        call.start()
        assert call.send(Key("1"), 1.0) == []
        call.tick()
        assert call.finish.result == {"answer": "1"}

    def test_its_key_ends_it_and_is_used_up(self, flow_of: Build) -> None:
        call = Call(flow_of(KEYS.replace("WAIT", 'for: 60s, key: "#"')))
        call.start()
        assert call.send(Key("2"), 1.0) == []
        call.send(Key("#"), 2.0)
        assert call.of(Outcome)[0] == Outcome("rest", "next", "ask", "key")
        assert call.finish.result == {"answer": "2"}

    def test_its_key_may_have_been_typed_ahead(self, flow_of: Build) -> None:
        call = Call(flow_of(KEYS.replace("start: rest\nsteps:", HELLO).replace("WAIT", 'for: 60s, key: "#"')))
        call.start()
        call.send(Key("#"), 1.0)
        assert call.of(BeginWaiting) == []
        assert call.machine.step == "ask"
        call.send(Key("1"), 2.0)
        assert call.finish.result == {"answer": "1"}

    def test_any_key_ends_it_and_is_kept_for_the_step_after(self, flow_of: Build) -> None:
        flow = flow_of(KEYS.replace("WAIT", "for: 60s, key: any"))
        call = Call(flow)
        call.start()
        call.send(Key("2"), 1.0)
        assert call.finish.result == {"answer": "2"}

    def test_what_a_signal_fills_may_not_be_there(self, tmp_path: Path) -> None:
        path = tmp_path / "bare.yaml"
        path.write_text(
            FLOW.replace("next: found\n", "next: told\n").replace("next: search}", "next: found}")
        )
        said = "\n".join(map(str, check_file(path)))
        assert 'rule 4: step told: "rider" may not have a value yet' in said


KEYS = """
flow: keys
languages: [en]
result: {answer: optional digits}
limits: {call: 5m}
start: rest
steps:
  rest: {wait: {WAIT}, next: ask}
  ask:
    collect: {prompt: {en: "Which?"}, into: answer, keys: {length: 1}, next: bye, otherwise: bye}
  bye: {end: normal}
"""
HELLO = 'start: hello\nsteps:\n  hello: {say: {en: "Hello."}, next: rest}'


class TestPublish:
    def test_an_event_is_stored_after_the_result_it_tells_of(self, call: Call) -> None:
        waiting(call)
        call.send(FOUND, 2.0)
        call.send(PromptDone(call.saying), 3.0)
        call.tick()
        assert call.of(Publish) == [Publish("rider-events", {"order": "48213", "rider": "Ravi", "kind": 1})]

    def test_a_body_may_be_the_result_or_nothing(self, flow_of: Build) -> None:
        text = (
            "flow: small\nlanguages: [en]\nresult: {n: {type: count, default: 3}}\nstart: a\nsteps:\n"
            "  a: {publish: {to: numbers, body: result}, next: b}\n"
            "  b: {publish: {to: bare}, next: bye}\n  bye: {end: normal}\n"
        )
        call = Call(flow_of(text))
        call.start()
        assert call.of(Publish) == [Publish("numbers", {"n": 3}), Publish("bare", {})]

    def test_a_value_that_cannot_be_computed_is_a_failure(self, flow_of: Build) -> None:
        text = (
            "flow: small\nlanguages: [en]\nresult: {n: {type: count, default: 0}}\nevents: {failure: bye}\n"
            'start: a\nsteps:\n  a: {publish: {to: numbers, body: {x: "{{ 1 / n }}"}}, next: bye}\n'
            "  bye: {end: failed}\n"
        )
        call = Call(flow_of(text))
        call.start()
        assert call.of(Publish) == []
        assert call.of(Outcome)[0].outcome == "failure"

    def test_topics_are_those_of_the_configuration(self, tmp_path: Path) -> None:
        path = tmp_path / "flow.yaml"
        path.write_text(FLOW)
        assert check_file(path, Environment(topics={"rider-events": frozenset({"order", "rider"})})) == []
        (problem,) = check_file(path, Environment())
        assert problem.message == 'step report: the configuration has no topic "rider-events"'
        assert problem.hint == "add it under broker.topics"
        (problem,) = check_file(path, Environment(topics={"rider-events": frozenset({"order", "city"})}))
        assert (problem.rule, "city" in problem.message) == (8, True)
        assert check_file(path) == [], "without a configuration its names are not looked at"


class TestSignals:
    def test_a_flow_knows_what_it_waits_for(self, flow: Flow) -> None:
        known = signals_of(flow)
        assert set(known) == {"rider-found", "closed"}
        assert {name: [*map(str, types)] for name, types in known["rider-found"].items()} == {
            "rider": ["optional text"],
            "eta": ["optional minutes"],
        }

    def test_what_may_be_left_out_is_nothing(self, flow: Flow) -> None:
        assert bind_signal(flow, "rider-found", {"rider": "Ravi", "eta": 12}) == FOUND
        assert bind_signal(flow, "rider-found", {}) == Signal("rider-found", {"rider": None, "eta": None})

    def test_what_does_not_fit_is_named(self, flow: Flow) -> None:
        with pytest.raises(ParamError) as caught:
            bind_signal(flow, "rider-found", {"rider": 7, "eta": "soon", "ridr": "Ravi"})
        assert caught.value.fields == {
            "rider": "must be a text, in quotes",
            "eta": "must be a whole number",
            "ridr": 'is not a value of the signal rider-found (did you mean "rider"?)',
        }
        with pytest.raises(ParamError) as caught:
            bind_signal(flow, "closed", {})
        assert caught.value.fields == {"outcome": "is missing"}

    def test_a_name_that_nothing_waits_for_is_refused(self, flow: Flow) -> None:
        with pytest.raises(UnknownSignal, match='did you mean "rider-found"') as caught:
            bind_signal(flow, "rider_found", {})
        assert caught.value.known == ("closed", "rider-found")

    def test_amounts_are_exact(self, flow_of: Build) -> None:
        flow = flow_of(
            "flow: small\nlanguages: [en]\nresult: {fee: optional rupees}\nstart: a\nsteps:\n"
            "  a: {wait: {for: 1s, until: fee, values: [fee]}, next: bye}\n  bye: {end: normal}\n"
        )
        call = Call(flow)
        call.start()
        call.send(bind_signal(flow, "fee", {"fee": 45.5}))
        assert call.machine.values["fee"] == Decimal("45.5")


@pytest.fixture(scope="module")
def bounded(tmp_path_factory: pytest.TempPathFactory) -> Flow:
    path = tmp_path_factory.mktemp("flows") / "finding.yaml"
    path.write_text(
        FLOW.replace("rider-found", "found")
        .replace("[rider, eta]", "[state]")
        .replace("result: {", "result: {state: optional text, ")
    )
    return load_flow(path)


@given(script=properties.steps)
def test_whatever_happens_the_call_stays_within_its_bounds(bounded: Flow, script) -> None:
    machine = FlowMachine(bounded, bounded.bind({"order": "1"}))
    log = properties.run(machine, script)
    properties.check(machine, log)
    plays = False
    for _, batch in log:
        for command in batch:
            if isinstance(command, BeginWaiting):
                assert not plays
                plays = True
            elif isinstance(command, EndWaiting):
                assert plays
                plays = False
            elif isinstance(command, Say | HangUp):
                assert not plays, "nothing is said over the music"


OUTER = """
flow: outer
languages: [en]
result: {rider: optional text, fee: optional rupees}
limits: {call: 5m}
events: {hangup: report}
start: search
steps:
  search: {flow: {name: search, result: {rider: found}}, next: price, otherwise: report}
  price: {wait: {for: 30s, until: priced, values: [fee]}, next: told}
  told: {say: {en: "All is known."}, next: report}
  report: {publish: {to: rider-events, body: result}, next: bye}
  bye: {end: normal}
"""

INNER = """
flow: search
languages: [en]
result: {found: optional text, fee: optional text}
limits: {call: 2m}
events: {hangup: last}
start: look
steps:
  look: {wait: {for: 60s, sound: music, until: rider-found, values: [found]}, next: cost}
  cost: {wait: {for: 5s, until: priced, values: [fee]}, next: bye}
  last: {wait: {for: 50s, until: rider-found, values: [found]}, next: bye}
  bye: {end: normal}
"""


class TestWithin:
    """Waits in a flow that is entered from another."""

    @pytest.fixture
    def nested(self, tmp_path: Path) -> Call:
        (tmp_path / "search.yaml").write_text(INNER, encoding="utf-8")
        (tmp_path / "outer.yaml").write_text(OUTER, encoding="utf-8")
        return Call(load_flow(tmp_path / "outer.yaml"))

    def test_a_call_knows_the_signals_of_all_its_flows(self, nested: Call) -> None:
        known = signals_of(nested.machine.flow)
        assert {name: set(values) for name, values in known.items()} == {
            "rider-found": {"found"},
            "priced": {"fee"},
        }
        assert {str(type_) for type_ in known["priced"]["fee"]} == {"optional rupees", "optional text"}

    def test_a_value_must_fit_wherever_it_may_be_taken(self, nested: Call) -> None:
        with pytest.raises(ParamError):
            bind_signal(nested.machine.flow, "priced", {"fee": 45})
        assert bind_signal(nested.machine.flow, "priced", {"fee": "45.50"}).values == {"fee": "45.50"}

    def test_each_step_takes_a_signal_by_its_own_type(self, nested: Call) -> None:
        nested.start()
        nested.send(Signal("rider-found", {"found": "Ravi"}), 1.0)
        nested.send(Signal("priced", {"fee": "45.50"}), 2.0)
        assert nested.machine.step == "price", "the flow within took it as a text, and is over"
        nested.send(Signal("priced", {"fee": "45.50"}), 3.0)
        assert nested.machine.result == {"rider": "Ravi", "fee": 45.5}
        assert nested.said == "All is known."

    def test_what_is_signalled_early_is_kept_across_flows(self, nested: Call) -> None:
        nested.send(Signal("rider-found", {"found": "Ravi"}))
        nested.start()
        assert nested.machine.step == "search/cost"
        nested.tick()
        nested.send(Signal("priced", {"fee": "1"}), 20.0)
        assert nested.machine.result == {"rider": "Ravi", "fee": 1}

    def test_a_hang_up_within_runs_the_silent_steps_of_both(self, nested: Call) -> None:
        nested.start()
        nested.send(HungUpEvent(), 2.0)
        assert [enter.step for enter in nested.of(Enter)] == ["last", "bye", "report", "bye"]
        assert nested.of(Publish) == [Publish("rider-events", {"rider": None, "fee": None})]
        assert nested.finish.cause == "hangup"


def test_what_is_said_after_a_wait_is_looked_ahead(flow_of: Build) -> None:
    text = (
        "flow: rest\nlanguages: [en]\nstart: a\nsteps:\n  a: {wait: {for: 5s, sound: music}, next: b}\n"
        "  b: {say: {en: Done.}, next: bye}\n  bye: {end: normal}\n"
    )
    call = Call(flow_of(text))
    call.start()
    assert call.machine.lookahead() == (Text("Done.", "en"),)
