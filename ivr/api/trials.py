"""The routes to try voices and recognisers: a text in and audio out, a recording in and its words out."""

from __future__ import annotations

import asyncio
import base64
import io
import wave
from typing import Annotated, Any, Final, get_args

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from engines.contract import EngineError, RecognitionRequest
from engines.tts.emotion import EMOTIONS
from ivr.api.audited import nothing_done
from ivr.api.auth import Keys
from ivr.api.calls import errors
from ivr.api.gateway import Gateway
from ivr.api.problems import ENGINE_FAILED, INVALID, NO_ENGINE, TRIALS_BUSY, ProblemError, fields
from ivr.trials import TrialRefused, TrialsBusy, UnknownTrialEngine, speech_of
from media import wav
from media.resample import resample_clip

MOST_BYTES: Final = 3 * 1024 * 1024
"""Of a recording: half a minute at 48 kHz."""

MOST_S: Final = 30.0
LEAST_S: Final = 0.1
PATH: Final = "/api/voice/recognisers/try"
_NAME: Final = r"^[a-z0-9][a-z0-9#-]{0,63}$"
_WAV: Final = "audio/wav"
_RATES: Final = (8000, 16000)
_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "description": "A WAV file of 16-bit PCM, mono, 8 to 48 kHz, 30 s and 3 MiB at most",
        "content": {_WAV: {"schema": {"type": "string", "format": "binary"}}},
    }
}


class VoiceEngine(BaseModel):
    """A voice engine, with its voices by the languages that it speaks."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"engine": "kokoro", "voices": {"hi": ["hf_alpha"], "en": ["af_bella"]}}]
        }
    )

    engine: str
    voices: dict[str, list[str]] = Field(description='Beside "", the engine\'s own choice')


class VoiceEngines(BaseModel):
    voices: list[VoiceEngine]
    emotions: list[str] = Field(description="What may be asked for; an engine leaves out what it lacks")


class RecogniserEngine(BaseModel):
    """A recogniser: `free` are the languages in which it needs no phrases."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"engine": "pocketsphinx", "languages": ["hi", "en"], "free": []}]}
    )

    engine: str
    languages: list[str]
    free: list[str]


class RecogniserEngines(BaseModel):
    recognisers: list[RecogniserEngine]


class VoiceTry(BaseModel):
    """A text for one voice."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"engine": "espeak", "text": "आपका ऑर्डर 20 मिनट में आएगा।", "language": "hi"}]
        },
    )

    engine: str = Field(pattern=_NAME)
    text: str = Field(min_length=1, max_length=500)
    language: str
    voice: str = Field(default="", max_length=100)
    emotion: str = Field(default="neutral", pattern=f"^({'|'.join(EMOTIONS)})$")
    intensity: float = Field(default=0.5, ge=0, le=1)
    speed: float = Field(default=1.0, ge=0.5, le=2)


class VoiceTried(BaseModel):
    """How it went; the audio is a WAV file, in base64."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "engine": "espeak",
                    "said": "आपका ऑर्डर बीस मिनट में आएगा।",
                    "first_audio_ms": 12.4,
                    "took_ms": 31.0,
                    "audio_ms": 2140,
                    "rtf": 0.014,
                    "rate": 8000,
                    "cut": False,
                    "audio": "UklGRg==",
                }
            ]
        }
    )

    engine: str
    said: str = Field(description="What the engine was given: figures and signs in words")
    first_audio_ms: float
    took_ms: float
    audio_ms: int
    rtf: float = Field(description="Time to make it, divided by how long it lasts")
    rate: int
    cut: bool = Field(description="It went on for more than a minute")
    audio: str


