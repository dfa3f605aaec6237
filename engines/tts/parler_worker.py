"""Indic-Parler-TTS by parler-tts 0.2.3: 21 languages at 44.1 kHz, the voice described in words; sound comes
from its streamer while the model still generates.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import numpy as np

from engines.catalogue.voices import PARLER
from engines.tts.generating import streamed
from engines.tts.generation import Sentence, Sound, VoiceEngine, weights_of
from engines.worker.settings import settings

_FIRST_PIECE_S: Final = 0.25
"""Of sound before the first piece is decoded: fewer steps bring it sooner and cost more decoding."""
_STREAM_WAIT_S: Final = 60.0
"""For a single piece; the worker is watched for hanging before this is over."""


class ParlerVoice:
    def __init__(self, told: Mapping[str, Any]) -> None:
        """`told`: `weights`, a folder; `device`, cuda without; `description_tokenizer`, a folder, else the
        folder `description` beside the weights, else what the weights name.
        """
        folder = weights_of(told)
        import torch
        from parler_tts import ParlerTTSForConditionalGeneration
        from transformers import AutoTokenizer

        self._device = str(told.get("device", "cuda"))
        precision = torch.float32 if self._device == "cpu" else torch.bfloat16
        model = ParlerTTSForConditionalGeneration.from_pretrained(str(folder), torch_dtype=precision)
        self._model = model.to(self._device)
        self._tokenizer = AutoTokenizer.from_pretrained(str(folder))
        beside = folder / "description"
        named = beside if beside.is_dir() else model.config.text_encoder._name_or_path
        self._describer = AutoTokenizer.from_pretrained(str(told.get("description_tokenizer", named)))
        self.sample_rate = int(model.config.sampling_rate)
        frame_rate = model.audio_encoder.config.frame_rate
        self._play_steps = max(model.decoder.num_codebooks + 6, int(frame_rate * _FIRST_PIECE_S))
        self.version = "parler-tts 0.2.3"
        self.warm_up = Sentence("नमस्ते।", "hi")

    def voices(self) -> Mapping[str, list[str]]:
        return {language: list(names) for language, names in PARLER.items()}

    def speak(self, sentence: Sentence, cancelled: Callable[[], bool]) -> Iterator[Sound]:
        from parler_tts import ParlerTTSStreamer
        from transformers.generation.stopping_criteria import StoppingCriteria, StoppingCriteriaList

        stopped = threading.Event()

        class Stop(StoppingCriteria):  # type: ignore[misc]
            """Asked after each token."""

            def __call__(self, input_ids: Any, scores: Any, **_: Any) -> bool:
                return stopped.is_set() or cancelled()

        described = self._describer(description(sentence), return_tensors="pt").to(self._device)
        prompt = self._tokenizer(sentence.text, return_tensors="pt").to(self._device)
        streamer = ParlerTTSStreamer(
            self._model, device=self._device, play_steps=self._play_steps, timeout=_STREAM_WAIT_S
        )
        yield from streamed(
            lambda: self._model.generate(
                input_ids=described.input_ids,
                attention_mask=described.attention_mask,
                prompt_input_ids=prompt.input_ids,
                prompt_attention_mask=prompt.attention_mask,
                streamer=streamer,
                do_sample=True,
                stopping_criteria=StoppingCriteriaList([Stop()]),
            ),
            streamer,
            # Not `end`, which first makes sound of the tokens that are left: where those were the trouble, it
            # fails as well, and the listener would wait for ever.
            lambda: streamer.on_finalized_audio(np.zeros(0, np.float32), stream_end=True),
            stopped.set,
        )

    def forget(self, key: str) -> None:
        """It clones no voice."""


def description(sentence: Sentence) -> str:
    """The voice in the words of the model's training: who, how fast, in what mood, and a clean recording."""
    pace = "fast" if sentence.speed > 1.15 else "slow" if sentence.speed < 0.87 else "moderate"
    tone = sentence.style.get("tone", "")
    mood = f" in a {tone} tone" if tone else ""
    named = sentence.voice or PARLER.get(sentence.language, ("A female speaker",))[0]
    return (
        f"{named} speaks at a {pace} pace{mood}, with a clear voice very close to the microphone. "
        "The recording is of very high quality, without any background noise."
    )


def ParlerEngine() -> VoiceEngine:
    return VoiceEngine(ParlerVoice(settings()))
