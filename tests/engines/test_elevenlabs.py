"""The adapter against a local server that speaks the documented API."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from engines.contract import EngineError, EngineTimeout, EngineUnavailable, SpeechRequest
from engines.tts.elevenlabs import ElevenLabsSynthesizer
from media.g711 import decode_ulaw, encode_ulaw
from tests.fakes.engines import tone

PCM = tone(400, 8000)
SOUND = encode_ulaw(PCM)


@dataclass
class FakeService:
    """Answers `POST /v1/text-to-speech/ID/stream` with a second of a tone in ten pieces, or as told."""

    status: int = 200
    answer: bytes = b""
    delay_s: float = 0.0
    pause_s: float = 0.0
    breaks_after: int | None = None
    paths: list[str] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    bodies: list[dict[str, object]] = field(default_factory=list)
    left: int = 0
    at_once: int = 0
    most_at_once: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                await self._one(head.decode(), reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _one(self, head: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        lines = head.split("\r\n")
        fields = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:])}
        self.paths.append(lines[0])
        self.keys.append(fields.get("xi-api-key", ""))
        self.bodies.append(json.loads(await reader.readexactly(int(fields["content-length"]))))
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await asyncio.sleep(self.delay_s)
            if self.status != 200:
                writer.write(
                    b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n" % (self.status, len(self.answer))
                    + self.answer
                )
                return
            writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            for number in range(10):
                if number == self.breaks_after:
                    writer.close()
                    return
                piece = SOUND[number * 800 : (number + 1) * 800]
                writer.write(b"%x\r\n%b\r\n" % (len(piece), piece))
                await writer.drain()
                await asyncio.sleep(self.pause_s)
            writer.write(b"0\r\n\r\n")
        except ConnectionError:
            self.left += 1
        finally:
            self.at_once -= 1


@pytest.fixture
def service() -> FakeService:
    return FakeService()


@pytest.fixture
async def engine(service: FakeService) -> AsyncIterator[ElevenLabsSynthesizer]:
    async with served(service) as address:
        engine = ElevenLabsSynthesizer(
            "secret-key", {"asha": "voice-1", "ravi": "voice-2"}, address=address, streams=2
        )
        await engine.start()
        yield engine
        await engine.close()


@asynccontextmanager
async def served(service: FakeService) -> AsyncIterator[str]:
    server = await asyncio.start_server(service.serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


async def speak(engine: ElevenLabsSynthesizer, request: SpeechRequest, deadline_s: float = 20) -> bytes:
    return b"".join([chunk async for chunk in engine.synthesize(request, deadline_s=deadline_s)])


HELLO = SpeechRequest("नमस्ते [laugh] जी", "hi-IN", "ravi", 1.5, emotion="excited", intensity=1.0)
HELLO_ASHA = SpeechRequest("Hello", "en", "asha")


async def test_it_asks_as_documented_and_gives_pcm(
    engine: ElevenLabsSynthesizer, service: FakeService
) -> None:
    pcm = await speak(engine, HELLO)
    assert len(pcm) == len(PCM)
    assert pcm == decode_ulaw(SOUND)
    assert service.paths == ["POST /v1/text-to-speech/voice-2/stream?output_format=ulaw_8000 HTTP/1.1"]
    assert service.keys == ["secret-key"]
    assert service.bodies == [
        {
            "text": "नमस्ते जी",
            "model_id": "eleven_flash_v2_5",
            "language_code": "hi",
            "voice_settings": {"stability": 0.1, "style": 1.0, "speed": 1.2},
            "apply_text_normalization": "off",
        }
    ]
    await speak(engine, SpeechRequest("Hello", "en"))
    assert "/voice-1/" in service.paths[-1]


@pytest.mark.parametrize(
    ("status", "answer", "told"),
    [
        (401, b'{"detail": {"status": "quota_exceeded", "message": "for your text"}}', "401: quota_exceeded"),
        (422, b'{"detail": [{"msg": "your text"}]}', "422: no reason given"),
        (429, b"", "429: no reason given"),
        (503, b"x" * 100_000, "503: no reason given"),
    ],
)
async def test_a_refusal_is_told_without_the_text(
    engine: ElevenLabsSynthesizer, service: FakeService, status: int, answer: bytes, told: str
) -> None:
    service.status, service.answer = status, answer
    with pytest.raises(EngineUnavailable, match=told) as refused:
        await speak(engine, HELLO)
    assert "your text" not in str(refused.value)


async def test_a_service_that_is_slow_breaks_off_or_is_away_is_told_in_time(service: FakeService) -> None:
    async with served(service) as address:
        engine = ElevenLabsSynthesizer("key", {"asha": "voice-1"}, address=address)
        service.delay_s = 20
        with pytest.raises(EngineTimeout, match="before the deadline"):
            await speak(engine, HELLO_ASHA, deadline_s=0.1)
        service.delay_s, service.breaks_after = 0, 3
        with pytest.raises(EngineUnavailable, match="RemoteProtocolError"):
            await speak(engine, HELLO_ASHA)
    with pytest.raises(EngineUnavailable, match="ConnectError"):
        await speak(engine, HELLO_ASHA)
    await engine.close()


async def test_a_barge_in_ends_the_request_and_frees_its_place(
    engine: ElevenLabsSynthesizer, service: FakeService
) -> None:
    service.pause_s = 0.01
    for _ in range(4):  # twice as many as may run at once
        stream = engine.synthesize(HELLO, deadline_s=20)
        await anext(stream)
        await stream.aclose()
    assert await speak(engine, HELLO)


async def test_no_more_than_the_account_allows_run_at_once(
    engine: ElevenLabsSynthesizer, service: FakeService
) -> None:
    service.pause_s = 0.005
    got = await asyncio.gather(*(speak(engine, HELLO) for _ in range(6)))
    assert {len(pcm) for pcm in got} == {len(PCM)}
    assert service.most_at_once == 2
    service.delay_s = 20
    busy = [asyncio.create_task(speak(engine, HELLO)) for _ in range(2)]
    async with asyncio.timeout(20):
        while service.at_once < 2:
            await asyncio.sleep(0.005)
    with pytest.raises(EngineTimeout, match="all of its streams are in use"):
        await speak(engine, HELLO, deadline_s=0.05)
    for task in busy:
        task.cancel()
    await asyncio.gather(*busy, return_exceptions=True)


async def test_what_it_does_not_know_is_told(engine: ElevenLabsSynthesizer, service: FakeService) -> None:
    assert engine.voices("hi") == {"asha", "ravi"}
    with pytest.raises(EngineError, match="does not speak 'mr'"):
        await speak(engine, SpeechRequest("नमस्कार", "mr"))
    with pytest.raises(EngineError, match="no voice 'x'; it has asha, ravi"):
        await speak(engine, SpeechRequest("Hello", "en", "x"))
    assert service.paths == []
    with pytest.raises(ValueError, match="at least one voice"):
        ElevenLabsSynthesizer("key", {})
