"""One text to one voice, one recording to one recogniser, outside of any call: to hear and see how they do.

The engines are those of the calls. A trial is made as what nobody waits for: a voice serves live calls first.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping
from contextlib import aclosing, contextmanager
from dataclasses import dataclass
from typing import Final

from engines.contract import RecognitionRequest, Recognizer, SpeechRequest, Synthesizer, Transcript
from ivr.flow.sayas import known_languages, normalise

AT_ONCE: Final = 2
"""Trials that are under way at a time: they take from the same engines as calls."""

FIRST_AUDIO_S: Final = 10.0
SPOKEN_S: Final = 60.0
"""Of audio; what a voice goes on to say is cut."""

HEARD_S: Final = 15.0
_CHUNK_S: Final = 0.1
_PHRASE: Final = ("hello",)


class TrialRefused(Exception):
    """It cannot be tried so; `field` is what is wrong."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class UnknownTrialEngine(Exception):
    """`known` are those there are of this kind."""

    def __init__(self, name: str, known: tuple[str, ...]) -> None:
        super().__init__(f"there is no engine {name!r}")
        self.known = known


class TrialsBusy(Exception):
    """As many as may be are under way."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """Mono 16-bit PCM at `rate`. `said` is what the engine was given: figures and signs in words."""

    pcm: bytes
    rate: int
    said: str
    first_audio_s: float
    took_s: float
    cut: bool

    @property
    def audio_s(self) -> float:
        return len(self.pcm) / 2 / self.rate


@dataclass(frozen=True, slots=True)
class Heard:
    """`wait_s` is from the end of the audio to the transcript."""

    transcript: Transcript
    audio_s: float
    wait_s: float


@dataclass(frozen=True, slots=True)
class VoiceChoice:
    """A voice engine, and the voices that it has in each language that it speaks."""

    engine: str
    voices: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class RecogniserChoice:
    """A recogniser, the languages that it hears, and those in which it hears more than phrases."""

    engine: str
    languages: tuple[str, ...]
    free: tuple[str, ...]


class Trials:
    """`voices` and `recognizers` are engines by the names under which they are shown."""

    def __init__(self, voices: Mapping[str, Synthesizer], recognizers: Mapping[str, Recognizer]) -> None:
        self._voices = dict(voices)
        self._recognizers = dict(recognizers)
        self._under_way = 0

    def voices(self) -> tuple[VoiceChoice, ...]:
        return tuple(
            VoiceChoice(
                name,
                {lang: tuple(sorted(one.voices(lang))) for lang in known_languages() if one.supports(lang)},
            )
            for name, one in self._voices.items()
        )

    def recognisers(self) -> tuple[RecogniserChoice, ...]:
        def heard(one: Recognizer, phrases: tuple[str, ...]) -> tuple[str, ...]:
            asked = {lang: RecognitionRequest(lang, 8000, phrases) for lang in known_languages()}
            return tuple(lang for lang, request in asked.items() if one.supports(request))

        return tuple(
            RecogniserChoice(name, heard(one, _PHRASE), heard(one, ()))
            for name, one in self._recognizers.items()
        )

    async def speak(self, engine: str, request: SpeechRequest) -> Spoken:
        """The text as calls would hear it. Raises `TrialRefused`, `UnknownTrialEngine`, `TrialsBusy`,
        `EngineError`."""
        voice = self._voices.get(engine)
        if voice is None:
            raise UnknownTrialEngine(engine, tuple(self._voices))
        _check_language(request.language)
        if not voice.supports(request.language):
            raise TrialRefused("language", f"{engine} does not speak {request.language}")
        if request.voice and request.voice not in voice.voices(request.language):
            known = ", ".join(sorted(voice.voices(request.language))[:20]) or "none but its own"
            raise TrialRefused("voice", f"{engine} has no voice {request.voice!r}: {known}")
        with self._one():
            began = time.monotonic()
            first, pcm, most = 0.0, bytearray(), int(SPOKEN_S * voice.sample_rate) * 2
            async with aclosing(voice.synthesize(request, deadline_s=FIRST_AUDIO_S)) as chunks:
                async for chunk in chunks:
                    first = first or time.monotonic() - began
                    pcm += chunk
                    if len(pcm) >= most:
                        break
            took = time.monotonic() - began
        cut = len(pcm) >= most
        return Spoken(bytes(pcm[:most]), voice.sample_rate, request.text, first, took, cut)

    async def hear(self, engine: str, request: RecognitionRequest, pcm: bytes) -> Heard:
        """What the recogniser makes of mono 16-bit audio at the request's rate. Raises as `speak`."""
        recognizer = self._recognizers.get(engine)
        if recognizer is None:
            raise UnknownTrialEngine(engine, tuple(self._recognizers))
        _check_language(request.language)
        if not recognizer.supports(request):
            what = "with these phrases" if request.phrases else "without phrases: name what may be said"
            raise TrialRefused("phrases", f"{engine} does not hear {request.language} {what}")
        with self._one():
            stream = recognizer.open(request)
            try:
                chunk = int(_CHUNK_S * request.rate) * 2
                for start in range(0, len(pcm), chunk):
                    stream.write(pcm[start : start + chunk])
                    await asyncio.sleep(0)
                ended = time.monotonic()
                transcript = await stream.finish(deadline_s=HEARD_S)
            finally:
                stream.cancel()
        return Heard(transcript, len(pcm) / 2 / request.rate, time.monotonic() - ended)

    @contextmanager
    def _one(self) -> Iterator[None]:
        if self._under_way >= AT_ONCE:
            raise TrialsBusy
        self._under_way += 1
        try:
            yield
        finally:
            self._under_way -= 1


def speech_of(
    text: str,
    language: str,
    voice: str = "",
    emotion: str = "neutral",
    intensity: float = 0.5,
    speed: float = 1.0,
) -> SpeechRequest:
    """A request as the server makes them of prompts: without figures and signs. Raises `TrialRefused`."""
    _check_language(language)
    said = normalise(text, language)
    if not any(sign.isalnum() for sign in said):
        raise TrialRefused("text", "holds nothing that can be spoken")
    return SpeechRequest(said, language, voice, speed, emotion, intensity, waited_for=False)


def _check_language(language: str) -> None:
    if language not in known_languages():
        raise TrialRefused("language", f"is none of {', '.join(known_languages())}")
