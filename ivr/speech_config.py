"""The part of the configuration about speech engines and the services that offer them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator

from engines.catalogue import Kind, UnknownEngine, find
from engines.gpu.budget import CUDA_GB
from engines.routing.routes import HEARD, SPOKEN, Chain, Purpose, Routes


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _voice(name: str) -> str:
    try:
        entry = find(name)
    except UnknownEngine as error:
        raise ValueError(str(error)) from error
    if entry.kind is not Kind.TTS:
        raise ValueError(f"{name} {entry.kind.does}, it does not speak")
    return name


def _recogniser(name: str) -> str:
    try:
        entry = find(name)
    except UnknownEngine as error:
        raise ValueError(str(error)) from error
    if entry.kind is not Kind.ASR:
        raise ValueError(f"{name} {entry.kind.does}, it does not hear")
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


SHAPE: Final = ":"
"""What the shapes of a chain are called by begins so: no part of the place of a mistake."""


def _once(names: list[str]) -> list[str]:
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"{name} is in the chain twice")
    return names


def _shape_of_chain(written: Any) -> str | None:
    if isinstance(written, list):
        return ":list"
    if isinstance(written, dict):
        return ":chain" if "engines" in written else None
    return ":chain" if isinstance(written, VoiceChain | HearingChain) else None


def _shape(written: Any) -> str | None:
    by_purpose = isinstance(written, dict | VoicesByPurpose | RecognisersByPurpose)
    return _shape_of_chain(written) or (":purposes" if by_purpose else None)


_CHAIN: Final = Discriminator(
    _shape_of_chain,
    custom_error_type="chain",
    custom_error_message="a chain is a list of engines, or {engines: [...], hedge_ms: ...}",
)
_CHAINS: Final = Discriminator(
    _shape,
    custom_error_type="chains",
    custom_error_message="a language has a list of engines, {engines: [...], hedge_ms: ...}, or a chain for "
    "each purpose",
)


HedgeMs = Annotated[float, Field(gt=0, le=5000)]
_Voices = Annotated[list[VoiceEngineName], AfterValidator(_once)]
_Recognisers = Annotated[list[RecogniserName], AfterValidator(_once)]


class VoiceChain(_Strict):
    """Engines, first choice first, with a hedge of their own."""

    engines: _Voices
    hedge_ms: HedgeMs | None = None


class HearingChain(_Strict):
    engines: _Recognisers
    hedge_ms: HedgeMs | None = None


_OneVoiceChain = Annotated[Annotated[_Voices, Tag(":list")] | Annotated[VoiceChain, Tag(":chain")], _CHAIN]
_OneHearingChain = Annotated[
    Annotated[_Recognisers, Tag(":list")] | Annotated[HearingChain, Tag(":chain")], _CHAIN
]


class VoicesByPurpose(_Strict):
    """`prompt` is what flows say, and all that has no chain of its own; `reply` what an agent answers,
    `number` figures alone."""

    prompt: _OneVoiceChain
    reply: _OneVoiceChain | None = None
    number: _OneVoiceChain | None = None


class RecognisersByPurpose(_Strict):
    """`free` is free speech, and all that has no chain of its own; `phrases` answers of which the step knows
    the words."""

    free: _OneHearingChain
    phrases: _OneHearingChain | None = None


Voices = Annotated[
    Annotated[_Voices, Tag(":list")]
    | Annotated[VoiceChain, Tag(":chain")]
    | Annotated[VoicesByPurpose, Tag(":purposes")],
    _CHAINS,
]
Recognisers = Annotated[
    Annotated[_Recognisers, Tag(":list")]
    | Annotated[HearingChain, Tag(":chain")]
    | Annotated[RecognisersByPurpose, Tag(":purposes")],
    _CHAINS,
]


class EngineSetup(_Strict):
    """How an engine runs here. `python` is the interpreter of its virtual environment, `weights` the folder
    of its weights; both are where `ivr engines install` puts them, unless written here. `streams` is how many
    sentences it makes at once, `memory_gb` what its process may take before it is replaced, `vram_gb` what it
    takes of a card, where that differs from what is known.

    With an `address` the engine is asked of a speech service there (`ivr tts`, `ivr asr`; its models are
    switched there with `operator_key`, or else `key`), with `key` as its
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
    operator_key: str | None = Field(default=None, min_length=16)
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


