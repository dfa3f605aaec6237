"""A transcript in the forms of OpenAI's API. Pure."""

from __future__ import annotations

import math
from enum import StrEnum
from typing import Any

from engines.asr.guards import compression_ratio
from engines.contract import Segment, Transcript


class ResponseFormat(StrEnum):
    JSON = "json"
    TEXT = "text"
    SRT = "srt"
    VERBOSE_JSON = "verbose_json"
    VTT = "vtt"


def verbose(transcript: Transcript, seconds: float, *, words: bool, segments: bool) -> dict[str, Any]:
    """OpenAI's verbose_json. What an engine does not tell of a segment (tokens, temperature, its own
    probability) is empty, 0, or that of the whole."""
    body: dict[str, Any] = {
        "task": "transcribe",
        "language": transcript.language,
        "duration": round(seconds, 3),
        "text": transcript.text,
        "confidence": transcript.confidence,
    }
    if words:
        body["words"] = [
            {"word": word.text, "start": word.start_s, "end": word.end_s, "confidence": word.confidence}
            for segment in transcript.segments
            for word in segment.words
        ]
    if segments:
        log_prob = math.log(transcript.confidence) if transcript.confidence > 0 else 0.0
        body["segments"] = [
            {
                "id": number,
                "seek": 0,
                "start": segment.start_s,
                "end": segment.end_s,
                "text": segment.text,
                "tokens": [],
                "temperature": 0.0,
                "avg_logprob": round(log_prob, 4),
                "compression_ratio": round(compression_ratio(segment.text), 3),
                "no_speech_prob": 0.0,
            }
            for number, segment in enumerate(_segments(transcript, seconds))
        ]
    return body


def srt(transcript: Transcript, seconds: float) -> str:
    """SubRip: numbered blocks, a comma before the milliseconds."""
    blocks = [
        f"{number}\n{_time(part.start_s, ',')} --> {_time(part.end_s, ',')}\n{_plain(part.text)}\n"
        for number, part in enumerate(_segments(transcript, seconds), start=1)
    ]
    return "\n".join(blocks)


def vtt(transcript: Transcript, seconds: float) -> str:
    """WebVTT (W3C)."""
    blocks = [
        f"{_time(part.start_s, '.')} --> {_time(part.end_s, '.')}\n{_plain(part.text)}\n"
        for part in _segments(transcript, seconds)
    ]
    return "\n".join(["WEBVTT\n", *blocks])


def _segments(transcript: Transcript, seconds: float) -> tuple[Segment, ...]:
    """An engine without times has said its text somewhere in the whole."""
    if transcript.segments or not transcript.text:
        return transcript.segments
    return (Segment(transcript.text, 0.0, round(seconds, 3)),)


def _plain(text: str) -> str:
    """An arrow or an empty line would end a block."""
    return " ".join(text.replace("-->", "→").split())


def _time(seconds: float, point: str) -> str:
    whole = round(seconds * 1000)
    hours, rest = divmod(whole, 3_600_000)
    minutes, rest = divmod(rest, 60_000)
    return f"{hours:02}:{minutes:02}:{rest // 1000:02}{point}{rest % 1000:03}"
