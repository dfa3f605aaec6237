"""Tables that people make: what is read, what is told of their mistakes, and what is written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.campaigns import table
from ivr.campaigns.numbers import number_key
from ivr.campaigns.table import Fault, Row, read_contacts, write_rows
from ivr.flow.types import ValueType

PARAMS = {
    "guest": ValueType("text"),
    "people": ValueType("count", optional=True),
    "dishes": ValueType("list", optional=True),
}


def read(text: str | bytes) -> list[Row | Fault]:
    return list(read_contacts(text if isinstance(text, bytes) else text.encode(), PARAMS))


def test_rows_with_their_lines_and_values() -> None:
    text = 'to,guest,people,timezone,dishes\n+911,"Rao, Asha",4,,dal | roti\n'
    text += '\n"+912","two\nlines",,Asia/Dubai,\n'
    assert read(text) == [
        Row(2, "+911", None, {"guest": "Rao, Asha", "people": 4, "dishes": ["dal", "roti"]}),
        Row(4, "+912", "Asia/Dubai", {"guest": "two\nlines"}),
    ]


@pytest.mark.parametrize(
    "text", ["\ufeffto;guest\r\n+911;आशा\r\n", "to\tguest\n+911\tआशा", " to , guest \n +911 , आशा "]
)
def test_what_spreadsheets_make_of_it(text: str) -> None:
    (row,) = read(text)
    assert isinstance(row, Row)
    assert (row.to, row.params) == ("+911", {"guest": "आशा"})


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "1,,is empty: the first line names the columns, as to,guest,people,dishes"),
        ("to,gest\n", '1,gest,is no column that is wanted (did you mean "guest"?)'),
        ("guest,people\n", "1,to,is missing: the first line names the columns, as to,guest,people,dishes"),
        ("to,to,guest\n", "1,to,is here twice"),
        ("to,guest\n+911,a,b\n", "2,,has 3 values for 2 columns"),
        ("to,guest\n,a\n", "2,to,is missing"),
        (
            "to,guest,timezone\n+911,a,Asia/Calcuta\n",
            "2,timezone,is not a time zone: write it as Asia/Kolkata",
        ),
        ('to,guest\n+911,"a\n', "2,,cannot be read: unexpected end of data"),
    ],
)
def test_mistakes_are_told_where_they_are(text: str, fault: str) -> None:
    told = [f"{each.line},{each.column},{each.message}" for each in read(text) if isinstance(each, Fault)]
    assert fault in told, told


def test_what_is_no_utf8_is_told_by_its_line() -> None:
    assert read("to,guest\n+911,a\n+912,é\n".encode("latin-1")) == [
        Fault(3, "", "is not UTF-8: save the table as “CSV UTF-8”")
    ]


def test_one_row_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "MOST_ROWS", 2)
    *rows, last = read("to,guest\n+911,a\n+912,b\n+913,c\n+914,d\n")
    assert len(rows) == 2
    assert last == Fault(4, "", "is one row too many: 2 may come at a time")


@given(st.binary(max_size=200) | st.text(alphabet='to,guest"\n\r;+91\0é', max_size=80).map(str.encode))
def test_whatever_comes_is_rows_or_mistakes(data: bytes) -> None:
    for each in read(data):
        assert isinstance(each, Row | Fault)
        assert each.line >= 1


def test_no_cell_is_a_formula() -> None:
    text = write_rows([["=1+1", "@SUM", "+919876543210", "-5", "-5+cmd", "+a", "\t=x", 4, None, True, ["a"]]])
    assert text == '\'=1+1,\'@SUM,+919876543210,-5,\'-5+cmd,\'+a,\'\t=x,4,,true,"[""a""]"\r\n'


@pytest.mark.parametrize(
    ("written", "key"),
    [
        ("+919876543210", "+919876543210"),
        ("098765 43210", "+919876543210"),
        ("98765-43210", "+919876543210"),
        ("00919876543210", "+919876543210"),
        ("919876543210", "+919876543210"),
        ("+1 (202) 555-0100", "+12025550100"),
        ("1860", "1860"),
        ("sip:+919876543210@pbx.example", "+919876543210"),
        ("sip:asha@PBX.example:5070;transport=tcp", "asha@pbx.example:5070"),
        ("SIP:1001@10.0.0.1", "1001@10.0.0.1"),
    ],
)
def test_one_spelling_for_a_number(written: str, key: str) -> None:
    assert number_key(written, "91") == key


@pytest.mark.parametrize("written", ["", "Asha", "+", "tel:+91", "sip:", "12" * 40])
def test_what_is_no_number(written: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        number_key(written, "91")