class RecogniserTried(BaseModel):
    """What one recogniser heard."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "engine": "whisper",
                    "text": "बीस मिनट",
                    "confidence": 0.87,
                    "wait_ms": 310.0,
                    "audio_ms": 1480,
                }
            ]
        }
    )

    engine: str
    text: str = Field(description="Empty: nothing of what it listened for")
    confidence: float
    wait_ms: float = Field(description="From the end of the audio to the transcript")
    audio_ms: int


def routes(gateway: Gateway, keys: Keys) -> APIRouter:
    router = APIRouter(prefix="/api/voice", tags=["engines"])
    reading = Depends(keys.needs("engines:read"))
    trials = gateway.trials

    @router.get(
        "/voices",
        response_model=VoiceEngines,
        dependencies=[reading],
        responses=errors(),
        summary="List voices",
    )
    async def voices() -> VoiceEngines:
        listed = [
            VoiceEngine(engine=one.engine, voices={lang: list(names) for lang, names in one.voices.items()})
            for one in trials.voices()
        ]
        return VoiceEngines(voices=listed, emotions=list(EMOTIONS))

    @router.get(
        "/recognisers",
        response_model=RecogniserEngines,
        dependencies=[reading],
        responses=errors(),
        summary="List recognisers",
    )
    async def recognisers() -> RecogniserEngines:
        listed = [
            RecogniserEngine(engine=one.engine, languages=list(one.languages), free=list(one.free))
            for one in trials.recognisers()
        ]
        return RecogniserEngines(recognisers=listed)

    @router.post(
        "/voices/try",
        response_model=VoiceTried,
        dependencies=[reading],
        responses=errors(404, 422, 502, 503),
        summary="Hear a text from one voice",
    )
    async def try_voice(body: VoiceTry) -> VoiceTried:
        """As calls would hear it; they are served first. Two trials at most are under way at a time, of both
        kinds together."""
        nothing_done()
        try:
            request = speech_of(
                body.text, body.language, body.voice, body.emotion, body.intensity, body.speed
            )
            spoken = await trials.speak(body.engine, request)
        except _FAILURES as failed:
            raise _problem(failed) from failed
        if not spoken.pcm:
            raise ProblemError(ENGINE_FAILED, f"{body.engine} made no sound of this text")
        file = wav.header(spoken.rate, len(spoken.pcm), channels=1) + spoken.pcm
        return VoiceTried(
            engine=body.engine,
            said=spoken.said,
            first_audio_ms=round(spoken.first_audio_s * 1000, 1),
            took_ms=round(spoken.took_s * 1000, 1),
            audio_ms=round(spoken.audio_s * 1000),
            rtf=round(spoken.took_s / spoken.audio_s, 3),
            rate=spoken.rate,
            cut=spoken.cut,
            audio=base64.b64encode(file).decode(),
        )

    @router.post(
        "/recognisers/try",
        response_model=RecogniserTried,
        dependencies=[reading],
        responses=errors(404, 422, 502, 503),
        openapi_extra=_BODY,
        summary="See what one recogniser hears in a recording",
    )
    async def try_recogniser(
        request: Request,
        engine: Annotated[str, Query(pattern=_NAME)],
        language: Annotated[str, Query()],
        phrases: Annotated[
            list[str], Query(max_length=100, description="What may be said; none: free speech")
        ] = [],  # noqa: B006
        rate: Annotated[int, Query(description="8000 as over a telephone, or 16000")] = 8000,
    ) -> RecogniserTried:
        """The recording is brought to the rate that is asked for, as calls would bring it."""
        nothing_done()
        if rate not in _RATES:
            raise _invalid("rate", f"is none of {', '.join(map(str, _RATES))}")
        given = tuple(phrase.strip() for phrase in phrases if phrase.strip())
        if any(len(phrase) > 200 for phrase in given):
            raise _invalid("phrases", "one is longer than 200 characters")
        pcm = await asyncio.to_thread(_pcm, await request.body(), rate)
        try:
            heard = await trials.hear(engine, RecognitionRequest(language, rate, given), pcm)
        except _FAILURES as failed:
            raise _problem(failed) from failed
        return RecogniserTried(
            engine=engine,
            text=heard.transcript.text,
            confidence=round(heard.transcript.confidence, 3),
            wait_ms=round(heard.wait_s * 1000, 1),
            audio_ms=round(heard.audio_s * 1000),
        )

    return router


_Failure = TrialRefused | UnknownTrialEngine | TrialsBusy | EngineError
_FAILURES: Final = get_args(_Failure)


def _problem(failed: Exception) -> ProblemError:
    match failed:
        case UnknownTrialEngine():
            return ProblemError(NO_ENGINE, str(failed), known=list(failed.known))
        case TrialRefused():
            return _invalid(failed.field, str(failed))
        case TrialsBusy():
            return ProblemError(TRIALS_BUSY, "two are under way", {"Retry-After": "1"})
        case _:
            return ProblemError(ENGINE_FAILED, str(failed))


def _invalid(field: str, message: str) -> ProblemError:
    return ProblemError(INVALID, f"{field}: {message}", fields=fields({field: message}))


def _pcm(data: bytes, rate: int) -> bytes:
    """The samples of a WAV file at another rate; computes."""
    try:
        with wave.open(io.BytesIO(data)) as file:
            shape = file.getnchannels(), file.getsampwidth()
            given, count = file.getframerate(), file.getnframes()
            samples = file.readframes(count)
    except (wave.Error, EOFError) as error:
        raise _invalid("body", f"is no WAV file of PCM ({error or 'it ends too early'})") from error
    if shape != (1, 2):
        raise _invalid("body", f"has {shape[0]} channels of {shape[1] * 8} bits: mono of 16 bits is taken")
    if not 8000 <= given <= 48000:
        raise _invalid("body", f"is at {given} Hz: 8000 to 48000 are taken")
    seconds = len(samples) / 2 / given
    if not LEAST_S <= seconds <= MOST_S:
        raise _invalid("body", f"lasts {seconds:.1f} s: {LEAST_S:g} to {MOST_S:g} s are taken")
    return resample_clip(samples, given, rate)
