"""The store as a call uses it: created, told, ended, read, recovered, erased."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ivr.store import (
    INTERRUPTED,
    CallEvent,
    CallLive,
    CallQuery,
    CallRecord,
    CallState,
    Delivery,
    Ending,
    IdempotencyConflict,
    Message,
    NewCall,
    Settle,
    Store,
    StoreError,
    StoreUnavailable,
    database_url,
    new_id,
    schema,
)
from ivr.store import store as store_module
from ivr.store.schema import VERSION
from media.leg import Quality


def webhook(record: CallRecord) -> list[Delivery]:
    return [Delivery(f"end-{record.id}", record.id, "hook", f'{{"cause":"{record.cause}"}}', 500.0)]


async def opened(folder: Path) -> Store:
    return await Store.open(database_url(folder), announce=webhook)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    store = await opened(tmp_path)
    yield store
    await store.close()


async def test_a_call_from_beginning_to_end(store: Store) -> None:
    call = NewCall(
        id=new_id(),
        direction="inbound",
        created_at=100.0,
        flow="vendor-order",
        flow_hash="abc",
        trunk="exotel",
        caller="+919876543210",
        called="+912240000000",
        params={"vendor": "अन्नपूर्णा"},
    )
    created = await store.create_call(call)
    assert (created.call_id, created.existing) == (call.id, False)
    await store.advance(call.id, CallState.RINGING, 101.0)
    await store.advance(call.id, CallState.ANSWERED, 103.5)
    await store.set_language(call.id, "hi")
    await store.append_events(
        call.id, [CallEvent(104.0, "enter", {"step": "offer"}), CallEvent(105.0, "key")]
    )
    await store.commit_result(call.id, {"accepted": True})

    live = await store.get_call(call.id)
    assert live is not None
    assert (live.state, live.result, live.language) == (CallState.ANSWERED, {"accepted": True}, "hi")
    assert (live.ringing_at, live.answered_at, live.ended_at) == (101.0, 103.5, None)

    await store.finish_call(call.id, Ending(110.0, "normal", "caller", quality=Quality(packets_sent=5)))
    ended = await store.get_call(call.id)
    assert ended is not None
    assert (ended.state, ended.cause, ended.hung_up_by) == (CallState.ENDED, "normal", "caller")
    assert ended.result == {"accepted": True}, "an ending without a result keeps the committed one"
    assert ended.quality is not None
    assert ended.quality["packets_sent"] == 5
    assert ended.params == {"vendor": "अन्नपूर्णा"}
    assert [(e.seq, e.kind, e.data) for e in await store.list_events(call.id)] == [
        (1, "enter", {"step": "offer"}),
        (2, "key", {}),
    ]
    (due,) = await store.due_deliveries(500.0, 10)
    assert (due.delivery.body, due.attempts) == ('{"cause":"normal"}', 0)


async def test_an_ended_call_stays_as_it_ended(store: Store) -> None:
    call = NewCall(new_id(), "inbound", 1.0)
    await store.create_call(call)
    await store.finish_call(call.id, Ending(2.0, "normal", "us", result={"n": 1}))
    await store.finish_call(call.id, Ending(3.0, "failed", "caller", result={"n": 2}))
    await store.commit_result(call.id, {"n": 3})
    record = await store.get_call(call.id)
    assert record is not None
    assert (record.ended_at, record.cause, record.result) == (2.0, "normal", {"n": 1})
    assert len(await store.due_deliveries(1e9, 10)) == 1, "its end is announced once"


async def test_events_of_many_calls_keep_the_order_within_each(store: Store) -> None:
    ids = [new_id() for _ in range(20)]

    async def live(call_id: str) -> None:
        await store.create_call(NewCall(call_id, "inbound", 1.0))
        for number in range(30):
            await store.append_events(
                call_id, [CallEvent(float(number), f"e{number}")], durable=number % 7 == 0
            )
            await asyncio.sleep(0)
        await store.finish_call(call_id, Ending(99.0, "normal", "us"))

    await asyncio.gather(*map(live, ids))
    for call_id in ids:
        stored = await store.list_events(call_id)
        assert [(e.seq, e.kind) for e in stored] == [(n + 1, f"e{n}") for n in range(30)]


async def test_queued_writes_are_stored_without_anyone_waiting(store: Store) -> None:
    call = NewCall(new_id(), "inbound", 1.0)
    await store.create_call(call)
    await store.append_events(call.id, [CallEvent(1.0, "first")])
    async with asyncio.timeout(20):
        while store.backlog:
            await asyncio.sleep(0.01)
    assert [e.kind for e in await store.list_events(call.id)] == ["first"]


async def test_one_key_makes_one_call_however_many_ask_at_once(store: Store) -> None:
    def request(fingerprint: str = "same") -> NewCall:
        return NewCall(new_id(), "outbound", 1.0, idempotency_key="key-1", fingerprint=fingerprint)

    created = await asyncio.gather(*(store.create_call(request()) for _ in range(25)))
    assert len({each.call_id for each in created}) == 1
    assert [each.existing for each in created].count(False) == 1
    again = await store.create_call(request())
    assert again.existing
    with pytest.raises(IdempotencyConflict, match=again.call_id):
        await store.create_call(request("other"))
    found = await store.call_of_key("key-1")
    assert found is not None
    assert (found[0].id, found[1]) == (again.call_id, "same")
    assert len((await store.list_calls()).calls) == 1


async def test_two_different_requests_with_one_key_at_once(store: Store) -> None:
    calls = [NewCall(new_id(), "outbound", 1.0, idempotency_key="k", fingerprint=f"f{n}") for n in range(4)]
    outcomes = await asyncio.gather(*map(store.create_call, calls), return_exceptions=True)
    assert sum(isinstance(each, IdempotencyConflict) for each in outcomes) == 3


async def test_the_list_is_paged_and_filtered(store: Store) -> None:
    for number in range(25):
        call = NewCall(f"c{number:02}", "inbound", float(number // 2), flow="a" if number % 5 else "b")
        await store.create_call(call)
    await store.finish_call("c03", Ending(50.0, "normal", "us"))

    seen, cursor = [], None
    while True:
        page = await store.list_calls(limit=7, cursor=cursor)
        seen += [call.id for call in page.calls]
        cursor = page.next
        if cursor is None:
            break
    assert seen == [f"c{number:02}" for number in reversed(range(25))]
    assert [c.id for c in (await store.list_calls(CallQuery(flow="b"))).calls] == [
        "c20",
        "c15",
        "c10",
        "c05",
        "c00",
    ]
    assert [c.id for c in (await store.list_calls(CallQuery(state=CallState.ENDED))).calls] == ["c03"]
    assert [c.id for c in (await store.list_calls(CallQuery(since=11.5))).calls] == ["c24"]
    for bad in ("zzz", "!", "é", "MTIz"):
        with pytest.raises(ValueError, match="cursor"):
            await store.list_calls(cursor=bad)


async def test_what_a_crash_cut_off_is_closed_and_announced(tmp_path: Path) -> None:
    store = await opened(tmp_path)
    await store.create_call(NewCall("quiet", "outbound", 10.0))
    await store.create_call(NewCall("talking", "inbound", 11.0))
    await store.advance("talking", CallState.ANSWERED, 12.0)
    await store.append_events("talking", [CallEvent(13.0, "key"), CallEvent(17.0, "key")])
    await store.commit_result("talking", {"accepted": True})
    await store.create_call(NewCall("over", "inbound", 9.0))
    await store.finish_call("over", Ending(10.0, "normal", "caller"))
    await store.close()

    store = await opened(tmp_path)
    assert await store.recover(1000.0) == ["quiet", "talking"]
    talking = await store.get_call("talking")
    assert talking is not None
    assert (talking.state, talking.cause, talking.ended_at) == (CallState.ENDED, INTERRUPTED, 17.0)
    assert talking.result == {"accepted": True}
    events = await store.list_events("talking")
    assert [(e.seq, e.kind) for e in events] == [(1, "key"), (2, "key"), (3, INTERRUPTED)]
    due = {each.delivery.id for each in await store.due_deliveries(1e9, 10)}
    assert due == {"end-quiet", "end-talking", "end-over"}
    assert await store.recover(1001.0) == []
    await store.close()


async def test_deliveries_wait_their_time_and_are_settled(store: Store) -> None:
    await store.enqueue([Delivery(f"d{n}", None, "a" if n < 2 else "b", "{}", float(n)) for n in range(4)])
    assert [d.delivery.id for d in await store.due_deliveries(2.0, 10)] == ["d0", "d1", "d2"]
    assert [d.delivery.id for d in await store.due_deliveries(9.0, 10, except_for=["a"])] == ["d2", "d3"]
    await store.settle_delivery(Settle("d0", 1, 60.0, None, "503"))
    await store.settle_delivery(Settle("d1", 1, None, 5.0, None))
    assert [d.delivery.id for d in await store.due_deliveries(9.0, 10)] == ["d2", "d3"]
    assert await store.waiting_deliveries(2.0) == (3, 3.0)
    (first, *_) = [d for d in await store.due_deliveries(99.0, 10) if d.delivery.id == "d0"]
    assert first.attempts == 1


async def test_erasure_leaves_the_fact_of_a_call_and_nothing_of_the_person(
    store: Store, tmp_path: Path
) -> None:
    secret = "+919812345678"
    await store.create_call(NewCall("x", "inbound", 1.0, flow="f", caller=secret, params={"name": secret}))
    await store.append_events("x", [CallEvent(2.0, "heard", {"text": secret})])
    await store.append_events("x", [CallEvent(2.5, "headers", {"X-Customer": secret})])
    await store.set_answered_by("x", {"who": "human", "reason": "key", "after_ms": 900})
    await store.set_recording("x", "x.wav")
    await store.set_messages("x", {"memo": Message("x-1.wav", 3000), "memo-2": Message("x-2.wav")})
    with pytest.raises(CallLive):
        await store.erase_call("x", 5.0)
    await store.finish_call("x", Ending(3.0, "normal", "us", result={"phone": secret}))
    before = await store.get_call("x")
    assert before is not None
    assert before.messages["memo-2"] == Message("x-2.wav", None)
    assert await store.erase_call("x", 5.0) == ["x.wav", "x-1.wav", "x-2.wav"]
    with pytest.raises(StoreError, match="no such call"):
        await store.erase_call("unknown", 5.0)
    record = await store.get_call("x")
    assert record is not None
    assert (record.flow, record.cause, record.ended_at, record.erased_at) == ("f", "normal", 3.0, 5.0)
    assert record.answered_by is None
    assert record.messages == {}
    assert secret not in repr(record)
    assert secret not in repr(await store.list_events("x"))
    assert await store.due_deliveries(1e9, 10) == []


async def test_what_is_not_json_is_refused_where_it_is_said(store: Store) -> None:
    await store.create_call(NewCall("x", "inbound", 1.0))
    with pytest.raises(StoreError, match="not JSON"):
        await store.append_events("x", [CallEvent(1.0, "odd", {"value": object()})])
    with pytest.raises(StoreError, match="not JSON"):
        await store.commit_result("x", {"value": float("nan")})
    await store.append_events("x", [CallEvent(1.0, "fine")], durable=True)
    assert [e.seq for e in await store.list_events("x")] == [1]


async def test_bytes_of_a_peer_that_are_no_text_do_not_spoil_the_record(store: Store) -> None:
    undecodable = b"\xff\x00Ramesh".decode(errors="surrogateescape")
    await store.create_call(NewCall("x", "inbound", 1.0, caller=undecodable))
    await store.append_events("x", [CallEvent(1.0, "header", {"X-Name": undecodable})], durable=True)
    record = await store.get_call("x")
    assert record is not None
    assert record.caller == "??Ramesh"
    assert (await store.list_events("x"))[0].data == {"X-Name": "?\0Ramesh"}


async def test_one_impossible_write_takes_no_other_with_it(store: Store) -> None:
    calls = [NewCall(new_id(), "inbound", 1.0) for _ in range(5)]
    calls.insert(2, NewCall(new_id(), None, 1.0))  # type: ignore[arg-type]
    outcomes = await asyncio.gather(*map(store.create_call, calls), return_exceptions=True)
    assert [isinstance(each, StoreError) for each in outcomes] == [False, False, True, False, False, False]
    assert len((await store.list_calls()).calls) == 5


async def test_a_locked_database_is_waited_for_and_nothing_is_lost(store: Store, tmp_path: Path) -> None:
    await store.create_call(NewCall("x", "inbound", 1.0))
    other = sqlite3.connect(tmp_path / "calls.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailable, match="not stored within"):
        await store.commit_result("x", {"n": 1}, deadline_s=0.05)
    other.execute("ROLLBACK")
    other.close()
    await store.append_events("x", [CallEvent(1.0, "after")], durable=True)
    record = await store.get_call("x")
    assert record is not None
    assert record.result == {"n": 1}, "the write that came too late for its caller was not dropped"


async def test_reading_a_broken_database_is_a_clear_error(store: Store, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "calls.db") as database:
        database.execute("DROP TABLE calls")
    with pytest.raises(StoreUnavailable, match="cannot be read: no such table"):
        await store.get_call("x")


async def test_a_second_server_is_refused(store: Store, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="another server process"):
        await Store.open(database_url(tmp_path))


def as_in_the_first_release(database: sqlite3.Connection) -> None:
    for column in ("answered_by", "messages"):
        database.execute(f"ALTER TABLE calls DROP COLUMN {column}")
    for table in ("flow_versions", "audit", "campaigns", "campaign_contacts", "suppressions"):
        database.execute(f"DROP TABLE {table}")
    for index in ("outbox_due", "calls_by_caller", "calls_by_called", "calls_by_cause"):
        database.execute(f"DROP INDEX {index}")
    database.execute("ALTER TABLE outbox DROP COLUMN carrier")
    database.execute("CREATE INDEX outbox_waiting ON outbox (next_at) WHERE next_at IS NOT NULL")
    database.execute("UPDATE schema_version SET version = 1")


async def test_tables_of_the_first_release_are_brought_up_to_date(tmp_path: Path) -> None:
    store = await opened(tmp_path)
    await store.create_call(NewCall("old", "outbound", 1.0))
    await store.close()
    with sqlite3.connect(tmp_path / "calls.db") as database:
        as_in_the_first_release(database)
    store = await opened(tmp_path)
    await store.set_answered_by("old", {"who": "machine", "reason": "beep", "after_ms": 900})
    await store.finish_call("old", Ending(2.0, "answering_machine", "us"))
    record = await store.get_call("old")
    assert record is not None
    assert record.messages == {}
    await store.close()
    assert record is not None
    assert record.answered_by == {"who": "machine", "reason": "beep", "after_ms": 900}
    with sqlite3.connect(tmp_path / "calls.db") as database:
        assert database.execute("SELECT version FROM schema_version").fetchall() == [(VERSION,)]


async def test_tables_that_were_brought_up_to_date_are_as_new_ones(tmp_path: Path) -> None:
    def shape(folder: Path) -> set[str]:
        with sqlite3.connect(folder / "calls.db") as database:
            tables = ("campaigns", "campaign_contacts", "suppressions")
            columns = [row[1:] for name in tables for row in database.execute(f"PRAGMA table_info({name})")]
            indexes = database.execute(
                "SELECT name, sql FROM sqlite_schema WHERE type = 'index' AND sql <> ''"
            )
            found = {str((name, " ".join(sql.split()))) for name, sql in indexes}
        return found | {str(column).replace("DOUBLE PRECISION", "DOUBLE") for column in columns}

    new, old = tmp_path / "new", tmp_path / "old"
    for folder in (new, old):
        await (await opened(folder)).close()
    with sqlite3.connect(old / "calls.db") as database:
        as_in_the_first_release(database)
    await (await opened(old)).close()
    assert shape(old) == shape(new)


@pytest.mark.parametrize("older", [True, False])
async def test_a_preparation_that_was_cut_off_is_as_if_it_had_never_begun(
    tmp_path: Path, older: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if older:
        await (await opened(tmp_path)).close()
        with sqlite3.connect(tmp_path / "calls.db") as database:
            as_in_the_first_release(database)

    def dies(*_: object) -> None:
        raise StoreError("the power went out")

    with monkeypatch.context() as cut:
        cut.setattr(schema, "update" if older else "insert", dies)
        with pytest.raises(StoreError, match="power"):
            await opened(tmp_path)
    await (await opened(tmp_path)).close()
    with sqlite3.connect(tmp_path / "calls.db") as database:
        assert database.execute("SELECT version FROM schema_version").fetchall() == [(VERSION,)]
        assert "answered_by" in [row[1] for row in database.execute("PRAGMA table_info(calls)")]


async def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    await (await opened(tmp_path)).close()
    with sqlite3.connect(tmp_path / "calls.db") as database:
        database.execute(f"UPDATE schema_version SET version = {VERSION + 1}")
    with pytest.raises(
        StoreError, match=rf"schema version {VERSION + 1}, this server knows version {VERSION}"
    ):
        await opened(tmp_path)


async def test_what_is_not_ours_is_refused(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "calls.db") as database:
        database.execute("CREATE TABLE recipes (name TEXT)")
    with pytest.raises(StoreError, match="another program"):
        await opened(tmp_path)
    (tmp_path / "text.db").write_text("this is no database, though it is long enough to be one" * 30)
    with pytest.raises(StoreError, match="not a database"):
        await Store.open(f"sqlite+aiosqlite:///{tmp_path}/text.db")
    for url, message in (
        ("nonsense", "not a database URL"),
        ("mysql://localhost/ivr", "not mysql"),
        ("postgresql+asyncpg://localhost/ivr", "not installed: pip install asyncpg"),
    ):
        with pytest.raises(StoreError, match=message):
            await Store.open(url)
    for url in ("sqlite+aiosqlite://", "sqlite+aiosqlite:////proc/nowhere/calls.db"):
        with pytest.raises(StoreError):
            await Store.open(url)


async def test_a_url_needs_no_driver(tmp_path: Path) -> None:
    store = await Store.open(f"sqlite:///{tmp_path}/plain.db")
    assert (await store.list_calls()).calls == ()
    await store.close()


async def test_after_closing_nothing_is_accepted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "CHECKPOINT_S", 0.01)
    store = await opened(tmp_path)
    await store.create_call(NewCall("x", "inbound", 1.0))
    await store.append_events("x", [CallEvent(1.0, "last")])
    await asyncio.sleep(0.05)
    await store.close()
    with pytest.raises(StoreError, match="closed"):
        await store.append_events("x", [CallEvent(1.0, "too late")])
    store = await opened(tmp_path)
    assert [e.kind for e in await store.list_events("x")] == ["last"], "closing writes what was queued"
    await store.close()
