"""The data sets that recognisers are measured on: what their columns are called, how their texts are read.

What was known of each is in docs/engines.md. None of them was at hand.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

LANGUAGES: Final = {
    "assamese": "as", "bengali": "bn", "bhojpuri": "bho", "bodo": "brx", "chhattisgarhi": "hne",
    "dogri": "doi", "english": "en", "gujarati": "gu", "hindi": "hi", "kannada": "kn", "kashmiri": "ks",
    "konkani": "kok", "magahi": "mag", "maithili": "mai", "malayalam": "ml", "manipuri": "mni",
    "marathi": "mr", "marwari": "mwr",
    "nepali": "ne", "odia": "or", "punjabi": "pa", "rajasthani": "raj", "sanskrit": "sa", "santali": "sat",
    "sindhi": "sd", "tamil": "ta", "telugu": "te", "tulu": "tcy", "urdu": "ur",
}  # fmt: skip


_LEVELS: Final = 3


def language_code(name: str) -> str:
    """`Marathi`, `mr-IN` and `mr_in` are mr; "" for what is no language. Others stay as they are."""
    lowered = name.strip().lower()
    return LANGUAGES.get(lowered, re.split(r"[-_]", lowered)[0])


def language_of_path(path: Path) -> str:
    """The language that the nearest folder (or the file) is named after, as IndicTTS' and SYSPIN's are; ""
    where none is."""
    for part in (path.stem, *(parent.name for parent in path.parents[:_LEVELS])):
        for word in re.split(r"[^a-z]+", part.lower()):
            if word in LANGUAGES:
                return LANGUAGES[word]
    return ""


def _as_it_is(text: str) -> str:
    return text


def _every(_row: Mapping[str, Any]) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class DataSet:
    """`audio`, `text`, `language` are the names that columns may have, the best first. `spoken` is the
    language of all recordings, where no column tells it. `split` is the part that is meant for measuring,
    where there is one.
    """

    name: str = ""
    audio: tuple[str, ...] = (
        "audio_filepath", "file_name", "path", "audio", "audio_path", "waveform", "wav", "filename", "file",
    )  # fmt: skip
    text: tuple[str, ...] = (
        "text", "transcript", "transcription", "sentence", "normalized_text", "normalized", "verbatim",
    )  # fmt: skip
    language: tuple[str, ...] = ("language", "lang", "locale")
    spoken: str = ""
    split: str = ""
    wanted: Callable[[Mapping[str, Any]], bool] = _every
    """Whether a row is one to be measured."""
    clean: Callable[[str], str] = _as_it_is
    """The words that were said, out of the text as it was written down."""


_NOTES: Final = re.compile(r"\{[^}]*\}|<[^>]*>|\[[^\]]*\]")


def without_notes(text: str) -> str:
    """Vaani's: noises and unclear places are in angle and square brackets; a foreign word is written twice,
    in the language's own script and then, in braces, in its own. `--` stands where a speaker broke off."""
    return " ".join(_NOTES.sub(" ", text).replace("--", " ").split())


def _is_transcribed(row: Mapping[str, Any]) -> bool:
    return str(row.get("isTranscriptionAvailable") or "Yes").strip().lower() == "yes"


ANY: Final = DataSet()
VAANI: Final = DataSet(
    "vaani", audio=("audio",), text=("transcript",), split="test", wanted=_is_transcribed, clean=without_notes
)  # fmt: skip
SVQ: Final = DataSet("svq", audio=("waveform",), text=("text",), language=("locale",))
SETS: Final = {
    each.name: each
    for each in (
        DataSet("rasa", split="test"),
        DataSet("rural-women", split="benchmark"),
        VAANI,
        DataSet("globe", spoken="en", split="test"),
        SVQ,
        DataSet("indictts"),
        DataSet("limmits"),
    )
}


def by_columns(columns: frozenset[str]) -> DataSet:
    """The set whose columns these are, where no other has such; else `ANY`."""
    if "isTranscriptionAvailable" in columns:
        return VAANI
    return SVQ if {"utt_id", "waveform", "locale"} <= columns else ANY
