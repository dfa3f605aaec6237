"""Contacts from CSV, and results to CSV: what people make with a spreadsheet. Pure."""

from __future__ import annotations

import codecs
import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ivr.campaigns.hours import zone_of
from ivr.flow.problems import did_you_mean
from ivr.flow.types import ValueType

MOST_ROWS: Final = 100_000

_TO, _ZONE = "to", "timezone"
_WHOLE: Final = frozenset({"count", "minutes"})
_NUMBER: Final = re.compile(r"-?[0-9]{1,15}")
_DELIMITERS: Final = ",;\t"
_FORMULA: Final = re.compile(r"[=@\t\r]|[+-](?![0-9]+(\.[0-9]+)?$)")


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a row; without a `column`, with all of it. Lines count from 1, the header's."""

    line: int
    column: str
    message: str


@dataclass(frozen=True, slots=True)
class Row:
    """A contact as it was written; its values are what a flow's types take."""

    line: int
    to: str
    timezone: str | None
    params: Mapping[str, Any]


def read_contacts(data: bytes, params: Mapping[str, ValueType]) -> Iterator[Row | Fault]:
    """Rows, and what is wrong with those that are none; a header that cannot be understood is the only
    fault."""
    lines = _lines(data)
    header = next(lines, None)
    if isinstance(header, Fault):
        yield header
        return
    if header is None:
        yield Fault(1, "", f"is empty: the first line names the columns, as {_example(params)}")
        return
    names = [cell.strip() for cell in header[1]]
    if faults := list(_faults_of_header(names, params)):
        yield from faults
        return
    for number, each in enumerate(lines, 1):
        if isinstance(each, Fault):
            yield each
        elif number > MOST_ROWS:
            yield Fault(each[0], "", f"is one row too many: {MOST_ROWS} may come at a time")
            return
        else:
            yield _row(each[0], names, each[1], params)


def _row(
    line: int, names: Sequence[str], cells: Sequence[str], params: Mapping[str, ValueType]
) -> Row | Fault:
    if len(cells) > len(names):
        return Fault(line, "", f"has {len(cells)} values for {len(names)} columns")
    values = {name: cell.strip() for name, cell in zip(names, cells, strict=False)}
    to, zone = values.pop(_TO, ""), values.pop(_ZONE, "")
    if not to:
        return Fault(line, _TO, "is missing")
    if zone:
        try:
            zone_of(zone)
        except ValueError as error:
            return Fault(line, _ZONE, str(error))
    given = {name: _value(params[name], text) for name, text in values.items() if text}
    return Row(line, to, zone or None, given)


def _value(type_: ValueType, text: str) -> Any:
    """What JSON would have for it: those types that take no text get a number, or a list parted by |."""
    if type_.kind in _WHOLE and _NUMBER.fullmatch(text):
        return int(text)
    return [item.strip() for item in text.split("|")] if type_.kind == "list" else text


def _faults_of_header(names: Sequence[str], params: Mapping[str, ValueType]) -> Iterator[Fault]:
    known = (_TO, _ZONE, *params)
    for place, name in enumerate(names):
        if name in names[:place]:
            yield Fault(1, name, "is here twice")
        elif name not in known:
            hint = did_you_mean(name, known)
            yield Fault(1, name, "is no column that is wanted" + (f" ({hint})" if hint else ""))
    needed = [_TO, *(name for name, type_ in params.items() if not type_.optional)]
    for name in needed:
        if name not in names:
            yield Fault(1, name, f"is missing: the first line names the columns, as {_example(params)}")


def _example(params: Mapping[str, ValueType]) -> str:
    return ",".join((_TO, *params))


def _lines(data: bytes) -> Iterator[tuple[int, list[str]] | Fault]:
    """The records that are not empty, with the lines on which they begin."""
    try:
        text = data.removeprefix(codecs.BOM_UTF8).decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        yield Fault(line, "", "is not UTF-8: save the table as “CSV UTF-8”")
        return
    head = text.partition("\n")[0]
    delimiter = max(_DELIMITERS, key=head.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield Fault(line, "", f"cannot be read: {error}")
            return
        if any(cell.strip() for cell in cells):
            yield line, cells


def write_rows(rows: Iterable[Sequence[object]]) -> str:
    """CSV of the rows; no cell is a formula for the spreadsheet that opens it."""
    text = io.StringIO(newline="")
    csv.writer(text).writerows([[_cell(value) for value in row] for row in rows])
    return text.getvalue()


def _cell(value: object) -> str:
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return f"'{text}" if _FORMULA.match(text) else text
