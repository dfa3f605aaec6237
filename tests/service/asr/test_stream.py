"""Speech over the WebSocket, as a client sees it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from engines.contract import EngineError, EngineUnavailable
from media import g711
from tests.fakes.speech import noise, silence
from tests.service.asr.conftest import KEY, Scripted, ScriptedVad

QUIET = silence(8000)
LOUD = noise(8000, 3000)


@asynccontextmanager
async def connected(url: str, key: str | None = KEY, query: str = "") -> AsyncIterator[ClientConnection]:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    address = f"ws{url.removeprefix('http')}/ws/stream{query}"
    async with connect(address, additional_headers=headers, proxy=None) as socket:
        yield socket


async def receive(socket: ClientConnection, kind: str) -> dict[str, Any]:
    """The next message of a kind; others before it are passed over."""
    async with asyncio.timeout(20):
        while True:
            message: dict[str, Any] = json.loads(await socket.recv())
            if message["type"] == kind:
                return message
            assert message["type"] != "error", message


async def start(socket: ClientConnection, **fields: Any) -> dict[str, Any]:
    await socket.send(json.dumps({"type": "start", **fields}))
    return await receive(socket, "ready")


async def test_a_turn(url: str, engine: Scripted, vad: ScriptedVad) -> None:
    async with connected(url) as socket:
        ready = await start(socket, language="hi", phrases=["हाँ"], prompt="ऑर्डर", words=True)
        assert ready == {"type": "ready", "model": "scripted"}
        for at in range(0, len(QUIET + LOUD + QUIET), 321):  # frames of any size, with half samples
            await socket.send((QUIET + LOUD + QUIET)[at : at + 321])
        began = await receive(socket, "began")
        assert began["utterance"] == 1
        assert began["at_s"] == pytest.approx(1.1, abs=0.15)
        partial = await receive(socket, "partial")
        assert (partial["text"], partial["stable"]) == ("मेरा", 2)
        ended = await receive(socket, "ended")
        assert ended["at_s"] == pytest.approx(2.6, abs=0.15)
        final = await receive(socket, "final")
        assert (final["text"], final["language"], final["confidence"]) == ("मेरा ऑर्डर", "hi", 0.8)
        assert final["latency_ms"] < 1000
        assert final["words"][1] == {"word": "ऑर्डर", "start_s": 0.75, "end_s": 1.5, "confidence": 0.7}
        request = engine.requests[0]
        assert (request.language, request.rate, request.phrases) == ("hi", 8000, ("हाँ",))
        heard = engine.audio[0]
        at = (QUIET + LOUD + QUIET).find(heard)
        assert at >= 0  # not a sample is lost or doubled
        assert at / 16000 == pytest.approx(0.7, abs=0.15)  # from before the onset
        await socket.send(LOUD + QUIET)
        assert (await receive(socket, "final"))["utterance"] == 2
        assert vad.streams == 1
    async with asyncio.timeout(20):
        while vad.streams:
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("encoding", ["ulaw", "mulaw", "alaw"])
async def test_g711(url: str, engine: Scripted, encoding: str) -> None:
    code, decode = (
        (g711.encode_ulaw, g711.decode_ulaw) if encoding != "alaw" else (g711.encode_alaw, g711.decode_alaw)
    )
    async with connected(url) as socket:
        await start(socket, encoding=encoding, endpointing=False)
        await socket.send(code(LOUD))
        await socket.send(json.dumps({"type": "finish"}))
        assert (await receive(socket, "final"))["utterance"] == 1
        assert engine.audio == [decode(code(LOUD))]


async def test_the_client_may_say_where_a_turn_ends(url: str, engine: Scripted) -> None:
    async with connected(url) as socket:
        await start(socket, endpointing=False, partials=False, max_s=1.5)
        for _ in range(2):
            await socket.send(LOUD)
            await socket.send(json.dumps({"type": "finish"}))
            await receive(socket, "final")
        assert engine.audio == [LOUD, LOUD]
        await socket.send(LOUD)
        await socket.send(json.dumps({"type": "cancel"}))
        await socket.send(QUIET + QUIET)  # past max_s
        assert (await receive(socket, "final"))["utterance"] == 4
        assert len(engine.audio[2]) == pytest.approx(1.5 * 16000, abs=700)
        assert engine.cancelled == 1


async def test_stop_waits_for_the_final(url: str, engine: Scripted) -> None:
    engine.held = asyncio.Event()
    async with connected(url) as socket:
        await start(socket, endpointing=False)
        await socket.send(LOUD)
        await socket.send(json.dumps({"type": "stop"}))
        await receive(socket, "ended")
        engine.held.set()
        await receive(socket, "final")
        with pytest.raises(ConnectionClosed) as closed:
            await socket.recv()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1000


async def test_leaving_frees_everything(url: str, engine: Scripted, vad: ScriptedVad) -> None:
    engine.held = asyncio.Event()
    for _ in range(5):  # one more than may be open at once
        async with connected(url) as socket:
            await start(socket)
            await socket.send(LOUD)
            await receive(socket, "began")
        async with asyncio.timeout(20):
            while vad.streams:
                await asyncio.sleep(0.01)
    assert engine.cancelled == 5


async def test_an_engine_that_fails_costs_one_utterance(url: str, engine: Scripted) -> None:
    async with connected(url) as socket:
        await start(socket, endpointing=False)
        for failure, code in (
            (EngineUnavailable("down"), "engine_unavailable"),
            (EngineError("x"), "engine_failed"),
        ):
            engine.failure = failure
            await socket.send(LOUD[:6400])
            async with asyncio.timeout(20):
                while (message := json.loads(await socket.recv()))["type"] != "error":
                    pass
            assert message["error"]["code"] == code
            assert "utterance" in message
            await socket.send(json.dumps({"type": "finish"}))
        engine.failure = None
        await socket.send(LOUD)
        await socket.send(json.dumps({"type": "finish"}))
        await receive(socket, "final")


async def test_audio_before_a_start_is_refused_once(url: str) -> None:
    async with connected(url) as socket:
        for _ in range(50):
            await socket.send(b"\0\0")
        await socket.send('{"type": "start", "language": "hindi"}')
        await socket.send(b"\0\0")
        await socket.send(b"\0\0")
        await socket.send('{"type": "stop"}')
        async with asyncio.timeout(20):
            told = [json.loads(message)["error"] async for message in socket]
    assert [error["code"] for error in told] == ["not_started", "invalid_value"]
    assert (told[1]["param"], "as hi, mr or en-IN" in told[1]["message"]) == ("language", True)


@pytest.mark.parametrize(
    ("message", "code", "says"),
    [
        ("{", "invalid_value", "JSON"),
        ('{"type": "dance"}', "invalid_value", "start"),
        ('{"type": "start", "rate": 4000}', "invalid_value", "rate"),
        ('{"type": "start", "volume": 11}', "invalid_value", "volume"),
        ('{"type": "start", "model": "x"}', "model_not_found", "there are scripted, second"),
        ('{"type": "start", "language": "mr"}', "language_not_supported", "'mr'"),
        ('{"type": "finish"}', "not_started", "before `start`"),
        (b"\0\0", "not_started", "audio before"),
    ],
)
async def test_wrong_messages_are_told_and_the_connection_lives(
    url: str, message: str | bytes, code: str, says: str
) -> None:
    async with connected(url) as socket:
        await socket.send(message)
        async with asyncio.timeout(20):
            answer = json.loads(await socket.recv())
        assert answer["error"]["code"] == code
        assert says in answer["error"]["message"]
        await start(socket)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(messages=st.lists(st.text(max_size=40) | st.binary(max_size=40), max_size=6))
async def test_any_messages(url: str, messages: list[str | bytes]) -> None:
    async with connected(url) as socket:
        for message in messages:
            await socket.send(message)
        await start(socket_without_errors(socket))


def socket_without_errors(socket: ClientConnection) -> Any:
    """Errors are expected: they are passed over."""

    class Deaf:
        send = socket.send

        async def recv(self) -> str | bytes:
            while True:
                message = await socket.recv()
                if json.loads(message)["type"] != "error":
                    return message

    return Deaf()


async def test_keys(url: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with connected(url, key=None):
            pass
    assert refused.value.response.status_code == 401
    assert b"no_api_key" in refused.value.response.body
    async with connected(url, key=None, query=f"?key={KEY.replace(' ', '%20')}") as socket:
        await start(socket)


async def test_too_many_streams(url: str) -> None:
    async with connected(url), connected(url), connected(url):
        with pytest.raises(InvalidStatus) as refused:
            async with connected(url):
                pass
        assert refused.value.response.status_code == 503
        assert b"too_many_streams" in refused.value.response.body
