"""The tables of `tests/flow/sayas`: kind, value as a parameter has it, and what is said of it.

They are the wording that a native reader goes through. Each is held against `say`, against the libraries
where those are right, and is understood again by `parse_slot`.
"""

import datetime as dt
import json
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st
from indic_numtowords import num2words as indic
from num2words import num2words

from ivr.flow.hearing.spelled import _SEPARATORS
from ivr.flow.hearing.vocabulary import HEARD, vocabulary
from ivr.flow.hearing.words import HeardWords
from ivr.flow.sayas import Noun, language_of, register, say
from ivr.flow.sayas.hindi import HINDI
from ivr.flow.slots import parse_slot
from ivr.flow.types import ASKED_NAMES, KINDS, ValueType

LANGUAGES = ("hi", "mr", "en")
TODAY = dt.date(2026, 11, 22)


class Row(NamedTuple):
    language: str
    kind: str
    written: str
    said: str

    @property
    def value(self) -> Any:
        raw = (
            json.loads(self.written) if self.kind in ("count", "minutes", "yes_no", "list") else self.written
        )
        return ValueType(self.kind).accept(raw)


def read(language: str) -> list[Row]:
    path = Path(__file__).parent / "sayas" / f"{language}.tsv"
    return [Row(language, *line.split("\t")) for line in path.read_text(encoding="utf-8").splitlines()]


TABLES = {language: read(language) for language in LANGUAGES}
ROWS = [row for rows in TABLES.values() for row in rows]


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_value_is_said_as_the_table_has_it(language):
    wrong = [
        (row, said) for row in TABLES[language] if (said := say(row.value, row.kind, language)) != row.said
    ]
    assert wrong == []


def test_the_tables_hold_the_same_values_of_every_type():
    written = {language: [row[1:3] for row in rows] for language, rows in TABLES.items()}
    assert written["hi"] == written["mr"] == written["en"]
    assert len(set(written["hi"])) >= 200
    assert {kind for kind, _ in written["hi"]} == set(KINDS)


def test_nothing_of_figures_and_signs_is_left_in_them():
    assert [
        row for row in ROWS if any(c.isdigit() or c in "₹%#+-/:" for c in row.said.replace("y-", "y"))
    ] == []


def test_hindi_and_marathi_are_in_their_script():
    native = [row for row in ROWS if row.language != "en" and row.kind not in ("text", "one_of", "list")]
    assert [row for row in native if any(c.isascii() and c.isalpha() for c in row.said)] == []


# The library ends at a hundred crore; below, these are the numbers it has wrong or spells otherwise.
OTHERWISE = {"hi": {6, 18, 44, 66, 79}, "mr": {77, 1100, 100_100}}


@pytest.mark.parametrize("language", OTHERWISE)
def test_counts_agree_with_indic_numtowords(language):
    counts = {
        row.value: row.said for row in TABLES[language] if row.kind == "count" and 0 <= row.value < 10**9
    }
    assert len(counts) >= 100
    # Its Marathi has the Hindi thousand.
    witness = {
        n: indic(n, lang=language).replace(*(("हज़ार", "हजार") if language == "mr" else ("", "")))
        for n in counts
    }
    assert {n for n, said in counts.items() if witness[n] != said} == OTHERWISE[language]


def test_counts_agree_with_num2words():
    counts = {row.value: row.said for row in TABLES["en"] if row.kind == "count" and 0 <= row.value < 10**10}
    assert {n: num2words(n, lang="en_IN").replace(",", "") for n in counts} == counts


# --- what is said is understood


def expected(row: Row) -> Any:
    """Marks and small letters of an order id are not spoken."""
    if row.kind == "order_id":
        return "".join(filter(str.isalnum, row.value)).upper()
    return row.value


@pytest.mark.parametrize(
    "row", [row for row in ROWS if row.kind in ASKED_NAMES and row.kind not in ("text", "one_of")]
)
def test_what_the_table_says_is_understood(row):
    assert parse_slot(row.kind, row.said, row.language, LANGUAGES, TODAY) == expected(row)


IN_A_LANGUAGE = st.sampled_from(LANGUAGES)


def understood(value, kind, language):
    return parse_slot(kind, say(value, kind, language), language, today=TODAY)


@given(st.integers(1 - 10**13, 10**13 - 1), IN_A_LANGUAGE)
def test_every_count_is_understood_again(number, language):
    assert understood(number, "count", language) == number


