"""sentence-transformers 6.2.0: an encoder whose vectors count the letters of a text, prompt and all.

A text with BREAK raises, one with HANG never comes back. Needs no torch: what it gives are arrays of numpy.
"""

from __future__ import annotations

import json
import os
import time

import numpy as np

__version__ = "6.2.0"

DIMENSIONS = 384


class SentenceTransformer:
    def __init__(
        self,
        model_name_or_path=None,
        *,
        modules=None,
        device=None,
        prompts=None,
        default_prompt_name=None,
        cache_folder=None,
        trust_remote_code=False,
        revision=None,
        local_files_only=False,
        token=None,
        use_auth_token=None,
        model_kwargs=None,
        processor_kwargs=None,
        config_kwargs=None,
        model_card_data=None,
        backend="torch",
        similarity_fn_name=None,
        truncate_dim=None,
    ):
        if not os.path.isfile(os.path.join(model_name_or_path, "modules.json")):
            raise OSError(f"{model_name_or_path} does not appear to have a file named modules.json")
        assert local_files_only, "nothing is asked of a hub"
        assert not trust_remote_code
        self.device = device

    def encode(
        self,
        inputs,
        prompt_name=None,
        prompt=None,
        batch_size=32,
        show_progress_bar=None,
        output_value="sentence_embedding",
        precision="float32",
        convert_to_numpy=True,
        convert_to_tensor=False,
        device=None,
        normalize_embeddings=False,
        truncate_dim=None,
        pool=None,
        chunk_size=None,
        **kwargs,
    ):
        assert convert_to_numpy
        assert not convert_to_tensor
        assert not kwargs
        texts = [(prompt or "") + text for text in inputs]
        if path := os.environ.get("CONTRACT_LOG"):
            with open(path, "a", encoding="utf-8") as log:
                log.write(json.dumps(texts, ensure_ascii=False) + "\n")
        for text in texts:
            if "HANG" in text:
                time.sleep(3600)
            if "BREAK" in text:
                raise RuntimeError("The size of tensor a (514) must match the size of tensor b (512)")
        rows = np.array([letters(text) for text in texts], dtype=np.float32)
        if normalize_embeddings:
            rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        return rows


def letters(text):
    row = [0.0] * DIMENSIONS
    for letter in text.casefold():
        row[ord(letter) % DIMENSIONS] += 1.0
    return row
