"""How a word sounds to an English acoustic model: from IPA, as espeak-ng gives it, to the 39 phones of
CMUdict.

Hindi and Marathi have more sounds than the model; each goes to its nearest English neighbour. Aspirated,
dental and retroflex consonants fall together, vowel length survives where English has it.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

_NASAL: Final = "\u0303"

_PHONES: Final = {
    # consonants
    "p": "P", "b": "B", "t": "T", "d": "D", "ʈ": "T", "ɖ": "D", "k": "K", "ɡ": "G", "g": "G", "q": "K",
    "c": "CH", "ɟ": "JH", "tʃ": "CH", "dʒ": "JH", "ts": "T S", "dz": "Z",
    "f": "F", "v": "V", "ʋ": "V", "w": "W", "s": "S", "z": "Z", "ʃ": "SH", "ʂ": "SH", "ʒ": "ZH",
    "θ": "TH", "ð": "DH", "x": "HH", "ɣ": "G", "h": "HH", "ɦ": "HH", "j": "Y",
    "m": "M", "n": "N", "ɳ": "N", "ɲ": "N", "ŋ": "NG", "l": "L", "ɭ": "L", "r": "R", "ɾ": "R", "ɽ": "R",
    "ɹ": "R",
    # vowels
    "a": "AA", "aː": "AA", "ɑ": "AA", "ɑː": "AA", "ɒ": "AA", "ɐ": "AH", "ʌ": "AH", "ə": "AH",
    "ɚ": "ER", "ɜ": "ER", "ɝ": "ER", "æ": "AE", "ɛ": "EH", "e": "EY", "eɪ": "EY",
    "i": "IY", "ɪ": "IH", "ᵻ": "IH", "iə": "IY AH", "ɔ": "AO", "o": "OW", "oʊ": "OW", "əʊ": "OW",
    "u": "UW", "ʊ": "UH", "aɪ": "AY", "aʊ": "AW", "ɔɪ": "OY",
}  # fmt: skip
_LONGEST_FIRST: Final = sorted(_PHONES, key=len, reverse=True)

_ALTERNATIVES: Final = {"ʋ": ("V", "W"), _NASAL: ("", "N")}
"""Sounds that speakers, or the model, take for either."""

_MOST_VARIANTS: Final = 4

_IGNORED: Final = re.compile(r"\([a-z-]+\)|[ˈˌː_ʰʲ.\u0329\u032a\u0361\u200d-]")
"""Language switches, stress, length, aspiration, separators."""


def pronunciations(ipa: str, *, english: bool) -> tuple[str, ...]:
    """The ways to say a word, as CMUdict phones separated by blanks; the likeliest first, at most four.

    Sounds that are not known are left out; empty when nothing is left. In `english` the tap ɾ is a T
    ("water").
    """
    text = _IGNORED.sub("", unicodedata.normalize("NFD", ipa))
    variants: list[list[str]] = [[]]
    at = 0
    while at < len(text):
        sound = next((key for key in _LONGEST_FIRST if text.startswith(key, at)), text[at])
        at += len(sound)
        if sound == "ɾ" and english:
            options: tuple[str, ...] = ("T",)
        elif sound == "ʋ" and english:
            options = ("V",)
        else:
            options = _ALTERNATIVES.get(sound) or (_PHONES.get(sound, ""),)
        variants = [[*variant, *option.split()] for variant in variants for option in options][
            :_MOST_VARIANTS
        ]
    return tuple(dict.fromkeys(" ".join(_without_doubles(v)) for v in variants if v))


def _without_doubles(phones: list[str]) -> list[str]:
    return [phone for index, phone in enumerate(phones) if index == 0 or phones[index - 1] != phone]
