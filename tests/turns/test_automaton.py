"""Whose turn it is, chunk by chunk of 32 ms."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from ivr.flow.protocol import BargeIn
from ivr.turns.automaton import (
    Act,
    Draining,
    Finish,
    Held,
    Judging,
    Limits,
    Open,
    Output,
    Paused,
    Presume,
    Quiet,
    Speaking,
    Turn,
    TurnTaker,
)

CHUNK_S = 0.032
LIMITS = Limits(0.4, 1.0, 8.0)


class Caller:
    """Speaks to a turn-taker; `log` is all that it said is to be done, with when."""

    def __init__(
        self,
        playing: BargeIn | None = None,
        is_answer: Callable[[str], bool] | None = None,
        limits: Limits = LIMITS,
    ) -> None:
        self.taker = TurnTaker(limits, "hi", is_answer, playing)
        self.at = 0.0
        self.log: list[tuple[float, Output]] = []

    def hears(self, outputs: list[Output]) -> list[Output]:
        self.log += [(self.at, output) for output in outputs]
        return outputs

    def voice(self, seconds: float, probability: float = 0.95) -> list[Output]:
        """So long a sound of this probability; gives what came of it."""
        outputs: list[Output] = []
        for _ in range(round(seconds / CHUNK_S)):
            self.at += CHUNK_S
            outputs += self.hears(self.taker.voice(probability, self.at))
        return outputs

    def silence(self, seconds: float) -> list[Output]:
        return self.voice(seconds, 0.02)

    def words(self, text: str) -> list[Output]:
        return self.hears(self.taker.words(text))

    def final(self, text: str | None) -> list[Output]:
        """The final words of what was finished last."""
        turn = next(output.turn for _, output in reversed(self.log) if isinstance(output, Finish))
        return self.hears(self.taker.final(turn, text))

    def when(self, output: Output) -> float:
        return next(at for at, other in self.log if other == output)


def kinds(outputs: list[Output]) -> list[str]:
    return [o.name if isinstance(o, Act) else type(o).__name__.upper() for o in outputs]


class TestNothingIsPlayed:
    def test_the_turn_is_the_callers_at_once_and_over_with_silence(self) -> None:
        caller = Caller()
        assert kinds(caller.voice(1.0)) == ["OPEN", "BEGAN"]
        assert caller.when(Act.BEGAN) <= 0.1
        assert kinds(caller.silence(1.5)) == ["PAUSED", "FINISH"]
        assert kinds(caller.final("मुझे ऑर्डर चाहिए")) == ["HEARD"]
        assert caller.taker.state == Quiet()

    def test_a_click_is_no_speech(self) -> None:
        caller = Caller()
        assert caller.voice(CHUNK_S) + caller.silence(1.0) == []

    def test_the_recogniser_hears_from_before_the_onset_was_sure(self) -> None:
        caller = Caller()
        caller.silence(0.32)
        (opened, _) = caller.voice(0.2)
        assert opened == Open(pytest.approx(0.32))

    def test_a_cough_is_taken_back(self) -> None:
        caller = Caller()
        caller.voice(0.2)
        caller.silence(1.0)
        assert kinds(caller.final("")) == ["NOTHING"]
        caller.voice(0.2)
        caller.silence(1.0)
        assert kinds(caller.final("हम्म")) == ["NOTHING"]

    def test_what_was_said_and_not_understood_is_no_cough(self) -> None:
        caller = Caller()
        caller.voice(1.5)
        caller.silence(1.0)
        assert kinds(caller.final("")) == ["HEARD"]

    def test_a_listeners_word_is_an_answer_when_nobody_else_speaks(self) -> None:
        caller = Caller()
        caller.voice(0.3)
        caller.silence(1.0)
        assert kinds(caller.final("हाँ")) == ["HEARD"]

    def test_without_a_transcript_the_flow_decides(self) -> None:
        caller = Caller()
        caller.voice(1.0)
        caller.silence(1.0)
        assert kinds(caller.final(None)) == ["HEARD"]


class TestTheEnd:
    def silence_needed(self, text: str, advice: float | None = None, limits: Limits = LIMITS) -> float:
        caller = Caller(limits=limits)
        caller.voice(1.024)
        caller.silence(0.256)
        caller.words(text)
        if advice is not None:
            caller.hears(caller.taker.advise(advice))
        caller.silence(3.0)
        return next(at for at, output in caller.log if isinstance(output, Finish)) - 1.024

    def test_silence_shrinks_with_completeness_between_floor_and_ceiling(self) -> None:
        chunk = pytest.approx
        assert self.silence_needed("मुझे ऑर्डर चाहिए और") == chunk(1.0, abs=CHUNK_S)
        assert self.silence_needed("मेरा नंबर नौ आठ") == chunk(0.79, abs=CHUNK_S)
        assert self.silence_needed("") == chunk(0.7, abs=CHUNK_S)
        assert self.silence_needed("मुझे ऑर्डर चाहिए") == chunk(0.55, abs=CHUNK_S)
        assert self.silence_needed("मुझे ऑर्डर चाहिए।") == chunk(0.4, abs=CHUNK_S)
        assert self.silence_needed("मुझे ऑर्डर चाहिए।", limits=Limits(0.9, 0.9, 8.0)) == chunk(0.9, abs=CHUNK_S)

    def test_the_sound_of_a_turn_is_an_advice_and_no_more(self) -> None:
        assert self.silence_needed("", advice=1.0) == pytest.approx(0.4, abs=CHUNK_S)
        assert self.silence_needed("", advice=0.0) == pytest.approx(1.0, abs=CHUNK_S)
        assert self.silence_needed("मुझे ऑर्डर चाहिए", advice=1.0) < self.silence_needed("मुझे ऑर्डर चाहिए")
        assert self.silence_needed("मुझे ऑर्डर चाहिए और", advice=1.0) == pytest.approx(1.0, abs=CHUNK_S)

    def test_an_answer_of_a_few_ends_at_once(self) -> None:
        caller = Caller(is_answer=lambda text: text == "दूसरा")
        caller.voice(0.8)
        caller.words("दूसरा")
        assert kinds(caller.silence(0.16)) == ["FINISH"]

    def test_an_answer_that_is_gone_on_with_does_not(self) -> None:
        caller = Caller(is_answer=lambda text: text == "हाँ")
        caller.voice(0.4)
        caller.words("हाँ")
        assert caller.voice(0.6) == []
        assert caller.silence(0.16) == [], "what was heard is no longer all that was said"
        caller.words("हाँ लेकिन")
        assert "FINISH" not in kinds(caller.silence(0.5))

    def test_an_answer_that_stands_is_over_although_noise_goes_on(self) -> None:
        caller = Caller(is_answer=lambda text: text == "हाँ")
        caller.voice(0.4)
        for _ in range(10):
            caller.words("हाँ")
            caller.voice(0.16)
        assert kinds([output for _, output in caller.log]) == ["OPEN", "BEGAN", "FINISH"]
        assert isinstance(caller.taker.state, Draining)

    def test_who_never_pauses_is_heard_so_far_and_may_draw_breath(self) -> None:
        caller = Caller()
        assert kinds(caller.voice(60.0)) == ["OPEN", "BEGAN", "FINISH"]
        assert caller.at - caller.log[-1][0] == pytest.approx(52.0, abs=0.1)
        caller.hears(caller.taker.playing(BargeIn.ANY))
        assert caller.voice(10.0) == [], "the next prompt is not cut by what goes on and on"
        caller.silence(0.3)
        assert kinds(caller.voice(0.16)) == ["DUCK", "OPEN"]

    def test_music_is_heard_out_and_leaves_the_flow_to_it(self) -> None:
        caller = Caller()
        caller.voice(20.0, 0.6)
        assert kinds(caller.final("")) == ["HEARD"]
        assert kinds([output for _, output in caller.log]).count("FINISH") == 1

    def test_a_whisper_is_a_turn(self) -> None:
        caller = Caller()
        outputs = caller.voice(0.3, 0.55) + caller.voice(0.5, 0.4) + caller.silence(1.2)
        assert kinds(outputs) == ["OPEN", "BEGAN", "PAUSED", "FINISH"]


class TestAPauseWithin:
    def test_what_may_be_all_is_presumed_and_dropped(self) -> None:
        caller = Caller()
        caller.voice(1.0)
        caller.words("मुझे")
        caller.silence(0.256)
        assert caller.words("मुझे ऑर्डर") == [Presume("मुझे ऑर्डर")]
        assert caller.words("मुझे ऑर्डर") == []
        assert caller.words("मुझे ऑर्डर चाहिए") == [Presume("मुझे ऑर्डर चाहिए")]
        assert kinds(caller.voice(0.4)) == ["DROPPED"]
        caller.silence(0.256)
        assert kinds(caller.words("मुझे ऑर्डर चाहिए कल")) == ["PRESUME"]
        assert kinds(caller.silence(1.0)) == ["FINISH"]

    def test_behind_a_full_stop_half_the_pause_will_do(self) -> None:
        caller = Caller()
        caller.voice(1.0)
        caller.silence(0.128)
        assert caller.words("मुझे ऑर्डर") == []
        assert caller.words("मुझे ऑर्डर चाहिए।") == [Presume("मुझे ऑर्डर चाहिए।")]
        assert kinds(caller.voice(0.4)) == ["DROPPED"]

    def test_words_from_before_the_pause_are_not_presumed_to_be_all(self) -> None:
        caller = Caller()
        caller.voice(1.0)
        caller.words("मुझे")
        caller.voice(0.5)
        assert kinds(caller.silence(0.3)) == ["PAUSED"]

    def test_a_sound_that_says_nothing_prepares_nothing(self) -> None:
        caller = Caller()
        caller.voice(1.0)
        caller.silence(0.256)
        assert caller.words("उम्म") == []

    def test_each_pause_is_told_once(self) -> None:
        caller = Caller()
        caller.voice(1.0)
        assert kinds(caller.silence(0.35)) == ["PAUSED"]
        caller.voice(0.2)
        assert kinds(caller.silence(0.35)) == ["PAUSED"]


class TestAPromptIsPlayed:
    def test_it_is_softer_at_once_and_soon_silent(self) -> None:
        caller = Caller(BargeIn.ANY)
        caller.voice(0.5)
        assert kinds([output for _, output in caller.log]) == ["DUCK", "OPEN", "HOLD"]
        assert caller.when(Act.DUCK) <= 0.05
        assert caller.when(Act.HOLD) <= 0.2

    def test_words_take_the_turn(self) -> None:
        caller = Caller(BargeIn.SPEECH)
        caller.voice(0.16)
        assert kinds(caller.words("रुको")) == ["HOLD", "BEGAN"]
        caller.hears(caller.taker.playing(None))
        assert kinds(caller.voice(1.0)) == []
        assert kinds(caller.silence(1.5)) == ["PAUSED", "FINISH"]
        assert kinds(caller.final("")) == ["HEARD"], "its prompt is gone: the flow must say something"

    def test_a_listeners_word_lets_it_go_on_from_the_word(self) -> None:
        caller = Caller(BargeIn.ANY)
        caller.voice(0.35)
        caller.silence(0.256)
        assert kinds(caller.words("हाँ")) == ["DROP", "RESUME"]
        assert kinds([output for _, output in caller.log]) == ["DUCK", "OPEN", "HOLD", "DROP", "RESUME"]
        assert caller.taker.state == Quiet()

    def test_a_listeners_word_that_is_gone_on_with_takes_the_turn(self) -> None:
        caller = Caller(BargeIn.ANY)
        caller.voice(0.35)
        assert caller.words("हाँ") == []
        caller.voice(0.3)
        assert kinds(caller.words("हाँ लेकिन मुझे")) == ["BEGAN"]

    def test_the_answer_that_the_prompt_asks_for_takes_the_turn(self) -> None:
        caller = Caller(BargeIn.ANY, is_answer=lambda text: text == "हाँ")
        caller.voice(0.35)
        caller.silence(0.128)
        assert kinds(caller.words("हाँ")) == ["BEGAN", "FINISH"]
        assert kinds(caller.final("हाँ")) == ["HEARD"]

    @pytest.mark.parametrize(
        ("final", "then"),
        [
            ("", ["RESUME"]),
            ("जी", ["RESUME"]),
            ("हम्म", ["RESUME"]),
            ("नहीं", ["BEGAN", "HEARD"]),
            (None, ["BEGAN", "HEARD"]),
        ],
    )
    def test_without_partial_words_the_final_ones_decide(self, final: str | None, then: list[str]) -> None:
        caller = Caller(BargeIn.ANY)
        caller.voice(0.4)
        assert kinds(caller.silence(0.6)) == ["FINISH"]
        assert isinstance(caller.taker.state, Judging)
        assert kinds(caller.final(final)) == then

    def test_a_cough_makes_it_softer_for_a_moment(self) -> None:
        caller = Caller(BargeIn.ANY)
        caller.voice(0.13)
        caller.silence(0.6)
        assert kinds([output for _, output in caller.log]) == ["DUCK", "OPEN", "RESTORE", "FINISH"]
        assert caller.when(Act.RESTORE) < 0.4
        assert caller.final("") == []
        assert caller.taker.state == Quiet()

    def test_a_short_word_counts_all_the_same(self) -> None:
        caller = Caller(BargeIn.ANY)
        caller.voice(0.16)
        caller.silence(0.6)
        assert kinds(caller.final("नहीं")) == ["HOLD", "BEGAN", "HEARD"]

    def test_a_second_of_noise_that_no_word_comes_of_costs_a_breath(self) -> None:
        caller = Caller(BargeIn.ANY)
        caller.voice(1.5)
        caller.silence(0.6)
        assert kinds(caller.final("")) == ["RESUME"]
        assert Act.BEGAN not in [output for _, output in caller.log]

    def test_who_speaks_for_seconds_has_the_turn_whatever_is_made_of_it(self) -> None:
        caller = Caller(BargeIn.ANY)
        caller.voice(4.0)
        assert kinds([output for _, output in caller.log]) == ["DUCK", "OPEN", "HOLD", "BEGAN"]

    def test_who_goes_on_while_his_words_are_weighed_is_heard_from_there(self) -> None:
        caller = Caller(BargeIn.ANY)
        caller.voice(0.4)
        caller.silence(0.45)
        again = caller.at
        assert caller.voice(0.2) == []
        assert kinds(caller.final("मुझे")) == ["BEGAN", "HEARD"]
        caller.hears(caller.taker.playing(None))
        assert caller.voice(CHUNK_S) == [Open(pytest.approx(again)), Act.BEGAN]

    def test_its_end_gives_the_turn_to_who_is_speaking(self) -> None:
        caller = Caller(BargeIn.ANY)
        caller.voice(0.16)
        assert kinds(caller.hears(caller.taker.playing(None))) == ["RESTORE", "BEGAN"]

    def test_a_prompt_that_begins_while_the_caller_speaks_is_soft(self) -> None:
        caller = Caller()
        caller.voice(1.0)
        assert kinds(caller.hears(caller.taker.playing(BargeIn.ANY))) == ["DUCK"]
        assert kinds(caller.voice(0.3)) == ["HOLD"]

    @pytest.mark.parametrize("mode", [BargeIn.NONE, BargeIn.KEYS])
    def test_where_speech_may_not_interrupt_it_does_not(self, mode: BargeIn) -> None:
        caller = Caller(mode)
        assert caller.voice(3.0) == []
        assert kinds(caller.hears(caller.taker.playing(None)) + caller.voice(0.1)) == ["OPEN", "BEGAN"]

    def test_a_prompt_that_may_not_be_interrupted_ends_all_doubt(self) -> None:
        caller = Caller(BargeIn.ANY)
        caller.voice(0.4)
        assert kinds(caller.hears(caller.taker.playing(BargeIn.NONE))) == ["DROP", "RESUME"]

    def test_what_was_our_own_voice_is_nobodys_whatever_is_made_of_it(self) -> None:
        caller = Caller(BargeIn.ANY)
        caller.voice(0.1)
        assert kinds(caller.hears(caller.taker.echo())) == ["DROP", "RESTORE"]
        assert caller.words("आपका ऑर्डर") == []
        caller.voice(0.4)
        assert kinds(caller.hears(caller.taker.echo())) == ["DROP", "RESUME"]
        caller = Caller()
        caller.voice(0.4)
        assert caller.taker.echo() == [], "who has the turn keeps it"

    def test_who_types_has_not_been_speaking(self) -> None:
        caller = Caller(BargeIn.ANY)
        caller.voice(0.4)
        assert kinds(caller.hears(caller.taker.key())) == ["DROP", "RESUME"]
        caller = Caller(BargeIn.SPEECH)
        caller.voice(0.4)
        assert caller.taker.key() == []
        assert isinstance(caller.taker.state, Held)

    def test_the_final_words_of_what_was_let_be_change_nothing(self) -> None:
        caller = Caller(BargeIn.ANY)
        caller.voice(0.4)
        caller.silence(0.45)
        caller.hears(caller.taker.key())
        assert caller.final("नहीं") == []


@pytest.mark.parametrize("limits", [(0.0, 1.0, 5.0), (1.0, 0.5, 5.0), (0.4, 1.0, 0.0)])
def test_limits_that_make_no_sense_cannot_be_built(limits: tuple[float, float, float]) -> None:
    with pytest.raises(ValueError, match="no turn can be ended"):
        Limits(*limits)


TEXTS = ("", "हाँ", "हम्म", "मुझे", "मुझे ऑर्डर चाहिए और", "yes.", "नौ", "दो")


class AnyOrder(RuleBasedStateMachine):
    """Whatever happens in whatever order: what is done makes sense at every moment."""

    def __init__(self) -> None:
        super().__init__()
        self.limits = Limits(0.3, 0.8, 4.0)
        self.playing: BargeIn | None = None
        self.taker = TurnTaker(self.limits, "hi", lambda text: text == "दो")
        self.at = 0.0
        self.open = False
        self.soft = self.silent = False
        self.told = 0
        """Turns that the flow was told of, and not heard the end of."""
        self.presumed = False
        self.pending: list[Turn] = []

    def do(self, outputs: list[Output]) -> None:
        for output in outputs:
            match output:
                case Open(since=since):
                    assert not self.open, "one recogniser at a time"
                    assert self.at - 5.0 <= since <= self.at
                    self.open = True
                case Finish(turn=turn):
                    assert self.open
                    self.open = False
                    assert turn.voiced_s <= self.limits.max_s + 0.1
                    self.pending.append(turn)
                case Presume(text=text):
                    assert self.open
                    assert text
                    self.presumed = True
                case Act.DROP:
                    if not self.open:
                        assert self.pending, "what is dropped has been there"
                        self.pending.pop()
                    self.open = False
                case Act.DUCK:
                    assert self.playing in (BargeIn.SPEECH, BargeIn.ANY)
                    assert not self.soft
                    assert not self.silent
                    self.soft = True
                case Act.RESTORE:
                    assert self.soft
                    assert not self.silent
                    self.soft = False
                case Act.HOLD:
                    assert self.playing is not None
                    assert not self.silent
                    self.silent = True
                case Act.RESUME:
                    assert self.silent
                    self.silent = self.soft = False
                case Act.BEGAN:
                    self.told += 1
                case Act.HEARD:
                    assert self.told
                case Act.NOTHING:
                    assert self.told
                case Act.DROPPED:
                    assert self.presumed
                    self.presumed = False
                case Paused(since=since):
                    assert self.open
                    assert since < self.at
        if Act.BEGAN in outputs and self.playing is not None:
            assert self.silent, "who has the turn is spoken over by nobody"
            self.flow_stops_saying()

    def flow_stops_saying(self) -> None:
        """As any flow does that is told of a turn."""
        self.playing = None
        self.soft = self.silent = False
        self.do([act for act in self.taker.playing(None) if act is not Act.RESTORE])

    @initialize(mode=st.sampled_from((None, BargeIn.ANY, BargeIn.SPEECH)))
    def begin(self, mode: BargeIn | None) -> None:
        self.playing = mode
        self.do(self.taker.playing(mode))

    @rule(chunks=st.integers(1, 12), probability=st.sampled_from((0.6, 0.9)))
    def voice(self, chunks: int, probability: float) -> None:
        self.sound(probability, chunks)

    @rule(chunks=st.integers(1, 14), probability=st.sampled_from((0.0, 0.0, 0.0, 0.4)))
    def quiet(self, chunks: int, probability: float) -> None:
        self.sound(probability, chunks)

    def sound(self, probability: float, chunks: int) -> None:
        for _ in range(chunks):
            self.at += CHUNK_S
            self.do(self.taker.voice(probability, self.at))

    @rule(text=st.sampled_from(TEXTS))
    def hear(self, text: str) -> None:
        self.do(self.taker.words(text))

    @rule(probability=st.floats(0.0, 1.0))
    def advise(self, probability: float) -> None:
        self.do(self.taker.advise(probability))

    @precondition(lambda self: self.pending)
    @rule(text=st.sampled_from((*TEXTS, None)))
    def finish(self, text: str | None) -> None:
        self.do(self.taker.final(self.pending.pop(0), text))

    @precondition(lambda self: self.playing is None)
    @rule(mode=st.sampled_from(BargeIn))
    def say(self, mode: BargeIn) -> None:
        self.playing = mode
        self.do(self.taker.playing(mode))

    @precondition(lambda self: self.playing is not None and not self.silent)
    @rule()
    def prompt_ends(self) -> None:
        self.playing = None
        self.do(self.taker.playing(None))

    @rule()
    def echo(self) -> None:
        self.do(self.taker.echo())

    @rule()
    def press(self) -> None:
        self.do(self.taker.key())

    @invariant()
    def nothing_is_silent_for_nobody(self) -> None:
        if self.silent:
            assert self.playing is not None
        if isinstance(self.taker.state, Quiet):
            assert not self.soft
            assert not self.silent or self.playing is None
            assert not self.open
        if isinstance(self.taker.state, Speaking):
            assert self.playing is None or self.silent

    def teardown(self) -> None:
        """With silence, and all that is asked for answered, all is as it was in the beginning."""
        for _ in range(3):
            self.sound(0.0, 60)
            while self.pending:
                self.finish("")
        assert self.taker.state == Quiet()
        assert not self.soft
        assert not self.silent
        assert not self.open


AnyOrder.TestCase.settings = settings(max_examples=120, stateful_step_count=30, deadline=None)
TestAnyOrder = AnyOrder.TestCase
