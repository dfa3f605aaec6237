"""What callers mean, and when that is left open."""

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.flow.hearing.fold import fold
from ivr.flow.hearing.phrases import BUILT_IN, UNCLEAR
from ivr.flow.intents import MIN_MARGIN, MIN_SCORE, builtin_intents, builtin_phrases, match_intent

LANGUAGES = ("hi", "mr", "en")
ALL = dict.fromkeys(builtin_intents(), ())


def phrases_of(wordings):
    return [phrase.strip() for text in wordings for phrase in text.split(",")]


MEANT = [
    # affirm
    ("hi", "हाँ", "affirm"),
    ("hi", "हां", "affirm"),
    ("hi", "हा", "affirm"),
    ("hi", "जी", "affirm"),
    ("hi", "जी हाँ।", "affirm"),
    ("hi", "हाँ जी, बिल्कुल", "affirm"),
    ("hi", "haan", "affirm"),
    ("hi", "Theek hai", "affirm"),
    ("hi", "yes", "affirm"),
    ("hi", "OK!", "affirm"),
    ("hi", "हाँ भैया", "affirm"),
    ("hi", "हाँ बीस मिनट में तैयार कर दूँगा", "affirm"),
    ("hi", "कोई दिक्कत नहीं", "affirm"),
    ("hi", "क्यों नहीं", "affirm"),
    ("hi", "मंजूर है", "affirm"),
    ("mr", "हो", "affirm"),
    ("mr", "हो ना", "affirm"),
    ("mr", "ho", "affirm"),
    ("mr", "ठीक आहे", "affirm"),
    ("mr", "काही हरकत नाही", "affirm"),
    ("mr", "हाँ", "affirm"),
    ("en", "Yes, please.", "affirm"),
    ("en", "no problem", "affirm"),
    ("en", "I accept the order", "affirm"),
    # deny
    ("hi", "नहीं", "deny"),
    ("hi", "नही", "deny"),
    ("hi", "nahi", "deny"),
    ("hi", "जी नहीं", "deny"),
    ("hi", "नहीं नहीं", "deny"),
    ("hi", "भैया आज नहीं", "deny"),
    ("hi", "ठीक नहीं है", "deny"),
    ("hi", "मंज़ूर नहीं", "deny"),
    ("hi", "अस्वीकार", "deny"),
    ("hi", "नहीं भैया आज दुकान बंद है", "deny"),
    ("mr", "नाही", "deny"),
    ("mr", "नको", "deny"),
    ("mr", "मान्य नाही", "deny"),
    ("mr", "नहीं", "deny"),
    ("en", "no", "deny"),
    ("en", "No, I can't", "deny"),
    ("en", "not okay", "deny"),
    ("en", "reject it", "deny"),
    # repeat
    ("hi", "दोबारा बोलिए", "repeat"),
    ("hi", "फिर से", "repeat"),
    ("hi", "क्या?", "repeat"),
    ("hi", "समझ नहीं आया", "repeat"),
    ("mr", "पुन्हा सांगा", "repeat"),
    ("mr", "परत", "repeat"),
    ("en", "say that again please", "repeat"),
    ("en", "I did not understand", "repeat"),
    # operator
    ("hi", "ऑपरेटर", "operator"),
    ("hi", "मुझे किसी से बात करनी है", "operator"),
    ("mr", "कोणाशी तरी बोलायचे आहे", "operator"),
    ("en", "operator please", "operator"),
    # garbled by a recogniser
    ("en", "operater", "operator"),
    ("hi", "बिलकूल", "affirm"),
    ("mr", "पून्हा", "repeat"),
]
LEFT_OPEN = [
    ("hi", ""),
    ("hi", "..."),
    ("hi", "दो"),
    ("hi", "हाँ नहीं"),
    ("hi", "हाँ या नहीं"),
    ("hi", "पता नहीं"),
    ("hi", "एक मिनट रुको"),
    ("hi", "सामान नहीं है"),
    ("hi", "सामान नहीं"),
    ("hi", "कोई किक्कत नहीं"),
    ("en", "nt okay"),
    ("en", "rot right"),
    ("hi", "क्या टाइम हुआ है"),
    ("hi", "तुम कौन हो"),
    ("mr", "दो"),
    ("mr", "हो की नाही"),
    ("mr", "माहीत नाही"),
    ("en", "yes or no"),
    ("en", "yes no"),
    ("en", "I don't know"),
    ("en", "hold on"),
    ("en", "noise"),
    ("en", "what time is it there now"),
    ("en", "ho"),
    ("en", "the"),
]


@pytest.mark.parametrize(("language", "text", "intent"), MEANT)
def test_means(language, text, intent):
    match = match_intent(text, language, ALL)
    assert match is not None
    assert match.name == intent
    assert MIN_SCORE <= match.score <= 1.0
    assert match.margin >= MIN_MARGIN


