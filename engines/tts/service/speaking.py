"""From a text to sound: by sentence, normalised, with the first engine of the chain that gives audio."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from enum import Enum
from typing import Final

from engines.contract import (
    EngineDown,
    EngineError,
    EngineUnavailable,
    SpeechRequest,
    Synthesizer,
    VoiceReference,
    base_of,
)
from engines.routing.board import Board
from engines.service.errors import ServiceError, bad_request
from engines.service.metrics import ServiceMetrics
from engines.settled import in_use, settled
from engines.tts.emotion import spoken_parts
from engines.tts.sentences import sentences

_log = logging.getLogger(__name__)


class Outcome(Enum):
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


Normaliser = Callable[[str, str], str]
"""(text, language) to the same in words: figures, money, dates and signs are left to no engine."""

_LONGEST_WAY_S: Final = 0.01
"""A chunk holds 60 ms of sound or more: no listener hears that he waited."""

_SLOWEST: Final = 0.5
_FASTEST: Final = 2.0


@dataclass(frozen=True, slots=True)
class Order:
    """What one request wants. `engines` are tried in turn until one gives sound."""

    text: str
    language: str
    engines: Sequence[Synthesizer]
    voice: str = ""
    speed: float = 1.0
    emotion: str = "neutral"
    intensity: float = 0.5
    reference: VoiceReference | None = None


class Spoken:
    """Sound that has begun, all of it at `rate` Hz. Whoever takes it closes it, however far it was heard."""

    def __init__(
        self,
        engine: Synthesizer,
        first: bytes,
        rest: AsyncGenerator[bytes, None],
        first_audio_s: float,
        on_end: Callable[[Spoken, Outcome], None],
        give_way: Callable[[], Awaitable[None]],
    ) -> None:
        self.engine = engine
        self.rate = engine.sample_rate
        self.first_audio_s = first_audio_s
        self.audio_s = 0.0
        """Of sound so far."""
        self._first = first
        self._rest = rest
        self._on_end = on_end
        self._give_way = give_way
        self._outcome = Outcome.CANCELLED
        self._closed = False

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """PCM as it is made; raises `EngineError` where the engine breaks off."""
        try:
            yield self._counted(self._first)
            await self._give_way()
            async for chunk in self._rest:
                yield self._counted(chunk)
                await self._give_way()
            self._outcome = Outcome.DONE
        except EngineError:
            self._outcome = Outcome.FAILED
            raise

    async def close(self) -> None:
        """Ends the generation where it still runs; allowed more than once."""
        if not self._closed:
            self._closed = True
            try:
                await self._rest.aclose()
            finally:
                self._on_end(self, self._outcome)

    def _counted(self, chunk: bytes) -> bytes:
        self.audio_s += len(chunk) / 2 / self.rate
        return chunk


class Speaker:
    """Speaks the texts of all clients, at most `most_streams` at once."""

    def __init__(
        self,
        normalise: Normaliser,
        metrics: ServiceMetrics,
        *,
        deadline_s: float = 10.0,
        most_streams: int = 200,
    ) -> None:
        """`deadline_s` is each engine's time to the first audio of a sentence."""
        self._normalise = normalise
        self._metrics = metrics
        self._deadline_s = deadline_s
        self._most_streams = most_streams
        self._board = Board()
        self._streams = 0
        self._beginning = 0
        self._all_began = asyncio.Event()
        self._chunk = asyncio.Lock()
        metrics.watch_streams(lambda: self._streams)

    async def begin(self, order: Order) -> Spoken:
        """Waits for the first sound. Raises `ServiceError` when there is nothing to say or too much is going
        on, and the last engine's `EngineError` when none could speak.
        """
        if self._streams >= self._most_streams:
            raise ServiceError(
                503,
                f"{self._most_streams} streams are open, more are not allowed",
                code="overloaded",
                headers={"Retry-After": "1"},
            )
        self._streams += 1
        self._beginning += 1
        self._all_began.clear()
        begun = False
        try:
            spoken = await self._first_that_speaks(order)
            begun = True
            return spoken
        finally:
            self._beginning -= 1
            if not self._beginning:
                self._all_began.set()
            if not begun:
                self._streams -= 1

    async def _give_way(self) -> None:
        """Between the chunks of a stream, which is ahead of its listener: who waits for his first sound comes
        first. And one stream has its chunk in a turn of the loop: a new request takes some turns, and is not
        held up by all of them in each.
        """
        if self._beginning:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LONGEST_WAY_S):
                    await self._all_began.wait()
        async with self._chunk:
            await asyncio.sleep(0)

    async def _first_that_speaks(self, order: Order) -> Spoken:
        failure: EngineError = EngineUnavailable("no engine is set up for this language")
        now = asyncio.get_running_loop().time
        # Those that failed again and again of late come after all others.
        row = sorted(map(settled, order.engines), key=lambda one: self._board.left_alone(one.name, now()))
        for engine in row:
            self._board.admits(engine.name, now())
            asked_at = time.perf_counter()
            sound = self._sound(engine, order)
            try:
                first = await anext(sound, b"")
            except EngineError as error:
                self._metrics.failed(engine.name)
                if isinstance(error, EngineDown):
                    self._board.gave_up(engine.name)
                else:
                    self._board.failed(engine.name, now())
                _log.warning("%s: %s", engine.name, error)
                failure = error
                continue
            except asyncio.CancelledError:
                self._metrics.cancelled(engine.name)
                self._board.gave_up(engine.name)
                raise
            if not first:
                self._board.gave_up(engine.name)
                raise bad_request(
                    "there is nothing to say: the text has no words", code="nothing_to_say", param="input"
                )
            took_s = time.perf_counter() - asked_at
            return Spoken(engine, first, sound, took_s, self._ended, self._give_way)
        raise failure

    def _ended(self, spoken: Spoken, outcome: Outcome) -> None:
        self._streams -= 1
        name = spoken.engine.name
        if outcome is Outcome.FAILED:
            self._board.failed(name, asyncio.get_running_loop().time())
        else:
            self._board.succeeded(name)
        if outcome is Outcome.DONE:
            self._metrics.done(name, spoken.first_audio_s, spoken.audio_s)
        elif outcome is Outcome.FAILED:
            self._metrics.failed(name)
        else:
            self._metrics.cancelled(name)

    async def _sound(self, engine: Synthesizer, order: Order) -> AsyncGenerator[bytes, None]:
        with in_use(engine):
            for words in self._words(order):
                request = SpeechRequest(
                    words,
                    order.language,
                    order.voice,
                    min(_FASTEST, max(_SLOWEST, order.speed)),
                    order.emotion,
                    order.intensity,
                    order.reference,
                )
                async with aclosing(engine.synthesize(request, deadline_s=self._deadline_s)) as sound:
                    async for chunk in sound:
                        yield chunk

    def _words(self, order: Order) -> Iterator[str]:
        """Sentence by sentence, each normalised when its turn comes: the first is not kept waiting for the
        rest.
        """
        base = base_of(order.language)
        for sentence in sentences(order.text, base):
            # A dash or a lone mark is nothing to say.
            if any(character.isalnum() for character in sentence):
                parts = spoken_parts(sentence)
                yield "".join(part if tag else self._normalise(part, base) for part, tag in parts)
