"""Others are asked what a caller meant, where the phrases leave a doubt."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ivr.flow.model import Flow
from ivr.flow.protocol import (
    Classified,
    Classify,
    Heard,
    HungUpEvent,
    Key,
    Option,
    Outcome,
    PromptDone,
    SpeechBegan,
    StopClassifying,
    Tick,
    Unclassified,
)
from ivr.flow.rehearsal import rehearse
from ivr.flow.scenarios import load_scenarios
from ivr.flow.simulator import Simulation
from tests.flow.calls import Call

FLOW = """
flow: order
languages: [en, hi]
understanding: {by: [nlu, llm], within: 1200ms}
variables: {gift: {type: yes_no, default: false}}
result:
  decision: {one_of: [accepted, rejected, unknown], default: unknown}
  size: optional {size}
limits: {call: 10m}
events: {operator: desk}
start: offer
steps:
  offer:
    menu:
      prompt: offer
      choices:
        accept: {key: "1", intent: affirm, set: {decision: accepted}, next: size}
        reject: {key: "2", intent: deny, set: {decision: rejected}, next: bye}
        later: {key: "3", phrases: {en: [call me later], hi: [बाद में]}, next: bye}
      retry: {wait: 5s, prompts: [offer]}
      otherwise: bye
  size:
    collect:
      prompt: size
      into: size
      speech: {slot: one_of}
      keys: {length: 1}
      retry: {wait: 5s, prompts: [size]}
      next: gift
      otherwise: bye
  gift:
    collect: {prompt: size, into: gift, speech: {slot: yes_no}, next: minutes, otherwise: bye}
  minutes:
    collect: {prompt: size, into: minutes, speech: {slot: minutes}, next: bye, otherwise: bye}
  desk: {transfer: {to: "+911234567890"}, next: bye, otherwise: bye}
  bye: {end: normal}
prompts:
  offer: {en: Accept?, hi: स्वीकार?}
  size: {en: Which size?, hi: कौन सा?}
