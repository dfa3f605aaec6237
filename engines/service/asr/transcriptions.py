"""Files of speech: OpenAI's transcriptions, the language alone, and the list of models."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal, TypeVar

from fastapi import APIRouter, Depends, File, Form, Request, UploadFile
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from pydantic import BaseModel

from engines.contract import RecognitionRequest, Transcript
from engines.service.asr import roster as rosters
from engines.service.asr.formats import ResponseFormat, srt, verbose, vtt
from engines.service.asr.roster import Roster
from engines.service.audio import Audio, decode, raw_form
from engines.service.errors import RESPONSES, bad_request
from engines.service.keys import Keys
from engines.service.metrics import ServiceMetrics

_T = TypeVar("_T")

RATE: Final = 16000
MOST_PHRASES: Final = 500
_LANGUAGE: Final = r"([A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*)?"
_GONE_STATUS: Final = 499
"""Nobody reads it: the client left."""
_WATCH_S: Final = 0.25


@dataclass(frozen=True, slots=True)
class Bounds:
    """`audio_s`: the longest recording, in seconds; `work_s`: the longest that one may take."""

    audio_s: float = 1800.0
    work_s: float = 600.0


class Transcription(BaseModel):
    text: str


class VerboseWord(BaseModel):
    word: str
    start: float
    end: float
    confidence: float


class VerboseSegment(BaseModel):
    id: int
    seek: int
    start: float
    end: float
    text: str
    tokens: list[int]
    temperature: float
    avg_logprob: float
    compression_ratio: float
    no_speech_prob: float


class VerboseTranscription(BaseModel):
    """Times in seconds. What an engine does not tell of a segment is empty or 0."""

    task: str
    language: str
    duration: float
    text: str
    confidence: float
    words: list[VerboseWord] | None = None
    segments: list[VerboseSegment] | None = None


class LanguageGuess(BaseModel):
    language: str
    probability: float


class DetectedLanguage(BaseModel):
    language: str
    confidence: float
    languages: list[LanguageGuess]


class Model(BaseModel):
    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: str


class ModelList(BaseModel):
    object: Literal["list"] = "list"
    data: list[Model]


Language = Annotated[
    str, Form(description="ISO 639 code, as hi or hi-IN; empty: to be found out", pattern=f"^{_LANGUAGE}$")
]
RawName = Annotated[
    Literal["", "pcm", "mulaw", "ulaw", "alaw"],
    Form(description="For audio without a header: 16-bit little-endian PCM, or G.711"),
]
RawRate = Annotated[int, Form(description="Its rate in Hz; 0: 8000 for G.711, 16000 for PCM", ge=0, le=48000)]
_AUDIO: Final = "wav, mp3, ogg, opus, flac, webm, m4a, or raw; 8 to 48 kHz"


def routes(roster: Roster, keys: Keys, metrics: ServiceMetrics, bounds: Bounds) -> APIRouter:
    router = APIRouter(tags=["speech"], dependencies=[Depends(keys.client)])

    @router.post(
        "/v1/audio/transcriptions",
        response_model=Transcription | VerboseTranscription,
        responses={**RESPONSES, 200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
        summary="What a recording says",
    )
    async def transcriptions(
        http: Request,
        file: Annotated[UploadFile, File(description=_AUDIO)],
        model: Annotated[str, Form(description="An engine; auto (also whisper-1): by language")] = "",
        language: Language = "",
        prompt: Annotated[str, Form(description="Text of the kind that is expected", max_length=2000)] = "",
        response_format: Annotated[ResponseFormat, Form()] = ResponseFormat.JSON,
        timestamp_granularities: Annotated[
            list[Literal["word", "segment"]],
            Form(alias="timestamp_granularities[]", description="What verbose_json tells the times of"),
        ] = ["segment"],  # noqa: B006 (FastAPI copies it)
        temperature: Annotated[
            float, Form(description="Taken for OpenAI's clients; the engines here choose it", ge=0, le=1)
        ] = 0.0,
        stream: Annotated[bool, Form(description="Must be false: streams are at /ws/stream")] = False,
        phrases: Annotated[
            list[str],
            Form(description="What may be said; some engines hear nothing else", max_length=MOST_PHRASES),
        ] = [],  # noqa: B006
        phrases_listed: Annotated[
            list[str],
            Form(
                alias="phrases[]",
                description="The same, as OpenAI's clients write lists",
                max_length=MOST_PHRASES,
            ),
        ] = [],  # noqa: B006
        input_format: RawName = "",
        sample_rate: RawRate = 0,
    ) -> Response:
        """Compatible with OpenAI's `POST /v1/audio/transcriptions`."""
        if stream:
            raise bad_request(
                "this service streams over the WebSocket /ws/stream", code="not_supported", param="stream"
            )
        words = "word" in timestamp_granularities
        request = RecognitionRequest(language, RATE, _clean(phrases or phrases_listed), prompt, words)
        row = roster.row(model, request)
        audio = await _audio(file, input_format, sample_rate, bounds.audio_s)
        began = time.perf_counter()
        work = rosters.transcribe_by_one_of(
            row, audio.pcm, request, roster.board, deadline_s=bounds.work_s, failed=metrics.failed
        )
        found = await _unless_gone(http, work)
        if found is None:
            metrics.cancelled(row[0].name)
            return Response(status_code=_GONE_STATUS)
        name, transcript = found
        metrics.done(name, time.perf_counter() - began, audio.seconds)
        return _answer(transcript, audio.seconds, response_format, timestamp_granularities)

    @router.post(
        "/v1/audio/detect-language",
        response_model=DetectedLanguage,
        responses=RESPONSES,
        summary="Which language is spoken",
    )
    async def detect_language(
        file: Annotated[UploadFile, File(description=_AUDIO)],
        input_format: RawName = "",
        sample_rate: RawRate = 0,
    ) -> DetectedLanguage:
        """Of the first 30 seconds."""
        detector = roster.detector()
        audio = await _audio(file, input_format, sample_rate, bounds.audio_s)
        request = RecognitionRequest("", RATE)
        found = await detector.detect(audio.pcm[: 30 * RATE * 2], request, deadline_s=bounds.work_s)
        guesses = [LanguageGuess(language=code, probability=round(p, 4)) for code, p in found[:10]]
        return DetectedLanguage(
            language=guesses[0].language, confidence=guesses[0].probability, languages=guesses
        )

    @router.get(
        "/v1/models", response_model=ModelList, responses={401: RESPONSES[401]}, summary="The engines"
    )
    async def models() -> ModelList:
        return ModelList(data=[Model(id=name, created=0, owned_by="ivr") for name in roster.names])

    return router


