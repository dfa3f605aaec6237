"""Reading, ending and erasing calls; keys and their scopes; health, figures and documentation."""

from __future__ import annotations

import re
import sqlite3
from dataclasses import asdict
from pathlib import Path

import httpx
import pytest
from pydantic import BaseModel

from ivr.api import create_app, models
from ivr.metrics import Metrics
from ivr.store import CallEvent, CallState, Ending, Message, NewCall, Store
from media.leg import Quality
from tests.api.conftest import KEYS, bearer
from tests.api.fake_gateway import FakeGateway
from tests.api.test_initiate import ORDER, URL, assert_problem

CALLS = "/api/voice/calls"


@pytest.fixture
async def ended(store: Store, tmp_path: Path) -> str:
    """A call that is over, with a recording of 1000 bytes."""
    recording = tmp_path / "c1.wav"
    recording.write_bytes(bytes(n % 251 for n in range(1000)))
    await store.create_call(
        NewCall("c1", "inbound", 1_700_000_000.0, flow="vendor-order", caller="+919812345678")
    )
    await store.advance("c1", CallState.ANSWERED, 1_700_000_001.5)
    await store.append_events("c1", [CallEvent(1_700_000_002.0, "heard", {"text": "हाँ"})])
    ending = Ending(
        1_700_000_009.0, "normal", "caller", {"accepted": True}, Quality(jitter_ms=1.5), str(recording)
    )
    await store.finish_call("c1", ending)
    return "c1"


async def test_a_call_is_told_whole(api: httpx.AsyncClient, ended: str) -> None:
    body = (await api.get(f"{CALLS}/{ended}")).json()
    assert body["state"] == "ended"
    assert body["answered_at"] == "2023-11-14T22:13:21.500000Z"
    assert body["ringing_at"] is None
    assert body["result"] == {"accepted": True}
    assert body["quality"]["jitter_ms"] == 1.5
    assert body["recording"] == f"{CALLS}/{ended}/recording"
    (event,) = body["events"]
    assert (event["seq"], event["kind"], event["data"]) == (1, "heard", {"text": "हाँ"})


def test_a_record_of_an_earlier_release_has_no_scores() -> None:
    before = asdict(Quality(packets_sent=7, mos=4.4))
    for name in ("buffer_ms", "mos", "remote_mos"):
        del before[name]
    told = models.QualityReport.model_validate(before)
    assert (told.packets_sent, told.buffer_ms, told.mos, told.remote_mos) == (7, 0.0, None, None)


async def test_a_live_call_tells_its_step_and_quality(api: httpx.AsyncClient) -> None:
    href = (await api.post(URL, json=ORDER)).json()["href"]
    body = (await api.get(href)).json()
    assert (body["step"], body["quality"]["packets_sent"], body["result"]) == ("offer", 50, None)


async def test_the_list_is_paged_and_filtered(api: httpx.AsyncClient, store: Store, ended: str) -> None:
    for number in range(5):
        await store.create_call(NewCall(f"n{number}", "inbound", 1_800_000_000.0 + number, flow="support"))
    first = (await api.get(CALLS, params={"limit": 4})).json()
    assert [call["id"] for call in first["calls"]] == ["n4", "n3", "n2", "n1"]
    second = (await api.get(CALLS, params={"limit": 4, "cursor": first["next"]})).json()
    assert ([call["id"] for call in second["calls"]], second["next"]) == (["n0", "c1"], None)
    filters = {"state": "ended", "flow": "vendor-order", "since": "2023-11-14T00:00:00Z"}
    assert [call["id"] for call in (await api.get(CALLS, params=filters)).json()["calls"]] == ["c1"]
    assert (await api.get(CALLS, params={"since": "2027-01-15T08:00:03"})).json()["calls"][0]["id"] == "n4"
    for wrong in ({"state": "over"}, {"limit": 0}, {"limit": 501}, {"cursor": "x"}, {"since": "yesterday"}):
        body = assert_problem(await api.get(CALLS, params=wrong), 422, "invalid-request")
        assert [each["field"] for each in body["fields"]] == list(wrong)


