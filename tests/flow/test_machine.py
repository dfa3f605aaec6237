"""Walks through the vendor-order example with explicit times: every branch, key and voice, and every way to
end."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ivr.flow.loader import load_flow
from ivr.flow.machine import FAREWELL_S, FlowMachine
from ivr.flow.model import Flow
from ivr.flow.protocol import (
    BargeIn,
    Commit,
    EndSilence,
    Enter,
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
    RequestFailed,
    Say,
    SendRequest,
    SpeechBegan,
    StopListening,
    StopSaying,
    Tick,
    Transfer,
    Transferred,
    words_of,
)
from tests.flow.calls import TWO_PARTS, Call

OFFER = (
    "Hello Sharma Foods. Order four eight two one three, total one thousand two hundred and fifty rupees "
    "and fifty paise. Press one to accept, two to reject, nine to hear it again, or just say so."
)


def accepted(call: Call) -> None:
    call.start()
    call.send(Key("1"), 1.0)


class TestOffer:
    def test_speaks_the_offer_with_every_value_in_words_and_listens(self, call: Call) -> None:
        enter, say, listen = call.start()
        assert enter == Enter("offer", 1)
        assert isinstance(say, Say)
        assert say.barge_in is BargeIn.ANY
        assert call.said == OFFER
        assert isinstance(listen, Listen)
        assert {"yes", "no", "repeat", "operator"} <= set(listen.speech.phrases)
        assert listen.speech.language == "en"

    def test_a_key_cuts_the_prompt_and_the_result_is_committed_before_the_next(self, call: Call) -> None:
        call.start()
        kinds = [type(command) for command in call.send(Key("1"), 1.0)]
        assert kinds == [StopSaying, StopListening, Outcome, Enter, Commit, Say, Listen]
        assert call.of(Outcome) == [Outcome("offer", "accept", "eta", "1")]
        assert call.of(Commit)[0].result == {"decision": "accepted", "eta": None, "reason": None}
        assert call.said == "Ready in how many minutes?"

    def test_a_key_after_the_prompt_stops_nothing(self, call: Call) -> None:
        call.start()
        call.send(PromptDone(call.saying), 12.0)
        call.send(Key("1"), 13.0)
        assert call.of(StopSaying) == []
        assert call.of(Outcome)[0].outcome == "accept"

    def test_speech_cuts_the_prompt_and_yes_accepts(self, call: Call) -> None:
        call.start()
        assert call.send(SpeechBegan(), 1.0) == [StopSaying()]
        call.send(Heard("yes please"), 2.0)
        assert call.of(Outcome) == [Outcome("offer", "accept", "eta", "affirm")]

    def test_no_rejects(self, call: Call) -> None:
        call.start()
        call.send(Heard("no"), 2.0)
        assert call.of(Outcome) == [Outcome("offer", "reject", "reason", "deny")]
        assert call.of(Commit)[0].result["decision"] == "rejected"

    def test_nine_repeats_the_offer(self, call: Call) -> None:
        call.start()
        call.send(Key("9"), 3.0)
        assert call.of(Enter) == [Enter("offer", 2)]
        assert call.said == OFFER

    def test_the_fifth_visit_is_a_failure(self, call: Call) -> None:
        call.start()
        for at in (1.0, 2.0, 3.0):
            call.send(Key("9"), at)
            assert call.said == OFFER
        call.send(Key("9"), 4.0)
        failed = call.of(Outcome)[1]
        assert (failed.outcome, failed.next, failed.via) == (
            "failure",
            "report",
            "step offer was entered 4 times",
        )
        assert call.finish == Finish({"decision": "unreached", "eta": None, "reason": None}, "normal")

    def test_silence_walks_the_ladder_counted_from_the_end_of_each_prompt(self, call: Call) -> None:
        call.start()
        call.send(PromptDone(call.saying), 12.0)
        assert call.machine.due == 17.0
        call.tick()
        assert call.said == "Sorry. Accept one, reject two."
        assert call.machine.due == 240.0, "while a prompt plays only the bound of the call runs"
        call.send(PromptDone(call.saying), 20.0)
        assert call.machine.due == 25.0
        call.tick()
        call.send(PromptDone(call.saying), 28.0)
        call.tick()
        assert call.at == 33.0
        assert call.of(Outcome)[0] == Outcome("offer", "otherwise", "report", "no-input")
        assert call.finish.result["decision"] == "unreached"

    def test_a_wrong_key_is_a_no_match_on_the_same_ladder(self, call: Call) -> None:
        call.start()
        call.send(Key("5"), 1.0)
        assert isinstance(call.last[0], StopSaying)
        assert call.said == "Sorry. Accept one, reject two."
        call.send(Heard("banana"), 4.0)
        assert call.said == "Sorry. Accept one, reject two."
        call.send(Key("7"), 6.0)
        assert call.of(Outcome)[0] == Outcome("offer", "otherwise", "report", "no-match")

    @pytest.mark.parametrize("text", ["", None])
    def test_what_was_not_understood_is_a_no_match(self, call: Call, text: str | None) -> None:
        call.start()
        call.send(SpeechBegan(), 1.0)
        call.send(Heard(text), 2.0)
        assert call.said == "Sorry. Accept one, reject two."

    def test_speech_stops_the_no_input_timer_until_it_is_heard(self, call: Call) -> None:
        call.start()
        call.send(PromptDone(call.saying), 12.0)
        call.send(SpeechBegan(), 16.9)
        assert call.send(Tick(), 17.0) == []
        call.send(Heard("yes"), 19.0)
        assert call.of(Outcome)[0].outcome == "accept"

    def test_a_recogniser_that_never_answers_is_a_no_match(self, call: Call) -> None:
        call.start()
        call.send(SpeechBegan(), 1.0)
        assert call.machine.due == 12.0
        call.tick()
        assert call.said == "Sorry. Accept one, reject two."

    @pytest.mark.parametrize("event", [Heard("operator"), Key("0")])
    def test_the_operator_can_be_asked_for(self, call: Call, event: Heard | Key) -> None:
        call.start()
        call.send(event, 2.0)
        assert call.of(Outcome)[0].outcome == "operator"
        transfer = call.of(Transfer)[0]
        assert transfer.target == "vendor-desk"
        assert transfer.context == {"decision": "unreached", "eta": None, "reason": None}


class TestEta:
    def test_the_first_digit_cuts_the_prompt_and_the_end_key_acts(self, call: Call) -> None:
        accepted(call)
        assert call.send(Key("2"), 2.0) == [StopSaying()]
        assert call.send(Key("0"), 2.5) == []
        call.send(Key("#"), 3.0)
        assert call.of(Outcome) == [Outcome("eta", "next", "booked", "keys")]
        assert call.of(Commit)[0].result["eta"] == 20
        assert call.said == "Thank you, twenty minutes noted."
        commit, say = (next(i for i, c in enumerate(call.last) if isinstance(c, k)) for k in (Commit, Say))
        assert commit < say

    def test_the_gap_ends_the_digits(self, call: Call) -> None:
        accepted(call)
        call.send(Key("2"), 2.0)
        assert call.machine.due == 5.0
        call.send(Key("5"), 4.0)
        assert call.machine.due == 7.0
        call.tick()
        assert call.machine.result["eta"] == 25

    def test_the_last_possible_digit_acts_at_once_and_its_end_key_is_swallowed(self, call: Call) -> None:
        accepted(call)
        for key in "120":
            call.send(Key(key), 2.0)
        assert call.machine.step == "booked"
        assert call.send(Key("#"), 2.2) == []
        assert call.machine.step == "booked", "the thank-you is not cut by the rest of the same input"
        call.send(Key("#"), 2.4)
        assert call.machine.finished

    @pytest.mark.parametrize("keys", ["4#", "241", "#", "*"])
    def test_what_is_not_accepted_is_a_no_match(self, call: Call, keys: str) -> None:
        accepted(call)
        for key in keys:
            call.send(Key(key), 2.0)
        assert call.said == "Ready in how many minutes?"
        assert call.machine.step == "eta"
        assert call.machine.result["eta"] is None

    def test_it_can_be_said(self, call: Call) -> None:
        accepted(call)
        call.send(SpeechBegan(), 2.0)
        call.send(Heard("twenty five minutes"), 4.0)
        assert call.machine.result["eta"] == 25
        assert call.of(Outcome)[0].via == "speech"

    def test_words_that_are_no_number_are_a_no_match(self, call: Call) -> None:
        accepted(call)
        call.send(Heard("soon"), 4.0)
        assert call.said == "Ready in how many minutes?"

    def test_digits_win_over_speech_under_way(self, call: Call) -> None:
        accepted(call)
        call.send(Key("2"), 2.0)
        assert call.send(SpeechBegan(), 2.1) == []
        assert call.send(Heard("five minutes"), 2.5) == []
        call.send(Key("0"), 2.6)
        call.send(Key("#"), 3.0)
        assert call.machine.result["eta"] == 20

    def test_silence_goes_to_the_desk_with_the_result_as_context(self, call: Call) -> None:
        accepted(call)
        call.send(PromptDone(call.saying), 3.0)
        call.tick()
        call.send(PromptDone(call.saying), 11.0)
        call.tick()
        assert call.at == 17.0
        assert call.of(Transfer)[0].context["decision"] == "accepted"
        assert call.machine.due == 17.0 + 30.0 + 2.0


class TestReason:
    def reach(self, call: Call) -> None:
        call.start()
        call.send(Key("2"), 1.0)

    def test_it_listens_to_free_speech(self, call: Call) -> None:
        self.reach(call)
        speech = call.of(Listen)[0].speech
        assert (speech.phrases, speech.max_s, speech.end_silence) == ((), 20.0, EndSilence(1.2, 1.2))

    def test_the_words_are_the_reason(self, call: Call) -> None:
        self.reach(call)
        call.send(Heard("we are out of rice"), 5.0)
        assert call.machine.result == {"decision": "rejected", "eta": None, "reason": "we are out of rice"}
        assert call.said == "Thank you, noted."

    def test_speech_that_nobody_can_transcribe_goes_on_without_words(self, call: Call) -> None:
        self.reach(call)
        call.send(Heard(None), 5.0)
        assert call.of(Outcome) == [Outcome("reason", "next", "noted", "not transcribed")]
        assert call.machine.result["reason"] is None

    def test_a_reason_that_speaks_of_an_operator_stays_a_reason(self, call: Call) -> None:
        self.reach(call)
        call.send(Heard("the operator of our kitchen is ill today and nobody can cook"), 5.0)
        assert call.machine.step == "noted"

    def test_keys_do_not_count_where_only_speech_is_taken(self, call: Call) -> None:
        self.reach(call)
        assert call.send(Key("1"), 2.0) == []
        assert call.machine.step == "reason"


class TestEnd:
    def test_the_report_is_sent_once_in_the_background_and_the_call_hung_up(self, call: Call) -> None:
        accepted(call)
        for key in "20#":
            call.send(Key(key), 2.0)
        call.send(PromptDone(call.saying), 6.0)
        request = call.of(SendRequest)[0]
        assert (request.endpoint, request.method, request.background) == ("order-webhook", "POST", True)
        assert request.body == {"decision": "accepted", "eta": 20, "reason": None}
        assert call.last[-2:] == [HangUp("normal"), Finish(dict(request.body or {}), "normal")]
        assert call.machine.finished
        assert call.machine.due is None
        assert call.send(Key("1"), 7.0) == []

    def test_a_hang_up_runs_the_report_silently_and_hangs_nothing_up(self, call: Call) -> None:
        accepted(call)
        call.send(HungUpEvent(), 2.0)
        assert [type(c) for c in call.last] == [Outcome, Enter, SendRequest, Outcome, Enter, Finish]
        assert call.finish == Finish({"decision": "accepted", "eta": None, "reason": None}, "hangup")
        assert call.send(HungUpEvent(), 2.1) == []

    def test_a_transfer_that_went_through_ends_the_call_as_transferred(self, call: Call) -> None:
        call.start()
        call.send(Key("0"), 1.0)
        call.send(Transferred("done"), 20.0)
        assert call.of(HangUp) == []
        assert len(call.of(SendRequest)) == 1
        assert call.finish.cause == "transferred"

    @pytest.mark.parametrize("outcome", ["busy", "no_answer", "failed"])
    def test_a_transfer_that_failed_takes_otherwise(self, call: Call, outcome: str) -> None:
        call.start()
        call.send(Key("0"), 1.0)
        call.send(Transferred(outcome), 20.0)  # type: ignore[arg-type]
        assert call.of(Outcome)[0] == Outcome("desk", "otherwise", "report", outcome)
        assert call.finish.cause == "normal"

    def test_a_transfer_without_an_answer_has_a_deadline(self, call: Call) -> None:
        call.start()
        call.send(Key("0"), 1.0)
        call.tick()
        assert call.at == 33.0
        assert call.of(Outcome)[0].via == "no_answer"

    def test_a_call_that_takes_too_long_fails_over_to_the_report(self, call: Call) -> None:
        call.start()
        assert call.machine.due == 240.0
        call.tick()
        assert isinstance(call.last[0], StopSaying)
        assert call.of(Outcome)[0] == Outcome("offer", "failure", "report", "the call took too long")
        assert call.finish.cause == "normal"

    def test_lost_media_is_a_failure(self, call: Call) -> None:
        call.start()
        call.send(Failure("no media"), 8.0)
        assert call.of(Outcome)[0] == Outcome("offer", "failure", "report", "no media")


class TestLookahead:
    def test_before_the_call_it_is_the_first_prompt(self, call: Call) -> None:
        assert [u.text for u in call.machine.lookahead()] == [OFFER]  # type: ignore[union-attr]

    def test_in_a_menu_it_is_every_next_prompt_and_the_retries(self, call: Call) -> None:
        call.start()
        texts = {u.text for u in call.machine.lookahead()}  # type: ignore[union-attr]
        assert texts == {
            OFFER,
            "Sorry. Accept one, reject two.",
            "Ready in how many minutes?",
            "Please tell me the reason.",
        }

    def test_a_prompt_that_speaks_of_what_is_not_known_yet_is_left_out(self, call: Call) -> None:
        accepted(call)
        texts = {u.text for u in call.machine.lookahead()}  # type: ignore[union-attr]
        assert texts == {"Ready in how many minutes?"}

    def test_what_was_looked_ahead_is_what_is_said(self, call: Call) -> None:
        call.start()
        ahead = call.machine.lookahead()
        call.send(Key("2"), 1.0)
        assert call.of(Say)[0].utterances[0] in ahead

    def test_nothing_is_spoken_to_nobody(self, call: Call) -> None:
        accepted(call)
        call.send(HungUpEvent(), 2.0)
        assert call.machine.lookahead() == ()

    def test_of_what_is_not_known_yet_the_sentences_that_never_change_are_there(self, tmp_path: Path) -> None:
        path = tmp_path / "order.yaml"
        path.write_text(
            """
