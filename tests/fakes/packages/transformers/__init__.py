"""transformers 4.46: the tokenizers of Parler."""

from __future__ import annotations

import torch


class _Encoded(dict):
    def __getattr__(self, name):
        return self[name]

    def to(self, device):
        return self


class AutoTokenizer:
    def __init__(self, name):
        self.name = name

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path):
        return cls(pretrained_model_name_or_path)

    def __call__(self, text, return_tensors=None):
        assert return_tensors == "pt"
        codes = torch.tensor([[ord(c) for c in text]])
        return _Encoded(input_ids=codes, attention_mask=torch.tensor([[1] * len(text)]))
