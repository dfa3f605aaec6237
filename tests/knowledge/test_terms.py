"""What texts are found by: words without their endings, and sounds across scripts."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ivr.knowledge.terms import SOUND_MARK, sound_of, sounds, stems, terms


def meaning(text: str) -> list[set[str]]:
    """The stems of each word that says something."""
    return [set(terms(word)) for word in text.split() if terms(word)]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("वस्तुओं की कीमतें", "वस्तु कीमत"),
        ("दुकानों", "दुकान"),
        ("भेजेंगे", "भेजता"),
        ("खुलती", "खुली"),
        ("दुकानें", "दुकान"),
        ("कार्डाने", "कार्ड"),
        ("बनाने", "बनाना"),
        ("भेजता", "भेजते"),
        ("वापसी", "वापस"),
        ("महीनों", "महीना"),
        ("दुकानातील", "दुकान"),
        ("दिवसांत", "दिवस"),
        ("परताव्याचे", "परतावा"),
        ("वस्तूंच्या", "वस्तू"),
        ("कार्डाचे", "कार्ड"),
        ("पावतीसाठी", "पावती"),
        ("ज़रूरत", "जरुरत"),
        ("returns policies boxes", "return policy box"),
        ("Refunded deliveries", "refund delivery"),
        ("१० दिन", "10 दिन"),
    ],
)
def test_endings_and_spellings_make_no_difference(one: str, other: str) -> None:
    for word, same in zip(meaning(one), meaning(other), strict=True):
        assert word & same


def test_vowel_signs_stay() -> None:
    assert stems("दिन") == ("दिन",)
    assert stems("दान") == ("दान",)


@pytest.mark.parametrize(
    ("one", "other"), [("दिन", "दान"), ("कीमत", "किताब"), ("रसीद", "रात"), ("return", "retail")]
)
def test_other_words_stay_apart(one: str, other: str) -> None:
    assert set(terms(one)).isdisjoint(terms(other))


def test_words_that_say_nothing_are_left_out() -> None:
    assert terms("How can I do it, please?") == []
    assert terms("मुझे क्या करना है") == []
    assert terms("मला काय करावे") == []
    assert sounds("what should there be") == []


@pytest.mark.parametrize(
    ("latin", "devanagari"),
    [
        ("return", "रिटर्न"),
        ("returns", "रिटर्न"),
        ("delivery", "डिलीवरी"),
        ("delivery", "डिलिव्हरी"),
        ("refund", "रिफंड"),
        ("cancel", "कैंसिल"),
        ("exchange", "एक्सचेंज"),
        ("policy", "पॉलिसी"),
        ("payment", "पेमेंट"),
        ("invoice", "इनवॉइस"),
        ("warranty", "वारंटी"),
        ("number", "नंबर"),
        ("complaint", "कंप्लेंट"),
        ("address", "एड्रेस"),
        ("subscription", "सब्सक्रिप्शन"),
        ("discount", "डिस्काउंट"),
        ("wapas", "वापस"),
        ("kharab", "खराब"),
    ],
)
def test_a_word_sounds_the_same_in_both_scripts(latin: str, devanagari: str) -> None:
    assert sound_of(latin) == sound_of(devanagari)
    assert sounds(latin) == sounds(devanagari) == [SOUND_MARK + sound_of(latin)]


def test_short_words_sound_like_too_many_others() -> None:
    assert sounds("day दिन pay") == []


@settings(max_examples=40)
@given(st.text(alphabet=st.sampled_from("कखगचटतनपबमरलवसह़ािीुूेैोौ्ंँ abcdegilmnrsxy10.,'\ue000"), max_size=40))
def test_there_is_always_a_word_left(text: str) -> None:
    assert all(terms(text))
    assert terms(text) == terms(text.upper())
    for sound in sounds(text):
        assert len(sound) > 3
        assert sound[1:].isascii()
