"""Tokens become sentences, whatever the pieces they come in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.talking.sentences import SentenceFeed, spoken


def fed(text: str, language: str = "en", size: int = 1) -> list[str]:
    feed = SentenceFeed(language)
    found: list[str] = []
    for at in range(0, len(text), size):
        found += feed.feed(text[at : at + size])
    return found + feed.finish()


@pytest.mark.parametrize(
    ("text", "language", "expected"),
    [
        ("It costs Rs. 1,250.50 today. Fine?", "en", ["It costs Rs. 1,250.50 today.", "Fine?"]),
        ("Dr. A. P. Rao comes at 5 p.m. today. Yes.", "en", ["Dr. A. P. Rao comes at 5 p.m. today.", "Yes."]),
        (
            "आपका ऑर्डर तैयार है। कुल ₹1,250.50 हुए। धन्यवाद!",
            "hi",
            ["आपका ऑर्डर तैयार है।", "कुल ₹1,250.50 हुए।", "धन्यवाद!"],
        ),
        ("ऑर्डर क्र. 5 तयार आहे. ती येत आहे.", "mr", ["ऑर्डर क्र. 5 तयार आहे.", "ती येत आहे."]),
        ("# Help\n- **First**, one\n- second\n\n1. third", "en", ["Help", "First, one", "second", "third"]),
        ("**Yes!** _Now_. `code` 😀👍🏽", "en", ["Yes!", "Now.", "code"]),
        ("See https://shop.example/a.b?c=1, or www.shop.in. OK.", "en", ["See, or.", "OK."]),
        (
            "[our shop](https://a.example) is open. Go to a.com now.",
            "en",
            ["our shop is open.", "Go to now."],
        ),
        ("[laugh] That was quick. [pause] Yes.", "en", ["[laugh] That was quick.", "Yes."]),
        ("| a | b |\n|---|---|\n| 1 | 2 |", "en", ["a, b", "1, 2"]),
        ("<b>Yes</b>, it is.", "en", ["Yes, it is."]),
        ("...", "en", []),
        ("", "en", []),
    ],
)
def test_what_is_spoken(text: str, language: str, expected: list[str]) -> None:
    for size in (1, 3, 1000):
        assert fed(text, language, size) == expected


def test_the_first_does_not_wait_for_the_last() -> None:
    feed = SentenceFeed("en")
    assert feed.feed("It is here. ") == []
    assert feed.feed("A") == ["It is here."]


def test_a_sentence_that_does_not_end_is_cut_between_its_clauses() -> None:
    found = fed("and so it goes on, " * 100)
    assert len(found) > 3
    assert all(len(sentence) <= 300 for sentence in found)


def test_half_a_sentence_can_be_dropped() -> None:
    feed = SentenceFeed("en")
    feed.feed("It is here. And it")
    feed.drop()
    assert feed.finish() == []


def test_joiners_of_a_script_stay() -> None:
    assert spoken("क्\u200dष और र्\u200dय") == "क्\u200dष और र्\u200dय"


@given(st.text(alphabet="ab1.?!। \n,*#-[]()", max_size=200), st.integers(1, 20))
def test_pieces_make_no_difference(text: str, size: int) -> None:
    whole, pieces = "".join(fed(text, size=1000)), "".join(fed(text, size=size))
    assert _letters(whole) == _letters(pieces)


def _letters(text: str) -> str:
    return "".join(char for char in text if char.isalpha())