async def test_unknown_calls(api: httpx.AsyncClient) -> None:
    assert_problem(await api.get(f"{CALLS}/nobody"), 404, "unknown-call")
    assert_problem(await api.get(f"{CALLS}/nobody/recording"), 404, "unknown-call")
    assert_problem(await api.post(f"{CALLS}/nobody/hangup"), 404, "unknown-call")
    assert_problem(await api.delete(f"{CALLS}/nobody"), 404, "unknown-call")


async def test_hanging_up(api: httpx.AsyncClient, gateway: FakeGateway) -> None:
    href = (await api.post(URL, json=ORDER)).json()["href"]
    assert (await api.post(f"{href}/hangup")).status_code == 202
    assert (await api.get(href)).json()["hung_up_by"] == "us"
    body = assert_problem(await api.post(f"{href}/hangup"), 409, "call-not-live")
    assert body["state"] == "ended"


async def test_a_signal_reaches_a_live_call(api: httpx.AsyncClient, gateway: FakeGateway) -> None:
    accepted = (await api.post(URL, json=ORDER)).json()
    url = f"{accepted['href']}/signals"
    answer = await api.post(url, json={"name": "rider-found", "values": {"rider": "राहुल", "eta": 12}})
    assert (answer.status_code, answer.json()["href"]) == (202, accepted["href"])
    assert gateway.signals == [(accepted["id"], "rider-found", {"rider": "राहुल", "eta": 12})]

    body = assert_problem(await api.post(url, json={"name": "ridr-found"}), 422, "unknown-signal")
    assert body["known"] == ["rider-found"]
    assert body["fields"][0]["field"] == "name"
    body = assert_problem(
        await api.post(url, json={"name": "rider-found", "values": {"eta": "soon"}}), 422, "invalid-request"
    )
    assert body["fields"] == [{"field": "values.eta", "message": "must be a whole number of minutes"}]
    body = assert_problem(await api.post(url, json={"name": "", "valeus": {}}), 422, "invalid-request")
    assert [each["field"] for each in body["fields"]] == ["name", "valeus"]

    await api.post(f"{accepted['href']}/hangup")
    body = assert_problem(await api.post(url, json={"name": "rider-found"}), 409, "call-not-live")
    assert body["state"] == "ended"
    assert_problem(await api.post(f"{CALLS}/nobody/signals", json={"name": "x"}), 404, "unknown-call")
    assert len(gateway.signals) == 1


async def test_a_recording_is_sought_in(api: httpx.AsyncClient, ended: str) -> None:
    url = f"{CALLS}/{ended}/recording"
    whole = await api.get(url)
    assert (whole.status_code, len(whole.content), whole.headers["accept-ranges"]) == (200, 1000, "bytes")
    assert whole.headers["content-type"] == "audio/wav"
    part = await api.get(url, headers={"Range": "bytes=100-199"})
    assert (part.status_code, part.content) == (206, whole.content[100:200])
    assert part.headers["content-range"] == "bytes 100-199/1000"
    assert (await api.get(url, headers={"Range": "bytes=5000-"})).status_code == 416


async def test_a_recording_is_not_given_before_it_is_complete(
    api: httpx.AsyncClient, store: Store, tmp_path: Path
) -> None:
    recording = tmp_path / "live.wav"
    recording.write_bytes(bytes(100))
    await store.create_call(NewCall("live", "inbound", 1_700_000_000.0))
    await store.set_recording("live", str(recording))
    await store.append_events("live", [], durable=True)
    assert_problem(await api.get(f"{CALLS}/live/recording"), 409, "still-recording")


async def test_a_recording_that_is_not_there(api: httpx.AsyncClient, ended: str, tmp_path: Path) -> None:
    (tmp_path / "c1.wav").unlink()
    assert_problem(await api.get(f"{CALLS}/{ended}/recording"), 404, "no-recording")
    href = (await api.post(URL, json=ORDER)).json()["href"]
    assert_problem(await api.get(f"{href}/recording"), 404, "no-recording")


@pytest.fixture
async def messages(store: Store, tmp_path: Path) -> None:
    """A live call with a message that is over and one that is being spoken."""
    over, spoken = tmp_path / "live-1.wav", tmp_path / "live-2.wav"
    for path in (over, spoken):
        path.write_bytes(b"RIFF" + bytes(396))
    await store.create_call(NewCall("live", "inbound", 1_700_000_000.0))
    left = {"शिकायत": Message(str(over), 1500), "memo": Message(str(spoken))}
    await store.set_messages("live", left)
    await store.append_events("live", [], durable=True)


