"""Whole calls over `/ws/voice`, to a server that runs."""

from __future__ import annotations

import asyncio
import io
import wave
from typing import Any

import httpx
import numpy as np
import pytest

from ivr.local import LocalServer
from media.opus import OPUS
from tests.web.served import PARAMS, ws
from tests.web.test_exotel_calls import record
from tests.web.voice_client import VoiceCall, voice_call


async def session(server: LocalServer, **changes: Any) -> dict[str, Any]:
    body = {"flow": "vendor-order", "params": PARAMS, "language": "en", "caller": "app-17"} | changes
    async with httpx.AsyncClient(headers=server.api._client.headers) as client:
        answer = await client.post(f"{server.url}/api/voice/sessions", json=body)
    assert answer.status_code == 201, answer.text
    given: dict[str, Any] = answer.json()
    return given


async def order_by_keys(call: VoiceCall) -> None:
    await call.until(lambda told: told["type"] == "caption" and "Order" in told["text"])
    await asyncio.sleep(0.3)
    await call.send("key", key="1")
    await call.until(lambda told: told["type"] == "caption" and "minutes" in told["text"])
    for key in "20#":
        await call.send("key", key=key)
    await call.until(lambda told: told["type"] == "ended")
    async with asyncio.timeout(30):
        await call.closed.wait()


def level(pcm: np.ndarray) -> float:
    return float(np.sqrt(np.mean(pcm.astype(float) ** 2)))


@pytest.mark.parametrize(("rate", "encoding"), [(24000, "pcm"), (48000, "opus")])
async def test_a_whole_order(served: LocalServer, rate: int, encoding: str) -> None:
    given = await session(served)
    url = ws(served, f"/ws/voice/{given['session_id']}")
    async with voice_call(url, given["token"]) as call:
        await call.send("start", rate=rate, encoding=encoding)
        await order_by_keys(call)
        assert call.socket.close_code == 1000
        # Everything was told, in order, with a waterfall for each key that was answered.
        kinds = call.kinds()
        assert kinds[0] == "ready"
        assert kinds[-1] == "ended"
        assert [told["key"] for told in call.told if told["type"] == "key"] == list("120#")
        assert "turn" in kinds
        assert call.told[-1]["result"] == {"decision": "accepted", "eta": 20, "reason": None}
        if encoding == "pcm":
            assert {len(piece) for piece in call.audio} == {rate // 50 * 2}
            heard = np.frombuffer(b"".join(call.audio), "<i2")
        else:
            heard = np.frombuffer(OPUS.decoded(call.audio), "<i2")
        assert level(heard) > 300  # somebody spoke
    found = await record(served, state="ended")
    assert found["id"] == call.told[0]["call_id"]
    assert (found["trunk"], found["caller"], found["cause"]) == ("websocket", "app-17", "normal")


async def test_what_is_said_and_heard_is_what_is_recorded(served: LocalServer) -> None:
    said = (np.random.default_rng(7).integers(-60, 60, 8000)).astype("<i2").tobytes()  # too soft for a voice
    given = await session(served)
    async with voice_call(
        ws(served, f"/ws/voice/{given['session_id']}"), subprotocols=["ivr", f"ivr.token.{given['token']}"]
    ) as call:
        assert call.socket.subprotocol == "ivr"
        await call.send("start", rate=8000)
        await call.until(lambda told: told["type"] == "caption")
        await call.say(said, 8000, piece_ms=33)
        await asyncio.sleep(1)
        await call.send("hangup")
        ended = await call.until(lambda told: told["type"] == "ended")
        assert ended["cause"] == "normal"
    found = await record(served, state="ended")
    assert found["hung_up_by"] == "caller"
    left, right = (channel.tobytes() for channel in recorded(served, found["id"]).T)
    pieces = [said[at : at + 1600] for at in range(0, len(said) - 1600, 1600)]
    assert sum(piece in left for piece in pieces) >= len(pieces) - 1
    heard = b"".join(call.audio)
    loud = next(
        at for at in range(16000, len(heard), 320) if level(np.frombuffer(heard[at:][:3200], "<i2")) > 500
    )
    assert heard[loud : loud + 3200] in right


def recorded(server: LocalServer, call_id: str) -> np.ndarray:
    """Caller and server, as columns."""
    with wave.open(io.BytesIO(server.api.recording(call_id))) as file:
        assert (file.getnchannels(), file.getframerate()) == (2, 8000)
        return np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, 2)
