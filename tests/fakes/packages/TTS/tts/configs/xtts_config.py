import json
from types import SimpleNamespace


class XttsConfig:
    def __init__(self):
        self.languages = [
            "en",
            "es",
            "fr",
            "de",
            "it",
            "pt",
            "pl",
            "tr",
            "ru",
            "nl",
            "cs",
            "ar",
            "zh-cn",
            "hu",
            "ko",
            "ja",
            "hi",
        ]
        self.model_args = SimpleNamespace(output_sample_rate=24000)

    def load_json(self, file_name):
        with open(file_name, encoding="utf-8") as file:
            json.load(file)
