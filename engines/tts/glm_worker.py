"""GLM-TTS by the code of its repository: Chinese and English at 24 kHz, cloned, a sentence at a time.

Its streaming makes the tokens of a whole sentence first, so it would bring the first sound no sooner. It has
no voice of its own: the folder `voices` beside the weights holds prompts (`prompt_voices`).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from engines.contract import VoiceReference
from engines.tts.generation import (
    Cancelled,
    Derived,
    Sentence,
    Sound,
    VoiceEngine,
    prompt_voices,
    weights_of,
)
from engines.worker.engine import JobError
from engines.worker.settings import settings

_RATE: Final = 24_000


class _Prompt(NamedTuple):
    """A reference as the model wants it."""

    text: str
    text_token: Any
    speech_token: list[int]
    flow_token: Any
    feature: Any
    embedding: Any


class GlmVoice:
    def __init__(self, told: Mapping[str, Any]) -> None:
        """`told`: `weights`, the folder that the repository calls `ckpt`; `code`, the checkout; `voices`, a
        folder, else `voices` in the weights' one.
        """
        folder = weights_of(told)
        import glmtts_inference as glm

        code = Path(str(told.get("code", Path(glm.__file__).parent)))
        # The code reads `ckpt` and `frontend` relative to where it runs.
        os.chdir(code)
        if not Path("ckpt").exists():
            Path("ckpt").symlink_to(folder, target_is_directory=True)
        self._glm = glm
        self._frontend, self._text, _, self._llm, self._flow = glm.load_models(
            use_phoneme=False, sample_rate=_RATE
        )
        self._own = prompt_voices(Path(str(told.get("voices", folder / "voices"))))
        self._prompts: Derived[_Prompt] = Derived(self._prompt)
        self._cancelled: Callable[[], bool] = lambda: False
        self._llm.llama.register_forward_pre_hook(self._leave_when_cancelled)
        self.sample_rate = _RATE
        self.version = "GLM-TTS"
        self.warm_up = Sentence("Hello.", "en")

    def voices(self) -> Mapping[str, list[str]]:
        return {"zh": list(self._own), "en": list(self._own)}

    def speak(self, sentence: Sentence, cancelled: Callable[[], bool]) -> Iterator[Sound]:
        reference = sentence.reference or self._named(sentence.voice)
        if reference is None:
            raise JobError("no voice is installed: see `ivr engines voices glm-tts`")
        prompt = self._prompts.of(reference)
        self._cancelled = cancelled
        try:
            sound, _mel, _tokens, _texts = self._glm.generate_long(
                frontend=self._frontend,
                text_frontend=self._text,
                llm=self._llm,
                flow=self._flow,
                text_info=["", self._text.text_normalize(sentence.text)],
                cache={
                    "cache_text": [prompt.text],
                    "cache_text_token": [prompt.text_token],
                    "cache_speech_token": [prompt.speech_token],
                    "use_cache": True,
                },
                device=self._glm.DEVICE,
                embedding=prompt.embedding,
                flow_prompt_token=prompt.flow_token,
                speech_feat=prompt.feature,
            )
        finally:
            self._cancelled = lambda: False
        yield sound

    def forget(self, key: str) -> None:
        self._prompts.forget(key)

    def _prompt(self, reference: VoiceReference) -> _Prompt:
        import torch

        if not reference.transcript:
            raise JobError("GLM-TTS needs the words of the reference audio")
        frontend = self._frontend
        text = self._text.text_normalize(reference.transcript)
        speech = frontend._extract_speech_token([reference.path])
        tokens: list[int] = speech.squeeze().tolist()
        return _Prompt(
            text=text,
            text_token=frontend._extract_text_token(f"{text} "),
            speech_token=tokens,
            flow_token=torch.tensor([tokens], dtype=torch.int32).to(self._glm.DEVICE),
            feature=frontend._extract_speech_feat(reference.path, sample_rate=_RATE),
            embedding=frontend._extract_spk_embedding(reference.path),
        )

    def _named(self, name: str) -> VoiceReference | None:
        return self._own.get(name) if name else next(iter(self._own.values()), None)

    def _leave_when_cancelled(self, _module: Any, _inputs: Any) -> None:
        if self._cancelled():
            raise Cancelled


def GlmEngine() -> VoiceEngine:
    return VoiceEngine(GlmVoice(settings()))
