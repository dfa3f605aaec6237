"""Indic-Parler-TTS with random weights, as its own package saves them: it is loaded like the real one.

What it says is noise, and how long each step of it takes depends on its dimensions alone. Runs in the
environment of indic-parler: `python -m ivr.bench.random_parler FOLDER` writes one of the true dimensions.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

_CODES: Final = 1024
"""Of each of the codec's books; the decoder's own tokens follow: end and padding, beginning."""
_SPARE: Final = 64


@dataclass(frozen=True, slots=True)
class Dimensions:
    """`layers` and `width` are the decoder's, `described_*` those of the T5 that reads the description;
    `words` is the vocabulary of the text."""

    width: int
    layers: int
    heads: int
    feed: int
    described_width: int
    described_layers: int
    described_heads: int
    described_feed: int
    words: int


INDIC: Final = Dimensions(1024, 24, 16, 4096, 1024, 24, 16, 2816, 90_712)
"""Of ai4bharat/indic-parler-tts: the decoder of Parler-TTS Mini, and Flan-T5 large."""

TINY: Final = Dimensions(32, 2, 2, 64, 32, 2, 2, 64, 512)


def write_model(folder: Path, dimensions: Dimensions = INDIC) -> Path:
    """Writes the model and its two tokenizers into `folder` and gives the folder."""
    import torch
    from parler_tts import ParlerTTSConfig, ParlerTTSDecoderConfig, ParlerTTSForConditionalGeneration
    from parler_tts.dac_wrapper import DACConfig
    from transformers import T5Config

    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(7)
    codec = DACConfig()
    described = T5Config(
        vocab_size=32_128,
        d_model=dimensions.described_width,
        d_kv=dimensions.described_width // dimensions.described_heads,
        d_ff=dimensions.described_feed,
        num_layers=dimensions.described_layers,
        num_heads=dimensions.described_heads,
        feed_forward_proj="gated-gelu",
    )
    decoder = ParlerTTSDecoderConfig(
        vocab_size=_CODES + _SPARE,
        max_position_embeddings=4096,
        num_hidden_layers=dimensions.layers,
        ffn_dim=dimensions.feed,
        num_attention_heads=dimensions.heads,
        hidden_size=dimensions.width,
        num_codebooks=codec.num_codebooks,
        pad_token_id=_CODES,
        eos_token_id=_CODES,
        bos_token_id=_CODES + 1,
    )
    config = ParlerTTSConfig.from_sub_models_config(described, codec, decoder, vocab_size=dimensions.words)
    config.pad_token_id, config.decoder_start_token_id = _CODES, _CODES + 1
    model = ParlerTTSForConditionalGeneration(config)
    said = model.generation_config
    said.decoder_start_token_id, said.pad_token_id, said.eos_token_id = _CODES + 1, _CODES, _CODES
    said.bos_token_id = _CODES + 1
    said.max_length, said.do_sample, said.guidance_scale = _LONGEST, True, 1
    # Real weights never say what is no sound in the middle of a text; random ones would.
    said.suppress_tokens = list(range(_CODES, _CODES + _SPARE))
    model.save_pretrained(str(folder))
    _write_tokenizer(folder, dimensions.words)
    _write_tokenizer(folder / "description", 32_128)
    return folder


_LONGEST: Final = 3 * 86
"""Tokens of every text, at 86 a second: a short sentence takes some three seconds."""


def _write_tokenizer(folder: Path, words: int) -> None:
    """Bytes alone, so that a text has a token for each: real ones have about a third as many."""
    from tokenizers import Tokenizer, decoders, pre_tokenizers
    from tokenizers.models import BPE
    from transformers import PreTrainedTokenizerFast

    letters: list[Any] = sorted(pre_tokenizers.ByteLevel.alphabet())
    names = ["<pad>", "</s>", "<unk>", *letters][:words]
    tokenizer = Tokenizer(BPE(vocab={name: number for number, name in enumerate(names)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", eos_token="</s>", unk_token="<unk>"
    )
    fast.save_pretrained(str(folder))


def main() -> None:
    if len(sys.argv) != 2:
        raise SystemExit("usage: python -m ivr.bench.random_parler FOLDER")
    write_model(Path(sys.argv[1]))


if __name__ == "__main__":
    main()
