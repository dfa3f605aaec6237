"""The traffic of a flow over the API."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from ivr.store import CallEvent, Ending, NewCall, Store
from tests.api.conftest import bearer

READER = bearer("reader")


@pytest.fixture
async def one_call(store: Store) -> float:
    """Of the flow `greeting`, an hour ago; the caller hung up."""
    at = time.time() - 3600
    await store.create_call(NewCall("one", "inbound", at, flow="greeting", flow_hash="aa"))
    out = {"step": "greet", "outcome": "next", "next": "bye", "via": ""}
    steps = [("step", {"step": "greet", "visit": 1}), ("outcome", out), ("step", {"step": "bye", "visit": 1})]
    await store.append_events("one", [CallEvent(at, kind, data) for kind, data in steps], durable=True)
    await store.finish_call("one", Ending(at + 5, "normal", "caller"))
    return at


async def test_the_day_is_counted(api: httpx.AsyncClient, one_call: float) -> None:
    answer = await api.get("/api/flows/greeting/traffic", headers=READER)
    assert answer.status_code == 200
    told = answer.json()
    assert (told["flow"], told["hash"], told["complete"]) == ("greeting", None, True)
    assert (told["calls"], told["live"]) == (1, 0)
    assert told["steps"] == [
        {"step": "bye", "calls": 1, "visits": 1, "mean_visits": 1.0, "hung_up": 1},
        {"step": "greet", "calls": 1, "visits": 1, "mean_visits": 1.0, "hung_up": 0},
    ]
    assert told["ways"] == [{"step": "greet", "outcome": "next", "next": "bye", "count": 1}]
    assert told["endings"] == [{"cause": "normal", "by": "caller", "count": 1}]
    since, until = (datetime.fromisoformat(told[name]) for name in ("since", "until"))
    assert until - since == timedelta(days=1)


async def test_a_version_and_a_time_of_its_own(api: httpx.AsyncClient, one_call: float) -> None:
    async def calls(**query: str) -> int:
        answer = await api.get("/api/flows/greeting/traffic", params=query, headers=READER)
        found: int = answer.json()["calls"]
        return found

    after = datetime.fromtimestamp(one_call + 1, UTC).isoformat()
    assert await calls(hash="aa") == 1
    assert await calls(until=after) == 1


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ({"since": "2999-01-01T00:00:00Z"}, "not before until"),
        ({"since": "2001-01-01T00:00:00Z"}, "more than 31 days"),
        ({"since": "yesterday"}, "since"),
        ({"hash": "../etc"}, "hash"),
    ],
)
async def test_what_cannot_be_counted_is_said(
    api: httpx.AsyncClient, query: dict[str, str], says: str
) -> None:
    answer = await api.get("/api/flows/greeting/traffic", params=query, headers=READER)
    assert answer.status_code == 422
    assert says in answer.json()["detail"]


async def test_a_flow_that_never_was(api: httpx.AsyncClient) -> None:
    answer = await api.get("/api/flows/greting/traffic", headers=READER)
    assert answer.status_code == 404
    assert answer.json()["known"] == []


async def test_readers_of_flows_alone(api: httpx.AsyncClient) -> None:
    assert (await api.get("/api/flows/greeting/traffic", headers=bearer("viewer"))).status_code == 403
