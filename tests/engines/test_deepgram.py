"""Deepgram's live API against a server of our own that speaks it as its documentation says."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

from engines.asr.deepgram import DeepgramRecognizer
from engines.contract import EngineError, EngineTimeout, EngineUnavailable, RecognitionRequest, Transcript
from engines.supervisor import WorkerState

HINDI = RecognitionRequest("hi", 8000, ("ऑर्डर", "पिज़्ज़ा"))


def results(text: str, start: float, *, final: bool, finalize: bool = False) -> str:
    """A message as the service sends it."""
    words = [
        {
            "word": word,
            "punctuated_word": word,
            "start": start + n * 0.5,
            "end": start + n * 0.5 + 0.4,
            "confidence": 0.9,
        }
        for n, word in enumerate(text.split())
    ]
    message: dict[str, Any] = {
        "type": "Results",
        "channel_index": [0, 1],
        "duration": 1.0,
        "start": start,
        "is_final": final,
        "speech_final": False,
        "from_finalize": finalize,
        "channel": {
            "alternatives": [{"transcript": text, "confidence": 0.9 if text else 0.0, "words": words}]
        },
        "metadata": {"request_id": "x", "model_info": {"name": "2-general-nova"}, "model_uuid": "y"},
    }
    return json.dumps(message)


@dataclass
class FakeDeepgram:
    """`pieces` are said one for each second of audio, first as a partial; the last at Finalize."""

    pieces: list[str]
    status: HTTPStatus = HTTPStatus.SWITCHING_PROTOCOLS
    mute: bool = False
    dies: bool = False
    error: bool = False
    requests: list[dict[str, list[str]]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    audio: bytearray = field(default_factory=bytearray)
    closed: int = 0
    address: str = ""

    def check(self, connection: ServerConnection, request: Request) -> Response | None:
        self.keys.append(request.headers.get("Authorization", ""))
        if self.status is HTTPStatus.SWITCHING_PROTOCOLS:
            return None
        response = connection.respond(self.status, "{}")
        response.headers["dg-error"] = "Invalid credentials."
        return response

    async def talk(self, socket: ServerConnection) -> None:
        assert socket.request is not None
        url = urlsplit(socket.request.path)
        assert url.path == "/v1/listen"
        self.requests.append(parse_qs(url.query))
        said = 0
        try:
            async for message in socket:
                if isinstance(message, bytes):
                    self.audio += message
                    if self.dies:
                        await socket.close(1011, "NET-0001")
                    if self.error:
                        await socket.send(json.dumps({"type": "Error", "description": "bad audio"}))
                    while not self.mute and len(self.audio) // 16000 > said < len(self.pieces) - 1:
                        await socket.send(results(self.pieces[said].split()[0], said, final=False))
                        await socket.send(results(self.pieces[said], said, final=True))
                        said += 1
                    continue
                kind = json.loads(message)["type"]
                if kind == "Finalize" and not self.mute:
                    await socket.send(
                        results(self.pieces[-1], len(self.pieces) - 1, final=True, finalize=True)
                    )
                elif kind == "CloseStream" and not self.mute:
                    metadata = {
                        "type": "Metadata",
                        "transaction_key": "deprecated",
                        "request_id": "x",
                        "channels": 1,
                    }
                    await socket.send(json.dumps(metadata))
                    await socket.close(1000)
        finally:
            self.closed += 1


@pytest.fixture
async def service() -> AsyncIterator[FakeDeepgram]:
    fake = FakeDeepgram(["मेरा ऑर्डर", "कहाँ है"])
    async with serve(fake.talk, "127.0.0.1", 0, process_request=fake.check) as server:
        fake.address = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield fake


def deepgram(service: FakeDeepgram) -> DeepgramRecognizer:
    return DeepgramRecognizer("a key", address=service.address)


async def test_a_turn(service: FakeDeepgram) -> None:
    engine = deepgram(service)
    partials: list[Transcript] = []
    stream = engine.open(HINDI, partials.append)
    assert engine.health.jobs == 1
    for _ in range(100):
        stream.write(bytes(320))
    async with asyncio.timeout(20):
        while len(partials) < 2:
            await asyncio.sleep(0.01)
    final = await stream.finish(deadline_s=20)
    assert final.text == "मेरा ऑर्डर कहाँ है"
    assert (final.language, final.confidence, final.final) == ("hi", 0.9, True)
    assert [segment.text for segment in final.segments] == ["मेरा ऑर्डर", "कहाँ है"]
    assert final.segments[0].words[1].start_s == 0.5
    assert [(p.text, p.stable) for p in partials] == [("मेरा", 0), ("मेरा ऑर्डर", len("मेरा ऑर्डर"))]
    assert service.audio == bytes(32000)
    assert service.keys == ["Token a key"]
    asked = service.requests[0]
    assert (asked["model"], asked["language"], asked["sample_rate"]) == (["nova-2"], ["hi"], ["8000"])
    assert (asked["encoding"], asked["endpointing"]) == (["linear16"], ["false"])
    assert asked["keywords"] == ["ऑर्डर", "पिज़्ज़ा"]
    assert (engine.health.state, engine.health.jobs) == (WorkerState.UP, 0)
    assert engine.health.last_latency_ms is not None


async def test_silence_says_nothing(service: FakeDeepgram) -> None:
    service.pieces = [""]
    stream = deepgram(service).open(HINDI)
    stream.write(bytes(3200))
    assert (await stream.finish(deadline_s=20)).text == ""


async def test_what_goes_wrong_is_told(service: FakeDeepgram) -> None:
    engine = deepgram(service)
    service.status = HTTPStatus.UNAUTHORIZED
    with pytest.raises(EngineUnavailable, match="Invalid credentials"):
        await engine.open(HINDI).finish(deadline_s=20)
    assert (engine.health.state, engine.health.jobs) == (WorkerState.DOWN, 0)
    service.status = HTTPStatus.SWITCHING_PROTOCOLS
    service.dies = True
    stream = engine.open(HINDI)
    stream.write(bytes(320))
    with pytest.raises(EngineUnavailable, match="NET-0001"):
        await stream.finish(deadline_s=20)
    service.dies, service.error = False, True
    stream = engine.open(HINDI)
    stream.write(bytes(320))
    with pytest.raises(EngineError, match="bad audio"):
        await stream.finish(deadline_s=20)
    service.error = False
    assert (await engine.open(HINDI).finish(deadline_s=20)).text
    assert engine.health.state is WorkerState.UP


async def test_a_service_that_is_silent_is_late(service: FakeDeepgram) -> None:
    service.mute = True
    engine = deepgram(service)
    with pytest.raises(EngineTimeout):
        await engine.open(HINDI).finish(deadline_s=0.2)
    assert engine.health.jobs == 0


async def test_nobody_there() -> None:
    engine = DeepgramRecognizer("a key", address="ws://127.0.0.1:9")
    with pytest.raises(EngineUnavailable, match="cannot be reached"):
        await engine.open(HINDI).finish(deadline_s=20)


async def test_a_cancelled_turn_closes_its_connection(service: FakeDeepgram) -> None:
    engine = deepgram(service)
    stream = engine.open(HINDI, lambda _: None)
    stream.write(bytes(3200))
    async with asyncio.timeout(20):
        while not service.audio:
            await asyncio.sleep(0.01)
        stream.cancel()
        stream.cancel()
        while not service.closed:
            await asyncio.sleep(0.01)
    assert engine.health.jobs == 0
    with pytest.raises(EngineUnavailable, match="cancelled"):
        await stream.finish(deadline_s=20)


async def test_languages(service: FakeDeepgram) -> None:
    engine = deepgram(service)
    assert engine.supports(RecognitionRequest("en-IN", 8000))
    assert not engine.supports(RecognitionRequest("mr", 8000))
    with pytest.raises(EngineError, match="does not speak 'mr'"):
        engine.open(RecognitionRequest("mr", 8000))
