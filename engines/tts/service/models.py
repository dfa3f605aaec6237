"""What the service takes and gives, as its OpenAPI document tells it."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from engines.service.encoding import AudioFormat
from engines.tts.emotion import EMOTIONS, TAGS
from engines.tts.profiles import VoiceProfile

MOST_CHARACTERS: Final = 5000
"""Of one text: some six minutes of speech, 20 MB where it is answered whole."""

ANY_MODEL: Final = ("tts-1", "tts-1-hd", "gpt-4o-mini-tts", "auto")
"""Names with which a client leaves the choice of the engine to the service."""
ANY_VOICE: Final = [
    "alloy",
    "ash",
    "ballad",
    "cedar",
    "coral",
    "echo",
    "fable",
    "marin",
    "nova",
    "onyx",
    "sage",
    "shimmer",
    "verse",
    "default",
]
"""Names with which a client leaves the choice of the voice to the engine: those of OpenAI's own voices."""


class ResponseFormat(StrEnum):
    WAV = "wav"
    MP3 = "mp3"
    OPUS = "opus"
    FLAC = "flac"
    PCM = "pcm"
    MULAW = "mulaw"
    ULAW = "ulaw"
    ALAW = "alaw"

    @property
    def audio(self) -> AudioFormat:
        return AudioFormat.ULAW if self is ResponseFormat.MULAW else AudioFormat(self.value)

    @property
    def usual_rate(self) -> int | None:
        """In Hz where clients expect one: a format without a header has no other way to tell it."""
        if self is ResponseFormat.PCM:
            return 24_000
        return 8_000 if self in (ResponseFormat.MULAW, ResponseFormat.ULAW, ResponseFormat.ALAW) else None


def _spoken(text: str) -> str:
    if not text.strip():
        raise ValueError("there is nothing to say: the text is empty")
    return text


Emotion = Literal["neutral", "happy", "excited", "calm", "sad", "sorry", "angry"]
assert Emotion.__args__ == EMOTIONS  # type: ignore[attr-defined]

Language = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$",
        description="As `hi`, `mr`, `en` or `en-IN`. Without it Devanagari is read as Hindi, all else as "
        "English: say it for Marathi",
        examples=["hi"],
    ),
]
Rate = Literal[8000, 16000, 22050, 24000, 44100, 48000]


class SpeechBody(BaseModel):
    """OpenAI's body, and beside it language, emotion and rate."""

    model_config = ConfigDict(extra="forbid")

    input: Annotated[str, AfterValidator(_spoken)] = Field(
        max_length=MOST_CHARACTERS,
        description=f"The text. It may hold tags: {', '.join(f'[{tag}]' for tag in TAGS)}",
        examples=["Your order is ready."],
    )
    model: str = Field(
        "auto",
        max_length=100,
        description=f"An engine of `/v1/models`; {', '.join(ANY_MODEL)}: the service chooses by language",
    )
    voice: str = Field(
        "default",
        max_length=100,
        description="A voice of the engine, or the id of a voice profile; the names of OpenAI's voices stand "
        "for the engine's own choice",
    )
    response_format: ResponseFormat = ResponseFormat.MP3
    speed: float = Field(1.0, ge=0.25, le=4.0, description="Engines keep within 0.5 and 2")
    language: Language | None = None
    sample_rate: Rate | None = Field(
        None, description="Hz; without it 24000 for pcm, 8000 for mulaw and alaw, else the engine's own"
    )
    emotion: Emotion = "neutral"
    intensity: float = Field(0.5, ge=0, le=1)
    instructions: str | None = Field(
        None, max_length=MOST_CHARACTERS, description="Taken from OpenAI's clients, and left out: use emotion"
    )
    stream_format: Literal["audio"] = "audio"

    @property
    def rate_out(self) -> int | None:
        """In Hz; None: the engine's own."""
        return self.sample_rate or self.response_format.usual_rate


class EmotionBody(SpeechBody):
    """The same with an emotion, which must be given."""

    emotion: Emotion


class ModelInfo(BaseModel):
    """`up`: it can speak now. `tags` and `emotions` are those that it can voice."""

    id: str
    object: Literal["model"] = "model"
    created: int = 0
    owned_by: str
    version: str
    languages: list[str]
    sample_rate: int
    cloning: bool
    tags: list[str]
    emotions: list[str]
    up: bool


class ModelList(BaseModel):
    object: Literal["list"] = "list"
    data: list[ModelInfo]


class EngineVoice(BaseModel):
    """A voice that an engine has by itself."""

    kind: Literal["engine"] = "engine"
    id: str
    engine: str
    languages: list[str]


class ConsentInfo(BaseModel):
    given_by: str
    given_at: str
    wording: str


class ProfileInfo(BaseModel):
    """A voice profile of the key that asks."""

    kind: Literal["profile"] = "profile"
    id: str
    name: str
    engine: str
    languages: list[str]
    seconds: float = Field(description="Of reference audio")
    created_at: float = Field(description="Unix time")
    consent: ConsentInfo

    @classmethod
    def of(cls, profile: VoiceProfile) -> ProfileInfo:
        consent: dict[str, Any] = {name: getattr(profile.consent, name) for name in ConsentInfo.model_fields}
        return cls(
            id=profile.id,
            name=profile.name,
            engine=profile.engine,
            languages=[profile.language],
            seconds=profile.seconds,
            created_at=profile.created_at,
            consent=ConsentInfo(**consent),
        )


class VoiceList(BaseModel):
    voices: list[ProfileInfo | EngineVoice]
