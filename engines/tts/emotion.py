"""One vocabulary of feeling for authors, and what each engine makes of it.

A tag is a sound in the text ("[laugh] That was quick."); an emotion is the manner of the whole text. An
engine that lacks one leaves it out of the audio: what it left out can be told to whoever asked.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

TAGS: Final = (
    "laugh",
    "chuckle",
    "sigh",
    "cough",
    "breath",
    "gasp",
    "groan",
    "sniff",
    "shush",
    "clear throat",
)
EMOTIONS: Final = ("neutral", "happy", "excited", "calm", "sad", "sorry", "angry")

Style = Mapping[str, float | str]
"""What an engine is told of an emotion, in its own terms."""

_TAG: Final = re.compile(r"\[([^\[\]\n]{1,40})\]")

_TAGS_OF: Final[Mapping[str, Mapping[str, str]]] = {
    # The added tokens of the model's tokenizer.
    "chatterbox-turbo": {tag: f"[{tag}]" for tag in TAGS if tag != "breath"},
    "cosyvoice3": {"laugh": "[laughter]", "chuckle": "[laughter]", "breath": "[breath]"},
}

_TONES: Final = {
    "happy": "happy and cheerful",
    "excited": "excited and lively",
    "calm": "calm and soothing",
    "sad": "sad and soft",
    "sorry": "apologetic and gentle",
    "angry": "angry and firm",
}

# Chatterbox: how far it exaggerates, and the weight of its guidance, which slows it down; its authors advise
# to lower the second where the first is raised.
_EXAGGERATION: Final = {
    "neutral": (0.5, 0.5),
    "happy": (0.7, 0.4),
    "excited": (0.9, 0.3),
    "calm": (0.35, 0.5),
    "sad": (0.6, 0.5),
    "sorry": (0.55, 0.5),
    "angry": (0.9, 0.4),
}

# ElevenLabs: a low stability varies more, a high style exaggerates the voice's own.
_STABILITY: Final = {
    "neutral": (0.5, 0.0),
    "happy": (0.4, 0.4),
    "excited": (0.3, 0.6),
    "calm": (0.75, 0.1),
    "sad": (0.45, 0.4),
    "sorry": (0.5, 0.3),
    "angry": (0.3, 0.6),
}


class UnknownTag(ValueError):
    """A tag that no author may use; the text says which, and which was perhaps meant."""


@dataclass(frozen=True, slots=True)
class Fitted:
    """A text as an engine takes it, and the author's tags that the engine cannot voice, once each."""

    text: str
    dropped: tuple[str, ...] = ()


def check_tags(text: str) -> None:
    """Raises `UnknownTag` for the first tag that is none of the vocabulary."""
    for match in _TAG.finditer(text):
        tag = _name(match)
        if tag not in TAGS:
            near = difflib.get_close_matches(tag, TAGS, 1)
            meant = f'; did you mean "[{near[0]}]"?' if near else f"; there are {', '.join(TAGS)}"
            raise UnknownTag(f'there is no tag "[{match[1]}]"{meant}')


def without_tags(text: str) -> str:
    """What is left to say when every sound is left out."""
    return fit(text, "").text


def fit(text: str, engine: str) -> Fitted:
    """The text with the tags in the engine's own form, those that it lacks taken out; an engine that is not
    listed has none. What stands in brackets and is no tag stays.
    """
    own = _TAGS_OF.get(engine, {})
    dropped: dict[str, None] = {}

    def replace(match: re.Match[str]) -> str:
        tag = _name(match)
        if tag not in TAGS:
            return match[0]
        if tag not in own:
            dropped[tag] = None
        return own.get(tag, "")

    fitted = _TAG.sub(replace, text)
    if dropped:
        fitted = re.sub(r"[ \t]+([,;:.!?।॥])", r"\1", re.sub(r"[ \t]{2,}", " ", fitted)).strip()
    return Fitted(fitted, tuple(dropped))


def spoken_parts(text: str) -> list[tuple[str, bool]]:
    """The text in order as pieces of words (False) and tags (True): who rewrites words leaves tags alone."""
    parts: list[tuple[str, bool]] = []
    at = 0
    for match in _TAG.finditer(text):
        if _name(match) in TAGS:
            parts += [(text[at : match.start()], False), (match[0], True)]
            at = match.end()
    return [*parts, (text[at:], False)]


def style(engine: str, emotion: str, intensity: float = 0.5) -> Style | None:
    """What the engine is told; None when it has no means for the emotion.

    `intensity` is between 0 (as if neutral) and 1; at 0.5 the tables hold as they stand. Raises `ValueError`
    for an emotion that is none of `EMOTIONS`.
    """
    if emotion not in EMOTIONS:
        raise ValueError(f"there is no emotion {emotion!r}; there are {', '.join(EMOTIONS)}")
    if engine == "chatterbox-multilingual":
        exaggeration, guidance = _scaled(_EXAGGERATION, emotion, intensity)
        return MappingProxyType({"exaggeration": exaggeration, "cfg_weight": guidance})
    if engine == "elevenlabs":
        stability, expression = _scaled(_STABILITY, emotion, intensity)
        return MappingProxyType({"stability": stability, "style": expression})
    if engine in ("indic-parler", "cosyvoice3"):
        return MappingProxyType({"tone": _tone(emotion, intensity)})
    return MappingProxyType({}) if emotion == "neutral" else None


def _name(match: re.Match[str]) -> str:
    return " ".join(match[1].lower().replace("_", " ").split())


def _scaled(table: Mapping[str, tuple[float, float]], emotion: str, intensity: float) -> tuple[float, float]:
    """Away from neutral, twice as far at 1 as at 0.5, within 0 and 1."""
    plain, felt = table["neutral"], table[emotion]
    first, second = (
        round(min(1.0, max(0.0, a + (b - a) * 2 * intensity)), 3) for a, b in zip(plain, felt, strict=True)
    )
    return first, second


def _tone(emotion: str, intensity: float) -> str:
    if emotion == "neutral" or intensity <= 0:
        return ""
    degree = "slightly " if intensity < 0.34 else "very " if intensity > 0.66 else ""
    return degree + _TONES[emotion]
