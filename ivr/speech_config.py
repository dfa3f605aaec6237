"""The part of the configuration about speech engines and the services that offer them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from engines.catalogue import Kind, UnknownEngine, find
from engines.gpu.budget import CUDA_GB


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _voice(name: str) -> str:
    try:
        entry = find(name)
    except UnknownEngine as error:
        raise ValueError(str(error)) from error
    if entry.kind is not Kind.TTS:
        raise ValueError(f"{name} hears, it does not speak")
    return name


def _recogniser(name: str) -> str:
    try:
        entry = find(name)
    except UnknownEngine as error:
        raise ValueError(str(error)) from error
    if entry.kind is not Kind.ASR:
        raise ValueError(f"{name} speaks, it does not hear")
    return name


def _language(code: str) -> str:
    if not code.isalpha() or not 2 <= len(code) <= 3 or code != code.lower():
        raise ValueError(f"{code!r} is no language: write it as hi, mr or en")
    return code


def _engine(name: str) -> str:
    try:
        find(name)
    except UnknownEngine as error:
        raise ValueError(str(error)) from error
    return name


EngineName = Annotated[str, AfterValidator(_engine)]
VoiceEngineName = Annotated[str, AfterValidator(_voice)]
RecogniserName = Annotated[str, AfterValidator(_recogniser)]
LanguageCode = Annotated[str, AfterValidator(_language)]


class EngineSetup(_Strict):
    """How an engine runs here. `python` is the interpreter of its virtual environment, `weights` the folder
    of its weights; both are where `ivr engines install` puts them, unless written here. `streams` is how many
    sentences it makes at once, `memory_gb` what its process may take before it is replaced, `vram_gb` what it
    takes of a card, where that differs from what is known.

    With an `address` the engine is asked of a speech service there (`ivr tts`, `ivr asr`), with `key` as its
    API key. Of a cloud service: its `key` (else the environment variable of the catalogue), and its `voices`,
    ids by names of our own. `options` are told to the engine as they are.
    """

    python: Path | None = None
    weights: Path | None = None
    device: Literal["cpu", "cuda"] | Annotated[str, Field(pattern=r"^cuda:\d+$")] | None = None
    streams: int | None = Field(default=None, ge=1, le=64)
    memory_gb: float | None = Field(default=None, gt=0)
    vram_gb: float | None = Field(default=None, gt=0)
    licence_accepted: bool = False
    voices: dict[str, str] = {}
    key: str | None = Field(default=None, min_length=8)
    address: str | None = Field(default=None, pattern=r"^(https?|wss?)://[^\s/]+")
    options: dict[str, Any] = {}


class Gpu(_Strict):
    """What the engines may take of a graphics card, in GB of 2^30 bytes.

    `profile` is one of those for 12 GB in `engines.gpu.budget`: what it has is kept free, whether it runs now
    or not. `memory_gb` is what the card has for us, all of it without one. `others` are programs beside us,
    with what they take; `cuda_gb` is CUDA's own.
    """

    profile: Literal["A", "B", "C"] | None = None
    memory_gb: float | None = Field(default=None, gt=0)
    others: dict[str, Annotated[float, Field(gt=0)]] = {}
    cuda_gb: float = Field(default=CUDA_GB, ge=0)


class SpeechService(_Strict):
    """An HTTP service of engines. `keys` are API keys by the name of their holder; without any, everybody who
    reaches it may use it. `streams` are allowed at once; an engine has `deadline_s` to its first audio."""

    host: str = "127.0.0.1"
    port: int = Field(ge=0, le=65535)
    keys: dict[str, Annotated[str, Field(min_length=16)]] = {}
    streams: int = Field(default=200, ge=1)
    deadline_s: float = Field(default=10.0, gt=0)


class TtsService(SpeechService):
    port: int = Field(default=7002, ge=0, le=65535)


class AsrService(SpeechService):
    """`deadline_s` is to a stream's final after the end of speech. A recording has up to `audio_s`, comes in
    a body of up to `body_mb` megabytes, and is worked on for `work_s`."""

    port: int = Field(default=7001, ge=0, le=65535)
    audio_s: float = Field(default=1800.0, gt=0, le=7200)
    body_mb: float = Field(default=32.0, gt=0)
    work_s: float = Field(default=600.0, gt=0)


class Services(_Strict):
    asr: AsrService = AsrService()
    tts: TtsService = TtsService()