@pytest.mark.usefixtures("messages")
async def test_a_message_is_fetched_as_soon_as_it_is_over(api: httpx.AsyncClient) -> None:
    first, second = (await api.get(f"{CALLS}/live")).json()["messages"]
    assert (first["name"], first["duration_ms"]) == ("शिकायत", 1500)
    assert first["href"].isascii()
    got = await api.get(first["href"])
    assert (got.status_code, got.content) == (200, b"RIFF" + bytes(396))
    assert got.headers["cache-control"] == "private, no-store"
    assert (await api.get(first["href"], headers={"Range": "bytes=0-3"})).content == b"RIFF"
    assert second["duration_ms"] is None
    assert_problem(await api.get(second["href"]), 409, "still-recording")


@pytest.mark.usefixtures("messages")
async def test_a_message_that_is_not_there(api: httpx.AsyncClient, ended: str, tmp_path: Path) -> None:
    answer = await api.get(f"{CALLS}/live/messages/mem")
    assert_problem(answer, 404, "no-message")
    assert answer.json()["known"] == ["शिकायत", "memo"]
    assert_problem(await api.get(f"{CALLS}/{ended}/messages/memo"), 404, "no-message")
    assert_problem(await api.get(f"{CALLS}/nobody/messages/memo"), 404, "unknown-call")
    assert (await api.get(f"{CALLS}/live/messages/..%2F..%2Fcalls.db")).status_code == 404
    (tmp_path / "live-1.wav").unlink()
    assert_problem(await api.get(f"{CALLS}/live/messages/शिकायत"), 404, "no-message")


@pytest.mark.usefixtures("messages")
async def test_messages_are_erased_with_their_call(
    api: httpx.AsyncClient, store: Store, tmp_path: Path
) -> None:
    await store.finish_call("live", Ending(1_700_000_009.0, "interrupted", "us"))
    # A crash cut it off: what was said until then is there.
    assert (await api.get(f"{CALLS}/live/messages/memo")).status_code == 200
    assert (await api.delete(f"{CALLS}/live")).status_code == 204
    assert not (tmp_path / "live-1.wav").exists()
    assert not (tmp_path / "live-2.wav").exists()
    record = await api.get(f"{CALLS}/live")
    assert record.json()["messages"] == []
    assert "शिकायत" not in record.text
    assert_problem(await api.get(f"{CALLS}/live/messages/memo"), 404, "no-message")


async def test_erasing_a_call(
    api: httpx.AsyncClient, gateway: FakeGateway, ended: str, tmp_path: Path
) -> None:
    live = (await api.post(URL, json=ORDER)).json()["href"]
    assert_problem(await api.delete(live), 409, "call-live")
    assert gateway.forgot == 0
    assert (await api.delete(f"{CALLS}/{ended}")).status_code == 204
    assert gateway.forgot == 1, "prompts that spoke its values as well"
    response = await api.get(f"{CALLS}/{ended}")
    assert response.json()["caller"] == "erased"
    assert response.json()["erased_at"] is not None
    assert "9812345678" not in response.text
    assert "हाँ" not in response.text
    assert not (tmp_path / "c1.wav").exists()
    assert_problem(await api.get(f"{CALLS}/{ended}/recording"), 404, "no-recording")


@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [
        ("POST", URL, "calls:write"),
        ("GET", CALLS, "calls:read"),
        ("GET", f"{CALLS}/c1", "calls:read"),
        ("GET", f"{CALLS}/c1/recording", "recordings:read"),
        ("GET", f"{CALLS}/c1/messages/memo", "recordings:read"),
        ("POST", f"{CALLS}/c1/hangup", "calls:write"),
        ("POST", f"{CALLS}/c1/signals", "calls:write"),
        ("DELETE", f"{CALLS}/c1", "calls:write"),
        ("GET", "/metrics", "metrics:read"),
    ],
)
async def test_each_route_wants_a_key_with_its_scope(
    api: httpx.AsyncClient, ended: str, method: str, path: str, scope: str
) -> None:
    for wrong in (
        "",
        "Bearer",
        "Bearer wrong-key-0123456789",
        "Basic b3JkZXJz",
        f"bearer{KEYS['orders'].key}",
    ):
        response = await api.request(method, path, headers={"Authorization": wrong}, json=ORDER)
        assert_problem(response, 401, "unauthenticated")
        assert response.headers["www-authenticate"].startswith("Bearer")
    for name, key in KEYS.items():
        if scope not in key.scopes:
            response = await api.request(method, path, headers=bearer(name), json=ORDER)
            assert assert_problem(response, 403, "missing-scope")["scope"] == scope
            assert scope in response.headers["www-authenticate"]
    assert (await api.get(f"{CALLS}/c1")).status_code == 200, "nothing was done without permission"