@pytest.mark.parametrize(("language", "text"), LEFT_OPEN)
def test_is_left_open(language, text):
    assert match_intent(text, language, ALL) is None


NEAR_MISSES = {
    "hi": "नहाना, हाल, हवा, मानो, जीना, रात, फिर, बात, नौ, ठीके, नहीं हाँ, हा नहीं",
    "mr": "होळी, हात, नाव, नाक, पाहिजे, परतावा, चाल, मान, बारा, दोन, नाही हो, हो पण नाही",
    "en": "know, now, note, year, show, short, opera, notice, except, insure, nein, nine, nope yes, yes no",
}


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_only_sounds_like_a_phrase_is_refused(language):
    heard = {text: match_intent(text, language, ALL) for text in phrases_of([NEAR_MISSES[language]])}
    assert {text: match for text, match in heard.items() if match is not None} == {}


def test_the_margin_is_the_lead_over_the_next_intent():
    menu = {"status": ("order status",), "refund": ("order refund",)}
    sure, garbled = match_intent("order status", "en", menu), match_intent("order staus", "en", menu)
    assert (sure.score, sure.margin) == (1.0, 1.0)
    assert MIN_SCORE < garbled.score < sure.score
    assert match_intent("order", "en", menu) is None
    assert match_intent("order status order refund", "en", menu) is None


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("intent", BUILT_IN)
def test_every_built_in_phrase_is_recognised_whatever_else_is_offered(intent, language):
    for phrase in phrases_of(BUILT_IN[intent][language]):
        match = match_intent(phrase, language, ALL)
        assert (match.name, match.score) == (intent, 1.0), phrase


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_unclear_phrase_means_anything(language):
    for phrase in phrases_of([UNCLEAR[language]]):
        assert match_intent(phrase, language, ALL) is None, phrase


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_phrase_belongs_to_two_intents(language):
    folded = {intent: {fold(p) for p in phrases_of(BUILT_IN[intent][language])} for intent in BUILT_IN}
    for one, other in combinations(folded, 2):
        assert folded[one] & folded[other] == set()


@pytest.mark.parametrize("language", LANGUAGES)
def test_few_phrases_are_listened_for_and_all_of_them_in_the_script_of_the_language(language):
    for intent in builtin_intents():
        phrases = builtin_phrases(intent, language)
        assert 3 <= len(phrases) <= 9
        assert all(phrase.isascii() == (language == "en") for phrase in phrases)


def test_what_is_not_built_in_has_no_phrases():
    assert builtin_phrases("cancel_order", "hi") == ()
    assert builtin_phrases("affirm", "ta") == ()


def test_a_menu_of_its_own_phrases():
    menu = {"status": ("ऑर्डर कहाँ है", "ऑर्डर का स्टेटस"), "cancel": ("ऑर्डर कैंसिल",), "deny": ()}
    assert match_intent("मेरा ऑर्डर कहाँ है भैया", "hi", menu).name == "status"
    assert match_intent("ऑर्डर कैंसिल कर दो", "hi", menu).name == "cancel"
    assert match_intent("नहीं", "hi", menu).name == "deny"
    assert match_intent("कैंसिल", "hi", menu).name == "deny"


def test_own_phrases_of_a_built_in_intent_come_on_top():
    menu = {"affirm": ("बना दूँगा",), "deny": ()}
    assert match_intent("बना दूँगा", "hi", menu).name == "affirm"
    assert match_intent("हाँ", "hi", menu).name == "affirm"


def test_what_is_not_offered_still_counts_against():
    assert match_intent("no problem", "en", {"deny": ()}) is None
    assert match_intent("पता नहीं", "hi", {"deny": ()}) is None
    assert match_intent("no", "en", {"deny": ()}).name == "deny"


def test_a_longer_utterance_scores_less_than_the_phrase_alone():
    alone = match_intent("हाँ", "hi", ALL)
    within = match_intent("हाँ बीस मिनट में तैयार कर दूँगा", "hi", ALL)
    assert alone.score == 1.0
    assert within.score < alone.score


def test_nothing_offered_means_nothing():
    assert match_intent("हाँ", "hi", {}) is None


@given(st.text(), st.sampled_from([*LANGUAGES, "xx"]))
def test_any_text_gives_a_match_or_none(text, language):
    match = match_intent(text, language, ALL)
    assert match is None or match.name in ALL


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_letter_lost_never_turns_an_answer_into_its_opposite(language):
    for intent, opposite in (("affirm", "deny"), ("deny", "affirm")):
        for phrase in builtin_phrases(intent, language):
            for at in range(len(phrase)):
                garbled = phrase[:at] + phrase[at + 1 :]
                match = match_intent(garbled, language, ALL)
                assert match is None or match.name != opposite, (phrase, garbled)
