"""parler-tts 0.2.3: the model is told to generate in a thread, and pushes into its streamer."""

from __future__ import annotations

from queue import Queue
from types import SimpleNamespace

import numpy as np
from contract import note, sound, tokens, work

__version__ = "0.2.3"


class ParlerTTSForConditionalGeneration:
    def __init__(self):
        self.config = SimpleNamespace(
            sampling_rate=44100, text_encoder=SimpleNamespace(_name_or_path="google/flan-t5-large")
        )
        self.audio_encoder = SimpleNamespace(config=SimpleNamespace(frame_rate=86, sampling_rate=44100))
        self.decoder = SimpleNamespace(num_codebooks=9)
        self.device = "cpu"

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path, *model_args, **kwargs):
        assert kwargs == {"torch_dtype": "float32"}
        return cls()

    def to(self, device):
        self.device = device
        return self

    def generate(
        self,
        inputs=None,
        generation_config=None,
        logits_processor=None,
        stopping_criteria=None,
        synced_gpus=None,
        streamer=None,
        **kwargs,
    ):
        assert kwargs.keys() == {
            "input_ids",
            "attention_mask",
            "prompt_input_ids",
            "prompt_attention_mask",
            "do_sample",
        }
        described, text = (
            "".join(map(chr, kwargs[key].tolist()[0])) for key in ("input_ids", "prompt_input_ids")
        )
        note(f"description {described}")
        count = tokens(text)
        whole = sound(text, count, 44100).numpy()
        step = len(whole) // count
        for at in range(count):
            note(f"token {at} of {text}")
            try:
                work(text, at)
            except RuntimeError:
                streamer.spoilt = True
                raise
            streamer.on_finalized_audio(whole[at * step : (at + 1) * step])
            if stopping_criteria(None, None):
                break
        streamer.end()


class ParlerTTSStreamer:
    def __init__(self, model, device=None, play_steps=10, stride=None, timeout=None):
        assert play_steps > model.decoder.num_codebooks, "the stride would be negative"
        self.audio_queue = Queue()
        self.stop_signal = None
        self.timeout = timeout
        self.spoilt = False

    def end(self):
        """Makes sound of what is left, first: of tokens that are none, it cannot."""
        if self.spoilt:
            raise IndexError("index out of range in self")
        self.on_finalized_audio(np.zeros(0, np.float32), stream_end=True)

    def on_finalized_audio(self, audio, stream_end=False):
        self.audio_queue.put(audio, timeout=self.timeout)
        if stream_end:
            self.audio_queue.put(self.stop_signal, timeout=self.timeout)

    def __iter__(self):
        return self

    def __next__(self):
        value = self.audio_queue.get(timeout=self.timeout)
        if not isinstance(value, np.ndarray) and value == self.stop_signal:
            raise StopIteration
        return value
