"""How a call is scored: replies, cuts, and words that were talked over."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from ivr.evaluation.talk.report import Outcome, figures, table, xml
from ivr.evaluation.talk.scenario import Expect
from ivr.evaluation.talk.scoring import Heard, Kind, Said, Score, Sound, score, sounds_of


def words(began: float, ended: float, count: int = 4, kind: Kind = Kind.WORDS) -> Said:
    return Said(kind, began, ended, count)


def call(said: list[Said], sounds: list[Sound], cuts: list[float] | None = None, **result: object) -> Heard:
    return Heard(said, sounds, cuts or [], result, "normal")


def test_sound_is_one_stretch_over_short_gaps() -> None:
    packets = [
        (place * 0.02, not (10 <= place < 20 or 30 <= place < 40 or place == 90)) for place in range(100)
    ]
    assert sounds_of(packets) == [
        Sound(pytest.approx(0.2), pytest.approx(0.8)),
        Sound(pytest.approx(1.8), pytest.approx(1.82)),
    ]
    assert sounds_of([]) == []


def test_a_reply_is_counted_from_the_end_of_the_words() -> None:
    heard = call([words(5.0, 6.0), words(9.0, 10.0)], [Sound(0.0, 4.0), Sound(6.7, 8.0), Sound(10.4, 12.0)])
    found = score(heard, Expect(), 0.5)
    assert found.replies_ms == (700.0, 400.0)
    assert found.talked_over == 0.0
    assert found.failures == ("a reply took 700 ms, not 500",)
    assert score(heard, Expect(within=0.8), 0.5).passed


def test_no_reply_between_two_things_said_is_told_and_none_to_the_last_is_not() -> None:
    found = score(call([words(1.0, 2.0), words(8.0, 9.0)], [Sound(0.0, 0.5)]), Expect(), None)
    assert (found.replies_ms, found.unanswered) == ((), 1)
    assert found.failures == ("1 of 2 times nothing was replied",)


def test_words_that_the_server_speaks_over_are_counted() -> None:
    early = call([words(1.0, 3.0, count=8)], [Sound(0.0, 0.5), Sound(2.5, 5.0)])
    found = score(early, Expect(talked_over=1.0), None)
    assert found.talked_over == 2.0
    assert found.replies_ms == (-500.0,)
    assert found.failures == ("2.0 words were talked over, not 1",)


def test_an_interruption_is_to_cut_and_a_listener_is_not() -> None:
    interruption = words(2.0, 3.0, kind=Kind.INTERRUPTION)
    listening = words(6.0, 6.3, 1, Kind.LISTENING)
    sounds = [Sound(0.0, 2.25), Sound(3.5, 9.0)]
    good = score(call([interruption, listening], sounds, [2.3]), Expect(), None)
    assert (good.missed_barge_ins, good.false_barge_ins) == (0, 0)
    assert good.talked_over == 1.0
    assert good.passed
    bad = score(call([interruption, listening], sounds, [6.5]), Expect(), None)
    assert bad.failures == (
        "1 of 1 sounds of a listener cut a prompt off",
        "1 of 1 interruptions cut nothing off",
    )


def test_what_a_key_cuts_off_was_cut_by_no_cough() -> None:
    cough, key = words(2.0, 2.2, 0, Kind.LISTENING), words(2.9, 2.9, 0, Kind.KEYS)
    found = score(call([cough, key], [Sound(0.0, 2.9)], [2.92]), Expect(), None)
    assert (found.false_barge_ins, found.replies_ms, found.unanswered) == (0, (), 0)


def test_the_result_and_the_end_count() -> None:
    expect = Expect(result={"decision": "accepted", "eta": 20}, ended="normal")
    assert score(call([], [], decision="accepted", eta=20, more=1), expect, None).passed
    wrong = score(call([], [], decision="rejected"), expect.model_copy(update={"ended": "busy"}), None)
    assert wrong.failures == (
        "decision is 'rejected', not 'accepted'",
        "the result has no eta",
        "the call ended with normal, not busy",
    )


OUTCOMES = [
    Outcome(Path("a.yaml"), "order", "says yes", "m1", Score((700.0, 400.0), 0, 0, 0, 1, 0, 0.0, ()), 9.0),
    Outcome(
        Path("a.yaml"), "order", "cuts in", "m1 15 dB", Score((), 1, 0, 1, 0, 1, 2.5, ("too <late>",)), 9.0
    ),
]


def test_a_report_has_all_figures() -> None:
    told = json.loads(json.dumps(figures(OUTCOMES)))
    assert (told["played"], told["passed"], told["replies"]) == (2, 1, 2)
    assert told["reply_ms"] == {"p50": 400.0, "p95": 700.0, "max": 700.0}
    assert told["scenarios"][1]["failures"] == ["too <late>"]
    lines = table(OUTCOMES).splitlines()
    assert lines[1].split() == ["✓", "says", "yes", "m1", "400", "ms", "700", "ms", "0/1", "-", "0.0"]
    assert lines[3] == "   too <late>"
    assert "1 of 2 as expected" in lines
    assert "missed barge-ins: 1 of 1" in lines


def test_junit_has_a_case_for_each() -> None:
    root = ElementTree.fromstring(xml(OUTCOMES))
    assert (root.get("tests"), root.get("failures")) == ("2", "1")
    (failure,) = root.iter("failure")
    assert failure.get("message") == "too <late>"
