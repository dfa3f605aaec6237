"""What a phone says: texts through the embedded voice, and WAV files."""

from __future__ import annotations

import contextlib
import wave
from pathlib import Path

from engines.contract import SpeechRequest, Synthesizer
from media.clip import Clip, ClipWriter
from media.codecs import Codec

_FIRST_AUDIO_S = 10.0


async def spoken(voice: Synthesizer, text: str, language: str, codec: Codec) -> Clip:
    """The text as a clip; raises `EngineError`."""
    writer = ClipWriter(Clip(codec), voice.sample_rate)
    request = SpeechRequest(text, language)
    async with contextlib.aclosing(voice.synthesize(request, deadline_s=_FIRST_AUDIO_S)) as chunks:
        async for chunk in chunks:
            writer.write(chunk)
    writer.close()
    return writer.clip


def from_file(path: Path, codec: Codec) -> Clip:
    """A mono 16-bit WAV file of any rate as a clip; raises ValueError or OSError with the reason."""
    try:
        with wave.open(str(path), "rb") as file:
            if (file.getnchannels(), file.getsampwidth()) != (1, 2):
                raise ValueError(f"{path}: must be mono, 16 bit")
            writer = ClipWriter(Clip(codec), file.getframerate())
            writer.write(file.readframes(file.getnframes()))
    except (wave.Error, EOFError) as error:
        raise ValueError(f"{path}: {error}") from error
    writer.close()
    return writer.clip
