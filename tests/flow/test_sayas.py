"""Values in words, as tables. A row is a value and what is said of it in Hindi, Marathi and English."""

import datetime as dt
from dataclasses import replace
from decimal import Decimal

import pytest
from babel.dates import get_month_names
from indic_numtowords import num2words as indic
from num2words import num2words

from ivr.flow.sayas import SayAsError, known_kinds, known_languages, normalise, register, say
from ivr.flow.sayas import english as en
from ivr.flow.sayas import hindi as hi
from ivr.flow.sayas import marathi as mr

COUNTS = [
    (0, "शून्य", "शून्य", "zero"),
    (1, "एक", "एक", "one"),
    (6, "छह", "सहा", "six"),
    (11, "ग्यारह", "अकरा", "eleven"),
    (15, "पंद्रह", "पंधरा", "fifteen"),
    (18, "अठारह", "अठरा", "eighteen"),
    (19, "उन्नीस", "एकोणीस", "nineteen"),
    (20, "बीस", "वीस", "twenty"),
    (25, "पच्चीस", "पंचवीस", "twenty-five"),
    (29, "उनतीस", "एकोणतीस", "twenty-nine"),
    (33, "तैंतीस", "तेहेतीस", "thirty-three"),
    (39, "उनतालीस", "एकोणचाळीस", "thirty-nine"),
    (44, "चवालीस", "चव्वेचाळीस", "forty-four"),
    (49, "उनचास", "एकोणपन्नास", "forty-nine"),
    (54, "चौवन", "चोपन्न", "fifty-four"),
    (59, "उनसठ", "एकोणसाठ", "fifty-nine"),
    (67, "सड़सठ", "सदुसष्ट", "sixty-seven"),
    (69, "उनहत्तर", "एकोणसत्तर", "sixty-nine"),
    (74, "चौहत्तर", "चौऱ्याहत्तर", "seventy-four"),
    (79, "उनासी", "एकोणऐंशी", "seventy-nine"),
    (89, "नवासी", "एकोणनव्वद", "eighty-nine"),
    (99, "निन्यानवे", "नव्याण्णव", "ninety-nine"),
    (100, "एक सौ", "शंभर", "one hundred"),
    (101, "एक सौ एक", "एकशे एक", "one hundred and one"),
    (150, "एक सौ पचास", "एकशे पन्नास", "one hundred and fifty"),
    (200, "दो सौ", "दोनशे", "two hundred"),
    (999, "नौ सौ निन्यानवे", "नऊशे नव्याण्णव", "nine hundred and ninety-nine"),
    (1000, "एक हज़ार", "एक हजार", "one thousand"),
    (1001, "एक हज़ार एक", "एक हजार एक", "one thousand and one"),
    (1100, "एक हज़ार एक सौ", "एक हजार एकशे", "one thousand one hundred"),
    (1250, "एक हज़ार दो सौ पचास", "एक हजार दोनशे पन्नास", "one thousand two hundred and fifty"),
    (10_000, "दस हज़ार", "दहा हजार", "ten thousand"),
    (99_999, "निन्यानवे हज़ार नौ सौ निन्यानवे", "नव्याण्णव हजार नऊशे नव्याण्णव",
     "ninety-nine thousand nine hundred and ninety-nine"),
    (100_000, "एक लाख", "एक लाख", "one lakh"),
    (100_001, "एक लाख एक", "एक लाख एक", "one lakh and one"),
    (125_430, "एक लाख पच्चीस हज़ार चार सौ तीस", "एक लाख पंचवीस हजार चारशे तीस",
     "one lakh twenty-five thousand four hundred and thirty"),
    (10_000_000, "एक करोड़", "एक कोटी", "one crore"),
    (123_456_789, "बारह करोड़ चौंतीस लाख छप्पन हज़ार सात सौ नवासी",
     "बारा कोटी चौतीस लाख छप्पन्न हजार सातशे एकोणनव्वद",
     "twelve crore thirty-four lakh fifty-six thousand seven hundred and eighty-nine"),
    (10**12, "एक लाख करोड़", "एक लाख कोटी", "one lakh crore"),
    (-5, "माइनस पाँच", "उणे पाच", "minus five"),
    (Decimal("12.50"), "बारह दशमलव पाँच", "बारा पूर्णांक पाच", "twelve point five"),
    (Decimal("0.05"), "शून्य दशमलव शून्य पाँच", "शून्य पूर्णांक शून्य पाच", "zero point zero five"),
    (Decimal("-0.5"), "माइनस शून्य दशमलव पाँच", "उणे शून्य पूर्णांक पाच", "minus zero point five"),
    (Decimal("1E+3"), "एक हज़ार", "एक हजार", "one thousand"),
    (2.5, "दो दशमलव पाँच", "दोन पूर्णांक पाच", "two point five"),
    ("1,00,000", "एक लाख", "एक लाख", "one lakh"),
]  # fmt: skip
RUPEES = [
    (0, "शून्य रुपये", "शून्य रुपये", "zero rupees"),
    (1, "एक रुपया", "एक रुपया", "one rupee"),
    (45, "पैंतालीस रुपये", "पंचेचाळीस रुपये", "forty-five rupees"),
    (Decimal("0.01"), "एक पैसा", "एक पैसा", "one paisa"),
    (Decimal("0.50"), "पचास पैसे", "पन्नास पैसे", "fifty paise"),
    (Decimal("1.01"), "एक रुपया एक पैसा", "एक रुपया एक पैसा", "one rupee and one paisa"),
    (Decimal("1250.50"), "एक हज़ार दो सौ पचास रुपये पचास पैसे", "एक हजार दोनशे पन्नास रुपये पन्नास पैसे",
     "one thousand two hundred and fifty rupees and fifty paise"),
    (1250.5, "एक हज़ार दो सौ पचास रुपये पचास पैसे", "एक हजार दोनशे पन्नास रुपये पन्नास पैसे",
     "one thousand two hundred and fifty rupees and fifty paise"),
    (Decimal("1.005"), "एक रुपया एक पैसा", "एक रुपया एक पैसा", "one rupee and one paisa"),
    (Decimal("0.004"), "शून्य रुपये", "शून्य रुपये", "zero rupees"),
    (Decimal("-3.25"), "माइनस तीन रुपये पच्चीस पैसे", "उणे तीन रुपये पंचवीस पैसे",
     "minus three rupees and twenty-five paise"),
    (Decimal("100000"), "एक लाख रुपये", "एक लाख रुपये", "one lakh rupees"),
    (Decimal("123456789.50"), "बारह करोड़ चौंतीस लाख छप्पन हज़ार सात सौ नवासी रुपये पचास पैसे",
     "बारा कोटी चौतीस लाख छप्पन्न हजार सातशे एकोणनव्वद रुपये पन्नास पैसे",
     "twelve crore thirty-four lakh fifty-six thousand seven hundred and eighty-nine rupees and fifty paise"),
]  # fmt: skip
TIMES = [
    (dt.time(0, 0), "रात बारह बजे", "रात्री बारा वाजता", "midnight"),
    (dt.time(0, 5), "रात बारह बजकर पाँच मिनट", "रात्री बारा वाजून पाच मिनिटांनी",
     "twelve oh five at night"),
    (dt.time(0, 45), "रात पौने एक बजे", "रात्री पाऊण वाजता", "twelve forty-five at night"),
    (dt.time(4, 30), "सुबह साढ़े चार बजे", "पहाटे साडेचार वाजता", "four thirty in the morning"),
    (dt.time(9, 0), "सुबह नौ बजे", "सकाळी नऊ वाजता", "nine o'clock in the morning"),
    (dt.time(9, 15), "सुबह सवा नौ बजे", "सकाळी सव्वानऊ वाजता", "nine fifteen in the morning"),
    (dt.time(9, 30), "सुबह साढ़े नौ बजे", "सकाळी साडेनऊ वाजता", "nine thirty in the morning"),
    (dt.time(9, 45), "सुबह पौने दस बजे", "सकाळी पावणेदहा वाजता", "nine forty-five in the morning"),
    (dt.time(12, 0), "दोपहर बारह बजे", "दुपारी बारा वाजता", "twelve noon"),
    (dt.time(12, 1), "दोपहर बारह बजकर एक मिनट", "दुपारी बारा वाजून एका मिनिटाने",
     "twelve oh one in the afternoon"),
    (dt.time(13, 30), "दोपहर डेढ़ बजे", "दुपारी दीड वाजता", "one thirty in the afternoon"),
    (dt.time(14, 30), "दोपहर ढाई बजे", "दुपारी अडीच वाजता", "two thirty in the afternoon"),
    (dt.time(18, 20), "शाम छह बजकर बीस मिनट", "संध्याकाळी सहा वाजून वीस मिनिटांनी",
     "six twenty in the evening"),
    (dt.time(23, 59), "रात ग्यारह बजकर उनसठ मिनट", "रात्री अकरा वाजून एकोणसाठ मिनिटांनी",
     "eleven fifty-nine at night"),
]  # fmt: skip
DATES = [
    (dt.date(2026, 12, 31), "इकतीस दिसंबर दो हज़ार छब्बीस", "एकतीस डिसेंबर दोन हजार सव्वीस",
     "the thirty-first of December twenty twenty-six"),
    (dt.date(2024, 2, 29), "उनतीस फ़रवरी दो हज़ार चौबीस", "एकोणतीस फेब्रुवारी दोन हजार चोवीस",
     "the twenty-ninth of February twenty twenty-four"),
    (dt.date(1999, 1, 1), "एक जनवरी उन्नीस सौ निन्यानवे", "एक जानेवारी एकोणीसशे नव्याण्णव",
     "the first of January nineteen ninety-nine"),
    (dt.date(1900, 5, 12), "बारह मई उन्नीस सौ", "बारा मे एकोणीसशे", "the twelfth of May nineteen hundred"),
    (dt.date(1905, 8, 3), "तीन अगस्त उन्नीस सौ पाँच", "तीन ऑगस्ट एकोणीसशे पाच",
     "the third of August nineteen oh five"),
    (dt.date(2000, 10, 20), "बीस अक्टूबर दो हज़ार", "वीस ऑक्टोबर दोन हजार",
     "the twentieth of October two thousand"),
    (dt.date(2005, 6, 15), "पंद्रह जून दो हज़ार पाँच", "पंधरा जून दोन हजार पाच",
     "the fifteenth of June two thousand and five"),
    (dt.datetime(2026, 3, 8, 23, 0), "आठ मार्च दो हज़ार छब्बीस", "आठ मार्च दोन हजार सव्वीस",
     "the eighth of March twenty twenty-six"),
]  # fmt: skip
OTHERS = [
    (1, "minutes", "एक मिनट", "एक मिनिट", "one minute"),
    (20, "minutes", "बीस मिनट", "वीस मिनिटे", "twenty minutes"),
    (0, "minutes", "शून्य मिनट", "शून्य मिनिटे", "zero minutes"),
    (90, "minutes", "नब्बे मिनट", "नव्वद मिनिटे", "ninety minutes"),
    (120, "minutes", "दो घंटे", "दोन तास", "two hours"),
    (121, "minutes", "दो घंटे एक मिनट", "दोन तास एक मिनिट", "two hours and one minute"),
    (5, "percent", "पाँच प्रतिशत", "पाच टक्के", "five percent"),
    (1, "percent", "एक प्रतिशत", "एक टक्का", "one percent"),
    (Decimal("12.05"), "percent", "बारह दशमलव शून्य पाँच प्रतिशत", "बारा पूर्णांक शून्य पाच टक्के",
     "twelve point zero five percent"),
    ("48213", "digits", "चार आठ दो एक तीन", "चार आठ दोन एक तीन", "four eight two one three"),
    ("007", "digits", "शून्य शून्य सात", "शून्य शून्य सात", "zero zero seven"),
    ("20#", "digits", "दो शून्य हैश", "दोन शून्य हॅश", "two zero hash"),
    ("४२", "digits", "चार दो", "चार दोन", "four two"),
    ("+919876543210", "phone", "प्लस नौ एक, नौ आठ सात छह पाँच, चार तीन दो एक शून्य",
     "प्लस नऊ एक, नऊ आठ सात सहा पाच, चार तीन दोन एक शून्य",
     "plus nine one, nine eight seven six five, four three two one zero"),
    ("1800 123", "phone", "एक आठ शून्य शून्य, एक दो तीन", "एक आठ शून्य शून्य, एक दोन तीन",
     "one eight zero zero, one two three"),
    ("ORD-48A", "order_id", "ओ आर डी, चार आठ, ए", "ओ आर डी, चार आठ, ए", "O R D, four eight, A"),
    (True, "yes_no", "हाँ", "हो", "yes"),
    (False, "yes_no", "नहीं", "नाही", "no"),
    ("mr", "language", "मराठी", "मराठी", "Marathi"),
    ("en", "language", "अंग्रेज़ी", "इंग्रजी", "English"),
    (["क", "ख", "ग"], "list", "क, ख और ग", "क, ख आणि ग", "क, ख and ग"),
    (("क", "ख"), "list", "क और ख", "क आणि ख", "क and ख"),
    (["क"], "list", "क", "क", "क"),
    ([], "list", "", "", ""),
    ("छोटा 2", "one_of", "छोटा दो", "छोटा दोन", "छोटा two"),
    ("शर्मा भोजनालय", "text", "शर्मा भोजनालय", "शर्मा भोजनालय", "शर्मा भोजनालय"),
]  # fmt: skip
TABLE = [
    *((value, "count", *words) for value, *words in COUNTS),
    *((value, "rupees", *words) for value, *words in RUPEES),
    *((value, "time", *words) for value, *words in TIMES),
    *((value, "date", *words) for value, *words in DATES),
    *OTHERS,
]


