"""Spellings that sound alike become one, so that a transcript meets the words it is compared with.

Recognisers and authors disagree on nukta, chandrabindu, anusvara, doubled consonants and vowel length (पाँच,
पांच, पाच; हिन्दी, हिंदी; अट्ठाईस, अठाइस). Folded text is for comparing only, never shown or spoken.
"""

from __future__ import annotations

import re
import unicodedata

_NUKTA_AND_JOINERS = dict.fromkeys(map(ord, "\u093c\u200c\u200d'’`´"))
_SOUND_ALIKE = str.maketrans(
    {
        "ी": "ि",
        "ू": "ु",
        "ई": "इ",
        "ऊ": "उ",
        "ँ": None,
        "ं": None,
        "ः": None,
        "ॅ": "े",
        "ॉ": "ो",
        "ऑ": "ओ",
        "ॲ": "ए",
    }
)
# A consonant doubled, or a stop before its own aspirate: क्क, ट्ठ.
_DOUBLED = re.compile(
    r"([क-ह])्(?=\1)|क्(?=ख)|ग्(?=घ)|च्(?=छ)|ज्(?=झ)|ट्(?=ठ)|ड्(?=ढ)|त्(?=थ)|द्(?=ध)|प्(?=फ)|ब्(?=भ)|ठ्(?=ठ)"
)
_NASAL = re.compile(r"[ङञणनम]्(?=[क-ह])")
_LATIN_MARKS = re.compile("[\u0300-\u036f]")
# Words of Indian scripts hold vowel signs, which are no \w; dandas and the abbreviation sign are no part of
# a word.
_SEPARATORS = re.compile(r"(?<=\d)[.:](?=\d)|(?<=\d),(?=\d)|[^\w\u0900-\u0963\u0966-\u096f\u0971-\u0dff]+|_")
_FIGURE_EDGE = re.compile(r"(?<=\d)(?=[^\W\d])|(?<=[^\W\d])(?=\d)|(?<=[\u093a-\u094f])(?=\d)")


def fold(text: str) -> str:
    """Lower case, without marks and punctuation, one space between words; figures in ASCII ("१,२५०.५" ->
    "1250.5").
    """
    text = unicodedata.normalize("NFD", text.casefold()).translate(_NUKTA_AND_JOINERS)
    text = _LATIN_MARKS.sub("", text)
    if not text.isascii():
        if any(map(str.isdecimal, text)):
            text = "".join(str(unicodedata.decimal(c)) if c.isdecimal() else c for c in text)
        text = _DOUBLED.sub("", _NASAL.sub("", _DOUBLED.sub("", text)))
        text = text.translate(_SOUND_ALIKE).replace("ये", "ए").replace("यि", "इ")
    text = _SEPARATORS.sub(_separator, text)
    return " ".join(_FIGURE_EDGE.sub(" ", text).split())


def _separator(match: re.Match[str]) -> str:
    mark = match[0]
    if mark in ".:":
        return (
            mark
            if match.start() and match.string[match.start() - 1].isdigit() and _digit_after(match)
            else " "
        )
    return (
        ""
        if mark == "," and _digit_after(match) and match.string[match.start() - 1 : match.start()].isdigit()
        else " "
    )


def _digit_after(match: re.Match[str]) -> bool:
    return match.string[match.end() : match.end() + 1].isdigit()
