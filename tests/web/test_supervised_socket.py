"""An operator whose leg comes by `/ws/voice`: he hears the call, and is told nothing of it."""

from __future__ import annotations

import asyncio

import httpx
import numpy as np

from ivr.local import LocalServer
from tests.web.served import ws
from tests.web.test_exotel_calls import record
from tests.web.test_voice_calls import level, session
from tests.web.voice_client import VoiceCall, voice_call


async def hears(call: VoiceCall) -> None:
    """Waits until somebody is heard who speaks."""
    async with asyncio.timeout(30):
        while level(np.frombuffer(b"".join(call.audio[-25:]) or bytes(2), "<i2")) < 300:
            await asyncio.sleep(0.02)


async def test_he_listens_in_and_leaves(served: LocalServer) -> None:
    given = await session(served)
    async with voice_call(ws(served, f"/ws/voice/{given['session_id']}"), given["token"]) as caller:
        await caller.send("start", rate=8000)
        call_id = (await caller.until(lambda told: told["type"] == "ready"))["call_id"]
        url = f"{served.url}/admin/calls/{call_id}/supervise"
        async with httpx.AsyncClient(headers=served.api._client.headers) as api:
            ticket = (await api.post(url, json={"mode": "listen"})).json()
            async with voice_call(
                ws(served, f"/ws/voice/{ticket['session_id']}"), ticket["token"]
            ) as operator:
                await operator.send("start", rate=16000)
                await hears(operator)
                assert {len(piece) for piece in operator.audio} == {640}
                (shown,) = (await api.get(url)).json()["supervisors"]
                assert (shown["operator"], shown["mode"]) == ("local", "listen")
                assert operator.told == []
                await operator.send("hangup")
                async with asyncio.timeout(30):
                    await operator.closed.wait()
            again = await api.post(url, json={"mode": "whisper"})
            assert again.json()["why"] == "no_agent"
        await caller.send("hangup")
        await caller.until(lambda told: told["type"] == "ended")
    found = await record(served, state="ended")
    modes = [each["data"]["mode"] for each in found["events"] if each["kind"] == "supervised"]
    assert modes == ["listen", "over"]
