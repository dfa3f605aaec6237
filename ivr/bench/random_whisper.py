"""A Whisper with random weights, in CTranslate2's own format: faster-whisper loads it like any other.

What it says is nonsense, but the same nonsense for the same audio, and how long it takes depends on its
dimensions alone. Runs in the environment of faster-whisper, without torch:
`python -m ivr.bench.random_whisper FOLDER` writes one of the true dimensions.
"""

from __future__ import annotations

import json
import math
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from ctranslate2.specs.whisper_spec import WhisperSpec
from numpy.typing import NDArray
from tokenizers import AddedToken, Tokenizer, decoders, pre_tokenizers
from tokenizers.models import BPE

from engines.catalogue.model import codes

_LANGUAGES: Final = codes(
    "en zh de es ru ko fr ja pt tr pl ca nl ar sv it id hi fi vi he uk el ms cs ro da hu ta no th ur hr "
    "bg lt la mi ml cy sk te fa lv bn sr az sl kn et mk br eu is hy ne mn bs kk sq sw gl mr pa si km sn "
    "yo so af oc ka be tg sd gu am yi lo uz fo ht ps tk nn mt sa lb my bo tl mg as tt haw ln ha ba jw su "
    "yue "
)
_TEXT_TOKENS: Final = 50257
_FRAMES: Final = 1500
_LENGTH: Final = 448


@dataclass(frozen=True, slots=True)
class Dimensions:
    """`width` of the model, `mels` bands that it hears."""

    width: int
    heads: int
    encoder_layers: int
    decoder_layers: int
    mels: int


TINY: Final = Dimensions(16, 2, 1, 1, 80)
"""For tests: some milliseconds a clip."""

LARGE_V3_TURBO: Final = Dimensions(1280, 20, 32, 4, 128)
"""Of openai/whisper-large-v3-turbo: 809 million parameters."""


def write_model(folder: Path, dimensions: Dimensions = TINY, seed: int = 7) -> Path:
    """Writes the model into `folder` and gives the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    tokens = _write_tokenizer(folder)
    random = np.random.default_rng(seed)
    width = dimensions.width
    even = math.sqrt(TINY.width / width)
    """Sums over more values are no larger: what is said is of the same length in all widths."""

    def values(*shape: int, scale: float = 0.6) -> NDArray[np.float32]:
        return random.normal(0.0, scale * even, shape).astype(np.float32)

    def norm(spec: object) -> None:
        spec.gamma = np.ones(width, np.float32)  # type: ignore[attr-defined]
        spec.beta = np.zeros(width, np.float32)  # type: ignore[attr-defined]

    def linear(spec: object, out: int, into: int) -> None:
        spec.weight = values(out, into)  # type: ignore[attr-defined]
        spec.bias = values(out)  # type: ignore[attr-defined]

    def attention(spec: object, self_attention: bool) -> None:
        norm(spec.layer_norm)  # type: ignore[attr-defined]
        sizes = (3 * width, width) if self_attention else (width, 2 * width, width)
        for part, size in zip(spec.linear, sizes, strict=True):  # type: ignore[attr-defined]
            linear(part, size, width)

    def forward(spec: object) -> None:
        norm(spec.layer_norm)  # type: ignore[attr-defined]
        linear(spec.linear_0, 4 * width, width)  # type: ignore[attr-defined]
        linear(spec.linear_1, width, 4 * width)  # type: ignore[attr-defined]

    heads = dimensions.heads
    spec = WhisperSpec(dimensions.encoder_layers, heads, dimensions.decoder_layers, heads)
    encoder, decoder = spec.encoder, spec.decoder
    encoder.conv1.weight, encoder.conv1.bias = values(width, dimensions.mels, 3), values(width)
    encoder.conv2.weight, encoder.conv2.bias = values(width, width, 3), values(width)
    encoder.position_encodings.encodings = values(_FRAMES, width)
    norm(encoder.layer_norm)
    for layer in encoder.layer:
        attention(layer.self_attention, True)
        forward(layer.ffn)
    decoder.embeddings.weight = values(len(tokens), width)
    decoder.position_encodings.encodings = values(_LENGTH, width, scale=1.0)
    norm(decoder.layer_norm)
    for layer in decoder.layer:
        attention(layer.self_attention, True)
        attention(layer.attention, False)
        forward(layer.ffn)
    decoder.projection.weight = values(len(tokens), width, scale=1.0)
    # Letters are likely, and the end is not too far: texts of some ten characters.
    bias = np.full(len(tokens), -30.0, np.float32)
    bias[[tokens.index(letter) for letter in "abcdefghijklmnopqrstuvwxyzĠ"]] = 1.0
    bias[tokens.index("<|endoftext|>")] = 5.0
    bias[tokens.index("<|0.00|>") :] = -3.0
    bias[[tokens.index(f"<|{language}|>") for language in _LANGUAGES]] = 0.0
    decoder.projection.bias = bias
    spec.register_vocabulary(tokens)
    spec.config.suppress_ids = []
    spec.config.suppress_ids_begin = [tokens.index("<|endoftext|>")]
    spec.config.lang_ids = [tokens.index(f"<|{language}|>") for language in _LANGUAGES]
    spec.config.alignment_heads = [[0, 0]]
    spec.validate()
    spec.optimize(quantization="int8")
    spec.save(str(folder))
    (folder / "preprocessor_config.json").write_text(json.dumps({"feature_size": dimensions.mels}))
    return folder


def main() -> None:
    if len(sys.argv) != 2:
        raise SystemExit("usage: python -m ivr.bench.random_whisper FOLDER")
    write_model(Path(sys.argv[1]), LARGE_V3_TURBO)


def _write_tokenizer(folder: Path) -> list[str]:
    """Bytes alone, without merges; the rest of the vocabulary, which has Whisper's size, is never used."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    text = [*letters, *(f"unused{number}" for number in range(_TEXT_TOKENS - len(letters)))]
    special = [
        "<|endoftext|>", "<|startoftranscript|>", *(f"<|{language}|>" for language in _LANGUAGES),
        "<|translate|>", "<|transcribe|>", "<|startoflm|>", "<|startofprev|>", "<|nospeech|>",
        "<|notimestamps|>",
    ]  # fmt: skip
    times = [f"<|{number * 0.02:.2f}|>" for number in range(1501)]
    tokenizer = Tokenizer(BPE(vocab={token: number for number, token in enumerate(text)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in special])
    tokenizer.add_tokens([AddedToken(token) for token in times])
    tokenizer.save(str(folder / "tokenizer.json"))
    # CTranslate2 takes a vocabulary with an empty token for a multilingual one, as Whisper's is.
    return [*text[:-1], "", *special, *times]


if __name__ == "__main__":
    main()
