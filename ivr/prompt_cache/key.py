"""What a prompt on the wire depends on: where one of these changes, it is another prompt."""

from __future__ import annotations

import hashlib
import json
from dataclasses import astuple, dataclass

from engines.contract import SpeechRequest, Synthesizer
from engines.tts.profiles import PREFIX
from media.codecs import Codec


@dataclass(frozen=True, slots=True)
class PromptKey:
    """`text` is normalised; `voice` is empty for the engine's own choice, which its `version` covers."""

    engine: str
    version: str
    voice: str
    language: str
    speed: float
    emotion: str
    intensity: float
    text: str
    codec: str

    @classmethod
    def of(cls, voice: Synthesizer, request: SpeechRequest, codec: Codec) -> PromptKey:
        return cls(
            engine=voice.name,
            version=voice.version,
            voice=request.voice,
            language=request.language,
            speed=request.speed,
            emotion=request.emotion,
            intensity=request.intensity,
            text=request.text,
            codec=codec.name,
        )

    @property
    def digest(self) -> str:
        """Its name among files, which tells nothing of the text."""
        return hashlib.sha256(json.dumps(astuple(self)).encode()).hexdigest()


def may_be_filed(request: SpeechRequest) -> bool:
    """A person's cloned voice is in no file of ours: deleting its profile must leave nothing."""
    return request.reference is None and not request.voice.startswith(PREFIX)
