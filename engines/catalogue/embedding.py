"""The models of meaning."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from engines.catalogue.model import (
    CatalogueEntry,
    Environment,
    Hub,
    Installed,
    Kind,
    Licence,
    Streaming,
    codes,
)

SENTENCES: Final = Environment(
    "sentence-transformers",
    ("sentence-transformers==6.2.0", "torch==2.6.0", "transformers==5.2.0"),
)

MULTILINGUAL_E5_SMALL: Final = CatalogueEntry(
    name="multilingual-e5-small",
    kind=Kind.EMBEDDING,
    role="meaning beside words in what agents look up: 384 dimensions, on a CPU",
    languages=codes(
        "af am ar as az be bg bn br bs ca cs cy da de el en eo es et eu fa fi fr fy ga gd gl gu ha he hi hr "
        "hu hy id is it ja jv ka kk km kn ko ku ky la lo lt lv mg mk ml mn mr ms my ne nl no om or pa pl ps "
        "pt ro ru sa sd si sk sl so sq sr su sv sw ta te th tl tr ug uk ur uz vi xh yi zh"
    ),
    rate=None,
    streaming=Streaming.NONE,
    licence=Licence("Apache-2.0", "MIT"),
    runs=Installed(
        SENTENCES,
        # The repository has the model in ONNX and OpenVINO too, each in a folder.
        (Hub("intfloat/multilingual-e5-small", ("[!o]*.json", "model.safetensors", "sentencepiece*")),),
        vram_gb=None,
        worker="engines.embedding.worker:SentenceTransformersEngine",
    ),
)

MODELS: Final = (MULTILINGUAL_E5_SMALL,)

PREFIXES: Final[Mapping[str, Mapping[str, str]]] = {
    MULTILINGUAL_E5_SMALL.name: {"question": "query: ", "passage": "passage: "},
}
"""What a model was trained to read before its texts."""
