"""Chatterbox-Turbo and Chatterbox-Multilingual by chatterbox-tts 0.1.7: a sentence at a time, 24 kHz, cloned
from ten seconds of speech. Every output carries the Perth watermark, which the package itself puts in.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import version
from typing import Any

from engines.contract import VoiceReference
from engines.tts.generation import Cancelled, Derived, Sentence, Sound, VoiceEngine, weights_of
from engines.worker.engine import JobError
from engines.worker.settings import settings


class _Chatterbox(ABC):
    """Common to both. The model keeps the voice it speaks with in `conds`; each sentence sets it."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self._own = model.conds
        self._cloned: Derived[Any] = Derived(self._conditionals)
        self._cancelled: Callable[[], bool] = lambda: False
        # Neither package offers a way to stop: its transformer is called once for each token.
        model.t3.tfmr.register_forward_pre_hook(self._leave_when_cancelled)
        self.sample_rate = int(model.sr)
        self.version = version("chatterbox-tts")

    def speak(self, sentence: Sentence, cancelled: Callable[[], bool]) -> Iterator[Sound]:
        conditionals = self._cloned.of(sentence.reference) if sentence.reference else self._own
        if conditionals is None:
            raise JobError("these weights have no voice of their own: name a voice profile")
        self._model.conds = conditionals
        self._cancelled = cancelled
        try:
            yield self._generate(sentence)
        finally:
            self._cancelled = lambda: False

    def forget(self, key: str) -> None:
        self._cloned.forget(key)
        self._model.conds = self._own

    @abstractmethod
    def _generate(self, sentence: Sentence) -> Sound: ...

    def _conditionals(self, reference: VoiceReference) -> Any:
        self._model.prepare_conditionals(reference.path)
        return self._model.conds

    def _leave_when_cancelled(self, _module: Any, _inputs: Any) -> None:
        if self._cancelled():
            raise Cancelled


class TurboVoice(_Chatterbox):
    def __init__(self, told: Mapping[str, Any]) -> None:
        """`told`: `weights`, a folder; `device`, cuda without."""
        folder = weights_of(told)
        from chatterbox.tts_turbo import ChatterboxTurboTTS

        super().__init__(ChatterboxTurboTTS.from_local(folder, str(told.get("device", "cuda"))))
        self.warm_up = Sentence("Hello.", "en")

    def voices(self) -> Mapping[str, list[str]]:
        return {"en": []}

    def _generate(self, sentence: Sentence) -> Sound:
        sound: Sound = self._model.generate(sentence.text)
        return sound


class MultilingualVoice(_Chatterbox):
    def __init__(self, told: Mapping[str, Any]) -> None:
        """`told`: `weights`, a folder; `device`, cuda without."""
        folder = weights_of(told)
        from chatterbox.mtl_tts import ChatterboxMultilingualTTS

        super().__init__(ChatterboxMultilingualTTS.from_local(folder, str(told.get("device", "cuda"))))
        self._languages = sorted(self._model.get_supported_languages())
        self.warm_up = Sentence("Hello.", "en")

    def voices(self) -> Mapping[str, list[str]]:
        return {language: [] for language in self._languages}

    def _generate(self, sentence: Sentence) -> Sound:
        style = sentence.style
        sound: Sound = self._model.generate(
            sentence.text,
            sentence.language,
            exaggeration=float(style.get("exaggeration", 0.5)),
            cfg_weight=float(style.get("cfg_weight", 0.5)),
        )
        return sound


def TurboEngine() -> VoiceEngine:
    return VoiceEngine(TurboVoice(settings()))


def MultilingualEngine() -> VoiceEngine:
    return VoiceEngine(MultilingualVoice(settings()))
