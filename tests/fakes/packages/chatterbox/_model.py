"""What tts_turbo and mtl_tts of chatterbox-tts 0.1.7 have in common for an adapter."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import torch
from contract import note, sound, tokens, work

S3GEN_SR = 24000


class Chatterbox:
    def __init__(self, device, conds=None):
        self.sr = S3GEN_SR
        self.device = device
        self.conds = conds
        self.t3 = SimpleNamespace(tfmr=torch.Module())

    @classmethod
    def from_local(cls, ckpt_dir, device):
        conds = "built-in" if (Path(ckpt_dir) / "conds.pt").exists() else None
        return cls(device, conds)

    def _speak(self, text):
        assert self.conds is not None, "Please `prepare_conditionals` first or specify `audio_prompt_path`"
        count = tokens(text)
        for at in range(count):
            note(f"token {at} of {text}")
            self.t3.tfmr(inputs_embeds=None)
            work(text, at)
        note(f"spoken with {self.conds}: {text}")
        return sound(text, count, self.sr).unsqueeze(0)
