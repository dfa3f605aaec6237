"""XTTS-v2 by coqui-tts 0.28: 17 languages at 24 kHz, streaming, cloned. Its weights may not earn money: the
engine is off until that licence is accepted, and this module is not loaded before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import version
from typing import Any, Final

from engines.contract import VoiceReference
from engines.tts.generation import Derived, Sentence, Sound, VoiceEngine, weights_of
from engines.worker.engine import JobError
from engines.worker.settings import settings

_CHUNK_TOKENS: Final = 20
"""Tokens decoded at once: 0.9 s of sound."""


class XttsVoice:
    def __init__(self, told: Mapping[str, Any]) -> None:
        """`told`: `weights`, a folder; `device`, cuda without."""
        folder = weights_of(told)
        from TTS.tts.configs.xtts_config import XttsConfig
        from TTS.tts.models.xtts import Xtts

        config = XttsConfig()
        config.load_json(str(folder / "config.json"))
        self._model = Xtts.init_from_config(config)
        self._model.load_checkpoint(config, checkpoint_dir=str(folder), eval=True)
        self._model.to(str(told.get("device", "cuda")))
        manager = self._model.speaker_manager
        self._own: Mapping[str, Mapping[str, Any]] = manager.speakers if manager else {}
        self._languages = sorted({code.partition("-")[0] for code in config.languages})
        self._cloned: Derived[tuple[Any, Any]] = Derived(self._latents)
        self.sample_rate = int(config.model_args.output_sample_rate)
        self.version = version("coqui-tts")
        self.warm_up = Sentence("Hello.", "en")

    def voices(self) -> Mapping[str, list[str]]:
        return {language: list(self._own) for language in self._languages}

    def speak(self, sentence: Sentence, cancelled: Callable[[], bool]) -> Iterator[Sound]:
        latent, embedding = self._speaker(sentence)
        stream = self._model.inference_stream(
            sentence.text,
            "zh-cn" if sentence.language == "zh" else sentence.language,
            latent,
            embedding,
            stream_chunk_size=_CHUNK_TOKENS,
            speed=sentence.speed,
        )
        try:
            for sound in stream:
                if cancelled():
                    return
                yield sound
        finally:
            stream.close()

    def forget(self, key: str) -> None:
        self._cloned.forget(key)

    def _speaker(self, sentence: Sentence) -> tuple[Any, Any]:
        if sentence.reference:
            return self._cloned.of(sentence.reference)
        name = sentence.voice or next(iter(self._own), "")
        if name not in self._own:
            raise JobError(f"XTTS has no voice {name!r}: name one of its own or a voice profile")
        speaker = self._own[name]
        return speaker["gpt_cond_latent"], speaker["speaker_embedding"]

    def _latents(self, reference: VoiceReference) -> tuple[Any, Any]:
        latents: tuple[Any, Any] = self._model.get_conditioning_latents(audio_path=[reference.path])
        return latents


def XttsEngine() -> VoiceEngine:
    return VoiceEngine(XttsVoice(settings()))
