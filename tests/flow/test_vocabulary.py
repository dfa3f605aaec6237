"""The number words behind what is heard, and how spellings are folded together."""

import pytest

from ivr.flow.hearing.fold import fold
from ivr.flow.hearing.vocabulary import HEARD, vocabulary
from ivr.flow.sayas import hindi, language_of, marathi

LANGUAGES = ("hi", "mr", "en")


@pytest.mark.parametrize("language", LANGUAGES)
def test_own_number_words_keep_their_meaning_among_the_other_languages(language):
    numbers = vocabulary(language).numbers
    names = {n: fold(language_of(language).cardinal(n)) for n in range(100)}
    assert {n: numbers[name].value for n, name in names.items() if " " not in name} == {
        n: n for n, name in names.items() if " " not in name
    }


@pytest.mark.parametrize("table", [hindi.NUMBERS, marathi.NUMBERS])
def test_folding_keeps_number_words_apart(table):
    assert len({fold(word) for word in table}) == 100


@pytest.mark.parametrize("code", HEARD)
def test_no_spelling_stands_for_two_numbers(code):
    heard = HEARD[code]
    meanings = {}
    for number in range(100):
        for word in {
            fold(w) for w in [language_of(code).cardinal(number), *heard.spellings.get(number, "").split()]
        }:
            meanings.setdefault(word, set()).add(number)
    assert {word: numbers for word, numbers in meanings.items() if len(numbers) > 1} == {}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("पाँच", "पांच"),
        ("पाँच", "पाच"),
        ("हिन्दी", "हिंदी"),
        ("अट्ठाईस", "अठाइस"),
        ("अठ्ठावीस", "अट्ठावीस"),
        ("हज़ार", "हजार"),
        ("हज\u093cार", "ह\u095bार"),
        ("चौऱ्याहत्तर", "चौर\u093c्याहत्तर"),
        ("रुपये", "रुपए"),
        ("नहीं", "नही"),
        ("YES", "yes"),
        ("café", "cafe"),
        ("don't", "dont"),
        ("twenty-five", "twenty five"),
        ("१२", "12"),
        ("20मिनट", "20 मिनट"),
        ("हाँ।", "हाँ"),
    ],
)
def test_spellings_that_sound_alike_are_folded_together(one, other):
    assert fold(one) == fold(other)
