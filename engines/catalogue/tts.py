"""The voices."""

from __future__ import annotations

from typing import Final

from engines.catalogue.asr import CORE
from engines.catalogue.model import (
    CatalogueEntry,
    Checkout,
    Cloud,
    Embedded,
    Environment,
    Hub,
    Installed,
    Kind,
    Licence,
    Release,
    Repository,
    Streaming,
    VoiceFiles,
    codes,
)
from engines.catalogue.voices import KOKORO as KOKORO_VOICES
from engines.catalogue.voices import PARLER as PARLER_VOICES

CHATTERBOX: Final = Environment(
    "chatterbox",
    ("chatterbox-tts==0.1.7", "torch==2.6.0", "transformers==5.2.0", "numpy<2", "setuptools<81"),
)

PARLER: Final = Environment("parler", ("parler-tts==0.2.3", "transformers==4.46.1"))

VIBEVOICE: Final = Environment(
    "vibevoice",
    ("vibevoice[streamingtts] @ git+https://github.com/microsoft/VibeVoice", "transformers==4.51.3"),
)

COSYVOICE: Final = Environment(
    "cosyvoice",
    ("torch==2.3.1", "torchaudio==2.3.1"),
    (Checkout("https://github.com/FunAudioLLM/CosyVoice", "main"),),
    newest_python=(3, 12),
)

GLM: Final = Environment(
    "glm-tts",
    ("torch==2.3.1", "torchaudio==2.3.1"),
    (Checkout("https://github.com/zai-org/GLM-TTS", "main"),),
    newest_python=(3, 12),
)

XTTS: Final = Environment("xtts", ("coqui-tts==0.28.0", "torch==2.6.0", "torchaudio==2.6.0"))

ESPEAK: Final = CatalogueEntry(
    name="espeak",
    kind=Kind.TTS,
    role="embedded: first audio in under a millisecond",
    languages=("hi", "mr", "en"),
    rate=22050,
    streaming=Streaming.NATIVE,
    licence=Licence("GPL-3.0-or-later", "GPL-3.0-or-later"),
    runs=Embedded(),
)

INDIC_PARLER: Final = CatalogueEntry(
    name="indic-parler",
    kind=Kind.TTS,
    role="Hindi and Marathi voices, described in words",
    languages=codes("as bn brx doi en gu hi kn kok mai ml mni mr ne or sa sat sd ta te ur"),
    rate=44100,
    streaming=Streaming.NATIVE,
    licence=Licence("Apache-2.0", "Apache-2.0"),
    runs=Installed(
        PARLER,
        (
            Hub("ai4bharat/indic-parler-tts"),
            # The tokenizer of descriptions is that of the model's text encoder, which its weights only name.
            Hub("google/flan-t5-large", ("*token*.json", "spiece.model"), folder="description"),
        ),
        vram_gb=2.0,
        worker="engines.tts.parler_worker:ParlerEngine",
    ),
    voices=PARLER_VOICES,
)

CHATTERBOX_TURBO: Final = CatalogueEntry(
    name="chatterbox-turbo",
    kind=Kind.TTS,
    role="English with emotions, clones a voice from 10 s",
    languages=("en",),
    rate=24000,
    streaming=Streaming.PIECES,
    licence=Licence("MIT", "MIT"),
    runs=Installed(
        CHATTERBOX,
        (Hub("ResembleAI/chatterbox-turbo"),),
        vram_gb=1.5,
        worker="engines.tts.chatterbox_worker:TurboEngine",
    ),
    voices={},
    cloning=True,
    tags=(
        "[clear throat]",
        "[sigh]",
        "[shush]",
        "[cough]",
        "[groan]",
        "[sniff]",
        "[gasp]",
        "[chuckle]",
        "[laugh]",
    ),
)

CHATTERBOX_MULTILINGUAL: Final = CatalogueEntry(
    name="chatterbox-multilingual",
    kind=Kind.TTS,
    role="23 languages, Hindi among them; clones a voice from 10 s",
    languages=codes("ar da de el en es fi fr he hi it ja ko ms nl no pl pt ru sv sw tr zh"),
    rate=24000,
    streaming=Streaming.PIECES,
    licence=Licence("MIT", "MIT"),
    runs=Installed(
        CHATTERBOX,
        (Hub("ResembleAI/chatterbox", ("*mtl*", "s3gen*", "ve*", "conds.pt", "Cangjie*")),),
        vram_gb=None,
        worker="engines.tts.chatterbox_worker:MultilingualEngine",
    ),
    voices={},
    cloning=True,
)