async def test_a_store_that_cannot_be_read(api: httpx.AsyncClient, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "calls.db") as database:
        database.execute("DROP TABLE calls")
    assert_problem(await api.get(f"{CALLS}/c1"), 503, "store-unavailable")


async def test_health(api: httpx.AsyncClient, gateway: FakeGateway) -> None:
    api.headers.pop("authorization")
    assert (await api.get("/health/live")).json() == {"status": "live"}
    assert (await api.get("/health/ready")).json() == {"status": "ready", "reasons": []}
    gateway.reasons = ("the server is draining",)
    response = await api.get("/health/ready")
    assert (response.status_code, response.json()["reasons"]) == (503, ["the server is draining"])


async def test_figures_are_open_to_this_machine_only(gateway: FakeGateway, store: Store) -> None:
    metrics = Metrics(flows=["vendor-order"])
    metrics.call_started("inbound")
    app = create_app(gateway, store, metrics, KEYS)

    async def status(host: str, headers: dict[str, str]) -> int:
        transport = httpx.ASGITransport(app, client=(host, 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://ivr") as client:
            response = await client.get("/metrics", headers=headers)
            if response.status_code == 200:
                assert 'ivr_calls_active{direction="inbound"} 1.0' in response.text
            return response.status_code

    assert await status("127.0.0.1", {}) == 200
    assert await status("::1", {}) == 200
    assert await status("192.0.2.7", {}) == 401
    assert await status("192.0.2.7", bearer("monitor")) == 200
    assert await status("127.0.0.1", {"X-Forwarded-For": "192.0.2.7"}) == 401


async def test_the_documentation_works_without_the_internet(api: httpx.AsyncClient) -> None:
    api.headers.pop("authorization")
    page = await api.get("/docs")
    assert page.status_code == 200
    addresses = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert len(addresses) >= 3
    for address in addresses:
        assert address.startswith("/"), f"{address} is elsewhere"
        assert (await api.get(address)).status_code == 200
    assert "https://" not in page.text
    schema = (await api.get("/openapi.json")).json()
    assert schema["components"]["schemas"]["InitiateRequest"]["examples"]
    for path in schema["paths"].values():
        for operation in path.values():
            assert operation["summary"]
            assert ("requestBody" in operation) == ("413" in operation["responses"])
            for status, response in operation["responses"].items():
                if status >= "4" and operation["tags"] == ["calls"]:
                    assert list(response["content"]) == ["application/problem+json"]
    assert "HTTPValidationError" not in str(schema)
    assert "X-Event-Id" in schema["webhooks"]["call-ended"]["post"]["description"]


def test_the_examples_are_true() -> None:
    shown = [each for each in vars(models).values() if isinstance(each, type) and issubclass(each, BaseModel)]
    checked = 0
    for model in shown:
        extra = model.model_config.get("json_schema_extra")
        for example in extra.get("examples", []) if isinstance(extra, dict) else []:  # type: ignore[union-attr]
            told = model.model_validate(example).model_dump(mode="json", exclude_unset=True)
            assert told == example
            checked += 1
    assert checked >= 8


async def test_every_problem_has_its_page_and_nothing_else_is_there(api: httpx.AsyncClient) -> None:
    body = assert_problem(await api.get(f"{CALLS}/nobody"), 404, "unknown-call")
    page = await api.get(body["type"])
    assert page.text.startswith("There is no such call")
    for path in ("/problems/none", "/index.html", "/docs/assets/../app.py", "/api/voice"):
        response = await api.get(path)
        assert response.status_code == 404
        assert response.headers["content-type"] == "application/problem+json"
    wrong = await api.put(CALLS)
    assert (wrong.status_code, wrong.headers["allow"]) == (405, "GET")
