"""All live calls at once: what stands of each, and what happens in them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from ivr import overview
from ivr.api import LiveCall, sse
from ivr.api.sse import EventStream, Reader
from ivr.event_log import EventLog
from ivr.feed import BEGAN, ENDED, TooManyFollowers
from ivr.store import CallEvent, NewCall, Store
from media.leg import Quality
from tests.api.conftest import bearer
from tests.api.fake_gateway import FakeGateway

ACTIVE = "/admin/calls/active"
EVENTS = "/admin/events"
BEGUN = {
    "flow": "vendor-order",
    "direction": "inbound",
    "trunk": "exotel",
    "caller": "+919876543210",
    "called": "1001",
    "language": "hi",
}
Happened = tuple[str, dict[str, Any]]


def begin(gateway: FakeGateway, call_id: str, *happened: Happened) -> None:
    gateway.live_calls[call_id] = LiveCall("offer", Quality(mos=4.316))
    gateway.overview.take(call_id, CallEvent(100.0, BEGAN, BEGUN))
    for index, (kind, data) in enumerate(happened):
        gateway.overview.take(call_id, CallEvent(101.0 + index, kind, data))


def events_in(text: str) -> list[tuple[str, str, dict[str, Any]]]:
    """Number, name and data of each."""
    told = []
    for block in text.split("\n\n"):
        if block and not block.startswith(":"):
            id, name, data = (line.split(": ", 1)[1] for line in block.split("\n"))
            told.append((id, name, json.loads(data)))
    return told


async def active(api: httpx.AsyncClient) -> list[dict[str, Any]]:
    answer = await api.get(ACTIVE)
    assert answer.status_code == 200, answer.text
    calls: list[dict[str, Any]] = answer.json()["calls"]
    return calls


async def test_a_call_is_shown_with_what_happened_last(api: httpx.AsyncClient, gateway: FakeGateway) -> None:
    begin(
        gateway,
        "c1",
        ("answered", {"codec": "PCMA"}),
        ("step", {"step": "offer", "visit": 1}),
        ("prompt", {"text": "नमस्ते"}),
        ("heard", {"text": "हाँ", "confidence": 0.9}),
        ("step", {"step": "minutes", "visit": 1, "flow": "inner"}),
        ("turn", {"language": "mr"}),
        ("queued", {"place": 2}),
    )
    (call,) = await active(api)
    assert call == {
        "id": "c1",
        **BEGUN,
        "state": "answered",
        "since": "1970-01-01T00:01:40Z",
        "answered_at": "1970-01-01T00:01:41Z",
        "step": "inner/minutes",
        "language": "mr",
        "queued": 2,
        "agent": None,
        "said": {"text": "नमस्ते", "at": "1970-01-01T00:01:43Z"},
        "heard": {"text": "हाँ", "at": "1970-01-01T00:01:44Z"},
        "mos": 4.32,
        "supervisors": [],
        "href": "/api/voice/calls/c1",
    }


async def test_an_agent_comes_and_goes(api: httpx.AsyncClient, gateway: FakeGateway) -> None:
    begin(gateway, "c1", ("queued", {"place": 1}), ("connected", {"to": "sip:desk"}))
    (call,) = await active(api)
    assert (call["agent"], call["queued"]) == ("sip:desk", None)
    gateway.overview.take("c1", CallEvent(110.0, "talk_over", {}))
    assert (await active(api))[0]["agent"] is None


async def test_a_call_that_is_over_is_gone(api: httpx.AsyncClient, gateway: FakeGateway) -> None:
    begin(gateway, "c1", ("hung_up", {"cause": "normal"}))
    assert (await active(api))[0]["state"] == "ended"
    gateway.overview.take("c1", CallEvent(120.0, ENDED, {"cause": "normal", "by": "caller", "result": {}}))
    gateway.overview.take("c1", CallEvent(121.0, "step", {"step": "late"}))
    assert await active(api) == []


async def test_five_hundred_calls_are_shown_without_holding_up_the_loop(
    api: httpx.AsyncClient, gateway: FakeGateway
) -> None:
    for number in range(500):
        begin(gateway, f"c{number}", ("prompt", {"text": "नमस्ते " * 20}))
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    other = asyncio.create_task(others())
    calls = await active(api)
    other.cancel()
    assert [call["id"] for call in calls] == [f"c{number}" for number in range(500)]
    assert turns >= 500 // 25


async def test_half_a_surrogate_pair_of_a_caller_does_no_harm(
    api: httpx.AsyncClient, gateway: FakeGateway
) -> None:
    begin(gateway, "c1", ("heard", {"text": "\ud800"}))
    assert (await active(api))[0]["heard"]["text"] == "?"


@pytest.mark.parametrize("path", [ACTIVE, EVENTS])
async def test_it_is_read_with_a_scope_of_its_own(api: httpx.AsyncClient, path: str) -> None:
    assert (await api.get(path, headers=bearer("monitor"))).status_code == 403


async def test_the_events_of_one_call_until_its_end(api: httpx.AsyncClient, gateway: FakeGateway) -> None:
    begin(gateway, "c1")
    begin(gateway, "c2")
    here = (await api.get(ACTIVE)).json()["last_event_id"]
    gateway.overview.look()
    gateway.overview.take("c2", CallEvent(101.0, "key", {"key": "1"}))
    gateway.overview.take("c1", CallEvent(102.0, "key", {"key": "•"}))
    gateway.overview.take("c1", CallEvent(103.5, ENDED, {"cause": "normal", "by": "caller", "result": {}}))
    # That call has ended: but who follows it from before its end is told.
    gateway.overview.calls.began(next(iter(gateway.overview.calls)))
    reader = Reader(gateway.overview.log, here, "c1")
    stream = EventStream(reader.batch, lambda: reader.over)
    told = events_in((await streamed(stream)).decode())
    assert [(name, data) for _, name, data in told] == [
        ("call.event", {"call_id": "c1", "at": "1970-01-01T00:01:42Z", "kind": "key", "data": {"key": "•"}}),
        (
            "call.ended",
            {
                "call_id": "c1",
                "at": "1970-01-01T00:01:43.500000Z",
                "cause": "normal",
                "by": "caller",
                "result": {},
            },
        ),
    ]


async def test_a_call_that_is_not_live_cannot_be_followed(api: httpx.AsyncClient, store: Store) -> None:
    assert (await api.get(EVENTS, params={"call": "nobody"})).status_code == 404
    await store.create_call(NewCall("old", "inbound", 1.0))
    assert (await api.get(EVENTS, params={"call": "old"})).status_code == 409


async def test_no_more_follow_than_can_be_borne(
    api: httpx.AsyncClient, gateway: FakeGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(overview, "MOST_FOLLOWERS", 1)
    begin(gateway, "c1")
    with gateway.overview.following():
        refused = await api.get(EVENTS)
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
        with pytest.raises(TooManyFollowers), gateway.overview.following():
            pass
    assert gateway.overview.followers == 0


async def test_the_route_lets_go_of_who_is_done(api: httpx.AsyncClient, gateway: FakeGateway) -> None:
    gateway.overview.look()
    gateway.overview.closed = True
    answer = await api.get(EVENTS, headers={"Last-Event-ID": "another-run-3"})
    assert answer.headers["content-type"].startswith("text/event-stream")
    ((_, name, data),) = events_in(answer.text)
    assert (name, data) == ("missed", {"count": None})
    assert gateway.overview.followers == 0


# --- the stream itself


async def streamed(stream: EventStream, until: Callable[[bytes], bool] = lambda body: False) -> bytes:
    """All that is sent, until the stream ends or the reader has what he wants."""
    body = b""
    done = asyncio.Event()

    async def receive() -> dict[str, Any]:
        await done.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        nonlocal body
        body += message.get("body", b"")
        if until(body):
            done.set()

    async with asyncio.timeout(20):
        await stream({"type": "http"}, receive, send)
    return body


def log_of(count: int, keep: int = 100) -> EventLog:
    log = EventLog("run", keep)
    for number in range(1, count + 1):
        log.add("call.event", "c1", {"at": float(number), "kind": "key", "data": {"key": str(number)}})
    return log


async def test_a_reader_goes_on_behind_the_event_he_has() -> None:
    log = log_of(5)
    stream = EventStream(Reader(log, "run-3").batch, lambda: True)
    assert [number for number, _, _ in events_in((await streamed(stream)).decode())] == ["run-4", "run-5"]


async def test_without_one_he_begins_with_what_comes_next() -> None:
    log = log_of(5)
    reader = Reader(log, None)
    log.add("load", None, {"at": 9.0, "calls": 3})
    ((number, name, data),) = events_in(reader.batch().decode())
    assert (number, name, data) == ("run-6", "load", {"at": "1970-01-01T00:00:09Z", "calls": 3})


async def test_a_slow_one_loses_the_oldest_and_is_told() -> None:
    told = events_in(Reader(log_of(30, keep=10), "run-5").batch().decode())
    assert told[0][1:] == ("missed", {"count": 15})
    assert [number for number, _, _ in told[1:]] == [f"run-{n}" for n in range(21, 31)]


async def test_what_is_written_for_one_is_written_for_all() -> None:
    log = log_of(3)
    Reader(log, "run-0").batch()
    written = [entry.written for entry in log.read(0).entries]
    Reader(log, "run-0").batch()
    assert all(a is b.written for a, b in zip(written, log.read(0).entries, strict=True))


async def test_nothing_for_long_is_a_heartbeat(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "EVERY_S", 0.001)
    monkeypatch.setattr(sse, "HEARTBEAT_S", 0.005)
    body = await streamed(EventStream(lambda: b"", lambda: False), lambda body: body.count(b":\n\n") >= 2)
    assert set(body.split(b"\n\n")) == {b":", b""}


async def test_who_takes_nothing_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "STALLED_S", 0.01)
    begun = asyncio.Event()

    async def send(message: Any) -> None:
        if message["type"] == "http.response.body":
            begun.set()
            await asyncio.Event().wait()

    async def receive() -> dict[str, Any]:
        await asyncio.Event().wait()
        return {}

    async with asyncio.timeout(20):
        await EventStream(lambda: b"x", lambda: False)({"type": "http"}, receive, send)
    assert begun.is_set()