@pytest.mark.parametrize(("value", "kind", "hindi", "marathi", "english"), TABLE)
def test_is_said_in_three_languages(value, kind, hindi, marathi, english):
    assert [say(value, kind, language) for language in ("hi", "mr", "en")] == [hindi, marathi, english]


def test_every_kind_is_in_the_table():
    assert {row[1] for row in TABLE} == set(known_kinds())
    assert set(known_languages()) == {"hi", "mr", "en"}


# The libraries are witnesses for the tables of words; what they have wrong, or spell otherwise, is named.
HINDI_OTHERWISE = {6, 18, 44, 53, 63, 66, 67, 79}
MARATHI_OTHERWISE = {54, 71, 74, 76, 77, 87, 97}


def test_hindi_numbers_agree_with_indic_numtowords():
    assert {n for n in range(100) if indic(n, lang="hi") != hi.NUMBERS[n]} == HINDI_OTHERWISE


def test_marathi_numbers_agree_with_indic_numtowords():
    assert {n for n in range(100) if indic(n, lang="mr") != mr.NUMBERS[n]} == MARATHI_OTHERWISE


@pytest.mark.parametrize(
    "number", [0, 7, 19, 21, 99, 100, 105, 999, 1000, 1001, 12_345, 100_000, 9_999_999, 10**7]
)
def test_english_numbers_agree_with_num2words(number):
    assert say(number, "count", "en") == num2words(number, lang="en_IN").replace(",", "")


