"""Figures and signs in a prompt's own text become words."""

import datetime as dt
import sys
from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ivr.flow.sayas import SayAsError, normalise, say
from ivr.flow.sayas.normalise import _OTHER_DIGITS

LANGUAGES = ("hi", "mr", "en")


@pytest.mark.parametrize(
    ("text", "language", "words"),
    [
        ("1 दबाएँ", "hi", "एक दबाएँ"),
        ("स्वीकार 1, मना 2।", "hi", "स्वीकार एक, मना दो।"),
        ("9 दाबा", "mr", "नऊ दाबा"),
        ("Press 1, or 2.", "en", "Press one, or two."),
        ("१ दबाएँ", "hi", "एक दबाएँ"),
        ("# दबाएँ", "hi", "हैश दबाएँ"),
        ("press *", "en", "press star"),
        ("₹1,250.50 का बिल", "hi", "एक हज़ार दो सौ पचास रुपये पचास पैसे का बिल"),
        ("₹1", "en", "one rupee"),
        ("₹ 20 दें", "hi", "बीस रुपये दें"),
        ("₹5 लाख", "hi", "पाँच लाख रुपये"),
        ("₹5 lakh", "en", "five lakh rupees"),
        ("Rs. 500/- only", "en", "five hundred rupees only"),
        ("रु 20", "mr", "वीस रुपये"),
        ("१२ ₹", "mr", "बारा रुपये"),
        ("only ₹", "en", "only rupees"),
        ("5% छूट", "hi", "पाँच प्रतिशत छूट"),
        ("1% सूट", "mr", "एक टक्का सूट"),
        ("12.5 %", "en", "twelve point five percent"),
        ("10:30 बजे", "hi", "सुबह साढ़े दस बजे"),
        ("00:05", "hi", "रात बारह बजकर पाँच मिनट"),
        ("18:00 वाजता या", "mr", "संध्याकाळी सहा वाजता या"),
        ("at 9:30 pm.", "en", "at nine thirty at night."),
        ("12:00 am", "en", "midnight"),
        ("99:99", "en", "ninety-nine ninety-nine"),
        ("31/12/2026 तक", "hi", "इकतीस दिसंबर दो हज़ार छब्बीस तक"),
        ("2026-12-31", "en", "the thirty-first of December twenty twenty-six"),
        ("31/02/2026", "en", "thirty-one two two thousand and twenty-six"),
        ("31 दिसंबर", "hi", "इकतीस दिसंबर"),
        ("10-15 मिनट", "hi", "दस से पंद्रह मिनट"),
        ("10 – 15 मिनिटे", "mr", "दहा ते पंधरा मिनिटे"),
        ("5-3", "en", "five three"),
        ("-5 degrees", "en", "minus five degrees"),
        ("3.50", "hi", "तीन दशमलव पाँच शून्य"),
        ("1,00,000", "hi", "एक लाख"),
        ("1,2,3", "en", "one,two,three"),
        ("फ़ोन 9876543210", "hi", "फ़ोन नौ आठ सात छह पाँच चार तीन दो एक शून्य"),
        ("022-2345678", "en", "zero two two two three four five six seven eight"),
        ("कोड 007", "hi", "कोड शून्य शून्य सात"),
        ("A1", "en", "A one"),
        ("5kg", "en", "five kg"),
        ("की5", "hi", "की पाँच"),
        ("24/7", "en", "twenty-four seven"),
        ("12:30:45", "en", "twelve thirty forty-five"),
        ("1st, 22nd", "en", "first, twenty-second"),
        ("2रा", "mr", "दोन रा"),
        ("3वाँ", "hi", "तीसरा"),
        ("Tom & Co", "en", "Tom and Co"),
        ("x²", "en", "x two"),
        ("[chuckle] हाँ", "hi", "[chuckle] हाँ"),
        ("कुछ नहीं बदला।", "hi", "कुछ नहीं बदला।"),
        ("", "en", ""),
    ],
)
def test_becomes_words(text, language, words):
    assert normalise(text, language) == words


def test_an_unknown_language_is_refused():
    with pytest.raises(SayAsError, match="no words for language 'xx'"):
        normalise("1", "xx")


def test_every_digit_of_unicode_that_is_no_figure_is_known():
    others = {chr(c) for c in range(sys.maxunicode + 1) if chr(c).isdigit() and not chr(c).isdecimal()}
    assert others == _OTHER_DIGITS


def is_words(text: str) -> bool:
    return not any(c.isdigit() or c in "₹%" for c in text)


FIGURES = st.lists(
    st.sampled_from([*"0123456789", *"१२३", *"₹%.,:-/+#* ", "Rs.", "am", "क", "लाख"]), max_size=12
)


@given(st.one_of(st.text(), FIGURES.map("".join)), st.sampled_from(LANGUAGES))
@example("99999999999999999999.99%", "hi")
@example("1:1:1", "en")
@example("₹.5", "mr")
def test_nothing_is_left_of_figures_and_signs(text, language):
    assert is_words(normalise(text, language))


@given(st.text(alphabet=st.characters(exclude_categories=["Nd", "No"], exclude_characters="₹%&+=#*@")))
def test_a_text_without_figures_and_signs_stays_as_it_is(text):
    assert normalise(text, "hi") == text


NUMBERS = st.one_of(
    st.integers(-(10**15), 10**15),
    st.decimals(-(10**13), 10**13, places=4),
    st.floats(-1e13, 1e13),
)
VALUES = st.one_of(
    st.tuples(NUMBERS, st.sampled_from(["count", "rupees", "percent", "minutes"])),
    st.tuples(st.dates(dt.date(1, 1, 1)), st.just("date")),
    st.tuples(st.times(), st.just("time")),
    st.tuples(st.text(), st.sampled_from(["text", "digits", "phone", "order_id", "one_of"])),
    st.tuples(st.booleans(), st.just("yes_no")),
    st.tuples(st.lists(st.text()), st.just("list")),
    st.tuples(st.sampled_from(LANGUAGES), st.just("language")),
)


@given(VALUES, st.sampled_from(LANGUAGES))
@example((Decimal("1E+25"), "rupees"), "hi")
@example((Decimal("-0.001"), "rupees"), "en")
@example((10**14, "minutes"), "mr")
def test_whatever_is_said_is_words_only(value_and_kind, language):
    value, kind = value_and_kind
    assert is_words(say(value, kind, language))
