"""Whole calls over Exotel's stream, to a server that runs."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from ivr.local import LocalServer
from tests.fakes.speech import spoken
from tests.web.exotel_client import NEW, ExotelCall, Form, exotel_call
from tests.web.served import BASIC, ws


async def record(server: LocalServer, **wanted: Any) -> dict[str, Any]:
    """The newest call's record, once it is what is wanted."""
    async with asyncio.timeout(30), httpx.AsyncClient() as client:
        client.headers = server.api._client.headers
        while True:
            calls = (await client.get(f"{server.url}/api/voice/calls")).json()["calls"]
            if calls and all(calls[0][name] == value for name, value in wanted.items()):
                found: dict[str, Any] = (await client.get(f"{server.url}{calls[0]['href']}")).json()
                return found
            await asyncio.sleep(0.05)


async def said(server: LocalServer, text: str) -> None:
    """Waits until the newest call has said so."""
    async with asyncio.timeout(30):
        while not any(
            event["kind"] == "prompt" and text in event["data"]["text"]
            for event in (await record(server))["events"]
        ):
            await asyncio.sleep(0.05)


async def step(server: LocalServer, name: str) -> None:
    async with asyncio.timeout(30):
        while (await record(server))["step"] != name:
            await asyncio.sleep(0.05)


async def heard_for(call: ExotelCall, seconds: float) -> None:
    async with asyncio.timeout(30):
        while len(call.far.audio) < seconds * call.form.rate * 2:
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("form", [NEW, Form(old=True, rate=24000, encoding="audio/x-raw")])
async def test_a_whole_order_by_keys(served: LocalServer, form: Form) -> None:
    async with exotel_call(ws(served, "/ws/exotel/numbers"), form, BASIC) as call:
        await call.start()
        silence = asyncio.create_task(call.silence())
        try:
            await said(served, "Order")
            await heard_for(call, 0.5)
            await call.press("1")
            await said(served, "minutes")
            await call.press("20#")
            await said(served, "noted")
            async with asyncio.timeout(30):
                await call.closed.wait()
        finally:
            silence.cancel()
        assert call.socket.close_code == 1000
        assert call.far.clears >= 1
        assert set(call.far.chunks) == {form.rate * 2 // 10}
    found = await record(served, state="ended")
    assert found["result"] == {"decision": "accepted", "eta": 20, "reason": None}
    assert (found["trunk"], found["caller"], found["called"]) == (
        "exotel-stream",
        "+919876543210",
        "+918047112233",
    )
    assert (found["cause"], found["hung_up_by"]) == ("normal", "us")


async def test_an_order_by_voice(served: LocalServer) -> None:
    """Said over the prompt, which gives way; Exotel is told to drop what it still has of it."""
    async with exotel_call(ws(served, "/ws/exotel/orders"), headers=BASIC) as call:
        await call.start(parameters={"language": "hi", "order": "777", "unknown": "x"})
        await call.say(bytes(1600))
        listening = asyncio.create_task(call.say(bytes(16000 * 20)))
        await heard_for(call, 1.5)
        listening.cancel()
        await call.say(spoken("नहीं", "hi") + bytes(16000))
        quiet = asyncio.create_task(call.silence())
        try:
            await step(served, "reason")
        finally:
            quiet.cancel()
        assert call.far.clears >= 1
        await call.send("stop", {"reason": "callended"})
        async with asyncio.timeout(30):
            await call.closed.wait()
    found = await record(served, state="ended")
    assert found["result"]["decision"] == "rejected"
    assert (found["params"]["order"], found["params"]["language"]) == ("777", "hi")
    assert (found["cause"], found["hung_up_by"]) == ("normal", "caller")
    heard = [event["data"]["text"] for event in found["events"] if event["kind"] == "heard"]
    assert "नहीं" in heard[0]


async def test_the_routes_of_applets_are_documented(served: LocalServer) -> None:
    async with httpx.AsyncClient(base_url=served.url) as client:
        paths = (await client.get("/openapi.json")).json()["paths"]
        for path in ("/api/voice/call/answer", "/api/voice/exotel/{name}"):
            assert set(paths[path]) == {"get"}
            assert paths[path]["get"]["summary"]
        refused = await client.get("/api/voice/call/answer")
        assert refused.status_code == 401
        assert refused.headers["content-type"] == "application/problem+json"
        assert (await client.get(refused.json()["type"])).status_code == 200
