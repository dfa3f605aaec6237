"""Verb by verb: what the vendor-order example does not show."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from ivr.flow.loader import load_flow
from ivr.flow.machine import FlowMachine
from ivr.flow.model import Flow
from ivr.flow.protocol import (
    Attended,
    Commit,
    Enter,
    Failure,
    Heard,
    HungUpEvent,
    Key,
    Listen,
    NothingSaid,
    Outcome,
    PromptDone,
    Queued,
    Say,
    SendRequest,
    SpeechBegan,
    StopListening,
    StopSaying,
    StopTransfer,
    Text,
    Transfer,
    Transferred,
)
from ivr.flow.verbs import VERBS
from tests.flow.calls import TWO_PARTS, Call

Build = Callable[[str], Flow]

HEAD = """
flow: examples
languages: [en, hi]
params: {amount: rupees, order: digits, desk: text, shop: text}
variables:
  spoken: {type: language, default: en}
  place: {type: count, default: 0}
  said: {type: list, default: []}
result:
  decision: {one_of: [accepted, unreached], default: unreached}
  eta: optional minutes
  state: optional text
  tries: {type: count, default: 0}
  message: optional text
  brief: {type: text, default: ""}
  answered_by: {one_of: [human, machine, unknown], default: unknown}
limits: {call: 60m, visits: 3}
events: {hangup: report, operator: desk, failure: talk}
start: who
steps:
"""
REST = """
  booked: {say: thanks, next: complaint}
  noted: {say: thanks, next: recorded}
  sorry: {say: thanks, next: notice}
  later: {say: thanks, next: size}
  told: {say: thanks, next: count}
  manager: {say: thanks, next: taken}
  report: {request: {post: report, body: result, background: true}, next: bye}
prompts:
  thanks: {en: Thanks., hi: धन्यवाद।}
  notice: {en: Notice., hi: सूचना।}
  offer: {en: Offer?, hi: प्रस्ताव?}
  retry: {en: Sorry?, hi: क्षमा?}
  eta: {en: When?, hi: कब?}
  complaint: {en: Speak., hi: बोलिए।}
  callback: {en: Call back., hi: फ़ोन कीजिए।}
  recorded: {en: We record., hi: रिकॉर्ड।}
  offers: {en: Offers?, hi: ऑफ़र?}
  brief: {en: "{{ order }}. Press 1.", hi: "{{ order }}। 1 दबाएँ।"}
  queued: {en: "You are number {{ place }}.", hi: "आपका नंबर {{ place }} है।"}
"""


TONGUE = """
flow: ask-language
languages: [en, hi]
params: {shop: text}
result: {language: {type: language, default: en}}
start: bye
steps: {bye: {end: normal}}
"""


def test_the_examples_beside_the_verbs_are_right(flow_of: Build, tmp_path: Path) -> None:
    (tmp_path / "ask_language.yaml").write_text(TONGUE, encoding="utf-8")
    examples = ""
    for verb in VERBS.values():
        module = __import__(verb.__module__, fromlist=["__doc__"])
        lines = (module.__doc__ or "").splitlines()
        examples += "".join(f"{line[2:]}\n" for line in lines if line.startswith("    "))
    examples = examples.replace("thanks, next: bye", "thanks, next: tongue")
    flow = flow_of(HEAD + examples + REST)
    assert {step.verb for step in flow.steps.values()} == set(VERBS)


def small(steps: str, *, head: str = "", start: str = "ask", prompts: str = "") -> str:
    return (
        f"flow: small\nlanguages: [en, mr]\n{head}limits: {{call: 30m}}\nstart: {start}\nsteps:\n{steps}"
        "  bye: {end: normal}\nprompts:\n  ask: {en: Ask?, mr: विचार?}\n  done: {en: Done., mr: झाले.}\n"
        + prompts
    )


class TestMenu:
    LANGUAGES = small(
        """
  ask:
    menu:
      prompt: ask
      choices:
        english: {key: "1", phrases: {en: [english], mr: [इंग्रजी]}, set: {spoken: en}, next: done}
        marathi: {key: "2", phrases: {en: [marathi], mr: [मराठी]}, set: {spoken: mr}, next: done}
      otherwise: bye
  done: {say: done, next: bye}
