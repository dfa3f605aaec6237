"""GLM-TTS of its repository: what the adapter calls of its inference script."""

from __future__ import annotations

import os
from types import SimpleNamespace

import torch
from contract import note, sound, tokens, work

DEVICE = "cpu"


class _Frontend:
    def _extract_speech_token(self, paths):
        note(f"derived from {paths[0]}")
        return torch.tensor([[1, 2, 3]])

    def _extract_text_token(self, text):
        return torch.tensor([[ord(c) for c in text]])

    def _extract_speech_feat(self, path, sample_rate):
        return torch.tensor([sample_rate])

    def _extract_spk_embedding(self, path):
        return f"clone of {path}"


class _Text:
    def text_normalize(self, text):
        return text


def load_models(use_phoneme=False, sample_rate=24000):
    assert os.path.isfile(os.path.join("ckpt", "llm", "config.json"))
    return _Frontend(), _Text(), None, SimpleNamespace(llama=torch.Module()), None


def generate_long(
    frontend,
    text_frontend,
    llm,
    flow,
    text_info,
    cache,
    device,
    embedding,
    seed=0,
    sample_method="ras",
    flow_prompt_token=None,
    speech_feat=None,
    local_llm_forward=None,
    local_flow_forward=None,
    use_phoneme=False,
):
    assert len(cache["cache_speech_token"]) == len(cache["cache_text"]) == 1
    text = text_info[1]
    count = tokens(text)
    for at in range(count):
        note(f"token {at} of {text}")
        llm.llama(inputs_embeds=None)
        work(text, at)
    cache["cache_text"].append(text)
    cache["cache_speech_token"].append([0] * count)
    note(f"spoken with {embedding}: {text}")
    return sound(text, count, 24000).unsqueeze(0), None, [], {}
