"""How a caller feels, by his words, and how he is answered."""

from __future__ import annotations

import pytest

from engines.tts.emotion import EMOTIONS
from ivr.talking.sentiment import Feeling, Mood, Temper, feeling_of, manner_of


@pytest.mark.parametrize(
    ("text", "mood"),
    [
        ("this is the worst service, totally useless", "angry"),
        ("how many times do I have to call", "angry"),
        ("यह बिल्कुल बकवास है, हद हो गई", "angry"),
        ("bahut ghatiya service hai", "angry"),
        ("किती वेळा सांगू, वैताग आला", "angry"),
        ("I am worried, there was an accident", "sad"),
        ("मैं बहुत परेशान हूँ", "sad"),
        ("मला खूप काळजी वाटते", "sad"),
        ("great, thank you", "happy"),
        ("बहुत बढ़िया, धन्यवाद", "happy"),
        ("खूप छान", "happy"),
        ("I am not happy", "sad"),
        ("no complaint", "neutral"),
        ("where is my order", "neutral"),
        ("मेरा ऑर्डर कहाँ है", "neutral"),
        ("", "neutral"),
    ],
)
def test_a_feeling(text: str, mood: Mood) -> None:
    assert feeling_of(text).mood == mood


def test_more_words_are_more_feeling() -> None:
    assert feeling_of("useless").strength < feeling_of("useless, worst, very bad fraud").strength <= 1


def test_nobody_is_answered_in_anger() -> None:
    moods: tuple[Mood, ...] = ("neutral", "happy", "sad", "angry")
    for usual in EMOTIONS:
        for mood in moods:
            manner = manner_of(Feeling(mood, 1.0), usual)
            assert manner.emotion in EMOTIONS
            assert 0 <= manner.intensity <= 1
            assert manner.emotion != "angry" or usual == "angry"
    assert manner_of(Feeling("angry", 0.9), "happy").emotion == "sorry"
    assert manner_of(Feeling("happy", 0.9), "calm").emotion == "calm", "what the author chose"


def test_anger_fades_and_does_not_end_with_one_word() -> None:
    temper = Temper()
    temper.hear("useless, worst, fraud, terrible")
    expected = temper.after("yes")
    temper.hear("yes")
    assert temper.now == expected
    assert temper.now.mood == "angry"
    temper.hear("yes")
    temper.hear("yes")
    temper.hear("yes")
    assert temper.now == Feeling()
