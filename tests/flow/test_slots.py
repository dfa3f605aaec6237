"""Values out of what callers say and type."""

import datetime as dt
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.flow.hearing.vocabulary import vocabulary
from ivr.flow.sayas import say
from ivr.flow.slots import parse_keys, parse_slot, spoken_key

LANGUAGES = ("hi", "mr", "en")
TODAY = dt.date(2026, 11, 22)  # a Sunday

COUNTS = [
    ("hi", "बीस", 20),
    ("hi", "पांच", 5),
    ("hi", "छः", 6),
    ("hi", "छे", 6),
    ("hi", "पच्चीस हैं", 25),
    ("hi", "एक सौ बीस", 120),
    ("hi", "सौ", 100),
    ("hi", "हज़ार", 1000),
    ("hi", "हजार दो", 1002),
    ("hi", "डेढ़ सौ", 150),
    ("hi", "ढाई सौ", 250),
    ("hi", "साढ़े तीन सौ", 350),
    ("hi", "सवा सौ", 125),
    ("hi", "सवा दो सौ", 225),
    ("hi", "पौने दो सौ", 175),
    ("hi", "डेढ़ लाख", 150_000),
    ("hi", "ढाई हज़ार", 2500),
    ("hi", "साढ़े पाँच हज़ार", 5500),
    ("hi", "ग्यारह सौ", 1100),
    ("hi", "एक लाख पच्चीस हज़ार चार सौ तीस", 125_430),
    ("hi", "बारह करोड़", 120_000_000),
    ("hi", "१२५", 125),
    ("hi", "१,२५,४३०", 125_430),
    ("hi", "5 लाख", 500_000),
    ("hi", "ट्वेंटी फाइव", 25),
    ("hi", "twenty", 20),
    ("hi", "bees", 20),
    ("hi", "do sau pachas", 250),
    ("hi", "dhai hazar", 2500),
    ("hi", "एक मिनट रुकिए", None),
    ("mr", "vees", 20),
    ("mr", "वीस", 20),
    ("mr", "दोनशे पाच", 205),
    ("mr", "शंभर", 100),
    ("mr", "अकराशे", 1100),
    ("mr", "अडीचशे", 250),
    ("mr", "साडेतीनशे", 350),
    ("mr", "साडे तीन हजार", 3500),
    ("mr", "सव्वाशे", 125),
    ("mr", "दीड लाख", 150_000),
    ("mr", "पावणेदोनशे", 175),
    ("mr", "शहात्तर", 76),
    ("mr", "तेहतीस", 33),
    ("mr", "पच्चीस", 25),
    ("en", "twenty five", 25),
    ("en", "Twenty-five.", 25),
    ("en", "a hundred and five", 105),
    ("en", "one lakh twenty five thousand", 125_000),
    ("en", "two and a half thousand", 2500),
    ("en", "1,250", 1250),
    ("en", "1250", 1250),
    ("en", "it is forty two", 42),
    ("en", "fourty", 40),
    ("en", "do it twenty times", 20),
    ("en", "five or six", None),
    ("en", "ten no fifteen", None),
    ("en", "two point five", None),
    ("en", "nothing of the kind", None),
    ("en", "", None),
    ("hi", "साढ़े", None),
    ("hi", "एक लाख एक लाख", None),
    ("hi", "paintalis", 45),
    ("hi", "nau sau ninyanve", 999),
    ("hi", "do lakh pachas hazaar", 250_000),
    ("hi", "माइनस पाँच", -5),
    ("hi", "-5", -5),
    ("mr", "दीडशे", 150),
    ("mr", "sadetinshe", 350),
    ("mr", "don hajar panchvis", 2025),
    ("mr", "एक हजार एकशे", 1100),
    ("mr", "उणे दहा", -10),
    ("en", "two lakh fifty", 200_050),
    ("en", "two lakh fifty thousand", 250_000),
    ("en", "two and a half lakh", 250_000),
    ("en", "one and half crore", 15_000_000),
    ("en", "twelve hundred and fifty", 1250),
    ("hi", "एक भी नहीं", None),
    ("hi", "नहीं दस", 10),
    ("en", "not five but six", None),
    ("en", "5k", 5000),
    ("en", "two dozen", 24),
    ("hi", "आधा दर्जन", 6),
    ("en", "double five", None),
    ("en", "minus five", -5),
    ("en", "two and a half", None),
    ("en", "two lakh and a half", None),
]
MINUTES = [
    ("hi", "बीस मिनट", 20),
    ("hi", "लगभग बीस मिनट में हो जाएगा", 20),
    ("hi", "बीस", 20),
    ("hi", "pandrah minute", 15),
    ("hi", "बीस नहीं तीस मिनट", 30),
    ("hi", "एक मिनट रुको", None),
    ("en", "wait one minute", None),
    ("hi", "आधा घंटा", 30),
    ("hi", "पौन घंटा", 45),
    ("hi", "सवा घंटा", 75),
    ("hi", "डेढ़ घंटा", 90),
    ("hi", "ढाई घंटे में", 150),
    ("hi", "साढ़े तीन घंटे", 210),
    ("hi", "एक घंटा बीस मिनट", 80),
    ("hi", "दस पंद्रह मिनट", 15),
    ("hi", "दस से पंद्रह मिनट", 15),
    ("hi", "एक दो घंटे", 120),
    ("hi", "ढाई मिनट", 3),
    ("hi", "20 मिनट", 20),
    ("hi", "20मिनट", 20),
    ("mr", "वीस मिनिटांत", 20),
    ("mr", "अर्ध्या तासात", 30),
    ("mr", "पाऊण तास", 45),
    ("mr", "दीड तास", 90),
    ("mr", "एक तास दहा मिनिटे", 70),
    ("mr", "साडेतीन तास", 210),
    ("en", "twenty minutes", 20),
    ("en", "half an hour", 30),
    ("en", "an hour", 60),
    ("en", "an hour and a half", 90),
    ("en", "two and a half hours", 150),
    ("en", "a quarter of an hour", 15),
    ("en", "one hour twenty", 80),
    ("en", "an hour or two", None),
    ("en", "20-25 minutes", 25),
    ("hi", "घंटे भर में", 60),
    ("hi", "डेढ़ दो घंटे", 120),
    ("en", "ten to fifteen minutes", 15),
    ("en", "fifteen ten", None),
    ("en", "soon", None),
    ("hi", "बीस मिनट लिख दो", 20),
    ("hi", "bees minute de do", 20),
    ("hi", "दो मिनट", 2),
    ("hi", "तीस सेकंड", None),
    ("hi", "दो दिन", None),
    ("mr", "दोन तासांमध्ये", 120),
    ("en", "two days", None),
    ("en", "three quarters of an hour", 45),
    ("en", "two hours and half", 150),
    ("en", "minus five minutes", None),
    ("hi", "dedh ghanta", 90),
]
DIGITS = [
    ("hi", "चार आठ दो एक तीन", "48213"),
    ("hi", "शून्य शून्य सात", "007"),
    ("hi", "डबल पाँच सात", "557"),
    ("hi", "ट्रिपल नौ", "999"),
    ("hi", "इक्कीस तेईस", "2123"),
    ("hi", "चार सौ बारह", "412"),
    ("hi", "ज़ीरो वन टू", "012"),
    ("mr", "नऊ आठ सात", "987"),
    ("en", "four eight two one three", "48213"),
    ("en", "double five oh seven", "5507"),
    ("en", "twenty twenty", "2020"),
    ("en", "98765 43210", "9876543210"),
    ("en", "my number is 007", "007"),
    ("en", "four 8 two", "482"),
    ("en", "double 5", "55"),
    ("en", "no idea", None),
    ("en", "nine o five", "905"),
    ("en", "double five double zero", "5500"),
    ("mr", "डबल पाच ट्रिपल सात", "55777"),
    ("hi", "नौ double आठ", "988"),
    ("hi", "साढ़े चार", None),
]
TIMES = [
    ("hi", "सुबह साढ़े नौ बजे", dt.time(9, 30)),
    ("hi", "सुबह के साढ़े नौ", dt.time(9, 30)),
    ("hi", "शाम को सवा छह बजे", dt.time(18, 15)),
    ("hi", "रात बारह बजे", dt.time(0, 0)),
    ("hi", "रात दो बजे", dt.time(2, 0)),
    ("hi", "रात नौ बजकर पाँच मिनट", dt.time(21, 5)),
    ("hi", "दोपहर पौने एक", dt.time(12, 45)),
    ("hi", "तीन बजे", dt.time(15, 0)),
    ("hi", "नौ बजे", dt.time(9, 0)),
    ("hi", "बारह बजे", dt.time(12, 0)),
    ("mr", "सकाळी साडेनऊ वाजता", dt.time(9, 30)),
    ("mr", "दुपारी दीड", dt.time(13, 30)),
    ("mr", "संध्याकाळी सहा वाजून वीस मिनिटांनी", dt.time(18, 20)),
    ("en", "nine thirty pm", dt.time(21, 30)),
    ("en", "9:30 p.m.", dt.time(21, 30)),
    ("en", "half past nine in the evening", dt.time(21, 30)),
    ("en", "quarter to ten at night", dt.time(21, 45)),
    ("en", "ten past six in the morning", dt.time(6, 10)),
    ("en", "nine oh five in the morning", dt.time(9, 5)),
    ("en", "18:30", dt.time(18, 30)),
    ("en", "noon", dt.time(12, 0)),
    ("en", "midnight", dt.time(0, 0)),
    ("en", "twelve noon", dt.time(12, 0)),
    ("en", "twenty five", None),
    ("en", "99:99", None),
    ("en", "later", None),
    ("en", "tomorrow at half past six", dt.time(18, 30)),
    ("hi", "कल शाम छह बजे", dt.time(18, 0)),
    ("hi", "kal subah sadhe nau baje", dt.time(9, 30)),
    ("hi", "परसों दोपहर ढाई बजे", dt.time(14, 30)),
    ("hi", "पौने चार", dt.time(15, 45)),
    ("hi", "दस बजने में पाँच मिनट", dt.time(9, 55)),
    ("hi", "पाँच मिनट कम दस", dt.time(9, 55)),
    ("hi", "31 दिसंबर को शाम छह बजे", dt.time(18, 0)),
    ("mr", "उद्या सकाळी साडेनऊ वाजता", dt.time(9, 30)),
    ("mr", "पाउणे चार", dt.time(15, 45)),
    ("mr", "दहा वाजायला पाच मिनिटे", dt.time(9, 55)),
    ("mr", "एकवीस तारखेला संध्याकाळी पाच वाजता", dt.time(17, 0)),
    ("en", "5 march at 6 pm", dt.time(18, 0)),
    ("en", "the twenty first of june at six thirty", dt.time(18, 30)),
    ("hi", "आधी रात को", dt.time(0, 0)),
    ("mr", "मध्यरात्री", dt.time(0, 0)),
    ("en", "in ten minutes", None),
    ("hi", "एक घंटे बाद", None),
    ("mr", "दहा मिनिटांनी", None),
    ("en", "half six", None),
]
DATES = [
    ("hi", "आज", TODAY),
    ("hi", "कल", dt.date(2026, 11, 23)),
    ("hi", "परसों", dt.date(2026, 11, 24)),
    ("hi", "इकतीस दिसंबर", dt.date(2026, 12, 31)),
    ("hi", "इकतीस दिसम्बर दो हज़ार सत्ताईस", dt.date(2027, 12, 31)),
    ("hi", "पाँच मार्च", dt.date(2027, 3, 5)),
    ("hi", "सोमवार को", dt.date(2026, 11, 23)),
    ("hi", "रविवार", dt.date(2026, 11, 29)),
    ("hi", "दस तारीख", dt.date(2026, 12, 10)),
    ("hi", "पाँच तारीख में", dt.date(2026, 12, 5)),
    ("mr", "पाच मे", dt.date(2027, 5, 5)),
    ("hi", "पच्चीस तारीख को", dt.date(2026, 11, 25)),
    ("hi", "उनतीस फरवरी", dt.date(2028, 2, 29)),
    ("mr", "उद्या", dt.date(2026, 11, 23)),
    ("mr", "एकतीस डिसेंबर", dt.date(2026, 12, 31)),
    ("mr", "शुक्रवारी", dt.date(2026, 11, 27)),
    ("en", "tomorrow", dt.date(2026, 11, 23)),
    ("en", "the day after tomorrow", dt.date(2026, 11, 24)),
    ("en", "next friday", dt.date(2026, 11, 27)),
    ("en", "twenty-first June", dt.date(2027, 6, 21)),
    ("en", "5 march 2027", dt.date(2027, 3, 5)),
    ("en", "31/12/2026", dt.date(2026, 12, 31)),
    ("en", "2026-12-31", dt.date(2026, 12, 31)),
    ("en", "thirty first of february", None),
    ("en", "32 december", None),
    ("en", "some day", None),
    ("en", "tomorrow at half past six", dt.date(2026, 11, 23)),
    ("en", "in three days", dt.date(2026, 11, 25)),
    ("en", "after two weeks", dt.date(2026, 12, 6)),
    ("en", "a week from today", dt.date(2026, 11, 29)),
    ("en", "in two days at five", dt.date(2026, 11, 24)),
    ("hi", "आज से दो दिन बाद", dt.date(2026, 11, 24)),
    ("en", "25/12", dt.date(2026, 12, 25)),
    ("en", "5-10 days", None),
    ("en", "monday or tuesday", None),
    ("hi", "कल या परसों", None),
    ("hi", "मंगलवार दस तारीख", dt.date(2026, 12, 10)),
    ("en", "in half a day", None),
    ("en", "in 400 days", None),
    ("en", "the 21st", dt.date(2026, 12, 21)),
    ("en", "the first", None),
    ("en", "5 march at 6 pm", dt.date(2027, 3, 5)),
    ("en", "january first", dt.date(2027, 1, 1)),
    ("hi", "कल शाम छह बजे", dt.date(2026, 11, 23)),
    ("hi", "parso", dt.date(2026, 11, 24)),
    ("hi", "दो दिन बाद", dt.date(2026, 11, 24)),
    ("hi", "एक हफ़्ते में", dt.date(2026, 11, 29)),
    ("hi", "पहली जनवरी", dt.date(2027, 1, 1)),
    ("hi", "31 दिसंबर को शाम छह बजे", dt.date(2026, 12, 31)),
    ("hi", "उनतीस फरवरी दो हज़ार छब्बीस", None),
    ("mr", "उद्या सकाळी साडेनऊ वाजता", dt.date(2026, 11, 23)),
    ("mr", "दोन दिवसांनी", dt.date(2026, 11, 24)),
    ("mr", "पहिली जानेवारी", dt.date(2027, 1, 1)),
    ("mr", "एकवीस तारखेला संध्याकाळी पाच वाजता", dt.date(2026, 12, 21)),
]
OTHERS = [
    ("rupees", "hi", "ढाई हज़ार रुपये", Decimal(2500)),
    ("rupees", "hi", "एक रुपया पचास पैसे", Decimal("1.5")),
    ("rupees", "hi", "पचास पैसे", Decimal("0.5")),
    ("rupees", "en", "₹1,250.50", Decimal("1250.5")),
    ("rupees", "en", "twelve fifty rupees", None),
    ("rupees", "en", "minus ₹1,250.50", Decimal("-1250.5")),
    ("rupees", "en", "-₹5", Decimal(-5)),
    ("rupees", "en", "two and a half lakh rupees", Decimal(250_000)),
    ("rupees", "hi", "do hazar paanch sau rupaye", Decimal(2500)),
    ("rupees", "hi", "paise pachas", Decimal("0.5")),
    ("rupees", "hi", "पाँच सौ कर दो", Decimal(500)),
    ("rupees", "mr", "पन्नास पैशांचे", Decimal("0.5")),
    ("rupees", "mr", "अडीचशे रुपये पन्नास पैसे", Decimal("250.5")),
    ("phone", "en", "plus nine one nine eight seven double six", "+9198766"),
    ("phone", "en", "ninety eight seven six five four three two one zero", "9876543210"),
    ("phone", "hi", "मेरा नंबर है +91 98765 43210", "+919876543210"),
    ("phone", "hi", "प्लस नौ एक डबल नौ", "+9199"),
    ("phone", "mr", "नऊ आठ ट्रिपल सात", "98777"),
    ("phone", "en", "one two", None),
    ("phone", "en", "1234 5678 9012 3456", None),
    ("phone", "en", "my number", None),
    ("order_id", "en", "O R D four eight two one three", "ORD48213"),
    ("order_id", "en", "my order is ORD-48213 please", "ORD48213"),
    ("order_id", "en", "ord48213", "ORD48213"),
    ("order_id", "en", "B for Bombay double A triple 5", "BAA555"),
    ("order_id", "en", "A dash one two slash zed", "A12Z"),
    ("order_id", "en", "X Y Z", "XYZ"),
    ("order_id", "en", "it is a thing", None),
    ("order_id", "en", "four eight or maybe nine", None),
    ("order_id", "en", "A one " * 33, None),
    ("order_id", "hi", "ओ आर डी, चार आठ, ए", "ORD48A"),
    ("order_id", "hi", "बी फ़ॉर बॉम्बे बारह", "B12"),
    ("order_id", "hi", "बी फोर सी", "B4C"),
    ("order_id", "hi", "मेरा ऑर्डर अड़तालीस है", "48"),
    ("order_id", "mr", "एक्स वाय झेड दोन", "XYZ2"),
    ("order_id", "mr", "हेच पाच", "H5"),
    ("percent", "hi", "साढ़े बारह प्रतिशत", Decimal("12.5")),
    ("percent", "en", "twelve point five", Decimal("12.5")),
    ("yes_no", "hi", "जी हाँ", True),
    ("yes_no", "mr", "नको", False),
    ("yes_no", "en", "maybe", None),
    ("language", "hi", "मराठी में बात करो", "mr"),
    ("language", "en", "hindi please", "hi"),
    ("language", "en", "hindi or english", None),
    ("text", "hi", "  सामान नहीं है ", "सामान नहीं है"),
    ("text", "hi", "   ", None),
    ("colour", "hi", "लाल", None),
]


