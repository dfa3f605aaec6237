"""Which words of a text are out, and which are an answer."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.turns.answers import answer_in
from ivr.turns.words_out import words_out


@pytest.mark.parametrize(
    ("text", "share", "out"),
    [
        ("one two three", 0.0, ""),
        ("one two three", 0.2, ""),
        ("one two three", 3 / 13, "one"),
        ("one two three", 0.6, "one two"),
        ("one two three", 1.0, "one two three"),
        ("one two three", 1.5, "one two three"),
        ("आपका ऑर्डर, आज आएगा।", 0.6, "आपका ऑर्डर,"),
        ("", 0.5, ""),
        ("   ", 1.0, ""),
    ],
)
def test_words_are_out_whole(text: str, share: float, out: str) -> None:
    assert words_out(text, share) == out


@given(st.text(max_size=60), st.floats(0.0, 1.0), st.floats(0.0, 1.0))
def test_more_sound_is_never_fewer_words(text: str, one: float, other: float) -> None:
    less, more = sorted((one, other))
    assert words_out(text, more).startswith(words_out(text, less))
    assert words_out(text, 1.0).split() == text.split()
    out = words_out(text, less).split()
    assert out == text.split()[: len(out)]


@pytest.mark.parametrize(
    ("text", "language", "is_answer"),
    [
        ("हाँ", "hi", True),
        ("जी हाँ", "hi", True),
        ("नहीं", "hi", True),
        ("haan ji", "hi", True),
        ("yes", "mr", True),
        ("हाँ नहीं", "hi", False),
        ("हाँ लेकिन मुझे बीस मिनट चाहिए", "hi", False),
        ("मुझे", "hi", False),
        ("", "hi", False),
    ],
)
def test_what_means_one_answer_for_certain_is_one(text: str, language: str, is_answer: bool) -> None:
    assert answer_in({"affirm": (), "deny": ()}, language)(text) is is_answer


def test_the_beginning_of_a_longer_answer_is_not_one() -> None:
    is_answer = answer_in({"order": ("order",), "status": ("order status",)}, "en")
    assert not is_answer("order")
    assert is_answer("Order status.")