@given(st.integers(1 - 10**15, 10**15 - 1), IN_A_LANGUAGE)
def test_every_amount_is_understood_again(paise, language):
    amount = Decimal(paise) / 100
    assert understood(amount, "rupees", language) == amount


@given(st.decimals(-(10**6), 10**6, places=3), IN_A_LANGUAGE)
def test_every_share_is_understood_again(share, language):
    assert understood(share, "percent", language) == share


@given(st.from_regex(r"\+?[0-9]{3,15}", fullmatch=True), IN_A_LANGUAGE)
def test_every_phone_number_is_understood_again(number, language):
    assert understood(number, "phone", language) == number


@given(st.from_regex(r"[A-Z0-9]{2,20}", fullmatch=True), IN_A_LANGUAGE)
def test_every_order_id_is_understood_again(order, language):
    assert understood(order, "order_id", language) == order


@given(st.integers(0, 10**6), IN_A_LANGUAGE)
def test_every_duration_is_understood_again(minutes, language):
    assert understood(minutes, "minutes", language) == minutes


@given(st.dates(dt.date(1600, 1, 1), dt.date(2999, 12, 31)), IN_A_LANGUAGE)
def test_every_date_is_understood_again(day, language):
    assert understood(day, "date", language) == day


@given(st.dates(dt.date(2000, 1, 1), dt.date(2099, 12, 31)), st.times(), IN_A_LANGUAGE)
def test_a_date_and_a_time_in_one_answer_do_not_disturb_each_other(day, time, language):
    between = "at" if language == "en" else "को"
    said = f"{say(day, 'date', language)} {between} {say(time, 'time', language)}"
    assert parse_slot("date", said, language, today=TODAY) == day
    assert parse_slot("time", said, language, today=TODAY) == time.replace(second=0, microsecond=0)


# --- the words


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_letter_sounds_like_a_number(language):
    known = vocabulary(language)
    assert not known.letters.keys() & known.numbers.keys()
    assert not known.letters.keys() & _SEPARATORS


@pytest.mark.parametrize("code", ["hi", "mr"])
def test_each_number_has_one_latin_spelling_of_its_own(code):
    assert len(set(HEARD[code].roman)) == 100
    heard = vocabulary(code).numbers
    assert [n for n, word in enumerate(HEARD[code].roman) if heard[word].value != n] == []


@pytest.mark.parametrize("code", ["hi", "mr", "en"])
def test_each_letter_of_the_alphabet_has_a_name_of_its_own(code):
    letters = language_of(code).letters
    assert len(letters) == len(set(letters.values())) == 26


# --- another language


def test_a_language_is_added_by_its_words_to_speak_and_its_words_to_hear(monkeypatch):
    gujarati = replace(
        HINDI,
        code="gu",
        digits=("શૂન્ય", "એક", "બે", "ત્રણ", "ચાર", "પાંચ", "છ", "સાત", "આઠ", "નવ"),
        cardinal=lambda number: " સો ".join(gujarati.digits[int(digit)] for digit in str(number)[:2]),
        rupee=Noun("રૂપિયો", "રૂપિયા"),
        conjunction="અને",
    )
    heard = HeardWords(
        spellings={5: "paanch"},
        hundred="સો",
        scales={1000: "હજાર"},
        point="પોઈન્ટ",
        minute="મિનિટ",
        hour="કલાક",
        rupee="રૂપિયા",
        paisa="પૈસા",
        day_parts={},
        months=("",) * 12,
        weekdays=("",) * 7,
        relative_days={1: "કાલે"},
        languages={"hi": "હિન્દી"},
    )
    monkeypatch.setattr("ivr.flow.sayas.language._languages", {code: language_of(code) for code in LANGUAGES})
    monkeypatch.setitem(HEARD, "gu", heard)
    vocabulary.cache_clear()
    try:
        register(gujarati)
        assert say(7, "rupees", "gu") == "સાત રૂપિયા"
        assert say(["a", "b"], "list", "gu") == "a અને b"
        assert say("48", "digits", "gu") == "ચાર આઠ"
        assert parse_slot("digits", "ચાર આઠ paanch", "gu") == "485"
        assert parse_slot("rupees", "ત્રણ સો રૂપિયા", "gu") == 300
        assert parse_slot("date", "કાલે", "gu", today=TODAY) == dt.date(2026, 11, 23)
        assert parse_slot("count", "बीस", "gu") == 20, "the other languages help out"
    finally:
        vocabulary.cache_clear()