def rows(kind, table):
    return [(kind, *row) for row in table]


@pytest.mark.parametrize(
    ("kind", "language", "text", "value"),
    [
        *rows("count", COUNTS),
        *rows("minutes", MINUTES),
        *rows("digits", DIGITS),
        *rows("time", TIMES),
        *rows("date", DATES),
        *OTHERS,
    ],
)
def test_said(kind, language, text, value):
    assert parse_slot(kind, text, language, today=TODAY) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("the small one", "small"),
        ("LARGE", "large"),
        ("extra large please", "extra_large"),
        ("smal", "small"),
        ("small or large", None),
        ("medium", None),
    ],
)
def test_one_of_the_options(text, value):
    assert parse_slot("one_of", text, "en", ("small", "large", "extra_large")) == value


def test_an_option_is_said_by_its_phrases_too():
    phrases = {"small": ("छोटा", "छोटी प्लेट"), "large": ("बड़ा",)}
    options = ("small", "large")
    assert parse_slot("one_of", "छोटी प्लेट दीजिए", "hi", options, phrases=phrases) == "small"
    assert parse_slot("one_of", "बडा", "hi", options, phrases=phrases) == "large"
    assert parse_slot("one_of", "large", "hi", options, phrases=phrases) == "large"
    assert parse_slot("one_of", "छोटा या बड़ा", "hi", options, phrases=phrases) is None
    assert parse_slot("one_of", "छोटा", "hi", options) is None


