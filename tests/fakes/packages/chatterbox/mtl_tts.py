from contract import note

from chatterbox._model import Chatterbox

SUPPORTED_LANGUAGES = dict.fromkeys(
    [
        "ar",
        "da",
        "de",
        "el",
        "en",
        "es",
        "fi",
        "fr",
        "he",
        "hi",
        "it",
        "ja",
        "ko",
        "ms",
        "nl",
        "no",
        "pl",
        "pt",
        "ru",
        "sv",
        "sw",
        "tr",
        "zh",
    ],
    "",
)


class ChatterboxMultilingualTTS(Chatterbox):
    @classmethod
    def get_supported_languages(cls):
        return SUPPORTED_LANGUAGES.copy()

    def prepare_conditionals(self, wav_fpath, exaggeration=0.5):
        note(f"derived from {wav_fpath}")
        self.conds = f"clone of {wav_fpath}"

    def generate(
        self,
        text,
        language_id,
        audio_prompt_path=None,
        exaggeration=0.5,
        cfg_weight=0.5,
        temperature=0.8,
        repetition_penalty=2.0,
        min_p=0.05,
        top_p=1.0,
    ):
        if language_id and language_id.lower() not in SUPPORTED_LANGUAGES:
            raise ValueError(f"Unsupported language_id '{language_id}'.")
        note(f"style {exaggeration} {cfg_weight}")
        return self._speak(text)
