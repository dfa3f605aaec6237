"""The ASR service over scripted recognisers, and over pocketsphinx; each on a port of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from engines.contract import EngineError, OnPartial, RecognitionRequest, Segment, Transcript, Word
from engines.service.asr.app import create_app
from engines.service.asr.roster import Roster
from engines.service.asr.transcriptions import Bounds
from engines.service.keys import Keys
from engines.service.metrics import ServiceMetrics
from engines.service.serving import served
from engines.supervisor import WorkerHealth, WorkerState

KEY = "a key of the tests"
WORDS = Transcript(
    "मेरा ऑर्डर",
    "hi",
    0.8,
    segments=(Segment("मेरा ऑर्डर", 0.25, 1.5, (Word("मेरा", 0.25, 0.75, 0.9), Word("ऑर्डर", 0.75, 1.5, 0.7))),),
)


@dataclass
class Scripted:
    """A recogniser that says `answer` whatever it hears; `failure` is raised instead. It remembers all."""

    name: str = "scripted"
    version: str = "1"
    answer: Transcript = WORDS
    failure: EngineError | None = None
    held: asyncio.Event | None = None
    up: bool = True
    requests: list[RecognitionRequest] = field(default_factory=list)
    audio: list[bytes] = field(default_factory=list)
    cancelled: int = 0

    @property
    def health(self) -> WorkerHealth:
        state = WorkerState.UP if self.up else WorkerState.DOWN
        return WorkerHealth(self.name, state, 0, 0, 1 if self.up else None, 1, None, "")

    async def start(self) -> None: ...

    async def close(self) -> None: ...

    def supports(self, request: RecognitionRequest) -> bool:
        return request.language in ("", "hi", "en")

    def open(self, request: RecognitionRequest, on_partial: OnPartial | None = None) -> ScriptedUtterance:
        if self.failure:
            raise self.failure
        self.requests.append(request)
        return ScriptedUtterance(self, on_partial)

    async def detect(
        self, pcm: bytes, request: RecognitionRequest, *, deadline_s: float
    ) -> list[tuple[str, float]]:
        self.audio.append(pcm)
        return [("hi", 0.9), ("mr", 0.1)]


class ScriptedUtterance:
    def __init__(self, engine: Scripted, on_partial: OnPartial | None) -> None:
        self._engine = engine
        self._on_partial = on_partial
        self._pcm = bytearray()
        self._open = True

    def write(self, pcm: bytes) -> None:
        self._pcm += pcm
        if self._on_partial and len(self._pcm) > 8000:
            self._on_partial(Transcript("मेरा", "hi", 0.0, final=False, stable=2))
            self._on_partial = None

    async def finish(self, *, deadline_s: float) -> Transcript:
        if self._engine.held:
            await self._engine.held.wait()
        if self._engine.failure:
            raise self._engine.failure
        self._engine.audio.append(bytes(self._pcm))
        self._open = False
        return self._engine.answer

    def cancel(self) -> None:
        self._engine.cancelled += self._open
        self._open = False


class ScriptedVad:
    """Speech is where a frame is not silent."""

    def __init__(self) -> None:
        self.streams = 0

    def open(self, on_probability: Callable[[float, int], None]) -> Any:
        self.streams += 1
        return _VadStream(self, on_probability)


class _VadStream:
    def __init__(self, vad: ScriptedVad, on_probability: Callable[[float, int], None]) -> None:
        self._vad = vad
        self._on_probability = on_probability
        self._pending = b""
        self._sample = 0
        self._open = True

    def write(self, frame: bytes) -> None:
        self._pending += frame
        while len(self._pending) >= 512 and self._open:
            chunk, self._pending = self._pending[:512], self._pending[512:]
            self._sample += 256
            self._on_probability(float(any(chunk)), self._sample)

    def close(self) -> None:
        self._vad.streams -= self._open
        self._open = False


@pytest.fixture
def engine() -> Scripted:
    return Scripted()


@pytest.fixture
def vad() -> ScriptedVad:
    return ScriptedVad()


@asynccontextmanager
async def service_of(vad: ScriptedVad, keys: dict[str, str], *engines: Scripted) -> AsyncIterator[str]:
    """A service over the engines, with a real socket: its address."""
    app = create_app(
        Roster({engine.name: engine for engine in engines}),
        vad,
        ServiceMetrics("asr"),
        Keys(keys),
        bounds=Bounds(audio_s=60, work_s=20),
        body_bytes=4_000_000,
        most_streams=3,
    )
    async with served(app, "127.0.0.1", 0, drain_s=1) as url:
        yield url


@pytest.fixture
async def url(engine: Scripted, vad: ScriptedVad) -> AsyncIterator[str]:
    second = Scripted("second", answer=Transcript("second", "en", 0.5))
    async with service_of(vad, {"tests": KEY}, engine, second) as url:
        yield url


@pytest.fixture
async def client(url: str) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"Authorization": f"Bearer {KEY}"}
    async with httpx.AsyncClient(base_url=url, headers=headers, trust_env=False, timeout=30) as client:
        yield client