@pytest.mark.parametrize(
    ("language", "text", "key"),
    [
        ("hi", "एक", "1"),
        ("hi", "दो दबाओ", "2"),
        ("hi", "तीन नंबर", "3"),
        ("hi", "2", "2"),
        ("mr", "शून्य", "0"),
        ("mr", "चार दाबतो", "4"),
        ("en", "press nine please", "9"),
        ("en", "option three", "3"),
        ("hi", "एक मिनट", None),
        ("hi", "दो सौ", None),
        ("hi", "एक नहीं", None),
        ("en", "twelve", None),
        ("en", "one two", None),
        ("en", "minus one", None),
        ("en", "half", None),
        ("en", "number", None),
        ("en", "", None),
    ],
)
def test_a_key_that_is_named(language, text, key):
    assert spoken_key(text, language) == key


def test_a_language_that_is_not_offered_is_not_understood():
    assert parse_slot("language", "मराठी", "hi", ("hi", "en")) is None


def test_a_day_without_a_year_needs_to_know_today():
    assert parse_slot("date", "इकतीस दिसंबर", "hi") is None
    assert parse_slot("date", "कल", "hi") is None
    assert parse_slot("date", "इकतीस दिसंबर दो हज़ार छब्बीस", "hi") == dt.date(2026, 12, 31)


