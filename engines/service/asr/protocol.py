"""The messages of `WS /ws/stream`. Text frames are JSON objects with a `type`; binary frames are audio."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from engines.contract import Transcript


class _Message(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Start(_Message):
    """Begins to listen, or to listen for something else; what was under way is dropped.

    `encoding` is that of the binary frames: 16-bit little-endian PCM or G.711, mono, `rate` in Hz. With
    `endpointing` the service finds where speech ends; without it, the client says `finish`.
    """

    type: Literal["start"]
    model: str = ""
    language: str = Field(default="", pattern=r"^([A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*)?$")
    encoding: Literal["pcm", "mulaw", "ulaw", "alaw"] = "pcm"
    rate: int = Field(default=8000, ge=8000, le=48000)
    phrases: list[Annotated[str, Field(min_length=1, max_length=200)]] = Field(default=[], max_length=500)
    prompt: str = Field(default="", max_length=2000)
    words: bool = False
    partials: bool = True
    endpointing: bool = True
    end_silence_s: float = Field(default=0.6, ge=0.1, le=5.0)
    max_s: float = Field(default=30.0, ge=0.5, le=120.0)


class Finish(_Message):
    """The utterance is over now."""

    type: Literal["finish"]


class Cancel(_Message):
    """The utterance under way is dropped; listening goes on."""

    type: Literal["cancel"]


class Stop(_Message):
    """The utterance under way is finished, and the connection closed."""

    type: Literal["stop"]


ClientMessage = TypeAdapter[Start | Finish | Cancel | Stop](
    Annotated[Start | Finish | Cancel | Stop, Field(discriminator="type")]
)


def ready(model: str) -> dict[str, Any]:
    """Answers `start`."""
    return {"type": "ready", "model": model}


def began(utterance: int, at_s: float) -> dict[str, Any]:
    """Speech began; times count in seconds of audio since `start`."""
    return {"type": "began", "utterance": utterance, "at_s": round(at_s, 3)}


def heard(utterance: int, transcript: Transcript) -> dict[str, Any]:
    """So far; the first `stable` characters will stay."""
    return {
        "type": "partial",
        "utterance": utterance,
        "text": transcript.text,
        "stable": transcript.stable,
        "language": transcript.language,
    }


def ended(utterance: int, at_s: float) -> dict[str, Any]:
    """Speech is over; its final follows."""
    return {"type": "ended", "utterance": utterance, "at_s": round(at_s, 3)}


def final(utterance: int, transcript: Transcript, latency_s: float) -> dict[str, Any]:
    """`latency_ms` is from the end of the utterance. Words are there where they were asked for, with times
    since the utterance's first audio."""
    message: dict[str, Any] = {
        "type": "final",
        "utterance": utterance,
        "text": transcript.text,
        "language": transcript.language,
        "confidence": transcript.confidence,
        "latency_ms": round(latency_s * 1000, 1),
    }
    words = [word for segment in transcript.segments for word in segment.words]
    if words:
        message["words"] = [
            {"word": w.text, "start_s": w.start_s, "end_s": w.end_s, "confidence": w.confidence}
            for w in words
        ]
    return message


def failed(body: dict[str, Any], utterance: int | None = None) -> dict[str, Any]:
    """An error in the same shape as over HTTP; with `utterance`, only that one is lost."""
    message: dict[str, Any] = {"type": "error", **body}
    if utterance is not None:
        message["utterance"] = utterance
    return message