""".replace("optional {size}", "{one_of: [small, large], optional: true}\n  minutes: optional minutes")

Build = Callable[[str], Flow]


@pytest.fixture
def call(flow_of: Build) -> Call:
    call = Call(flow_of(FLOW))
    call.start()
    return call


def asked(call: Call) -> Classify:
    (question,) = call.of(Classify)
    return question


class TestMenu:
    def test_what_is_certain_is_asked_of_nobody(self, call: Call) -> None:
        call.send(Heard("yes"), 1.0)
        assert call.of(Classify) == []
        assert call.of(Outcome)[0].outcome == "accept"

    @pytest.mark.parametrize("said", ["one", "press two"])
    def test_nor_is_a_key_that_is_named(self, call: Call, said: str) -> None:
        call.send(Heard(said), 1.0)
        assert call.of(Classify) == []
        assert call.of(Outcome)

    @pytest.mark.parametrize("said", [None, "", "  "])
    def test_nor_what_nobody_heard(self, call: Call, said: str | None) -> None:
        call.send(Heard(said), 1.0)
        assert call.of(Classify) == []
        assert call.said == "Accept?"

    def test_a_doubt_is_asked_with_all_that_may_be_meant(self, call: Call) -> None:
        call.send(SpeechBegan(), 0.5)
        call.send(Heard("go ahead with that then"), 1.0)
        question = asked(call)
        assert (question.text, question.language) == ("go ahead with that then", "en")
        assert (question.by, question.within_s) == (("nlu", "llm"), 1.2)
        assert (question.flow, question.step) == ("order", "offer")
        assert [option.name for option in question.options] == ["affirm", "deny", "later", "operator"]
        assert question.options[2] == Option("later", ("call me later",))
        assert call.machine.due == 2.2

    def test_the_answer_decides(self, call: Call) -> None:
        call.send(Heard("go ahead with that then"), 1.0)
        call.send(Classified(asked(call).id, "affirm", "nlu"), 1.4)
        assert call.of(Outcome) == [Outcome("offer", "accept", "size", "affirm")]
        assert call.machine.result["decision"] == "accepted"

    def test_none_of_them_is_a_no_match(self, call: Call) -> None:
        call.send(Heard("yes but who are you actually my dear"), 1.0)
        call.send(Classified(asked(call).id, None, "nlu"), 1.4)
        assert call.said == "Accept?"

    def test_the_operator_may_be_meant(self, call: Call) -> None:
        call.send(Heard("let me talk to a human being"), 1.0)
        if call.of(Classify):
            call.send(Classified(asked(call).id, "operator", "nlu"), 1.4)
        assert call.of(Outcome)[0].outcome == "operator"

    WEAK = "yes I think that I can have it ready for you soon"

    @pytest.mark.parametrize("how", ["unclassified", "late", "of another world"])
    def test_where_nobody_answers_the_phrases_decide(self, call: Call, how: str) -> None:
        call.send(Heard(self.WEAK), 1.0)
        question = asked(call)
        if how == "unclassified":
            call.send(Unclassified(question.id, "down"), 1.1)
        elif how == "late":
            call.tick()
            assert call.at == 2.2
            assert call.of(StopClassifying) == [StopClassifying(question.id)]
        else:
            call.send(Classified(question.id, "perhaps", "nlu"), 1.1)
        assert call.of(Outcome)[0].outcome == "accept"

    def test_a_key_pressed_meanwhile_wins_and_the_late_answer_is_ignored(self, call: Call) -> None:
        call.send(Heard(self.WEAK), 1.0)
        question = asked(call)
        commands = call.send(Key("2"), 1.2)
        assert commands[0] == StopClassifying(question.id)
        assert call.of(Outcome)[0].outcome == "reject"
        assert call.machine.finished
        assert call.send(Classified(question.id, "affirm", "nlu"), 1.3) == []

    def test_an_old_answer_does_not_decide_a_new_question(self, call: Call) -> None:
        call.send(Heard(self.WEAK), 1.0)
        old = asked(call)
        call.send(Classified(old.id, None, "nlu"), 1.1)
        call.send(PromptDone(call.saying), 3.0)
        call.send(Heard(self.WEAK), 4.0)
        assert asked(call).id != old.id
        assert call.send(Classified(old.id, "deny", "nlu"), 4.1) == []

    def test_more_words_meanwhile_do_not_count(self, call: Call) -> None:
        call.send(Heard(self.WEAK), 1.0)
        question = asked(call)
        assert call.send(SpeechBegan(), 1.1) == []
        assert call.send(Heard("no"), 1.2) == []
        call.send(Classified(question.id, "affirm", "nlu"), 1.3)
        assert call.of(Outcome)[0].outcome == "accept"

    def test_a_hang_up_ends_it(self, call: Call) -> None:
        call.send(Heard(self.WEAK), 1.0)
        question = asked(call)
        call.send(HungUpEvent(), 1.1)
        assert call.finish.cause == "hangup"
        assert call.send(Classified(question.id, "affirm", "nlu"), 1.2) == []

    def test_the_tick_before_its_time_changes_nothing(self, call: Call) -> None:
        call.send(Heard(self.WEAK), 1.0)
        assert call.send(Tick(), 1.5) == []


class TestCollect:
    def reach(self, call: Call, *said: str) -> None:
        for number, text in enumerate(said, 1):
            call.send(Heard(text), float(number))

    def test_an_option_is_chosen(self, call: Call) -> None:
        self.reach(call, "yes", "the bigger of the two")
        question = asked(call)
        assert [option.name for option in question.options] == ["small", "large", "operator"]
        call.send(Classified(question.id, "large", "llm"), 2.5)
        assert call.machine.result["size"] == "large"

    def test_yes_and_no(self, call: Call) -> None:
        self.reach(call, "yes", "large", "it is for my sister's birthday")
        question = asked(call)
        assert [option.name for option in question.options] == ["yes", "no", "operator"]
        call.send(Classified(question.id, "yes", "llm"), 3.5)
        assert call.machine.values["gift"] is True

    def test_a_clear_answer_is_asked_of_nobody(self, call: Call) -> None:
        self.reach(call, "yes", "large", "no")
        assert not any(isinstance(command, Classify) for command in call.history)

    def test_numbers_are_nobody_elses_business(self, call: Call) -> None:
        self.reach(call, "yes", "large", "no", "some time")
        assert not any(isinstance(command, Classify) for command in call.history)

    def test_the_operator(self, call: Call) -> None:
        self.reach(call, "yes", "I would rather speak with somebody of flesh and blood")
        call.send(Classified(asked(call).id, "operator", "llm"), 2.5)
        assert call.of(Outcome) == [Outcome("size", "operator", "desk", "operator")]


def test_a_step_may_ask_others_or_nobody(flow_of: Build) -> None:
    own = FLOW.replace("      prompt: offer\n", "      prompt: offer\n      understanding: []\n", 1)
    call = Call(flow_of(own))
    call.start()
    call.send(Heard(TestMenu.WEAK), 1.0)
    assert call.of(Classify) == []
    assert call.of(Outcome)[0].outcome == "accept"


SCENARIOS = """
flow: order
scenarios:
  - name: a classifier understands
    steps: [{hears: Accept}, {says: "do it my friend", means: affirm},
            {hears: size}, {says: "the bigger", means: large}]
    result: {decision: accepted, size: large}
  - name: none of them is asked again
    steps: [{hears: Accept}, {says: "so many things", means: none}, {hears: Accept}, {presses: "2"}]
    result: {decision: rejected}
  - name: no classifier answers
    steps: [{hears: Accept}, {says: "so many things"}, {hears: Accept}, {says: "no"}]
    result: {decision: rejected}
"""


def test_scenarios_say_what_a_classifier_makes_of_it(tmp_path: Path) -> None:
    (tmp_path / "order.yaml").write_text(FLOW, encoding="utf-8")
    path = tmp_path / "order.scenarios.yaml"
    path.write_text(SCENARIOS, encoding="utf-8")
    file = load_scenarios(path)
    assert [rehearse(file.flow, scenario) for scenario in file.scenarios] == [None] * 3


def test_in_a_simulated_call_the_phrases_decide(flow_of: Build) -> None:
    call = Simulation(flow_of(FLOW), {})
    call.begin()
    assert "    accept (affirm)" in call.feed(TestMenu.WEAK)


CONSENT = """
flow: consent
languages: [en]
understanding: [llm]
start: ask
steps:
  ask:
    consent:
      for: {opt_in: offers}
      prompt: {en: "Shall we send you offers? Press 1, or say yes. Press 2, or say no."}
      agree: {key: "1", intent: affirm}
      refuse: {key: "2", intent: deny}
    next: bye
    otherwise: bye
  bye: {end: normal}
"""


def test_nobody_else_decides_what_was_agreed_to(flow_of: Build) -> None:
    call = Call(flow_of(CONSENT))
    call.start()
    call.send(PromptDone(call.saying), 5.0)
    call.send(Heard("well I suppose that it cannot hurt me in any way"), 6.0)
    assert call.of(Classify) == []