@pytest.mark.parametrize(
    ("kind", "keys", "value"),
    [
        ("count", "20", 20),
        ("minutes", "007", 7),
        ("number", "0", 0),
        ("digits", "007", "007"),
        ("rupees", "1250*50", Decimal("1250.50")),
        ("percent", "5", Decimal(5)),
        ("yes_no", "1", True),
        ("yes_no", "2", False),
        ("yes_no", "3", None),
        ("one_of", "2", "large"),
        ("one_of", "0", None),
        ("one_of", "9", None),
        ("date", "31122026", dt.date(2026, 12, 31)),
        ("date", "311226", dt.date(2026, 12, 31)),
        ("date", "3112", dt.date(2026, 12, 31)),
        ("date", "0103", dt.date(2027, 3, 1)),
        ("date", "3002", None),
        ("date", "99999999", None),
        ("date", "1", None),
        ("time", "1830", dt.time(18, 30)),
        ("time", "0005", dt.time(0, 5)),
        ("time", "2560", None),
        ("time", "18", None),
        ("count", "1*2", None),
        ("count", "", None),
        ("count", "9" * 20, None),
        ("rupees", "1*2*3", None),
        ("colour", "1", None),
        ("phone", "9876543210", "9876543210"),
        ("phone", "12", None),
        ("order_id", "0482", "0482"),
        ("order_id", "4*8", None),
    ],
)
def test_typed(kind, keys, value):
    assert parse_keys(kind, keys, ("small", "large"), today=TODAY) == value


