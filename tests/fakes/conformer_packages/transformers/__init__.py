"""`AutoModel.from_pretrained(folder, trust_remote_code=True)` for a model called as IndicConformer is.

It says how many tenths of a second were loud, in words, so that a test can tell what it was given."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import torch

LANGUAGES = [
    "as",
    "bn",
    "brx",
    "doi",
    "gu",
    "hi",
    "kn",
    "kok",
    "ks",
    "mai",
    "ml",
    "mni",
    "mr",
    "ne",
    "or",
    "pa",
    "sa",
    "sat",
    "sd",
    "ta",
    "te",
    "ur",
]


class AutoModel:
    @staticmethod
    def from_pretrained(
        pretrained_model_name_or_path: str, *, trust_remote_code: bool = False, local_files_only: bool = False
    ) -> Model:
        if not trust_remote_code:
            raise ValueError("the repository contains custom code: pass trust_remote_code=True")
        if not os.path.isdir(pretrained_model_name_or_path):
            raise OSError(f"{pretrained_model_name_or_path} is not a local folder")
        return Model()


class Model:
    def to(self, device: str) -> Model:
        return self

    def __call__(self, wav: torch.Tensor, language: str, decoding: str = "ctc") -> str:
        assert decoding in ("ctc", "rnnt")
        assert wav.shape[0] == 1
        assert wav.shape[1] >= 4000
        assert wav.shape[1] <= 15 * 16000
        assert wav.values.dtype == np.float32
        if language not in LANGUAGES:
            raise KeyError(language)
        blocks: Any = wav.values[0][: wav.shape[1] // 1600 * 1600].reshape(-1, 1600)
        loud = int((np.abs(blocks).max(axis=1) > 0.02).sum())
        if loud == 13:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return f" {language} {loud}" if loud else ""
