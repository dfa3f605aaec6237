from __future__ import annotations

from types import SimpleNamespace

from contract import note, sound, tokens, work


class _Scheduler:
    config = {}  # noqa: RUF012

    @classmethod
    def from_config(cls, config, algorithm_type, beta_schedule):
        assert (algorithm_type, beta_schedule) == ("sde-dpmsolver++", "squaredcos_cap_v2")
        return cls()


class VibeVoiceStreamingForConditionalGenerationInference:
    def __init__(self):
        self.model = SimpleNamespace(noise_scheduler=_Scheduler())

    @classmethod
    def from_pretrained(cls, name, torch_dtype, device_map, attn_implementation):
        return cls()

    def eval(self):
        return self

    def set_ddpm_inference_steps(self, num_steps=None):
        self.steps = num_steps

    def generate(
        self,
        text,
        max_new_tokens=None,
        cfg_scale=1.0,
        tokenizer=None,
        generation_config=None,
        audio_streamer=None,
        stop_check_fn=None,
        verbose=True,
        refresh_negative=True,
        all_prefilled_outputs=None,
    ):
        assert self.steps == 5
        count = tokens(text)
        whole = sound(text, count, 24000)
        step = len(whole) // count
        all_prefilled_outputs["used"] = True
        for at in range(count):
            if stop_check_fn():
                break
            note(f"token {at} of {text}")
            work(text, at)
            audio_streamer.put([whole[at * step : (at + 1) * step]], [0])
        audio_streamer.end()