# --- what is said by the server is understood from the caller


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_count_that_is_said_is_understood(language):
    counts = [*range(1000), *range(1000, 100_000, 37)]
    wrong = [n for n in counts if parse_slot("count", say(n, "count", language), language) != n]
    assert wrong == []


@given(st.integers(0, 10**13 - 1), st.sampled_from(LANGUAGES))
def test_large_counts_that_are_said_are_understood(number, language):
    assert parse_slot("count", say(number, "count", language), language) == number


@given(st.integers(0, 10**9), st.sampled_from(LANGUAGES))
def test_amounts_that_are_said_are_understood(paise, language):
    amount = Decimal(paise) / 100
    assert parse_slot("rupees", say(amount, "rupees", language), language) == amount


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_minute_of_the_day_that_is_said_is_understood(language):
    times = [dt.time(minute // 60, minute % 60) for minute in range(24 * 60)]
    assert [t for t in times if parse_slot("time", say(t, "time", language), language) != t] == []


@given(st.dates(dt.date(1900, 1, 1), dt.date(2199, 12, 31)), st.sampled_from(LANGUAGES))
def test_dates_that_are_said_are_understood(day, language):
    assert parse_slot("date", say(day, "date", language), language) == day


@given(st.integers(0, 5000), st.sampled_from(LANGUAGES))
def test_minutes_that_are_said_are_understood(minutes, language):
    assert parse_slot("minutes", say(minutes, "minutes", language), language) == minutes


@given(st.text(alphabet="0123456789", min_size=1, max_size=20), st.sampled_from(LANGUAGES))
def test_digits_that_are_said_are_understood(digits, language):
    assert parse_slot("digits", say(digits, "digits", language), language) == digits


# --- nothing a caller can say or type is an error

KINDS = st.sampled_from(
    [
        "text",
        "digits",
        "count",
        "minutes",
        "rupees",
        "percent",
        "date",
        "time",
        "yes_no",
        "one_of",
        "language",
        "phone",
        "order_id",
        "?",
    ]
)
WORDS = st.lists(
    st.sampled_from(
        [
            *sorted(vocabulary("hi").numbers),
            "में",
            "past",
            "to",
            "for",
            "B",
            "double",
            "at",
            "march",
            "12:30",
            "1.5",
            ".",
        ]
    )
).map(" ".join)


@given(KINDS, st.one_of(st.text(), WORDS), st.sampled_from([*LANGUAGES, "xx"]))
def test_anything_may_be_said(kind, text, language):
    parse_slot(kind, text, language, ("a", "b c"), TODAY)
    spoken_key(text, language)


@given(KINDS, st.text(alphabet="0123456789*#ABCD", max_size=80))
def test_anything_may_be_typed(kind, keys):
    parse_keys(kind, keys, ("a", "b c"), TODAY)
