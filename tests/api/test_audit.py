"""The audit log: what changes something is in it before it is answered, by whom, and nothing personal."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from ivr.api import create_app
from ivr.metrics import Metrics
from ivr.store import AuditEntry, AuditQuery, Store, StoreUnavailable
from tests.api.conftest import KEYS, bearer
from tests.api.fake_gateway import FakeGateway
from tests.api.test_initiate import ORDER, URL

AUDIT = "/admin/audit"
ASHA = {**bearer("dashboard"), "X-Operator": "asha"}


async def entries(api: httpx.AsyncClient, **query: Any) -> list[dict[str, Any]]:
    answer = await api.get(AUDIT, headers=bearer("dashboard"), params=query)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["entries"]
    return found


async def test_a_call_that_is_placed_hung_up_and_erased_leaves_three_entries(api: httpx.AsyncClient) -> None:
    call = (await api.post(URL, json=ORDER, headers=ASHA)).json()
    await api.post(f"{call['href']}/hangup", headers=ASHA)
    await api.delete(call["href"])
    erased, hung_up, placed = await entries(api)
    assert (placed["action"], placed["target"], placed["outcome"]) == ("calls.initiate", call["id"], "done")
    assert (placed["client"], placed["operator"]) == ("dashboard", "asha")
    assert placed["detail"] == {"flow": "vendor-order"}
    assert (hung_up["action"], hung_up["target"], hung_up["detail"]) == ("calls.hang_up", call["id"], {})
    assert (erased["action"], erased["client"], erased["operator"]) == ("calls.erase", "orders", None)
    assert ORDER["to"] not in str([erased, hung_up, placed])


async def test_an_operator_is_believed_of_keys_that_may_name_one_alone(api: httpx.AsyncClient) -> None:
    names = {"asha": "asha", "%E0%A4%86%E0%A4%B6%E0%A4%BE": "आशा", "a\tb": None, "x" * 65: None, " ": None}
    for sent in names:
        await api.post(URL, json=ORDER, headers=bearer("dashboard") | {"X-Operator": sent})
    await api.post(URL, json=ORDER, headers=bearer("orders") | {"X-Operator": "asha"})
    assert [each["operator"] for each in reversed(await entries(api))] == [*names.values(), None]


async def test_what_was_refused_is_in_it_too_and_strangers_are_not(api: httpx.AsyncClient) -> None:
    await api.post(URL, json=ORDER, headers=bearer("viewer"))
    await api.post(URL, json={})
    await api.post(URL, json=ORDER, headers={"Authorization": "Bearer nobody-knows-this-key"})
    await api.post("/api/voice/calls/none/hangup")
    told = [(each["client"], each["outcome"], each["detail"]) for each in await entries(api)]
    assert told == [
        ("orders", "refused", {"status": 404}),
        ("orders", "refused", {"status": 422}),
        ("viewer", "refused", {"status": 403}),
    ]


async def test_a_number_in_an_address_is_masked_and_an_action_is_one_word(api: httpx.AsyncClient) -> None:
    await api.put("/api/voice/suppressions/+919876543210", json={"reason": "asked"}, headers=ASHA)
    await api.post("/api/voice/sessions", json={"flow": "vendor-order"}, headers=ASHA)
    session, suppression = await entries(api)
    assert suppression["target"] == "+91******3210"
    assert suppression["action"] == "campaigns.put_suppression"
    assert session["action"] == "calls_of_browsers.make_session"


async def test_a_check_of_a_flow_and_a_reading_change_nothing(api: httpx.AsyncClient) -> None:
    text = "flow: hello\nlanguages: [en]\nstart: bye\nsteps:\n  bye: {end: normal}\n"
    author = bearer("author") | {"Content-Type": "application/yaml"}
    put = await api.put("/api/flows/hello?dry_run=true", content=text, headers=author)
    assert put.status_code == 200, put.text
    await api.get("/api/voice/calls")
    assert await entries(api) == []
    await api.put("/api/flows/hello", content=text, headers=author | {"If-None-Match": "*"})
    (entry,) = await entries(api)
    assert (entry["action"], entry["target"]) == ("flows.put_flow", "hello")
    assert list(entry["detail"]) == ["etag"]


async def test_the_dashboard_reports_what_happens_there(api: httpx.AsyncClient) -> None:
    report = {
        "action": "login.failed",
        "address": "192.0.2.1",
        "outcome": "refused",
        "detail": {"why": "otp"},
    }
    answer = await api.post(AUDIT, json=report, headers=ASHA)
    assert answer.status_code == 201, answer.text
    late = (datetime.now(UTC) - timedelta(days=1)).isoformat()
    await api.post(AUDIT, json={"action": "logout", "operator": "ravi", "at": late}, headers=ASHA)
    entered, out = await entries(api)
    assert entered == answer.json()
    assert (entered["action"], entered["operator"]) == ("dashboard.login.failed", "asha")
    assert (entered["outcome"], entered["detail"]) == ("refused", {"why": "otp", "address": "192.0.2.1"})
    assert (out["action"], out["operator"], out["outcome"]) == ("dashboard.logout", "ravi", "done")


async def test_nobody_writes_an_entry_that_looks_like_ours(api: httpx.AsyncClient) -> None:
    await api.post(AUDIT, json={"action": "calls.hang_up", "target": "c1"}, headers=ASHA)
    assert await entries(api, action="calls.hang_up") == []
    assert len(await entries(api, action="dashboard.calls.hang_up")) == 1


@pytest.mark.parametrize(
    ("report", "field"),
    [
        ({"action": "Log in"}, "action"),
        ({"action": "login", "detail": {str(n): n for n in range(17)}}, "detail"),
        ({"action": "login", "operator": "a\nb"}, "operator"),
        ({"action": "login", "client": "me"}, "client"),
        ({"action": "login", "at": "2001-01-01T00:00:00Z"}, "at"),
        ({"action": "login", "at": "2999-01-01T00:00:00Z"}, "at"),
        ({"action": "login", "address": "<b>"}, "address"),
    ],
)
async def test_what_is_odd_is_refused(api: httpx.AsyncClient, report: dict[str, Any], field: str) -> None:
    answer = await api.post(AUDIT, json=report, headers=ASHA)
    assert answer.status_code == 422
    assert [each["field"].split(".")[0] for each in answer.json()["fields"]] == [field]
    assert [each["action"] for each in await entries(api)] == ["audit.report"]


async def test_it_is_read_and_written_with_its_own_scopes(api: httpx.AsyncClient) -> None:
    assert (await api.get(AUDIT)).status_code == 403
    assert (await api.post(AUDIT, json={"action": "login"})).status_code == 403


async def test_entries_are_found_and_paged(api: httpx.AsyncClient, store: Store) -> None:
    for at in range(5):
        who = "asha" if at % 2 else None
        await store.keep_audit(
            AuditEntry(f"id-{at}", float(at), "web", "calls.hang_up", "done", who, f"c{at}")
        )
    assert [each["id"] for each in await entries(api, operator="asha")] == ["id-3", "id-1"]
    assert [each["id"] for each in await entries(api, target="c2")] == ["id-2"]
    times = {"since": "1970-01-01T00:00:01Z", "until": "1970-01-01T00:00:03"}
    assert [each["id"] for each in await entries(api, **times)] == ["id-2", "id-1"]
    found, cursor = [], None
    while True:
        query = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        page = (await api.get(AUDIT, headers=bearer("dashboard"), params=query)).json()
        found += [each["id"] for each in page["entries"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert found == ["id-4", "id-3", "id-2", "id-1", "id-0"]
    assert (await api.get(AUDIT, headers=bearer("dashboard"), params={"cursor": "?"})).status_code == 422


async def test_a_store_that_is_down_keeps_nobody_from_hanging_up(
    api: httpx.AsyncClient, store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    call = (await api.post(URL, json=ORDER)).json()

    async def down(entry: AuditEntry, *, deadline_s: float) -> None:
        raise StoreUnavailable("not stored within 0.5 s: disk full")

    monkeypatch.setattr(store, "keep_audit", down)
    answer = await api.post(f"{call['href']}/hangup", headers=ASHA)
    assert answer.status_code == 202
    assert f"calls.hang_up of {call['id']} by asha (dashboard), done" in caplog.text


async def test_an_error_of_ours_is_in_it(api: httpx.AsyncClient, gateway: FakeGateway, store: Store) -> None:
    gateway.refusal = RuntimeError("a mistake of ours")
    assert (await api.post(URL, json=ORDER)).status_code == 500
    (entry,) = (await store.list_audit(AuditQuery())).entries
    assert (entry.outcome, entry.details) == ("failed", {"status": 500})
    assert time.time() - entry.at < 60


def test_what_changes_something_has_a_name_of_its_own(gateway: FakeGateway, store: Store) -> None:
    """So that a new route cannot be found under another's name."""
    app = create_app(gateway, store, Metrics(), KEYS)
    named: list[str] = []
    for path, operations in app.openapi()["paths"].items():
        for method, operation in operations.items():
            suffix = f"{re.sub(r'[^0-9a-zA-Z_]', '_', path)}_{method}"
            if method != "get":
                named.append(f"{operation['tags'][0]}.{operation['operationId'].removesuffix(suffix)}")
    assert {"calls.initiate", "calls.hang_up", "calls.erase", "flows.put_flow", "engines.switch"} <= set(
        named
    )
    assert len(set(named)) == len(named)
