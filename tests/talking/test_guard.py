"""What may be said: numbers that were there before, in any form and language, and nothing personal."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.flow.sayas import say
from ivr.talking.grounds import Grounds, numbers_in
from ivr.talking.guard import Fault, check, language_of

INSTRUCTIONS = "You help callers, open till 21:30. The fee is ₹1,250.50, a refund takes 5 to 7 days."
TOOL = """<data>{"order": "48213", "minutes": 25, "at": "17:45",
"phone": "+919876543210", "mail": "a@b.in"}</data>"""


@pytest.fixture
def grounds() -> Grounds:
    known = Grounds()
    known.add(INSTRUCTIONS, "en")
    known.add(TOOL, "en")
    known.add("my card is 4111 1111 1111 1111 and I have two lakh", "en", open=True)
    return known


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("It is ₹1,250.50.", "en"),
        ("It is 1250 rupees and 50 paise.", "en"),
        ("It is one thousand two hundred fifty rupees.", "en"),
        ("यह एक हज़ार दो सौ पचास रुपये पचास पैसे है।", "hi"),
        ("फीस १,२५० रुपये है।", "hi"),
        ("शुल्क एक हजार दोनशे पन्नास रुपये आहे.", "mr"),
        ("ऑर्डर 48213 पच्चीस मिनट में आएगा।", "hi"),
        ("Your order four eight two one three comes in twenty five minutes.", "en"),
        ("ऑर्डर चार आठ दो एक तीन।", "hi"),
        ("We close at 9:30, at nine thirty.", "en"),
        ("हम साढ़े नौ बजे बंद करते हैं।", "hi"),
        ("It comes at 5:45.", "en"),
        ("You said two lakh, 2,00,000 rupees.", "en"),
        ("Five to seven days.", "en"),
        ("One moment, that one is right.", "en"),
        ("एक मिनट रुकिए।", "hi"),
        ("एक क्षण थांबा.", "mr"),
        ("अशी नोंद केली आहे, एका मिनिटात सांगते.", "mr"),
        ("डोर टू डोर डिलीवरी है, नंबर बता दो।", "hi"),
        ("Oh, I see, that is right.", "en"),
        ("Your card 4111 1111 1111 1111?", "en"),
        ("", "en"),
    ],
)
def test_what_was_there_may_be_said(grounds: Grounds, text: str, language: str) -> None:
    assert check(text, language, grounds) is None


@pytest.mark.parametrize(
    ("text", "language", "fault"),
    [
        ("It is ₹1,350.50.", "en", Fault.NUMBER),
        ("It comes in forty five minutes.", "en", Fault.NUMBER),
        ("यह बारह सौ रुपये है।", "hi", Fault.NUMBER),
        ("ऑर्डर चार आठ दो एक चार।", "hi", Fault.NUMBER),
        ("यह दो करोड़ रुपये है।", "hi", Fault.NUMBER),
        ("सव्वा सहा वाजता येईल.", "mr", Fault.NUMBER),
        ("एक रुपया लगेगा।", "hi", Fault.NUMBER),
        ("अशी रुपये लागतील.", "mr", Fault.NUMBER),
        ("दो प्लेट मिलेंगी।", "hi", Fault.NUMBER),
        ("फोर मिनट में आएगा।", "hi", Fault.NUMBER),
        ("It takes half an hour.", "en", Fault.NUMBER),
        ("Call 98765 43210.", "en", Fault.PERSONAL),
        ("Call nine eight seven six five four three two one zero.", "en", Fault.PERSONAL),
        ("राइडर का नंबर नौ आठ सात छह पाँच चार तीन दो एक शून्य है।", "hi", Fault.PERSONAL),
        ("Write to a@b.in.", "en", Fault.PERSONAL),
        ("Write to sharma at the rate gmail dot com.", "en", Fault.PERSONAL),
        ("Your order is on the way to you.", "hi", Fault.LANGUAGE),
        ("आपका ऑर्डर रास्ते में है।", "en", Fault.LANGUAGE),
        ("तुमची ऑर्डर येत आहे, तुम्हाला आणखी काही हवे आहे का?", "hi", Fault.LANGUAGE),
        ("आपका ऑर्डर तैयार हो रहा है।", "mr", Fault.LANGUAGE),
        ("您的订单正在路上，请稍等一下。", "en", Fault.LANGUAGE),
        ('{"name": "fill", "arguments": {}}', "en", Fault.NO_SPEECH),
        ("```python", "en", Fault.NO_SPEECH),
    ],
)
def test_what_was_not_is_withheld(grounds: Grounds, text: str, language: str, fault: Fault) -> None:
    found = check(text, language, grounds)
    assert found is not None
    assert found.fault is fault


@pytest.mark.parametrize(
    ("text", "kind"),
    [("Call 98765 43210.", "phone"), ("Write to a@b.in.", "email")],
)
def test_what_the_step_allows_may_be_read_out(grounds: Grounds, text: str, kind: str) -> None:
    assert check(text, "en", grounds, frozenset([kind])) is None


def test_a_mixed_sentence_is_in_the_language_of_its_small_words(grounds: Grounds) -> None:
    assert check("आपका order confirm हो गया है।", "hi", grounds) is None
    assert check("Mangwale का order ready है", "hi", grounds) is None
    assert check("Mangwale ready order है", "hi", grounds) is not None


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("I would like to know where my order is", "en"),
        ("मुझे मेरे ऑर्डर की जानकारी चाहिए", "hi"),
        ("मला माझ्या ऑर्डरची माहिती हवी आहे आणि मी वाट बघत आहे", "mr"),
        ("मेरा order कहाँ है please बताइए मुझे", "hi"),
        ("order", None),
        ("हाँ ठीक", None),
        ("4 8 2", None),
    ],
)
def test_a_language_is_heard_where_it_is_clear(text: str, language: str | None) -> None:
    assert language_of(text, ("hi", "mr", "en")) == language
    assert language_of(text, ()) is None


@given(st.integers(2, 10**9 - 1), st.sampled_from(["en", "hi", "mr"]))
def test_a_number_that_was_given_may_be_said_in_words_and_no_other(number: int, language: str) -> None:
    known = Grounds()
    known.add(f"the value is {number}", language)
    assert check(say(number, "count", language), language, known, frozenset(["number", "phone"])) is None
    other = check(say(number + 1, "count", language), language, known, frozenset(["number", "phone"]))
    assert other is not None
    assert other.fault is Fault.NUMBER


@given(st.text(max_size=60), st.sampled_from(["en", "hi", "mr", "ta"]))
def test_any_text_can_be_looked_at(text: str, language: str) -> None:
    known = Grounds()
    known.add(text, language)
    for number in numbers_in(text, language):
        known.hold(number)
    check(text, language, known)
