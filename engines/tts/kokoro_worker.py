"""Kokoro-82M by kokoro-onnx 0.6: onnxruntime without torch, batch by batch of phonemes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import version
from typing import Any, Final

from engines.tts.generation import Sentence, Sound, Voice, VoiceEngine, weights_of
from engines.worker.engine import JobError
from engines.worker.settings import settings

_MODEL: Final = "kokoro-v1.0.onnx"
_VOICES: Final = "voices-v1.0.bin"

# The first letter of a voice's name is its language; espeak-ng's name for it makes the phonemes.
_SPOKEN: Final = {"a": ("en", "en-us"), "b": ("en", "en-gb"), "h": ("hi", "hi")}
_FIRST_CHOICE: Final = ("af_heart", "hf_alpha")


class KokoroVoice:
    def __init__(self, told: Mapping[str, Any]) -> None:
        """`told`: `weights`, a folder; `device`, cpu or cuda; `threads` of onnxruntime, 1 without."""
        folder = weights_of(told)
        import onnxruntime
        from kokoro_onnx import Kokoro
        from kokoro_onnx.config import SAMPLE_RATE

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = int(told.get("threads", 1))
        cuda = ["CUDAExecutionProvider"] if str(told.get("device", "cpu")).startswith("cuda") else []
        session = onnxruntime.InferenceSession(
            str(folder / _MODEL), options, providers=[*cuda, "CPUExecutionProvider"]
        )
        self._kokoro = Kokoro.from_session(session, str(folder / _VOICES))
        self._loop = asyncio.new_event_loop()
        self.sample_rate = int(SAMPLE_RATE)
        self.version = version("kokoro-onnx")
        self._voices = _by_language(self._kokoro.get_voices())
        language = next(iter(self._voices), "en")
        self.warm_up = Sentence("नमस्ते" if language == "hi" else "Hello.", language)

    def voices(self) -> Mapping[str, list[str]]:
        return self._voices

    def speak(self, sentence: Sentence, cancelled: Callable[[], bool]) -> Iterator[Sound]:
        name = sentence.voice or self._voices[sentence.language][0]
        stream = self._kokoro.create_stream(
            sentence.text, name, min(2.0, max(0.5, sentence.speed)), _SPOKEN[name[0]][1]
        )
        try:
            while not cancelled():
                try:
                    sound, _rate = self._loop.run_until_complete(anext(stream))
                except StopAsyncIteration:
                    return
                except ValueError:  # its message quotes the text
                    raise JobError("there is nothing in the text that the model can say") from None
                yield sound
        finally:
            self._loop.run_until_complete(stream.aclose())

    def forget(self, key: str) -> None:
        """It clones no voice."""


def _by_language(names: list[str]) -> dict[str, list[str]]:
    voices: dict[str, list[str]] = {}
    for name in sorted(names, key=lambda n: (n not in _FIRST_CHOICE, n)):
        if name[0] in _SPOKEN:
            voices.setdefault(_SPOKEN[name[0]][0], []).append(name)
    return voices


def KokoroEngine() -> VoiceEngine:
    voice: Voice = KokoroVoice(settings())
    return VoiceEngine(voice)