""",
        head="params: {spoken: language}\n",
    )

    def test_the_language_can_be_changed_in_the_call(self, flow_of: Build) -> None:
        call = Call(flow_of(self.LANGUAGES), spoken="en")
        call.start()
        ahead = {u.text for u in call.machine.lookahead()}  # type: ignore[union-attr]
        assert ahead == {"Done.", "झाले."}, "each choice is looked ahead in the language it leads to"
        call.send(Heard("marathi"), 1.0)
        assert call.machine.language == "mr"
        assert call.said == "झाले."

    def test_only_the_phrases_of_the_language_are_listened_for(self, flow_of: Build) -> None:
        call = Call(flow_of(self.LANGUAGES), spoken="mr")
        call.start()
        assert call.of(Listen)[0].speech.phrases == ("इंग्रजी", "मराठी")

    def test_a_cough_is_no_answer_and_the_wait_goes_on(self, flow_of: Build) -> None:
        call = Call(flow_of(self.LANGUAGES), spoken="en")
        call.start()
        call.send(PromptDone(call.saying), 1.0)
        call.send(SpeechBegan(), 3.0)
        call.send(NothingSaid(), 3.5)
        assert call.machine.due == 6.0
        call.send(SpeechBegan(), 5.5)
        call.send(NothingSaid(), 5.9)
        assert call.machine.due == 7.9, "there is time to speak after it"
        call.send(Heard("marathi"), 7.0)
        assert call.machine.language == "mr"

    def test_without_retries_the_first_no_match_takes_otherwise(self, flow_of: Build) -> None:
        call = Call(flow_of(self.LANGUAGES), spoken="en")
        call.start()
        call.send(Key("0"), 1.0)
        assert call.of(Outcome)[0] == Outcome("ask", "otherwise", "bye", "no-match")

    def test_the_flow_may_add_to_the_built_in_phrases(self, flow_of: Build) -> None:
        text = small(
            "  ask: {menu: {prompt: ask, choices: {yes: {intent: affirm, next: done}}, otherwise: bye}}\n"
            "  done: {say: done, next: bye}\n",
            head='intents: {affirm: {en: ["jolly good"], mr: ["मस्तच"]}}\n',
        )
        call = Call(flow_of(text.replace("yes:", "good:")))
        call.start()
        assert {"yes", "jolly good"} <= set(call.of(Listen)[0].speech.phrases)
        call.send(Heard("jolly good"), 1.0)
        assert call.machine.step == "done"

    @pytest.mark.parametrize(
        ("barge_in", "key_cuts", "listens_during"),
        [("any", True, True), ("keys", True, False), ("speech", False, True), ("none", False, False)],
    )
    def test_barge_in(self, flow_of: Build, barge_in: str, key_cuts: bool, listens_during: bool) -> None:
        text = self.LANGUAGES.replace("prompt: ask\n", f"prompt: ask\n      barge_in: {barge_in}\n")
        call = Call(flow_of(text), spoken="en")
        call.start()
        assert bool(call.of(Listen)) is listens_during
        call.send(Key("1"), 1.0)
        assert (call.machine.step == "done") is key_cuts
        if not key_cuts:
            call.send(PromptDone(call.saying), 3.0)
            assert bool(call.of(Listen)) is not listens_during
            call.send(Key("1"), 4.0)
            assert call.machine.step == "done"

    def test_a_retry_that_speech_may_not_cut_stops_the_listening(self, flow_of: Build) -> None:
        text = self.LANGUAGES.replace(
            "prompt: ask\n", "prompt: ask\n      barge_in: none\n      retry: {prompts: [ask]}\n"
        )
        call = Call(flow_of(text), spoken="en")
        call.start()
        call.send(PromptDone(call.saying), 1.0)
        call.send(Heard("bananas"), 2.0)
        assert [type(c) for c in call.last] == [StopListening, Say]


class TestCollect:
    def collect(self, type_: str, rest: str) -> str:
        return small(
            f"  ask: {{collect: {{prompt: ask, into: value, {rest}, next: done, otherwise: bye}}}}\n"
            "  done: {say: done, next: bye}\n",
            head=f"result: {{value: {type_}}}\n",
        )

    @pytest.mark.parametrize(
        ("type_", "rest", "keys", "result"),
        [
            ("optional digits", "keys: {length: 4}", "0042", "0042"),
            ("optional count", "keys: {length: 1..4, end: '*'}", "12*", 12),
            ("optional rupees", 'keys: {length: 1..9, end: "#"}', "125*50#", 125.5),
            ("optional date", "keys: {length: 8}", "31122026", "2026-12-31"),
            ("optional time", "keys: {length: 4}", "1830", "18:30"),
            ("{one_of: [small, large], optional: true}", "keys: {length: 1}", "2", "large"),
        ],
    )
    def test_keys_make_a_value_of_the_declared_type(
        self, flow_of: Build, type_: str, rest: str, keys: str, result: Any
    ) -> None:
        call = Call(flow_of(self.collect(type_, rest)))
        call.start()
        for key in keys:
            call.send(Key(key), 1.0)
        assert call.machine.step == "done"
        assert call.machine.result == {"value": result}

    @pytest.mark.parametrize(
        ("type_", "rest", "keys"),
        [
            ("optional date", "keys: {length: 8}", "99999999"),
            ("optional time", "keys: {length: 4}", "2575"),
            ("{one_of: [small, large], optional: true}", "keys: {length: 1}", "3"),
            ("optional minutes", 'keys: {length: 17, end: "#"}, accept: "value < 60"', "99999999999999999"),
        ],
    )
    def test_what_is_no_such_value_is_a_no_match(
        self, flow_of: Build, type_: str, rest: str, keys: str
    ) -> None:
        call = Call(flow_of(self.collect(type_, rest)))
        call.start()
        for key in keys:
            call.send(Key(key), 1.0)
        assert call.of(Outcome)[0] == Outcome("ask", "otherwise", "bye", "no-match")
        assert call.machine.result == {"value": None}

    def test_options_are_what_is_listened_for(self, flow_of: Build) -> None:
        call = Call(
            flow_of(self.collect("{one_of: [small, large], optional: true}", "speech: {slot: one_of}"))
        )
        call.start()
        assert call.of(Listen)[0].speech.phrases == ("small", "large")
        call.send(Heard("the large one"), 1.0)
        assert call.machine.result == {"value": "large"}

    def test_digits_are_forgotten_with_a_no_match(self, flow_of: Build) -> None:
        call = Call(flow_of(self.collect("optional digits", "keys: {length: 2}, retry: {prompts: [ask]}")))
        call.start()
        for key in "1A23":
            call.send(Key(key), 1.0)
        assert call.machine.result == {"value": "23"}


class TestSetAndBranch:
    LOOP = small(
        """
  ask: {set: {tries: "{{ tries + 1 }}", label: counted}, next: look}
  look:
    branch:
      - {if: "tries == 1", next: once}
      - {if: "amount / (tries - 2) > 5", next: bye}
      - {else: bye}
  once: {say: done, next: ask}
