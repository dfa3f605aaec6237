"""VibeVoice-Realtime-0.5B by Microsoft's repository: English at 24 kHz; text goes in by sentences as it
comes, sound comes out while the model still generates.
"""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from engines.tts.generating import streamed
from engines.tts.generation import Sentence, Sound, VoiceEngine, weights_of
from engines.worker.engine import JobError
from engines.worker.settings import settings

_RATE: Final = 24_000
_STEPS: Final = 5
"""Of the diffusion, for each piece of sound: what the authors' own real-time demonstration uses."""
_GUIDANCE: Final = 1.5
_STREAM_WAIT_S: Final = 60.0


class VibeVoice:
    def __init__(self, told: Mapping[str, Any]) -> None:
        """`told`: `weights`, a folder; `device`, cuda without; `voices`, a folder of presets (`NAME.pt`),
        else `voices` in the weights' one.
        """
        folder = weights_of(told)
        import torch
        from vibevoice.modular.modeling_vibevoice_streaming_inference import (
            VibeVoiceStreamingForConditionalGenerationInference as Model,
        )
        from vibevoice.processor.vibevoice_streaming_processor import VibeVoiceStreamingProcessor

        self._device = str(told.get("device", "cuda"))
        gpu = self._device.startswith("cuda")
        self._processor = VibeVoiceStreamingProcessor.from_pretrained(str(folder))
        self._model = Model.from_pretrained(
            str(folder),
            torch_dtype=torch.bfloat16 if gpu else torch.float32,
            device_map=self._device,
            attn_implementation="sdpa",
        )
        self._model.eval()
        scheduler = self._model.model.noise_scheduler
        self._model.model.noise_scheduler = scheduler.from_config(
            scheduler.config, algorithm_type="sde-dpmsolver++", beta_schedule="squaredcos_cap_v2"
        )
        self._model.set_ddpm_inference_steps(num_steps=_STEPS)
        presets = sorted(Path(str(told.get("voices", folder / "voices"))).glob("*.pt"))
        if not presets:
            raise FileNotFoundError(
                "there is no voice: `ivr engines install vibevoice-realtime` fetches the project's presets, "
                "`ivr engines voices vibevoice-realtime --take FOLDER` takes others (NAME.pt)"
            )
        # Presets are pickles of the project itself, installed with their checksums.
        self._presets = {
            path.stem: torch.load(path, map_location=self._device, weights_only=False) for path in presets
        }
        self.sample_rate = _RATE
        self.version = "VibeVoice-Realtime-0.5B"
        self.warm_up = Sentence("Hello.", "en")

    def voices(self) -> Mapping[str, list[str]]:
        return {"en": list(self._presets)}

    def speak(self, sentence: Sentence, cancelled: Callable[[], bool]) -> Iterator[Sound]:
        from vibevoice.modular.streamer import AudioStreamer

        name = sentence.voice or next(iter(self._presets))
        if name not in self._presets:
            raise JobError(f"VibeVoice has no voice {name!r}")
        preset = self._presets[name]
        inputs = self._processor.process_input_with_cached_prompt(
            text=sentence.text.strip().replace("’", "'"),
            cached_prompt=preset,
            padding=True,
            return_tensors="pt",
            return_attention_mask=True,
        )
        placed = {
            key: value.to(self._device) if hasattr(value, "to") else value for key, value in inputs.items()
        }
        stopped = threading.Event()
        streamer = AudioStreamer(batch_size=1, stop_signal=None, timeout=_STREAM_WAIT_S)

        def generate() -> None:
            self._model.generate(
                **placed,
                max_new_tokens=None,
                cfg_scale=_GUIDANCE,
                tokenizer=self._processor.tokenizer,
                generation_config={"do_sample": False},
                audio_streamer=streamer,
                stop_check_fn=lambda: stopped.is_set() or cancelled(),
                verbose=False,
                refresh_negative=True,
                # The generation writes into its prompt.
                all_prefilled_outputs=copy.deepcopy(preset),
            )
            streamer.end()

        yield from streamed(generate, streamer.get_stream(0), streamer.end, stopped.set)

    def forget(self, key: str) -> None:
        """It clones no voice."""


def VibeVoiceEngine() -> VoiceEngine:
    return VoiceEngine(VibeVoice(settings()))
