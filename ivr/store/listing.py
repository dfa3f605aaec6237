"""Which calls are wanted, as a query that an index answers: newest first, page by page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Column, ColumnElement, Select, or_, select, tuple_
from sqlalchemy.engine import RowMapping

from ivr.store.audit import cursor_of, read_cursor
from ivr.store.batch import call_record
from ivr.store.records import CallPage, CallState
from ivr.store.schema import calls


@dataclass(frozen=True, slots=True)
class CallQuery:
    """None: whatever it is. `since` is included, `until` is not. A number is a whole one, with or without its
    `+`, or the beginning of one and `*`; `number` is the caller's or the called one."""

    state: CallState | None = None
    flow: str | None = None
    caller: str | None = None
    called: str | None = None
    number: str | None = None
    cause: str | None = None
    since: float | None = None
    until: float | None = None


ALL_CALLS: Final = CallQuery()


def calls_of(query: CallQuery, cursor: str | None, limit: int) -> Select[Any]:
    """One more than `limit`, newest first. Raises `ValueError` when the cursor is none."""
    chosen = select(calls).order_by(calls.c.created_at.desc(), calls.c.id.desc()).limit(limit + 1)
    if query.state is not None:
        chosen = chosen.where(calls.c.state == query.state.value)
    for column, wanted in ((calls.c.flow, query.flow), (calls.c.cause, query.cause)):
        if wanted is not None:
            chosen = chosen.where(column == wanted)
    for column, number in ((calls.c.caller, query.caller), (calls.c.called, query.called)):
        if number is not None:
            chosen = chosen.where(_is(column, number))
    if query.number is not None:
        chosen = chosen.where(or_(_is(calls.c.caller, query.number), _is(calls.c.called, query.number)))
    if query.since is not None:
        chosen = chosen.where(calls.c.created_at >= query.since)
    if query.until is not None:
        chosen = chosen.where(calls.c.created_at < query.until)
    if cursor is not None:
        chosen = chosen.where(tuple_(calls.c.created_at, calls.c.id) < tuple_(*read_cursor(cursor)))
    return chosen


def call_page(rows: Sequence[RowMapping], limit: int) -> CallPage:
    records = tuple(call_record(row) for row in rows[:limit])
    return CallPage(records, cursor_of(records[-1].created_at, records[-1].id) if len(rows) > limit else None)


def _is(column: Column[Any], number: str) -> ColumnElement[bool]:
    """A beginning is a range, which an index finds in either database whatever its collation of LIKE."""
    beginning, star, _ = number.partition("*")
    written = (beginning,) if beginning.startswith("+") else (beginning, f"+{beginning}")
    if not star:
        return column.in_(written)
    return or_(*(column.between(each, f"{each}\U0010ffff") for each in written))
