"""Which calls a search finds, and that an index finds them."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy.dialects import sqlite

from ivr.store import CallQuery, Ending, NewCall, Store, database_url
from ivr.store.listing import calls_of

ASHA, BALU, SHORT = "+919876543210", "+919812345678", "1001"


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    store = await Store.open(database_url(tmp_path))
    for id, at, caller, called, cause in (
        ("a", 1.0, ASHA, SHORT, "normal"),
        ("b", 2.0, BALU, SHORT, "busy"),
        ("c", 3.0, SHORT, ASHA, "normal"),
        ("d", 4.0, BALU, "+12025550100", "no_answer"),
    ):
        await store.create_call(NewCall(id, "inbound", at, caller=caller, called=called))
        await store.finish_call(id, Ending(at + 0.5, cause, "us"))
    yield store
    await store.close()


@pytest.mark.parametrize(
    ("query", "found"),
    [
        (CallQuery(caller=BALU), "db"),
        (CallQuery(caller=BALU[1:]), "db"),
        (CallQuery(called=SHORT), "ba"),
        (CallQuery(number=ASHA), "ca"),
        (CallQuery(number="+9198*"), "dcba"),
        (CallQuery(number="9198123*"), "db"),
        (CallQuery(caller="+9198*", called=SHORT), "ba"),
        (CallQuery(number="98*"), ""),
        (CallQuery(number="%"), ""),
        (CallQuery(cause="normal"), "ca"),
        (CallQuery(cause="normal", since=2.0), "c"),
        (CallQuery(since=2.0, until=4.0), "cb"),
    ],
)
async def test_what_a_search_finds(store: Store, query: CallQuery, found: str) -> None:
    assert "".join(call.id for call in (await store.list_calls(query)).calls) == found


async def test_a_search_has_pages(store: Store) -> None:
    first = await store.list_calls(CallQuery(number="+9198*"), limit=2)
    rest = await store.list_calls(CallQuery(number="+9198*"), limit=2, cursor=first.next)
    assert [call.id for call in (*first.calls, *rest.calls)] == ["d", "c", "b", "a"]
    assert rest.next is None


@pytest.mark.parametrize(
    ("query", "indexes"),
    [
        (CallQuery(caller=ASHA), {"calls_by_caller"}),
        (CallQuery(called="+91*"), {"calls_by_called"}),
        (CallQuery(number=ASHA), {"calls_by_caller", "calls_by_called"}),
        (CallQuery(number="+9198*"), {"calls_by_caller", "calls_by_called"}),
        (CallQuery(cause="busy"), {"calls_by_cause"}),
        (CallQuery(), {"calls_by_time"}),
    ],
)
async def test_an_index_finds_it(store: Store, tmp_path: Path, query: CallQuery, indexes: set[str]) -> None:
    text = calls_of(query, None, 50).compile(dialect=sqlite.dialect(), compile_kwargs={"literal_binds": True})
    with sqlite3.connect(tmp_path / "calls.db") as database:
        plan = " ".join(row[3] for row in database.execute(f"EXPLAIN QUERY PLAN {text}"))
    assert {
        name
        for name in ("calls_by_caller", "calls_by_called", "calls_by_cause", "calls_by_time")
        if name in plan
    } == indexes