""",
        head="params: {amount: rupees}\nresult: {tries: {type: count, default: 0}, label: optional text}\n",
    )

    def test_values_are_computed_committed_once_and_looked_at(self, flow_of: Build) -> None:
        call = Call(flow_of(self.LOOP), amount=10)
        call.start()
        assert [c.step for c in call.of(Enter)] == ["ask", "look", "once"]
        assert [c.result for c in call.of(Commit)] == [{"tries": 1, "label": "counted"}]
        assert isinstance(call.last[-1], Say)
        assert call.of(Outcome)[1].via == "tries == 1"

    def test_a_condition_that_cannot_be_evaluated_is_a_failure(self, flow_of: Build) -> None:
        call = Call(flow_of(self.LOOP), amount=10)
        call.start()
        call.send(PromptDone(call.saying), 1.0)
        assert call.finish.cause == "failed"
        assert call.finish.result == {"tries": 2, "label": "counted"}


class TestTransfer:
    def test_the_target_may_be_computed(self, flow_of: Build) -> None:
        text = small(
            '  ask: {transfer: {to: "{{ desk }}", context: {who: "{{ desk }}", n: 3}, wait: 5s}, '
            "next: bye, otherwise: bye}\n",
            head="params: {desk: text}\n",
        )
        call = Call(flow_of(text), desk="+912230001000")
        call.start()
        assert call.of(Transfer) == [Transfer("+912230001000", {"who": "+912230001000", "n": 3}, 5.0)]
        assert call.machine.due == 7.0

    def test_a_hang_up_while_it_rings_takes_the_hang_up_event(self, flow_of: Build) -> None:
        text = small(
            "  ask: {transfer: {to: desk}, next: bye, otherwise: bye}\n"
            "  report: {request: {post: report, body: result}, next: bye, otherwise: bye}\n",
            head="events: {hangup: report}\n",
        )
        call = Call(flow_of(text))
        call.start()
        call.send(HungUpEvent(), 3.0)
        assert len(call.of(SendRequest)) == 1
        assert call.machine.due is not None, "a report that is not in the background is waited for"


class TestAttendedTransfer:
    TEXT = small(
        "  ask:\n"
        "    transfer: {to: desk, mode: attended, whisper: brief, accept: '1', sound: music, wait: 60s,\n"
        "      queued: {prompt: queued, into: place, every: 20s}, context: {who: '{{ who }}'}}\n"
        "    next: report\n    otherwise: sorry\n"
        "  sorry: {say: done, next: bye}\n"
        "  report: {request: {post: report, body: result, background: true}, next: bye}\n",
        head="params: {who: text}\nvariables: {place: {type: count, default: 0}}\nevents: {hangup: report}\n",
        prompts='  brief: {en: "{{ who }} calls.", mr: "{{ who }} बोलत आहे."}\n'
        '  queued: {en: "Number {{ place }}.", mr: "क्रमांक {{ place }}."}\n',
    )

    @pytest.fixture
    def waiting(self, flow_of: Build) -> Call:
        call = Call(flow_of(self.TEXT), who="Asha")
        call.start()
        return call

    def test_the_command_has_all_that_is_needed(self, waiting: Call) -> None:
        whisper = (Text("Asha calls.", "en", personal=True),)
        assert waiting.of(Transfer) == [
            Transfer("desk", {"who": "Asha"}, 60.0, "music", Attended(whisper, "1"))
        ]
        assert waiting.machine.due == 107.0

    def test_the_caller_is_told_his_place_now_and_then(self, waiting: Call) -> None:
        waiting.send(Queued(3), 1.0)
        assert waiting.said == "Number three."
        waiting.send(PromptDone(waiting.saying), 3.0)
        waiting.send(Queued(2), 5.0)
        assert waiting.of(Say) == []
        assert waiting.machine.due == 21.0
        waiting.tick()
        assert waiting.said == "Number two."
        waiting.send(PromptDone(waiting.saying), 23.0)
        waiting.tick()
        assert (waiting.at, waiting.said) == (41.0, "Number two.")

    def test_what_is_said_is_cut_when_an_agent_has_been_found(self, waiting: Call) -> None:
        waiting.send(Queued(3), 1.0)
        waiting.send(Transferred("done"), 2.0)
        assert isinstance(waiting.last[0], StopSaying)
        assert waiting.of(StopTransfer) == []
        assert waiting.finish.cause == "transferred"

    @pytest.mark.parametrize("outcome", ["busy", "no_answer", "failed"])
    def test_without_an_agent_it_takes_otherwise(self, waiting: Call, outcome: str) -> None:
        waiting.send(Transferred(outcome), 9.0)  # type: ignore[arg-type]
        assert waiting.of(Outcome)[0] == Outcome("ask", "otherwise", "sorry", outcome)
        assert waiting.said == "Done."

    def test_a_hang_up_stops_it_before_anything_else(self, waiting: Call) -> None:
        waiting.send(HungUpEvent(), 9.0)
        assert waiting.last[0] == StopTransfer()
        assert len(waiting.of(SendRequest)) == 1
        assert waiting.finish.cause == "hangup"

    def test_a_failure_stops_it(self, waiting: Call) -> None:
        waiting.send(Queued(3), 1.0)
        waiting.send(Failure("no media"), 2.0)
        assert waiting.last[:2] == [StopTransfer(), StopSaying()]
        assert waiting.finish.cause == "failed"

    def test_a_driver_that_says_nothing_is_not_waited_for(self, waiting: Call) -> None:
        waiting.tick()
        assert (waiting.at, waiting.of(Outcome)[0].via) == (107.0, "no_answer")
        assert waiting.last[0] == StopTransfer()

    def test_a_place_in_the_queue_of_who_is_not_told_changes_nothing(self, flow_of: Build) -> None:
        text = small("  ask: {transfer: {to: desk, mode: attended}, next: bye, otherwise: bye}\n")
        call = Call(flow_of(text))
        call.start()
        assert call.of(Transfer) == [Transfer("desk", {}, 30.0, None, Attended())]
        assert call.send(Queued(2), 1.0) == []


def test_an_instant_loop_through_a_say_without_words_is_bounded(flow_of: Build) -> None:
    text = small(
        "  ask: {say: quiet, next: again}\n  again: {say: quiet, next: ask}\n",
        head="params: {note: optional text}\n",
        prompts="  quiet: {en: \"{{ note | default('') }}\", mr: \"{{ note | default('') }}\"}\n",
    ).replace("next: ask}", 'next: turn}\n  turn: {branch: [{if: "note is none", next: ask}, {else: bye}]}')
    call = Call(flow_of(text))
    call.start()
    assert call.finish.cause == "failed"
    assert len(call.of(Enter)) == 30


def test_keys_that_skip_a_say_do_not_stop_what_is_not_playing(flow_of: Build) -> None:
    call = Call(load_flow(TWO_PARTS))
    call.start()
    for key in "1234":
        call.send(Key(key), 1.0)
    stops = [c for c in call.history if isinstance(c, StopSaying)]
    says = [c for c in call.history if isinstance(c, Say)]
    assert len(stops) <= len(says)


DATES = """
flow: dates
languages: [en]
result: {day: optional date}
limits: {call: 2m, visits: 3}
start: ask
steps:
  ask:
    collect:
      prompt: {en: Which day?}
      into: day
      keys: {length: 4, gap: 3s}
      speech: {slot: date}
      next: bye
      otherwise: bye
  bye: {end: normal}
"""


@pytest.mark.parametrize(
    ("events", "day"),
    [
        ([Heard("tomorrow")], "2026-12-31"),
        ([Heard("31 December")], "2026-12-31"),
        ([Key("0"), Key("1"), Key("0"), Key("1")], "2027-01-01"),
    ],
)
def test_days_count_from_the_day_of_the_call(
    flow_of: Callable[[str], Flow], events: list[Heard | Key], day: str
) -> None:
    flow = flow_of(DATES)
    machine = FlowMachine(flow, flow.bind({}), today=date(2026, 12, 30))
    machine.start(0.0)
    for event in events:
        machine.handle(event, 1.0)
    assert machine.result == {"day": day}