@pytest.mark.parametrize(("language", "months"), [("hi", hi.MONTHS), ("mr", mr.MONTHS), ("en", en.MONTHS)])
def test_months_agree_with_cldr(language, months):
    names = get_month_names("wide", locale=language)
    assert [names[number] for number in range(1, 13)] == list(months)


def test_a_language_of_ones_own_is_registered_and_spoken(monkeypatch):
    monkeypatch.setattr("ivr.flow.sayas.language._languages", {})
    register(replace(en.ENGLISH, code="xx", minus="below", signs={"#": "square"}))
    assert known_languages() == ("xx",)
    assert say(-5, "count", "xx") == "below five"
    assert normalise("press 1#", "xx") == "press one square"


def test_ordinals():
    said = [say(dt.date(2026, 1, day), "date", "en").split()[1] for day in (2, 3, 4, 5, 9, 20, 22, 30)]
    assert " ".join(said) == "second third fourth fifth ninth twentieth twenty-second thirtieth"


@pytest.mark.parametrize(
    ("value", "kind", "language", "message"),
    [
        (1, "colour", "hi", "nothing is spoken as 'colour'"),
        (1, "count", "ta", "no words for language 'ta'"),
        ("many", "count", "hi", "not a number"),
        (Decimal("NaN"), "rupees", "hi", "NaN cannot be spoken as rupees"),
        (float("inf"), "count", "hi", "cannot be spoken as count"),
        (True, "count", "hi", "type bool"),
        ("18:30", "time", "hi", "type str"),
        (dt.time(1, 2), "date", "hi", "type time"),
        (1, "yes_no", "hi", "type int"),
        ("ta", "language", "hi", "no name for this language"),
        ("abc", "list", "hi", "type str"),
        (12, "text", "hi", "type int"),
    ],
)
def test_what_cannot_be_said_is_refused_with_a_reason(value, kind, language, message):
    with pytest.raises(SayAsError, match=message):
        say(value, kind, language)


def test_a_refusal_does_not_show_the_value():
    with pytest.raises(SayAsError) as refusal:
        say("98765x43210", "count", "hi")
    assert "98765" not in str(refusal.value)