async def _audio(file: UploadFile, form: str, rate: int, most_s: float) -> Audio:
    """Decoded in a thread: a long file takes a second."""
    raw = raw_form(file.filename or "", file.content_type or "", form, rate)
    return await asyncio.to_thread(decode, file.file, rate=RATE, most_s=most_s, raw=raw)


async def _unless_gone(http: Request, work: Coroutine[Any, Any, _T]) -> _T | None:
    """What comes of the work; None when the client leaves first, and the engine's place is free then."""
    task = asyncio.ensure_future(work)
    try:
        while not (await asyncio.wait({task}, timeout=_WATCH_S))[0]:
            if await http.is_disconnected():
                return None
        return task.result()
    finally:
        task.cancel()


def _clean(phrases: list[str]) -> tuple[str, ...]:
    """One field may carry several, a line each."""
    found = tuple(part for phrase in phrases for line in phrase.splitlines() if (part := line.strip()))
    if len(found) > MOST_PHRASES:
        raise bad_request(f"over {MOST_PHRASES} phrases", code="too_many_phrases", param="phrases")
    if any(len(phrase) > 200 for phrase in found):
        raise bad_request("a phrase is over 200 characters", code="phrase_too_long", param="phrases")
    return found


def _answer(
    transcript: Transcript, seconds: float, form: ResponseFormat, granularities: list[Any]
) -> Response:
    if form is ResponseFormat.JSON:
        return JSONResponse({"text": transcript.text})
    if form is ResponseFormat.VERBOSE_JSON:
        body = verbose(
            transcript, seconds, words="word" in granularities, segments="segment" in granularities
        )
        return JSONResponse(body)
    text = {
        ResponseFormat.TEXT: lambda: transcript.text + "\n",
        ResponseFormat.SRT: lambda: srt(transcript, seconds),
        ResponseFormat.VTT: lambda: vtt(transcript, seconds),
    }[form]()
    return PlainTextResponse(text)
