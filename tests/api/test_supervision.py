"""Joining live calls over the API: tokens, modes, and what is refused."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any

import httpx
import pytest

from ivr.store import NewCall, Store
from ivr.web.book import Supervision
from tests.api.conftest import bearer
from tests.api.fake_gateway import FakeGateway
from tests.fakes.leg import FakeLeg

URL = "/admin/calls/c1/supervise"
ASHA = {**bearer("dashboard"), "X-Operator": "asha"}


class Hands:
    def __init__(self) -> None:
        self.agent: FakeLeg | None = None
        self.taker: FakeLeg | None = None
        self.can_take = self.can_give_back = True
        self.given_back = 0

    async def take(self, leg: FakeLeg) -> bool:
        self.taker = leg
        return True

    def give_back(self, leg: FakeLeg) -> None:
        self.taker = None
        self.given_back += 1


class Call:
    """A live call, as far as supervision sees it."""

    def __init__(self) -> None:
        self.leg = FakeLeg()
        self.hands = Hands()
        self.over = asyncio.Event()
        self.answered = True
        self.notes: list[tuple[str, Mapping[str, Any]]] = []

    async def hang_up(self) -> None:
        self.over.set()

    def note(self, kind: str, data: Mapping[str, Any]) -> None:
        self.notes.append((kind, data))


@pytest.fixture
async def call(gateway: FakeGateway, store: Store) -> Call:
    await store.create_call(NewCall("c1", "inbound", 1.0))
    call = Call()
    gateway.supervised["c1"] = call  # type: ignore[assignment]
    return call


async def joined(gateway: FakeGateway, api: httpx.AsyncClient, mode: str = "listen") -> str:
    """An operator's leg is on the call; its session."""
    told = (await api.post(URL, json={"mode": mode}, headers=ASHA)).json()
    session_id, wish = gateway.book.redeem(told["token"], time.time())
    assert isinstance(wish, Supervision)
    leg = FakeLeg()
    leg.info = leg.info.__class__(session_id, "inbound", "asha", "", "web", {})
    await gateway.supervise(leg, wish)
    async with asyncio.timeout(20):
        while gateway.supervisors.of("c1")[0].connecting:
            await asyncio.sleep(0)
        await asyncio.sleep(0)
    return session_id


async def test_a_token_is_given_for_one_leg_of_a_named_operator(
    api: httpx.AsyncClient, gateway: FakeGateway, call: Call
) -> None:
    answer = await api.post(URL, json={"mode": "listen"}, headers=ASHA)
    assert answer.status_code == 201, answer.text
    told = answer.json()
    assert told.keys() == {"session_id", "call_id", "mode", "token", "expires_at", "ice_servers"}
    session_id, wish = gateway.book.redeem(told["token"], time.time())
    assert (session_id, wish) == (told["session_id"], Supervision("c1", "listen", "asha"))
    (entry,) = (await api.get("/admin/audit", headers=ASHA)).json()["entries"]
    assert (entry["action"], entry["target"], entry["operator"]) == ("supervision.supervise", "c1", "asha")
    assert entry["detail"] == {"mode": "listen", "session": session_id}
    assert told["token"] not in str(entry)


async def test_who_is_on_a_call_is_listed(api: httpx.AsyncClient, gateway: FakeGateway, call: Call) -> None:
    assert (await api.get(URL)).json() == {"supervisors": []}
    session_id = await joined(gateway, api)
    (shown,) = (await api.get(URL)).json()["supervisors"]
    assert (shown["session_id"], shown["operator"], shown["mode"]) == (session_id, "asha", "listen")
    await gateway.supervisors.close()


async def test_the_mode_is_changed_while_he_is_on(
    api: httpx.AsyncClient, gateway: FakeGateway, call: Call
) -> None:
    session_id = await joined(gateway, api)
    answer = await api.patch(f"{URL}/{session_id}", json={"mode": "take_over"}, headers=ASHA)
    assert (answer.status_code, answer.json()["mode"]) == (200, "take_over")
    refused = await api.patch(f"{URL}/{session_id}", json={"mode": "whisper"}, headers=ASHA)
    assert (refused.status_code, refused.json()["why"]) == (409, "no_agent")
    assert refused.json()["type"] == "/problems/not-supervised"
    await api.patch(f"{URL}/{session_id}", json={"mode": "listen"}, headers=ASHA)
    assert [data["mode"] for _, data in call.notes] == ["listen", "take_over", "listen"]
    await gateway.supervisors.close()


@pytest.mark.parametrize("gives_back", [False, True])
async def test_he_is_hung_up_on_with_the_call_or_gives_it_back(
    api: httpx.AsyncClient, gateway: FakeGateway, call: Call, gives_back: bool
) -> None:
    session_id = await joined(gateway, api, "take_over")
    answer = await api.delete(f"{URL}/{session_id}?return={str(gives_back).lower()}", headers=ASHA)
    assert answer.status_code == 204
    async with asyncio.timeout(20):
        while gateway.supervisors.count:
            await asyncio.sleep(0)
    assert (call.over.is_set(), call.hands.given_back) == (not gives_back, int(gives_back))


async def test_a_flow_that_is_over_has_nobody_back(
    api: httpx.AsyncClient, gateway: FakeGateway, call: Call
) -> None:
    session_id = await joined(gateway, api, "take_over")
    call.hands.can_give_back = False
    answer = await api.delete(f"{URL}/{session_id}?return=true", headers=ASHA)
    assert (answer.status_code, answer.json()["why"]) == (409, "flow_over")
    await gateway.supervisors.close()


async def test_what_cannot_be_is_a_problem_that_says_why(
    api: httpx.AsyncClient, gateway: FakeGateway, store: Store, call: Call
) -> None:
    async def problem(method: str, url: str, **more: Any) -> tuple[int, str]:
        answer = await api.request(method, url, headers=ASHA, **more)
        return answer.status_code, answer.json()["type"].rpartition("/")[2]

    assert await problem("POST", URL, json={"mode": "whisper"}) == (409, "not-supervised")
    assert await problem("POST", URL, json={"mode": "shout"}) == (422, "invalid-request")
    assert await problem("PATCH", f"{URL}/x", json={"mode": "listen"}) == (404, "unknown-operator")
    assert await problem("DELETE", f"{URL}/x") == (404, "unknown-operator")
    nobody = "/admin/calls/nobody/supervise"
    assert await problem("POST", nobody, json={"mode": "listen"}) == (404, "unknown-call")
    assert await problem("GET", nobody) == (404, "unknown-call")
    await store.create_call(NewCall("c2", "inbound", 1.0))
    ended = "/admin/calls/c2/supervise"
    assert await problem("POST", ended, json={"mode": "listen"}) == (409, "call-not-live")
    call.answered = False
    assert await problem("POST", URL, json={"mode": "listen"}) == (409, "not-supervised")


async def test_it_needs_a_scope_of_its_own(api: httpx.AsyncClient, call: Call) -> None:
    assert (await api.post(URL, json={"mode": "listen"})).status_code == 403
    assert (await api.patch(f"{URL}/x", json={"mode": "listen"})).status_code == 403
    assert (await api.delete(f"{URL}/x")).status_code == 403