flow: order
languages: [en]
variables: {minutes: {type: count}}
start: ask
steps:
  ask:
    collect:
      prompt: {en: "How many minutes?"}
      into: minutes
      keys: {length: 2}
      retry: {prompts: [{en: "Sorry."}]}
      next: thanks
      otherwise: bye
  thanks: {say: {en: "In {{ minutes }} minutes. Thank you. We will tell the rider."}, next: bye}
  bye: {end: normal}
""",
            encoding="utf-8",
        )
        call = Call(load_flow(path), None)
        call.start()
        ahead = call.machine.lookahead()
        assert [words_of(utterance) for utterance in ahead] == [
            "Thank you. We will tell the rider.",
            "Sorry.",
        ]


class TestLanguage:
    def test_the_call_speaks_the_language_of_its_values(self, vendor_order: Flow) -> None:
        call = Call(vendor_order, vendor="शर्मा भोजनालय", order="48213", amount=1250.5, language="mr")
        call.start()
        assert call.machine.language == "mr"
        assert call.said.startswith("नमस्कार शर्मा भोजनालय.")

    def test_an_override_wins(self, vendor_order: Flow) -> None:
        call = Call(vendor_order, "hi", vendor="X", order="1", amount=1, language="mr")
        assert call.machine.language == "hi"

    def test_without_a_value_it_is_the_first_of_the_flow(self) -> None:
        machine = FlowMachine(load_flow(TWO_PARTS), {})
        assert machine.language == "en"


class TestTypeAhead:
    @pytest.fixture
    def two(self) -> Call:
        return Call(load_flow(TWO_PARTS))

    def test_keys_typed_during_a_say_cut_it_and_reach_the_next_step(self, two: Call) -> None:
        two.start()
        for key in "12":
            two.send(Key(key), 1.0)
        assert two.said == "Good."
        two.send(Key("3"), 1.2)
        assert two.machine.step == "second"
        assert two.of(StopSaying)
        assert two.of(Say) == [], "the question was answered before it was asked"
        two.send(Key("4"), 1.4)
        assert two.machine.result["second"] == "34"

    def test_keys_during_a_request_are_kept_but_a_firm_prompt_drops_them(self, two: Call) -> None:
        two.start()
        for key in "1234":
            two.send(Key(key), 1.0)
        assert two.machine.step == "look"
        request = two.of(SendRequest)[0]
        assert request.body == {"code": "12", "deep": {"two": "34"}}
        two.send(Key("1"), 1.5)
        two.send(Replied(request.id, 200, {"order": {"state": "cooking"}}), 2.0)
        assert two.machine.step == "firm", "the key skipped what is told"
        assert two.said == "Listen to the end, then press one."
        two.send(Key("1"), 2.5)
        assert two.machine.step == "firm", "keys are dropped while the firm prompt plays"
        two.send(PromptDone(two.saying), 6.0)
        two.send(Key("1"), 7.0)
        assert two.machine.step == "report"

    def test_an_answer_fills_values_and_is_spoken(self, two: Call) -> None:
        two.start()
        for key in "1234":
            two.send(Key(key), 1.0)
        request = two.of(SendRequest)[0]
        assert two.send(Replied("request99", 200, {}), 1.5) == []
        two.send(Replied(request.id, 200, {"order": {"state": "cooking"}}), 2.0)
        assert two.said == "It is cooking."

    @pytest.mark.parametrize("body", [{"order": {"state": 7}}, {"order": {"state": ["x"]}}])
    def test_an_answer_that_does_not_fit_takes_otherwise(self, two: Call, body: object) -> None:
        two.start()
        for key in "1234":
            two.send(Key(key), 1.0)
        two.send(Replied(two.of(SendRequest)[0].id, 200, body), 2.0)
        assert two.of(Outcome)[0].next == "report"

    def test_an_optional_answer_may_be_missing(self, two: Call) -> None:
        two.start()
        for key in "1234":
            two.send(Key(key), 1.0)
        two.send(Replied(two.of(SendRequest)[0].id, 200, None), 2.0)
        assert two.said == "It is unknown."

    def test_a_request_that_fails_or_never_answers_takes_otherwise(self, two: Call) -> None:
        two.start()
        for key in "1234":
            two.send(Key(key), 1.0)
        two.send(RequestFailed(two.of(SendRequest)[0].id, "503", 503), 1.5)
        assert two.of(Outcome)[0] == Outcome("look", "otherwise", "report", "503")
        two.tick()
        assert two.at == 3.5
        assert two.of(Outcome)[0] == Outcome("report", "otherwise", "bye", "timeout")

    def test_a_hang_up_while_the_report_is_on_its_way_does_not_send_it_again(self, two: Call) -> None:
        two.start()
        two.send(PromptDone(two.saying), 1.0)
        two.tick()
        request = two.of(SendRequest)[0]
        assert two.send(HungUpEvent(), 6.5) == []
        two.send(Replied(request.id, 200), 6.8)
        assert two.of(SendRequest) == []
        assert two.finish.cause == "hangup"


FAREWELL = """
flow: farewell
languages: [en]
limits: {call: 1m}
events: {failure: sorry}
start: hello
steps:
  hello: {say: {prompt: hello, barge_in: none}, next: bye}
  sorry: {say: sorry, next: bye}
  bye: {end: normal}
