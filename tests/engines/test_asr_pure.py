"""The parts of free recognition that decide, without a model: agreement, guards, windows, batches."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.asr.agreement import LocalAgreement
from engines.asr.exchange import Reader, final, partial, segment
from engines.asr.guards import Guard, Verdict, compression_ratio
from engines.asr.windows import windows
from engines.contract import Segment, Transcript, Word

# --- agreement


def test_what_two_hypotheses_agree_on_stays() -> None:
    agreement = LocalAgreement()
    assert agreement.add("i want") == ("i want", 0)
    assert agreement.add("I want two pizzas") == ("I want two pizzas", len("I want"))
    assert agreement.add("I want to pizza") == ("I want to pizza", len("I want"))
    assert agreement.add("I want to pizza please") == ("I want to pizza please", len("I want to pizza"))


def test_what_was_stable_is_not_taken_back() -> None:
    agreement = LocalAgreement()
    agreement.add("मेरा ऑर्डर")
    agreement.add("मेरा ऑर्डर कहाँ है")
    text, stable = agreement.add("तेरा बॉर्डर कहाँ")
    assert text.startswith("मेरा ऑर्डर")
    assert text[:stable] == "मेरा ऑर्डर"


@given(st.lists(st.lists(st.sampled_from("abc"), max_size=6).map(" ".join), max_size=8))
def test_the_stable_part_only_grows(hypotheses: list[str]) -> None:
    agreement = LocalAgreement()
    before = ""
    for hypothesis in hypotheses:
        text, stable = agreement.add(hypothesis)
        assert text[:stable].startswith(before)
        before = text[:stable]


# --- guards


@pytest.mark.parametrize(
    ("text", "no_speech", "log_prob", "expected", "verdict"),
    [
        ("haan ji", 0.1, -0.2, (), Verdict.KEEP),
        ("", 0.9, -3.0, (), Verdict.KEEP),
        ("some words", 0.9, -1.5, (), Verdict.DROP),
        ("some words", 0.9, -0.3, (), Verdict.KEEP),
        ("Thanks for watching!", 0.0, -0.1, (), Verdict.DROP),
        ("Subtitles by the Amara.org community", 0.0, -0.1, (), Verdict.DROP),
        ("वीडियो देखने के लिए धन्यवाद।", 0.0, -0.1, (), Verdict.DROP),
        ("Thank you.", 0.0, -0.2, (), Verdict.KEEP),
        ("Thank you.", 0.5, -0.2, (), Verdict.DROP),
        ("धन्यवाद।", 0.0, -0.9, (), Verdict.DROP),
        ("धन्यवाद", 0.9, -2.0, ("धन्यवाद",), Verdict.KEEP),
        ("...", 0.0, -0.1, (), Verdict.DROP),
        ("na " * 40, 0.0, -0.1, (), Verdict.RETRY),
    ],
)
def test_guards(
    text: str, no_speech: float, log_prob: float, expected: tuple[str, ...], verdict: Verdict
) -> None:
    assert Guard().judge(text, no_speech=no_speech, log_prob=log_prob, expected=expected) is verdict


def test_a_guard_can_be_off() -> None:
    off = Guard(None, None, None, phrases=False)
    for text in ("Thanks for watching", "na " * 40):
        assert off.judge(text, no_speech=1.0, log_prob=-9.0) is Verdict.KEEP


def test_compression() -> None:
    assert compression_ratio("") == 0
    assert compression_ratio("मुझे एक पिज़्ज़ा चाहिए") < 2.4 < compression_ratio("नहीं " * 40)


# --- windows


def test_short_speech_is_one_window() -> None:
    assert windows([1.0] * 50, 100, 30) == [(0, 50)]
    assert windows([], 100, 30) == [(0, 0)]


def test_the_cut_is_where_it_is_quiet() -> None:
    levels = [100.0] * 150
    levels[80:92] = [1.0] * 12
    levels[60:62] = [0.0] * 2  # a stop consonant, before the search begins
    (first, cut), (again, end) = windows(levels, 100, 30)
    assert (first, again, end) == (0, cut, 150)
    assert 83 <= cut <= 89


@given(st.lists(st.floats(0, 1000), max_size=400), st.integers(50, 120))
def test_windows_cover_everything_and_none_moves(levels: list[float], longest: int) -> None:
    found = windows(levels, longest, 30)
    assert found[0][0] == 0
    assert found[-1][1] == len(levels)
    assert all(a[1] == b[0] for a, b in pairwise(found))
    assert all(0 < end - first <= longest for first, end in found[:-1])
    assert windows(levels + [5.0] * 60, longest, 30)[: len(found) - 1] == found[:-1]


# --- exchange


def test_answers_are_put_together() -> None:
    reader = Reader()
    shown = reader.read(partial("मेरा नाम", 4, "hi"))
    assert shown == Transcript("मेरा नाम", "hi", 0.0, final=False, stable=4)
    one = Segment("मेरा नाम", 0.0, 1.0, (Word("मेरा", 0.0, 0.5, 0.9), Word("नाम", 0.5, 1.0, 0.8)))
    two = Segment("सीता है", 1.0, 2.0)
    assert reader.read(segment(one)) is None
    assert reader.read(segment(two)) is None
    assert reader.read(final("hi", 0.8)) == Transcript("मेरा नाम सीता है", "hi", 0.8, segments=(one, two))