class Engines(_Strict):
    """How long a call waits for its engines, in seconds: to the first audio, and from the end of speech to
    the transcript. An engine that has not answered by then gets the next beside it after `hedge_ms`.

    `tts` and `asr` name engines by language, first choice first; the embedded one is always the last.
    `setup` says how they run, `gpu` what they may take of a graphics card. `smart_turn` is the file of a
    model that tells by its sound whether a turn is over, or `installed`: that of the pipecat-ai wheel.
    """

    tts_deadline_s: float = Field(default=0.8, gt=0)
    asr_deadline_s: float = Field(default=0.8, gt=0)
    tts_hedge_ms: HedgeMs = 300.0
    asr_hedge_ms: HedgeMs = 300.0
    tts: dict[LanguageCode, Voices] = {}
    asr: dict[LanguageCode, Recognisers] = {}
    setup: dict[EngineName, EngineSetup] = {}
    gpu: Gpu | None = None
    smart_turn: Literal["installed"] | Path | None = None

    @property
    def voice_routes(self) -> Routes:
        return _routes(self.tts_hedge_ms, SPOKEN, "prompt", self.tts)

    @property
    def hearing_routes(self) -> Routes:
        return _routes(self.asr_hedge_ms, HEARD, "free", self.asr)

    @model_validator(mode="after")
    def _languages(self) -> Engines:
        for section, routes in (("tts", self.voice_routes), ("asr", self.hearing_routes)):
            for language in routes.by_language:
                for name in routes.all_of(language):
                    if not (entry := find(name)).speaks(language):
                        known = ", ".join(sorted(entry.languages))
                        raise ValueError(f"{section}.{language}: {name} has no {language}; it has {known}")
        return self


def _routes(
    hedge_ms: float, purposes: tuple[Purpose, ...], general: Purpose, written: Mapping[str, Any]
) -> Routes:
    def chain(one: Any) -> Chain:
        if isinstance(one, list):
            return Chain(tuple(one), hedge_ms / 1000)
        return Chain(tuple(one.engines), (hedge_ms if one.hedge_ms is None else one.hedge_ms) / 1000)

    def chains(of_language: Any) -> dict[Purpose, Chain]:
        by_purpose = isinstance(of_language, VoicesByPurpose | RecognisersByPurpose)
        named = {p: getattr(of_language, p) if by_purpose else None for p in purposes}
        rest = named[general] if by_purpose else of_language
        return {p: chain(rest if named[p] is None else named[p]) for p in purposes}

    return Routes(hedge_ms / 1000, {language: chains(one) for language, one in written.items()})


class Replicas(_Strict):
    """How `deploy/ray_serve.py` spreads a service over a cluster: `least` to `most` processes of it, so many
    that each has `busy` requests at once. `per_gpu` of them share one GPU (none: they take no GPU); each is
    given `cpus` cores."""

    least: int = Field(default=1, ge=1)
    most: int = Field(default=1, ge=1)
    busy: float = Field(default=16.0, gt=0)
    per_gpu: int | None = Field(default=None, ge=1, le=100)
    cpus: float = Field(default=1.0, ge=0)

    @model_validator(mode="after")
    def _ordered(self) -> Replicas:
        if self.most < self.least:
            raise ValueError(f"most ({self.most}) is under least ({self.least})")
        return self


class SpeechService(_Strict):
    """An HTTP service of engines. `keys` are API keys by the name of their holder; without any, everybody who
    reaches it may use it. `operators` are keys of those who may switch models and look at the card; without
    any, only this machine may. `streams` are allowed at once; an engine has `deadline_s` to its first
    audio. On a cluster that is said of each replica."""

    host: str = "127.0.0.1"
    port: int = Field(ge=0, le=65535)
    keys: dict[str, Annotated[str, Field(min_length=16)]] = {}
    operators: dict[str, Annotated[str, Field(min_length=16)]] = {}
    streams: int = Field(default=200, ge=1)
    deadline_s: float = Field(default=10.0, gt=0)
    replicas: Replicas = Replicas()


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