prompts:
  hello: {en: "Hello."}
  sorry: {en: "Sorry."}
"""


class TestFailure:
    def test_the_failure_event_may_still_speak(self, flow_of: Callable[[str], Flow]) -> None:
        call = Call(flow_of(FAREWELL))
        call.start()
        call.send(Failure("no voice"), 1.0)
        assert call.said == "Sorry."
        call.send(PromptDone(call.saying), 2.0)
        assert call.last[-2:] == [HangUp("normal"), Finish({}, "normal")]

    def test_the_way_from_a_failure_to_the_end_is_bounded(self, flow_of: Callable[[str], Flow]) -> None:
        call = Call(flow_of(FAREWELL))
        call.start()
        call.tick()
        assert call.at == 60.0
        assert call.said == "Sorry."
        call.tick()
        assert call.at == 60.0 + FAREWELL_S
        assert call.last == [StopSaying(), HangUp("failed"), Finish({}, "failed")]

    def test_a_second_failure_ends_the_call(self, flow_of: Callable[[str], Flow]) -> None:
        call = Call(flow_of(FAREWELL))
        call.start()
        call.send(Failure("no voice"), 1.0)
        call.send(Failure("no media"), 2.0)
        assert call.last == [StopSaying(), HangUp("failed"), Finish({}, "failed")]

    def test_without_a_failure_event_the_call_ends(self) -> None:
        call = Call(load_flow(TWO_PARTS))
        call.start()
        call.send(Failure("no media"), 1.0)
        assert [type(c) for c in call.last] == [StopSaying, HangUp, Finish]

    def test_without_a_hang_up_event_the_call_is_over(self, flow_of: Callable[[str], Flow]) -> None:
        call = Call(flow_of(FAREWELL))
        call.start()
        assert call.send(HungUpEvent(), 1.0) == [Finish({}, "hangup")]

    def test_events_before_the_start_do_nothing(self, flow_of: Callable[[str], Flow]) -> None:
        call = Call(flow_of(FAREWELL))
        assert call.send(Key("1")) == []
        assert call.machine.due is None
        assert call.start()[0] == Enter("hello", 1)
        assert call.start() == []
