"""A place in a chain: it looks like the engine that has it, and gives it to another without a stream that
notices.

What has begun stays with the engine that it began with; what comes next goes to the one that is there then.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing, contextmanager
from typing import Generic, Protocol, TypeVar

from engines.asr.roster import AsrEngine
from engines.contract import (
    EngineError,
    EngineUnavailable,
    OnPartial,
    RecognitionRequest,
    RecognizerStream,
    SpeechRequest,
    Transcript,
)
from engines.supervisor import WorkerHealth, WorkerState
from engines.tts.roster import TtsEngine, health_of


class Placed(Protocol):
    """What engines of both kinds have."""

    @property
    def name(self) -> str: ...

    @property
    def version(self) -> str: ...

    async def start(self) -> None: ...

    async def close(self) -> None: ...


E = TypeVar("E", bound=Placed)


class Seat(Generic[E]):
    """Who has a place, and how much is under way with whoever had it. `last` has it, or had it last."""

    def __init__(self, engine: E) -> None:
        self.last = engine
        self.empty = ""
        """Why nobody has it now, in words."""
        self._uses: Counter[int] = Counter()
        self._ended = asyncio.Event()

    def give(self, engine: E) -> None:
        self.last, self.empty = engine, ""

    def leave_empty(self, why: str) -> None:
        self.empty = why

    @property
    def engine(self) -> E:
        """Raises `EngineUnavailable` while nobody has the place: the chain goes on with the next."""
        if self.empty:
            raise EngineUnavailable(self.empty)
        return self.last

    def begin(self, engine: E) -> None:
        """Something begins with it, which ends with `end`."""
        self._uses[id(engine)] += 1

    def end(self, engine: E) -> None:
        self._uses[id(engine)] -= 1
        self._ended.set()

    @contextmanager
    def using(self, engine: E) -> Iterator[None]:
        self.begin(engine)
        try:
            yield
        finally:
            self.end(engine)

    async def idle(self, engine: E, wait_s: float) -> int:
        """Waits until nothing is under way with it; how much still is, after `wait_s` at most."""
        deadline = asyncio.get_running_loop().time() + wait_s
        try:
            async with asyncio.timeout_at(deadline):
                while self._uses[id(engine)]:
                    self._ended.clear()
                    await self._ended.wait()
        except TimeoutError:
            pass
        return self._uses.pop(id(engine), 0)

    async def start(self) -> None:
        """The one that has the place now, unless it runs already: another one may have taken it over."""
        if not self.empty and health_of(self.last).state is WorkerState.DOWN:
            await self.last.start()

    async def close(self) -> None:
        await self.last.close()


class Place(Generic[E]):
    """Looks like the engine that has it; `seat` says whose it is."""

    def __init__(self, engine: E) -> None:
        self.seat = Seat(engine)

    @property
    def name(self) -> str:
        return self.seat.last.name

    @property
    def version(self) -> str:
        return self.seat.last.version

    @property
    def health(self) -> WorkerHealth:
        """A place that nobody has is down, and says why."""
        seat = self.seat
        if seat.empty:
            return WorkerHealth(seat.last.name, WorkerState.DOWN, 0, 0, None, None, None, seat.empty)
        return health_of(seat.last)

    async def start(self) -> None:
        """Raises `EngineError`."""
        await self.seat.start()

    async def close(self) -> None:
        await self.seat.close()


class VoicePlace(Place[TtsEngine]):
    """See `Synthesizer`."""

    @property
    def sample_rate(self) -> int:
        return self.seat.last.sample_rate

    def supports(self, language: str) -> bool:
        return self.seat.last.supports(language)

    def voices(self, language: str) -> frozenset[str]:
        return self.seat.last.voices(language)

    def now(self) -> SettledVoice:
        """See `engines.settled`."""
        return SettledVoice(self.seat)

    def synthesize(self, request: SpeechRequest, *, deadline_s: float) -> AsyncGenerator[bytes, None]:
        """See `Synthesizer`."""
        return self.now().synthesize(request, deadline_s=deadline_s)

    async def forget(self, key: str) -> None:
        forget = getattr(self.seat.last, "forget", None)
        if forget is not None:
            await forget(key)


class SettledVoice:
    """The voice that has a place now, and goes on to be that one."""

    def __init__(self, seat: Seat[TtsEngine]) -> None:
        self._seat = seat
        self._engine = seat.last
        self._missing = seat.empty

    @property
    def name(self) -> str:
        return self._engine.name

    @property
    def version(self) -> str:
        return self._engine.version

    @property
    def sample_rate(self) -> int:
        return self._engine.sample_rate

    def supports(self, language: str) -> bool:
        return self._engine.supports(language)

    def voices(self, language: str) -> frozenset[str]:
        return self._engine.voices(language)

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """See `engines.settled`."""
        with self._seat.using(self._engine):
            yield

    async def synthesize(self, request: SpeechRequest, *, deadline_s: float) -> AsyncGenerator[bytes, None]:
        """See `Synthesizer`."""
        if self._missing:
            raise EngineUnavailable(self._missing)
        with self.in_use():
            async with aclosing(self._engine.synthesize(request, deadline_s=deadline_s)) as sound:
                async for chunk in sound:
                    yield chunk


class RecogniserPlace(Place[AsrEngine]):
    """See `Recognizer`."""

    def supports(self, request: RecognitionRequest) -> bool:
        return self.seat.last.supports(request)

    def open(self, request: RecognitionRequest, on_partial: OnPartial | None = None) -> RecognizerStream:
        """See `Recognizer`."""
        engine = self.seat.engine
        return _PlacedStream(self.seat, engine, engine.open(request, on_partial))

    async def transcribe(
        self, pcm: bytes, request: RecognitionRequest, *, idle_s: float, deadline_s: float
    ) -> Transcript:
        """A whole recording; one utterance for an engine that has no other way."""
        engine = self.seat.engine
        with self.seat.using(engine):
            if (transcribe := getattr(engine, "transcribe", None)) is not None:
                found: Transcript = await transcribe(pcm, request, idle_s=idle_s, deadline_s=deadline_s)
                return found
            stream = engine.open(request)
            try:
                stream.write(pcm)
                return await stream.finish(deadline_s=deadline_s)
            finally:
                stream.cancel()

    async def detect(
        self, pcm: bytes, request: RecognitionRequest, *, deadline_s: float
    ) -> list[tuple[str, float]]:
        """Languages with their probabilities; raises `EngineError` where the engine finds out none."""
        engine = self.seat.engine
        detect = getattr(engine, "detect", None)
        if detect is None:
            raise EngineError(f"{engine.name} does not find out languages")
        with self.seat.using(engine):
            found: list[tuple[str, float]] = await detect(pcm, request, deadline_s=deadline_s)
            return found


class _PlacedStream:
    """An utterance that keeps its engine until it has its transcript, or is dropped."""

    def __init__(self, seat: Seat[AsrEngine], engine: AsrEngine, stream: RecognizerStream) -> None:
        self._seat = seat
        self._engine: AsrEngine | None = engine
        self._stream = stream
        seat.begin(engine)

    def write(self, pcm: bytes) -> None:
        self._stream.write(pcm)

    async def finish(self, *, deadline_s: float) -> Transcript:
        try:
            return await self._stream.finish(deadline_s=deadline_s)
        finally:
            self._let_go()

    def cancel(self) -> None:
        self._stream.cancel()
        self._let_go()

    def _let_go(self) -> None:
        engine, self._engine = self._engine, None
        if engine is not None:
            self._seat.end(engine)
