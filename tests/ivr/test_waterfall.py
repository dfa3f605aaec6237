"""The stages of a turn: what counts, what is forgotten, and what stands in the record."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.waterfall import CACHE, About, Bar, Stage, TurnTimes, Waterfall


@dataclass
class Somewhere:
    step: str = "ask"
    verb: str = "menu"
    language: str = "hi"


class Watched:
    """A collector with what it told."""

    def __init__(self) -> None:
        self.place = Somewhere()
        self.notes: list[tuple[str, Mapping[str, Any]]] = []
        self.turns: list[TurnTimes] = []
        self.waterfall = Waterfall(
            self.place, 0.0, lambda kind, data: self.notes.append((kind, data)), self.turns.append
        )
        self.mark = self.waterfall.mark


@pytest.fixture
def call() -> Watched:
    return Watched()


def test_a_spoken_turn_from_the_end_of_speech_to_the_first_packet(call: Watched) -> None:
    call.mark(Stage.SPEECH_END, 100.0)
    call.mark(Stage.PAUSE, 100.2)
    call.mark(Stage.ENDPOINT, 100.5)
    call.mark(Stage.FINAL, 100.6, "conformer")
    turn = call.waterfall.replying(100.61)
    call.waterfall.began(turn, 100.7, "kokoro", 100.72)
    (told,) = call.turns
    assert told.number == 1
    assert told.about == About("ask", "menu", "hi")
    assert told.reply_s == pytest.approx(0.72)
    assert told.record(40.0) == {
        "turn": 1,
        "at_s": 60.0,
        "trigger": "speech",
        "step": "ask",
        "verb": "menu",
        "language": "hi",
        "reply_ms": 720.0,
        "ms": {
            "speech_end": 0.0,
            "pause": 200.0,
            "endpoint": 500.0,
            "final": 600.0,
            "intent": 610.0,
            "first_sentence": 610.0,
            "first_audio": 700.0,
            "first_packet": 720.0,
        },
        "by": {"final": "conformer", "first_audio": "kokoro"},
    }
    assert call.notes == [("turn", told.record(0.0))]
    assert call.waterfall.turn == 0


def test_what_was_there_before_the_turn_is_told_as_kept(call: Watched) -> None:
    call.mark(Stage.KEY, 10.0)
    call.waterfall.began(call.waterfall.replying(10.004), 2.0, "kokoro", 10.02)
    (told,) = call.turns
    assert told.marks[Stage.FIRST_AUDIO] == 10.004
    assert told.by == {Stage.FIRST_AUDIO: CACHE}


def test_a_caller_who_goes_on_takes_the_draft_of_the_reply_with_him(call: Watched) -> None:
    call.mark(Stage.SPEECH_END, 1.0)
    call.mark(Stage.PAUSE, 1.2)
    call.mark(Stage.FINAL, 1.3, "early")
    call.mark(Stage.FIRST_TOKEN, 1.5, "dropped")
    call.mark(Stage.SPEECH_END, 3.0)
    call.mark(Stage.PAUSE, 3.2)
    call.mark(Stage.FINAL, 3.3, "late")
    call.mark(Stage.FIRST_TOKEN, 3.5, "model")
    call.mark(Stage.ENDPOINT, 3.6)
    call.waterfall.began(call.waterfall.replying(3.65), 3.7, "voice", 3.72)
    (told,) = call.turns
    assert told.number == 1
    assert told.began == 3.0
    assert told.by == {Stage.FINAL: "late", Stage.FIRST_TOKEN: "model", Stage.FIRST_AUDIO: "voice"}
    assert Stage.INTENT not in told.marks


def test_bars_that_ran_at_the_same_time_overlap(call: Watched) -> None:
    call.mark(Stage.SPEECH_END, 0.0)
    call.mark(Stage.PAUSE, 0.2)
    call.mark(Stage.FINAL, 0.35, "asr")
    call.mark(Stage.FIRST_TOKEN, 0.45, "model")
    call.mark(Stage.ENDPOINT, 0.5)
    call.waterfall.began(call.waterfall.replying(0.5), 0.55, "voice", 0.56)
    assert call.turns[0].bars == (
        Bar(Stage.PAUSE, 0.0, 0.2, ""),
        Bar(Stage.ENDPOINT, 0.2, 0.5, ""),
        Bar(Stage.FINAL, 0.2, 0.35, "asr"),
        Bar(Stage.FIRST_TOKEN, 0.35, 0.45, "model"),
        Bar(Stage.FIRST_SENTENCE, 0.5, 0.5, ""),
        Bar(Stage.FIRST_AUDIO, 0.5, 0.55, "voice"),
        Bar(Stage.FIRST_PACKET, 0.55, 0.56, ""),
    )


def test_a_turn_that_nothing_was_replied_to_is_told_when_the_next_begins_or_the_call_ends(
    call: Watched,
) -> None:
    call.mark(Stage.SPEECH_END, 1.0)
    call.mark(Stage.ENDPOINT, 1.5)
    call.mark(Stage.SPEECH_END, 4.0)
    call.mark(Stage.ENDPOINT, 4.5)
    call.waterfall.close()
    call.waterfall.close()
    assert [(turn.number, turn.began, turn.reply_s) for turn in call.turns] == [
        (1, 1.0, None),
        (2, 4.0, None),
    ]
    assert call.turns[0].record(0.0)["reply_ms"] is None


def test_keys_that_lead_to_nothing_and_pauses_that_were_none_are_no_turns(call: Watched) -> None:
    call.mark(Stage.KEY, 1.0)
    call.mark(Stage.KEY, 1.5)
    call.mark(Stage.SPEECH_END, 2.0)
    call.mark(Stage.PAUSE, 2.2)
    call.waterfall.close()
    assert call.turns == []


def test_only_the_reply_to_a_turn_ends_it(call: Watched) -> None:
    greeting = call.waterfall.replying(0.0)
    assert greeting == 0
    call.mark(Stage.KEY, 1.0)
    call.waterfall.began(greeting, 0.0, "voice", 1.1)
    first = call.waterfall.replying(1.2)
    call.mark(Stage.KEY, 2.0)
    call.waterfall.began(first, 1.3, "voice", 2.1)
    assert call.turns == []
    second = call.waterfall.replying(2.2)
    call.waterfall.began(second, 2.3, "voice", 2.4)
    call.waterfall.began(second, 2.3, "voice", 2.5)
    assert [turn.reply_s for turn in call.turns] == [pytest.approx(0.4)]


def test_the_place_is_that_of_the_beginning(call: Watched) -> None:
    call.mark(Stage.KEY, 1.0)
    call.place.step = "next"
    call.waterfall.began(call.waterfall.replying(1.0), 0.0, "", 1.1)
    assert call.turns[0].about.step == "ask"


def test_a_turn_needs_a_beginning() -> None:
    with pytest.raises(ValueError, match="begins with"):
        TurnTimes(1, About(), {Stage.FINAL: 1.0})


@pytest.mark.parametrize("record", [{}, {"ms": {"nothing": 1}, "by": {}}, {"ms": 3}, {"turn": 1, "ms": {}}])
def test_what_is_no_record_of_a_turn_is_refused(record: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"no turn|nothing"):
        TurnTimes.read(record)


@given(st.lists(st.tuples(st.sampled_from(list(Stage)), st.floats(0, 60)), max_size=30))
def test_in_whatever_order_the_marks_come_every_turn_told_is_sound(marks: list[tuple[Stage, float]]) -> None:
    call = Watched()
    for stage, at in marks:
        if stage is Stage.FIRST_PACKET:
            call.waterfall.began(call.waterfall.replying(at), at, "voice", at)
        else:
            call.mark(stage, at)
    call.waterfall.close()
    assert [turn.number for turn in call.turns] == list(range(1, len(call.turns) + 1))
    for turn in call.turns:
        assert all(bar.start_s <= bar.end_s for bar in turn.bars)
        read = TurnTimes.read(turn.record(0.0))
        assert read.began == round(turn.began, 3)
        assert (read.record(0.0), list(read.marks)) == (turn.record(0.0), list(turn.marks))
