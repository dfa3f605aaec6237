"""Engines for tests: a synthesiser of tones and a recogniser with a script, both in this process, with
settable faults.
"""

from __future__ import annotations

import asyncio
import math
import struct
from collections import deque
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Final

from engines.contract import (
    EngineError,
    EngineTimeout,
    EngineUnavailable,
    OnPartial,
    RecognitionRequest,
    SpeechRequest,
    Synthesizer,
    Transcript,
)
from engines.routing.routes import HEARD, SPOKEN, Chain, Routes
from engines.routing.watch import Watch
from engines.tts.router import SpeechRouter

RATE: Final = 8000
CHUNK_SAMPLES: Final = 800


def routes_by_language(chains: Mapping[str, Sequence[str]], hedge_s: float = 20.0) -> Routes:
    """The same chain for each purpose; nothing is late unless a test says so."""
    return Routes(
        hedge_s,
        {
            language: {purpose: Chain(tuple(names), hedge_s) for purpose in (*SPOKEN, *HEARD)}
            for language, names in chains.items()
        },
    )


def routed(
    *voices: Synthesizer, deadline_s: float = 20.0, hedge_s: float = 20.0, watch: Watch | None = None
) -> SpeechRouter:
    """Voices in turn, whatever the language."""
    names = [f"voice {number}" for number, _ in enumerate(voices[:-1], start=1)]
    routes = routes_by_language(dict.fromkeys(("hi", "mr", "en"), names), hedge_s)
    named = dict(zip(names, voices, strict=False))
    return SpeechRouter(routes, named, voices[-1:], deadline_s=deadline_s, embedded="last", watch=watch)


def tone_of(text: str) -> int:
    """The pitch in Hz in which the text is "spoken": of 300, 310 ... 1290, the same for the same text."""
    return 300 + 10 * (sum(text.encode()) % 100)


@cache
def tone(hertz: int, samples: int, rate: int = RATE, amplitude: int = 8000) -> bytes:
    """PCM of a sine that starts at phase zero."""
    step = 2 * math.pi * hertz / rate
    return struct.pack(f"<{samples}h", *(round(amplitude * math.sin(step * i)) for i in range(samples)))


@dataclass
class ToneSynthesizer:
    """Speaks each text as a tone of its own pitch (`tone_of`), `ms_per_character` long.

    `delay_s` passes before the first chunk, `chunk_delay_s` before each further one. `failures` are raised,
    one for each request, before anything is spoken; `breaks_after` chunks the worker "dies" in the middle.
    """

    languages: frozenset[str] = frozenset({"hi", "mr", "en"})
    known_voices: frozenset[str] = frozenset({"low", "high"})
    ms_per_character: int = 50
    delay_s: float = 0.0
    chunk_delay_s: float = 0.0
    breaks_after: int | None = None
    failures: deque[EngineError] = field(default_factory=deque)
    requests: list[SpeechRequest] = field(default_factory=list)
    cancelled: list[str] = field(default_factory=list)
    name: str = "tone"
    version: str = "1"
    sample_rate: int = RATE

    def supports(self, language: str) -> bool:
        return language.partition("-")[0] in self.languages

    def voices(self, language: str) -> frozenset[str]:
        return self.known_voices

    def pcm(self, text: str) -> bytes:
        """All that `synthesize` yields for the text."""
        return tone(tone_of(text), len(text) * self.ms_per_character * RATE // 1000)

    async def synthesize(self, request: SpeechRequest, *, deadline_s: float) -> AsyncGenerator[bytes, None]:
        self.requests.append(request)
        if self.failures:
            raise self.failures.popleft()
        pcm = self.pcm(request.text)
        size = CHUNK_SAMPLES * 2
        finished = False
        try:
            for number, at in enumerate(range(0, len(pcm), size)):
                if number == self.breaks_after:
                    raise EngineUnavailable("the worker died")
                await _work(self.delay_s if number == 0 else self.chunk_delay_s, deadline_s)
                yield pcm[at : at + size]
            finished = True
        finally:
            if not finished:
                self.cancelled.append(request.text)


@dataclass
class ScriptedStream:
    """One utterance; remembers what it was given."""

    engine: ScriptedRecognizer
    request: RecognitionRequest
    audio: bytearray = field(default_factory=bytearray)
    cancelled: bool = False
    on_partial: OnPartial | None = None

    def partial(self, text: str) -> None:
        """So much is heard by now."""
        if self.on_partial is not None and not self.cancelled:
            self.on_partial(Transcript(text, self.request.language, 0.0, final=False, stable=len(text)))

    def write(self, pcm: bytes) -> None:
        self.audio += pcm

    async def finish(self, *, deadline_s: float) -> Transcript:
        if self.cancelled:
            raise EngineUnavailable("the utterance was cancelled")
        await _work(self.engine.delay_s, deadline_s)
        if self.engine.failures:
            raise self.engine.failures.popleft()
        text, confidence = self.engine.next_answer()
        return Transcript(text, self.request.language, confidence)

    def cancel(self) -> None:
        self.cancelled = True


class ScriptedRecognizer:
    """Answers the given texts in order, whatever is said, and "" when they are used up.

    An answer is a text, or a text with its confidence. `failures` are raised, one for each `finish`.
    """

    name: Final = "scripted"
    version: Final = "1"

    def __init__(self, answers: Iterable[str | tuple[str, float]] = (), *, free_speech: bool = True) -> None:
        self.answers = deque(answers)
        self.free_speech = free_speech
        self.available = True
        self.delay_s = 0.0
        self.failures: deque[EngineError] = deque()
        self.streams: list[ScriptedStream] = []

    def supports(self, request: RecognitionRequest) -> bool:
        return self.free_speech or bool(request.phrases)

    def open(self, request: RecognitionRequest, on_partial: OnPartial | None = None) -> ScriptedStream:
        if not self.available:
            raise EngineUnavailable("the worker is down")
        stream = ScriptedStream(self, request, on_partial=on_partial)
        self.streams.append(stream)
        return stream

    def next_answer(self) -> tuple[str, float]:
        if not self.answers:
            return "", 0.0
        answer = self.answers.popleft()
        return (answer, 0.9) if isinstance(answer, str) else answer


async def _work(time_s: float, deadline_s: float) -> None:
    if time_s > deadline_s:
        await asyncio.sleep(deadline_s)
        raise EngineTimeout("no answer before the deadline")
    await asyncio.sleep(time_s)
