"""Who may open a socket, and what happens to who opens it for something else. Over real sockets, with a
gateway that has no telephones."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from engines.service.serving import served as serving
from ivr.api import problems
from ivr.config import Config
from ivr.flow.loader import load_flow
from ivr.flow.model import Flow
from ivr.library import FlowLibrary
from ivr.metrics import Metrics
from ivr.shelf.keeper import FlowKeeper
from ivr.store import CallEvent, Ending, Store, database_url
from ivr.web import exotel_sockets, voice_sockets
from ivr.web.book import FlowCall
from ivr.web.exotel_config import ExotelStream
from ivr.web.exotel_routing import ExotelRouting, NoFlow
from ivr.web.sockets import MESSAGE_BYTES, socket_routes
from media.leg import Answered, Cause, Digit, HungUp
from tests.api.fake_gateway import FakeGateway
from tests.shelf.flows import HereReader
from tests.web.exotel_client import exotel_call
from tests.web.served import BASIC, CONFIG, PARAMS, ROOT, SECRET
from tests.web.voice_client import VoiceCall, voice_call

WITHIN_S = 30
CALL = FlowCall("vendor-order", {"amount": 5}, "en", "app")


class OneFlow:
    """A library of the shipped order alone."""

    def __init__(self) -> None:
        self.flow = load_flow(ROOT / "flows" / "vendor_order.yaml")

    def get(self, name: str) -> Flow | None:
        return self.flow if name == self.flow.name else None


@dataclass
class Bench:
    http: str
    gateway: FakeGateway
    metrics: Metrics
    store: Store
    client: httpx.AsyncClient

    def ws(self, path: str) -> str:
        return self.http.replace("http", "ws", 1) + path

    def voice(self, **changes: Any) -> tuple[str, str]:
        """The address of a session, and its token."""
        ticket = self.gateway.book.issue(changes.get("call", CALL), 0.0, 1e12)
        return self.ws(f"/ws/voice/{ticket.session_id}"), ticket.token

    def faults(self, leg: str) -> dict[str, float]:
        return {
            sample.labels["what"]: sample.value
            for metric in self.metrics._registry.collect()
            for sample in metric.samples
            if sample.name == "ivr_socket_faults_total" and sample.labels["leg"] == leg
        }

    async def served(self, count: int = 1) -> Any:
        async with asyncio.timeout(WITHIN_S):
            while len(self.gateway.served) < count:
                await asyncio.sleep(0.01)
        return self.gateway.served[count - 1][0]

    async def idle(self) -> None:
        """Nothing is left of any socket."""
        async with asyncio.timeout(WITHIN_S):
            while self.gateway.plane.streams or self.gateway.feed._of_call:
                await asyncio.sleep(0.01)


def test_what_an_address_says_to_us_is_no_parameter(tmp_path: Path) -> None:
    path = tmp_path / "f.yaml"
    path.write_text(
        "flow: f\nlanguages: [en]\nparams: {token: optional text, shop: optional text}\n"
        "limits: {call: 1m, visits: 2}\nstart: bye\nsteps: {bye: {end: normal}}\n",
        encoding="utf-8",
    )
    library = OneFlow()
    library.flow = load_flow(path)
    routing = ExotelRouting(Config(), library)
    call = routing.call(ExotelStream(flow="f"), "", "", {"token": "secret", "shop": "Sharma"})
    assert call.params == {"shop": "Sharma"}
    for stream, says in ((ExotelStream(flow="g"), "no flow g"), (ExotelStream(), "no flow answers")):
        with pytest.raises(NoFlow, match=says):
            routing.call(stream, "080", "", {})


CONFIGURED = CONFIG["exotel"] | {"proxies": ["127.0.0.1"], "allow": ["127.0.0.0/8", "192.0.2.0/24"]}


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    config = Config.model_validate({"numbers": CONFIG["numbers"], "exotel": CONFIGURED})
    metrics = Metrics()
    async with AsyncExitStack() as stack:
        store = await Store.open(database_url(tmp_path))
        stack.push_async_callback(store.close)
        folder = tmp_path / "flows"
        folder.mkdir()
        library = FlowLibrary(folder, {})
        keeper = FlowKeeper(folder, HereReader(folder), library, store, metrics)
        stack.push_async_callback(keeper.close)
        gateway = FakeGateway(store, keeper)
        await gateway.plane.start()
        stack.push_async_callback(gateway.plane.close)
        app = FastAPI()
        problems.install(app)
        for router in socket_routes(config, gateway, OneFlow(), store, metrics):  # type: ignore[arg-type]
            app.include_router(router)
        url = await stack.enter_async_context(serving(app, "127.0.0.1", 0, 1))
        client = await stack.enter_async_context(httpx.AsyncClient(base_url=url))
        yield Bench(url, gateway, metrics, store, client)


async def status(url: str, headers: dict[str, str] | None = None) -> int:
    try:
        async with connect(url, additional_headers=headers or {}):
            return 101
    except InvalidStatus as error:
        return error.response.status_code


async def close_code(call: VoiceCall) -> int | None:
    async with asyncio.timeout(WITHIN_S):
        await call.closed.wait()
    return call.socket.close_code


# Exotel


async def test_who_may_open_a_stream(bench: Bench) -> None:
    url = bench.ws("/ws/exotel/numbers")
    wrong = {"Authorization": "Basic " + base64.b64encode(b"voicebot:another-token-123").decode()}
    assert await status(url, BASIC) == 101
    assert await status(url) == 401
    assert await status(url, wrong) == 401
    assert await status(url, {"Authorization": "Basic %%%"}) == 401
    assert await status(url + "?token=guessed", BASIC) == 401
    assert await status(bench.ws("/ws/exotel/nowhere"), BASIC) == 404
    assert await status(url + "?sample-rate=44100", BASIC) == 400
    # Our own proxy tells who it is; what stands before that may be invented.
    assert await status(url, {**BASIC, "X-Forwarded-For": "192.0.2.7"}) == 101
    assert await status(url, {**BASIC, "X-Forwarded-For": "127.0.0.1, 198.51.100.1"}) == 403
    assert bench.faults("exotel") == {"refused": 7.0}


async def test_neither_tokens_nor_what_is_told_of_a_caller_are_logged(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "uvicorn.error")  # another server in this process may have quieted it
    url = bench.ws("/ws/exotel/numbers")
    assert await status(url + "?token=guessed&guest=Asha") == 401
    assert await status(url + "?guest=Asha", BASIC) == 101
    lines = [record for record in caplog.records if record.name == "uvicorn.error"]
    assert sum('"WebSocket /ws/exotel/numbers"' in line.getMessage() for line in lines) == 2
    assert not [line for line in lines if line.levelno >= logging.WARNING]
    assert "Asha" not in caplog.text
    assert "guessed" not in caplog.text


async def test_an_address_is_good_once(bench: Bench) -> None:
    asked = {"token": SECRET, "CallSid": "c9", "CallFrom": "09876543210", "CallTo": "08047112233"}
    answer = await bench.client.get("/api/voice/exotel/numbers", params={**asked, "sample-rate": "16000"})
    url = answer.json()["url"]
    assert url.startswith(bench.ws("/ws/exotel/numbers?token="))
    assert url.endswith("&sample-rate=16000")
    async with connect(url) as socket:
        assert await status(url) == 401
        await socket.send('{"event": "start", "stream_sid": "s9", "start": {"call_sid": "c9", "to": "?"}}')
        leg = await bench.served()
    assert leg.sample_rate == 16000
    _, call = bench.gateway.served[0]
    assert (call.flow, call.params, call.caller) == ("vendor-order", PARAMS, "+919876543210")
    for told in ({}, {"token": "guessed"}):
        assert (await bench.client.get("/api/voice/exotel/numbers", params=told)).status_code == 401
    posted = await bench.client.post("/api/voice/exotel/numbers", params={"token": SECRET}, data=asked)
    assert posted.json()["url"].startswith("ws://")
    unknown = await bench.client.get(
        "/api/voice/exotel/numbers", params={"token": SECRET, "CallTo": "08000000000"}
    )
    assert (unknown.status_code, unknown.json()["detail"]) == (404, "no flow answers this number")
    assert (await bench.client.get("/api/voice/exotel/nowhere", params={"token": SECRET})).json()[
        "known"
    ] == ["numbers", "orders"]


async def test_rubbish_is_counted_and_the_call_goes_on(bench: Bench) -> None:
    async with exotel_call(bench.ws("/ws/exotel/numbers"), headers=BASIC) as call:
        await call.start()
        leg = await bench.served()
        await leg.answer()
        for text in (
            "rubbish",
            '{"event": "media", "media": {"payload": "%%%"}}',
            '{"event": "dance"}',
            json.dumps({"event": "media", "media": {"payload": base64.b64encode(bytes(321)).decode()}}),
        ):
            await call.socket.send(text)
        await call.media(bytes(1600))
        call.chunk += 3
        await call.media(bytes(1600))
        await call.press("7")
        assert isinstance(await leg.next_event(), Answered)
        event = await leg.next_event()
        assert isinstance(event, Digit)
        assert event.key == "7"
        await call.send("stop", {"reason": "callended"})
        assert isinstance(await leg.next_event(), HungUp)
        async with asyncio.timeout(WITHIN_S):
            await call.closed.wait()
    await bench.idle()
    found = bench.faults("exotel")
    assert (found["no_json"], found["bad_base64"], found["unknown_event"]) == (1, 1, 1)
    assert (found["odd_bytes"], found["lost_ms"]) == (1, 300)


async def test_parameters_come_by_the_address_by_an_applet_and_by_the_start(bench: Bench) -> None:
    asked = {"token": SECRET, "CallSid": "call-1", "digits": '"999"'}
    await bench.client.get("/api/voice/call/answer", params=asked)
    url = bench.ws("/ws/exotel/orders?vendor=Gupta&order=5&amount=lots&nonsense=1")
    async with exotel_call(url, headers=BASIC) as call:
        await call.start(parameters={"order": "17"})
        await bench.served()
    _, given = bench.gateway.served[0]
    assert given.params == {**PARAMS, "vendor": "Gupta", "order": "17"}  # "lots" are no rupees


async def test_a_stream_lasts_as_long_as_exotel_lets_it(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exotel_sockets, "SESSION_S", 0.1)
    async with exotel_call(bench.ws("/ws/exotel/orders"), headers=BASIC) as call:
        await call.start()
        leg = await bench.served()
        async with asyncio.timeout(WITHIN_S):
            while not isinstance(event := await leg.next_event(), HungUp):
                pass
            await call.closed.wait()
    assert (event.cause, event.by) == (Cause.LIMIT, "us")


async def test_a_number_that_nobody_answers(bench: Bench) -> None:
    async with exotel_call(bench.ws("/ws/exotel/numbers"), headers=BASIC) as call:
        await call.start(called="08000000000")
        async with asyncio.timeout(WITHIN_S):
            await call.closed.wait()
        assert call.socket.close_code == 1008
    await bench.idle()


async def test_our_hanging_up_closes_the_socket_and_the_flow_there_goes_on(bench: Bench) -> None:
    async with exotel_call(bench.ws("/ws/exotel/orders"), headers=BASIC) as call:
        await call.start()
        leg = await bench.served()
        await leg.transfer("09812345678", 5)
        await leg.hang_up()
        async with asyncio.timeout(WITHIN_S):
            await call.closed.wait()
        assert call.socket.close_code == 1000
    asked = {"token": SECRET, "as": "connect", "CallSid": "call-1", "CallTo": "+918047112233"}
    for _ in range(2):
        answer = (await bench.client.get("/api/voice/call/answer", params=asked)).json()
        assert answer == {
            "fetch_after_attempt": False,
            "destination": {"numbers": ["+919812345678"]},
            "outgoing_phone_number": "+918047112233",
        }
    other = (await bench.client.get("/api/voice/call/answer", params={**asked, "CallSid": "x"})).json()
    assert other["destination"] == {"numbers": []}


async def test_which_flow_is_for_a_call_and_how_it_went(bench: Bench) -> None:
    asked = {"token": SECRET, "CallSid": "call-1", "From": "09876543210", "To": "08047112233"}

    async def answer(**more: str) -> tuple[int, dict[str, Any]]:
        got = await bench.client.get("/api/voice/call/answer", params=asked | more)
        told: dict[str, Any] = got.json()
        return got.status_code, told

    code, told = await answer(digits='"42"')
    assert (code, told["call"], told["flow"], told["digits"]) == (200, "expected", "vendor-order", "42")
    code, told = await answer(To="08000000000", CallSid="other")
    assert (code, told["call"], told["detail"]) == (302, "unknown", "no flow answers this number")
    assert (await answer(when="decision"))[0] == 422
    assert (await answer(token="guessed"))[0] == 401

    async with exotel_call(bench.ws("/ws/exotel/numbers"), headers=BASIC) as call:
        await call.start()
        await bench.served()
    (record,) = (await bench.store.list_calls()).calls
    await bench.store.finish_call(
        record.id, Ending(1.0, "normal", "us", {"decision": "accepted", "ok": True})
    )
    code, told = await answer()
    assert (code, told["call"], told["call_id"], told["cause"]) == (200, "ended", record.id, "normal")
    assert told["result"] == {"decision": "accepted", "ok": True}
    assert (await answer(when="decision:accepted"))[0] == 200
    assert (await answer(when="ok:true"))[0] == 200
    assert (await answer(when="decision:rejected"))[0] == 302
    assert (await answer(when="eta:5"))[0] == 302
    posted = await bench.client.post("/api/voice/call/answer", params={"token": SECRET}, data=asked)
    assert posted.json() == told


# Apps


async def test_what_is_wrong_is_told_and_the_call_goes_on(bench: Bench) -> None:
    url, token = bench.voice()
    async with voice_call(url, token) as call:
        await call.socket.send(b"early")
        await call.send("key", key="1")
        await call.send("start", rate=8000)
        leg = await bench.served()
        await call.socket.send("rubbish")
        await call.send("sing")
        await call.socket.send(bytes(16001))
        for _ in range(3):
            await call.socket.send(bytes(16000))
        await call.send("key", key="5")
        while not isinstance(event := await leg.next_event(), Digit):
            pass
        assert event.key == "5"
        await call.send("ping", t=1)
        await call.until(lambda told: told == {"type": "pong", "t": 1})
        codes = [told["code"] for told in call.told if told["type"] == "error"]
        assert codes == ["wrong_order", "wrong_order", "no_json", "unknown_type", "too_long", "too_fast"]
        await leg.hang_up()
        call_id = (await bench.store.list_calls()).calls[0].id
        bench.gateway.feed.tell(call_id, CallEvent(1.0, "call_ended", {"cause": "normal", "result": {}}))
        assert await close_code(call) == 1000
        assert call.told[-1] == {"type": "ended", "cause": "normal", "result": {}}
    await bench.idle()
    assert bench.faults("websocket") == {
        "wrong_order": 2, "no_json": 1, "unknown_type": 1, "too_long": 1, "too_fast": 1
    }  # fmt: skip


async def test_a_token_is_good_for_one_call_of_its_session(bench: Bench) -> None:
    url, token = bench.voice()
    other, _ = bench.voice()

    async def refused(address: str, bearer: str | None, **start: Any) -> str:
        async with voice_call(address, bearer) as call:
            await call.send("start", **start)
            assert await close_code(call) == 1008
            detail: str = call.told[-1]["detail"]
            assert call.told[-1]["code"] == "token"
        return detail

    assert "there is no token" in await refused(url, None)
    assert "no such token" in await refused(url, "guessed")
    assert "no such token" in await refused(url, None, token="\ud800")
    async with voice_call(url) as call:
        await call.send("start", token=token)
        await bench.served()
    assert "used already" in await refused(url, token)
    _, third = bench.voice()
    assert "another session" in await refused(other, third)
    unknown, fourth = bench.voice(call=FlowCall("nowhere"))
    async with voice_call(unknown, fourth) as call:
        await call.send("start")
        assert await close_code(call) == 1008
        assert call.told[-1]["code"] == "refused"
    await bench.idle()


async def test_a_message_that_is_longer_than_any(bench: Bench) -> None:
    url, token = bench.voice()
    async with voice_call(url, token) as call:
        await call.send("start")
        leg = await bench.served()
        with contextlib.suppress(ConnectionClosed):
            await call.socket.send(bytes(2 * 1024 * 1024))
        assert await close_code(call) == 1009
        while not isinstance(event := await leg.next_event(), HungUp):
            pass
        assert event.by == "caller"
    await bench.idle()
    assert MESSAGE_BYTES < 2 * 1024 * 1024


async def test_who_never_begins(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(voice_sockets, "START_S", 0.05)
    monkeypatch.setattr(exotel_sockets, "START_S", 0.05)
    url, token = bench.voice()
    async with voice_call(url, token) as call:
        assert await close_code(call) == 1008
        assert call.told[-1]["code"] == "no_start"
    async with exotel_call(bench.ws("/ws/exotel/numbers"), headers=BASIC) as stream:
        await stream.send("connected")
        async with asyncio.timeout(WITHIN_S):
            await stream.closed.wait()
        assert stream.socket.close_code == 1008
    assert bench.faults("websocket") == bench.faults("exotel") == {"no_start": 1}
    async with voice_call(url, token) as call:  # the token was not used
        await call.send("start")
        await bench.served()


async def test_a_thousand_sockets_without_a_start(bench: Bench) -> None:
    """A call that is under way does not notice; those beyond the limit are refused; nothing is left."""
    tasks = len(asyncio.all_tasks())
    url, token = bench.voice()
    async with voice_call(url, token) as call:
        await call.send("start", rate=8000)
        leg = await bench.served()
        host, port = bench.http.removeprefix("http://").split(":")
        request = (
            f"GET /ws/voice/x HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        ).encode()

        async def opened() -> tuple[int, asyncio.StreamWriter]:
            reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(request)
            return int((await reader.readline()).split()[1]), writer

        kept: list[asyncio.StreamWriter] = []
        counts = {101: 0, 503: 0}
        async with asyncio.timeout(100):
            for _ in range(20):
                for code, writer in await asyncio.gather(*(opened() for _ in range(50))):
                    counts[code] += 1
                    if code == 101:
                        kept.append(writer)
                    else:
                        writer.close()
        assert counts == {101: 200, 503: 800}
        await call.send("key", key="5")
        while not isinstance(event := await leg.next_event(), Digit):
            pass
        assert event.key == "5"
        for writer in kept:
            writer.close()
        await leg.hang_up(Cause.NORMAL)
    async with asyncio.timeout(WITHIN_S):
        while len(asyncio.all_tasks()) > tasks:
            await asyncio.sleep(0.02)
    await bench.idle()
    assert bench.faults("websocket")["full"] == 800
    # There is room again.
    url, token = bench.voice()
    async with voice_call(url, token) as call:
        await call.send("start")
        await bench.served(2)
