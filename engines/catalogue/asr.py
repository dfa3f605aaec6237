"""The recognisers."""

from __future__ import annotations

from typing import Final

from engines.catalogue.model import (
    CatalogueEntry,
    Cloud,
    Embedded,
    Environment,
    Hub,
    Installed,
    Kind,
    Licence,
    Streaming,
    codes,
)

CORE: Final = Environment(
    "core",
    ("faster-whisper==1.2.1", "ctranslate2==4.8.5", "kokoro-onnx==0.6.1", "soxr>=0.5"),
)
"""Without torch."""

CONFORMER: Final = Environment(
    "conformer",
    ("torch==2.6.0", "torchaudio==2.6.0", "transformers==4.46.1", "onnxruntime>=1.20", "numpy>=2.0"),
)

_WHISPER: Final = codes(
    "af am ar as az ba be bg bn bo br bs ca cs cy da de el en es et eu fa fi fo fr gl gu ha haw "
    "he hi hr ht hu hy id is it ja jw ka kk km kn ko la lb ln lo lt lv mg mi mk ml mn mr ms mt "
    "my ne nl nn no oc pa pl ps pt ro ru sa sd si sk sl sn so sq sr su sv sw ta te tg th tk tl "
    "tr tt uk ur uz vi yi yo zh yue"
)

_SCHEDULED: Final = codes("as bn brx doi gu hi kn kok ks mai ml mni mr ne or pa sa sat sd ta te ur")
"""The 22 languages of the eighth schedule of India's constitution."""

POCKETSPHINX: Final = CatalogueEntry(
    name="pocketsphinx",
    kind=Kind.ASR,
    role="embedded: yes, no and small closed sets, always with keys beside it",
    languages=("hi", "mr", "en"),
    rate=16000,
    streaming=Streaming.NONE,
    licence=Licence("BSD-2-Clause", "BSD-2-Clause"),
    runs=Embedded(),
)

FASTER_WHISPER: Final = CatalogueEntry(
    name="faster-whisper",
    kind=Kind.ASR,
    role="free speech: Whisper large-v3-turbo in int8, batched across calls",
    languages=_WHISPER,
    rate=16000,
    streaming=Streaming.PIECES,
    licence=Licence("MIT", "MIT"),
    runs=Installed(
        CORE,
        (Hub("mobiuslabsgmbh/faster-whisper-large-v3-turbo", ("*.bin", "*.json")),),
        vram_gb=2.0,
        worker="engines.asr.whisper_worker:WhisperEngine",
    ),
)

INDIC_CONFORMER: Final = CatalogueEntry(
    name="indic-conformer",
    kind=Kind.ASR,
    role="Indic speech in windows of 15 s",
    languages=_SCHEDULED,
    rate=16000,
    streaming=Streaming.PIECES,
    licence=Licence("MIT", "MIT"),
    runs=Installed(
        CONFORMER,
        (Hub("ai4bharat/indic-conformer-600m-multilingual"),),
        vram_gb=None,
        worker="engines.asr.conformer_worker:ConformerEngine",
    ),
)

DEEPGRAM: Final = CatalogueEntry(
    name="deepgram",
    kind=Kind.ASR,
    role="cloud fallback: Nova-2",
    languages=("en", "hi"),
    rate=8000,
    streaming=Streaming.NATIVE,
    licence=Licence("service", "service"),
    runs=Cloud("wss://api.deepgram.com", "DEEPGRAM_API_KEY"),
)

RECOGNISERS: Final = (FASTER_WHISPER, INDIC_CONFORMER, DEEPGRAM, POCKETSPHINX)
