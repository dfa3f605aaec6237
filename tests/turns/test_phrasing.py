"""What words tell about a turn, in three languages and between them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.turns.phrasing import COMPLETE, LIKELY, NUMBER, OPEN, Weight, completeness, weigh


@pytest.mark.parametrize(
    ("text", "language", "weight"),
    [
        ("", "hi", Weight.NOTHING),
        ("…", "en", Weight.NOTHING),
        ("hmm", "en", Weight.NOTHING),
        ("उम्म", "hi", Weight.NOTHING),
        ("हाँ", "hi", Weight.BACKCHANNEL),
        ("हां", "hi", Weight.BACKCHANNEL),
        ("जी", "hi", Weight.BACKCHANNEL),
        ("Haan ji.", "hi", Weight.BACKCHANNEL),
        ("अच्छा, ठीक है", "hi", Weight.BACKCHANNEL),
        ("हो", "mr", Weight.BACKCHANNEL),
        ("बरं", "mr", Weight.BACKCHANNEL),
        ("हो", "hi", Weight.WORDS),
        ("Okay, right", "mr", Weight.BACKCHANNEL),
        ("uh-huh yeah", "en-IN", Weight.BACKCHANNEL),
        ("yes yes yes yes yes", "en", Weight.WORDS),
        ("हाँ लेकिन", "hi", Weight.WORDS),
        ("रुको", "hi", Weight.WORDS),
        ("no", "en", Weight.WORDS),
        ("मुझे ऑपरेटर चाहिए", "hi", Weight.WORDS),
    ],
)
def test_who_listens_asks_for_no_turn(text: str, language: str, weight: Weight) -> None:
    assert weigh(text, language) is weight


def test_a_listeners_word_is_an_answer_where_it_is_asked_for() -> None:
    def yes_or_no(text: str) -> bool:
        return text in ("हाँ", "नहीं")

    assert weigh("हाँ", "hi", yes_or_no) is Weight.ANSWER
    assert weigh("जी", "hi", yes_or_no) is Weight.BACKCHANNEL
    assert weigh("hmm", "hi", lambda text: True) is Weight.NOTHING


@pytest.mark.parametrize(
    ("text", "language", "complete"),
    [
        ("", "hi", None),
        ("   ", "en", None),
        ("मुझे एक आदमी से बात करनी है", "hi", LIKELY),
        ("मुझे एक आदमी से बात करनी है।", "hi", COMPLETE),
        ("मुझे ऑर्डर चाहिए और", "hi", OPEN),
        ("मुझे ऑर्डर चाहिए और।", "hi", OPEN),
        ("ठीक है लेकिन", "hi", OPEN),
        ("तो", "hi", OPEN),
        ("आएगा तो", "mr", LIKELY),
        ("मला ऑर्डर हवी आहे पण", "mr", OPEN),
        ("म्हणजे", "mr", OPEN),
        ("ऑर्डर आली नाही", "mr", LIKELY),
        ("I want it.", "en", COMPLETE),
        ("I want it", "en", OPEN),
        ("I want to, um", "en", OPEN),
        ("my order is late,", "en", OPEN),
        ("well...", "en", OPEN),
        ("Is it late?", "en", COMPLETE),
        ("order kab aayega lekin", "hi", OPEN),
        ("मेरा order late है but", "hi", OPEN),
        ("मेरा नंबर नौ आठ", "hi", NUMBER),
        ("it is 9 8", "en", NUMBER),
        ("साढ़े", "hi", OPEN),
        ("nine double", "en", OPEN),
    ],
)
def test_how_likely_a_turn_is_over(text: str, language: str, complete: float | None) -> None:
    assert completeness(text, language) == complete


@given(st.text(max_size=40), st.sampled_from(("hi", "mr", "en", "en-IN", "ta", "")))
def test_any_text_can_be_weighed(text: str, language: str) -> None:
    assert weigh(text, language) in Weight
    complete = completeness(text, language)
    assert complete is None or OPEN <= complete <= COMPLETE