KOKORO: Final = CatalogueEntry(
    name="kokoro",
    kind=Kind.TTS,
    role="small and very fast; no Marathi",
    languages=("en", "hi"),
    rate=24000,
    streaming=Streaming.PIECES,
    licence=Licence("MIT", "Apache-2.0"),
    runs=Installed(
        CORE,
        (Release("thewh1teagle/kokoro-onnx", "model-files-v1.0", ("kokoro-v1.0.onnx", "voices-v1.0.bin")),),
        vram_gb=0.5,
        worker="engines.tts.kokoro_worker:KokoroEngine",
    ),
    voices=KOKORO_VOICES,
)

COSYVOICE3: Final = CatalogueEntry(
    name="cosyvoice3",
    kind=Kind.TTS,
    role="multilingual and streaming; no Hindi, no Marathi",
    languages=codes("zh en ja ko de es fr it ru"),
    rate=24000,
    streaming=Streaming.NATIVE,
    licence=Licence("Apache-2.0", "Apache-2.0"),
    runs=Installed(
        COSYVOICE,
        (
            Hub("FunAudioLLM/Fun-CosyVoice3-0.5B-2512"),
            # The model has no voice of its own: that of its authors' examples.
            Repository(
                "FunAudioLLM/CosyVoice",
                ("asset/zero_shot_prompt.wav",),
                "voices",
                words=(("zero_shot_prompt.wav", "希望你以后能够做的比我还好呦。"),),
            ),
        ),
        vram_gb=1.5,
        worker="engines.tts.cosyvoice_worker:CosyVoiceEngine",
        voice_files=VoiceFiles.RECORDINGS,
    ),
    cloning=True,
    tags=("[laughter]", "[breath]"),
)

VIBEVOICE_REALTIME: Final = CatalogueEntry(
    name="vibevoice-realtime",
    kind=Kind.TTS,
    role="speaks text as it comes in; its authors advise research use",
    languages=("en",),
    rate=24000,
    streaming=Streaming.NATIVE,
    licence=Licence("MIT", "MIT"),
    runs=Installed(
        VIBEVOICE,
        (
            Hub("microsoft/VibeVoice-Realtime-0.5B"),
            # English, and English as it is spoken in India.
            Repository(
                "microsoft/VibeVoice",
                ("demo/voices/streaming_model/en-*.pt", "demo/voices/streaming_model/in-*.pt"),
                "voices",
            ),
        ),
        vram_gb=2.0,
        worker="engines.tts.vibevoice_worker:VibeVoiceEngine",
        voice_files=VoiceFiles.PRESETS,
    ),
)

XTTS_V2: Final = CatalogueEntry(
    name="xtts-v2",
    kind=Kind.TTS,
    role="clones a voice; weights for non-commercial use only",
    languages=codes("en es fr de it pt pl tr ru nl cs ar zh hu ko ja hi"),
    rate=24000,
    streaming=Streaming.NATIVE,
    licence=Licence("MPL-2.0", "CPML", commercial=False),
    runs=Installed(
        XTTS,
        (Hub("coqui/XTTS-v2", ("*.pth", "*.json")),),
        vram_gb=None,
        worker="engines.tts.xtts_worker:XttsEngine",
    ),
    cloning=True,
)

GLM_TTS: Final = CatalogueEntry(
    name="glm-tts",
    kind=Kind.TTS,
    role="research into emotion; Chinese and English",
    languages=("zh", "en"),
    rate=24000,
    streaming=Streaming.PIECES,
    licence=Licence("Apache-2.0", "MIT"),
    runs=Installed(
        GLM,
        (
            Hub("zai-org/GLM-TTS"),
            Repository(
                "zai-org/GLM-TTS",
                ("examples/prompt/jiayan_zh.wav",),
                "voices",
                words=(("jiayan_zh.wav", "他当时还跟线下其他的站姐吵架，然后，打架进局子了。"),),
            ),
        ),
        vram_gb=None,
        worker="engines.tts.glm_worker:GlmEngine",
        voice_files=VoiceFiles.RECORDINGS,
    ),
    cloning=True,
)

ELEVENLABS: Final = CatalogueEntry(
    name="elevenlabs",
    kind=Kind.TTS,
    role="cloud fallback",
    languages=("en", "hi"),
    rate=8000,
    streaming=Streaming.NATIVE,
    licence=Licence("service", "service"),
    runs=Cloud("https://api.elevenlabs.io", "ELEVENLABS_API_KEY"),
    cloning=True,
)

VOICES: Final = (
    INDIC_PARLER,
    CHATTERBOX_TURBO,
    CHATTERBOX_MULTILINGUAL,
    KOKORO,
    COSYVOICE3,
    VIBEVOICE_REALTIME,
    XTTS_V2,
    GLM_TTS,
    ELEVENLABS,
    ESPEAK,
)
