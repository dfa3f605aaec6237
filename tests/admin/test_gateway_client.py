"""The client of the server's API: what it asks, and what becomes of answers that are none."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from ivr.admin import following
from ivr.admin.answers import AuditEntry, AuditList, CallDetail, CallList, Figures, Ticket, Trunks
from ivr.admin.audit import AuditTrail
from ivr.admin.board import CallBoard
from ivr.admin.following import ActiveCalls, Follower
from ivr.admin.gateway import GatewayAway, GatewayClient, GatewayError
from ivr.admin.sse import ServerEvent

KEY = "the-key-of-the-dashboard"
Answer = Callable[[httpx.Request], httpx.Response]


def client(answer: Answer) -> GatewayClient:
    return GatewayClient("http://gateway.test/", KEY, httpx.MockTransport(answer))


async def test_what_is_asked_names_who_asks() -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(202, json={"id": "c1"})

    gateway = client(answer)
    assert await gateway.send("POST", "/api/voice/calls/c1/hangup", by="आशा") == {"id": "c1"}
    assert seen[0].headers["authorization"] == f"Bearer {KEY}"
    assert seen[0].headers["x-operator"] == "%E0%A4%86%E0%A4%B6%E0%A4%BE"
    assert gateway.standing.reachable


async def test_parameters_that_are_none_are_left_out() -> None:
    gateway = client(lambda request: httpx.Response(200, json={"calls": [], "next": str(request.url.query)}))
    found = await gateway.get(CallList, "/api/voice/calls", {"flow": None, "number": "+91*", "limit": 5})
    assert found.next == "b'number=%2B91%2A&limit=5'"


NOT_LIVE = {"type": "/problems/call-not-live", "title": "The call is not live", "detail": "it has ended"}


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (httpx.Response(409, json=NOT_LIVE), "The call is not live: it has ended"),
        (
            httpx.Response(401, json={"title": "No key", "detail": "unknown"}),
            "dashboard's key was refused: unknown",
        ),
        (httpx.Response(502, text="<html>bad gateway</html>"), "the server answered 502 Bad Gateway"),
        (httpx.Response(500, json=[1]), "the server answered 500 Internal Server Error"),
        (httpx.Response(200, json={"calls": 5}), "not what this release knows (calls: "),
        (httpx.Response(200, text="nonsense"), "not what this release knows"),
    ],
)
async def test_what_goes_wrong_is_said_in_words(answer: httpx.Response, says: str) -> None:
    with pytest.raises(GatewayError) as failed:
        await client(lambda _: answer).get(CallList, "/api/voice/calls")
    assert says in str(failed.value)
    assert KEY not in str(failed.value)


async def test_the_kind_of_a_problem_can_be_asked() -> None:
    problem = {"type": "/problems/call-not-live", "title": "x", "state": "ended"}
    with pytest.raises(GatewayError) as failed:
        await client(lambda _: httpx.Response(409, json=problem)).send("POST", "/x", by="asha")
    assert (failed.value.kind, failed.value.status, failed.value.problem["state"]) == (
        "call-not-live",
        409,
        "ended",
    )


async def test_a_server_that_is_away_is_said_to_be() -> None:
    def away(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("connection refused", request=request)

    gateway = client(away)
    with pytest.raises(GatewayAway, match=r"http://gateway\.test cannot be reached: connection refused"):
        await gateway.get(CallList, "/api/voice/calls")
    assert not gateway.standing.reachable


class Stream(httpx.AsyncByteStream):
    def __init__(self, text: str) -> None:
        self._text = text

    async def __aiter__(self) -> Any:
        yield self._text.encode()


async def test_a_stream_that_breaks_is_opened_again_where_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ivr.admin.gateway.PAUSES_S", (0.0,))
    seen: list[str | None] = []
    texts = ["id: r-1\ndata: 1\n\nid: r-2\ndata: 2\n\ndata: half", "", "id: r-3\ndata: 3\n\n"]

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers.get("last-event-id"))
        if len(seen) == 2:
            return httpx.Response(503, json={"title": "Not now"})
        return httpx.Response(200, stream=Stream(texts[min(len(seen), 3) - 1]))

    opened: list[int] = []
    events: list[ServerEvent] = []
    async for event in client(answer).events("/admin/events", lambda: opened.append(len(seen))):
        events.append(event)
        if len(events) == 3:
            break
    assert [event.data for event in events] == ["1", "2", "3"]
    assert seen == [None, "r-2", "r-2"]
    assert opened == [1, 3]


async def test_the_board_follows_the_events_and_the_list_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    active = {
        "calls": [{"id": "a", "since": "2027-01-15T08:00:00Z", "flow": "f", "step": "s", "state": "answered"}]
    }
    told = [
        ("call.began", {"call_id": "b", "at": "2027-01-15T08:00:01Z", "flow": "f", "caller": "+911"}),
        ("call.event", {"call_id": "b", "at": "2027-01-15T08:00:02Z", "kind": "step", "data": {"step": "x"}}),
        ("call.event", {"call_id": "b", "at": "odd"}),
        ("load", {"calls": 2}),
    ]
    text = "".join(f"event: {name}\ndata: {json.dumps(data)}\n\n" for name, data in told)
    asked = asyncio.Event()

    class Held(Stream):
        async def __aiter__(self) -> Any:
            await asked.wait()
            yield self._text.encode()
            await asyncio.Event().wait()

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == following.EVENTS:
            return httpx.Response(200, stream=Held(text))
        asked.set()
        return httpx.Response(200, json=active)

    board = CallBoard()
    follower = Follower(client(answer), board)
    follower.start()
    try:
        async with asyncio.timeout(20):
            await asked.wait()
            while (
                "a" not in board or (call := board.call("b")) is None or call.step != "x" or not follower.load
            ):
                await asyncio.sleep(0.01)
    finally:
        await follower.close()
    assert call.caller == "+911"


async def test_the_audit_log_gets_every_entry_in_order_though_the_server_was_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ivr.admin.audit.PAUSE_S", 0.0)
    kept: list[dict[str, Any]] = []
    tries = 0

    def answer(request: httpx.Request) -> httpx.Response:
        nonlocal tries
        tries += 1
        if tries < 3:
            raise httpx.ConnectError("refused", request=request)
        entry = json.loads(request.content)
        if entry["action"] == "odd":
            return httpx.Response(422, json={"title": "The request is not valid"})
        kept.append(entry)
        return httpx.Response(201, json=entry)

    trail = AuditTrail(client(answer))
    trail.start()
    trail.note("login", "asha", address="192.0.2.1")
    trail.note("odd", "asha")
    trail.note("user.role", "asha", target="balu", outcome="done", role="operator")
    try:
        async with asyncio.timeout(20):
            while len(kept) < 2:
                await asyncio.sleep(0.01)
    finally:
        await trail.close()
    assert [(e["action"], e["operator"], e.get("target")) for e in kept] == [
        ("login", "asha", None),
        ("user.role", "asha", "balu"),
    ]
    assert kept[1]["detail"] == {"role": "operator"}


def test_the_answers_that_the_server_documents_are_read() -> None:
    """The examples of the API's own models."""
    from ivr.api import audit, hourly, live, models, trunks

    def example(model: Any) -> Any:
        return model.model_config["json_schema_extra"]["examples"][0]

    CallList.model_validate(example(models.CallList))
    detail = CallDetail.model_validate(example(models.CallDetail))
    assert detail.quality is not None
    assert detail.quality.mos == 4.39
    assert detail.events
    AuditList.model_validate(example(audit.AuditList))
    AuditEntry.model_validate(example(audit.AuditedAction))
    audit.AuditReport.model_validate(
        {"action": "user.role", "operator": "a", "target": "b", "outcome": "refused"}
    )
    told = Figures.model_validate(example(hourly.Figures))
    assert told.hour["turn"].p50_ms == 142.0
    active = ActiveCalls.model_validate({"calls": [example(live.ActiveCall)]})
    assert active.calls[0].live().mos == 4.31
    Trunks.model_validate({"trunks": [example(trunks.Trunk)]})
    assert "secret" not in repr(Ticket(session_id="s", token="secret"))
