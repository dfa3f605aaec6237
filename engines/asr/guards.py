"""What a recogniser of the Whisper kind says of noise, silence and music, though nobody said it. Pure.

The thresholds are Whisper's own (OpenAI's `transcribe`); the phrases are those that its training data,
subtitles, put where nobody speaks.
"""

from __future__ import annotations

import re
import unicodedata
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

_NEVER_SAID: Final = frozenset(
    {
        "subtitles by the amara org community",
        "subtitles by",
        "thanks for watching",
        "thank you for watching",
        "thank you very much for watching",
        "thank you so much for watching",
        "please subscribe",
        "please subscribe to my channel",
        "like and subscribe",
        "see you in the next video",
        "see you next time",
        "transcription by castingwords",
        "the end",
        "देखने के लिए धन्यवाद",
        "वीडियो देखने के लिए धन्यवाद",
        "चैनल को सब्सक्राइब करें",
        "कृपया चैनल को सब्सक्राइब करें",
        "व्हिडिओ पाहिल्याबद्दल धन्यवाद",
        "पाहिल्याबद्दल धन्यवाद",
        "चॅनेलला सबस्क्राइब करा",
    }
)
"""No caller says these."""

_SELDOM_SAID: Final = frozenset(
    {"you", "thank you", "thanks", "bye", "bye bye", "so", "okay", "the", "धन्यवाद", "शुक्रिया", "ओम", "है"}
)
"""A caller may: dropped where the model is unsure besides."""

_UNSURE_NO_SPEECH: Final = 0.3
_UNSURE_LOG_PROB: Final = -0.7


class Verdict(Enum):
    KEEP = auto()
    RETRY = auto()
    """It turns in circles: worth another decoding that forbids repetition."""
    DROP = auto()


@dataclass(frozen=True, slots=True)
class Guard:
    """Thresholds; None switches one off.

    `no_speech`: probability of no speech past which an unsure text is dropped; `log_prob`: average log
    probability of a token below which a text is unsure; `compression`: bytes of the text by its zlib size,
    past which it turns in circles.
    """

    no_speech: float | None = 0.6
    log_prob: float | None = -1.0
    compression: float | None = 2.4
    phrases: bool = True

    def judge(self, text: str, *, no_speech: float, log_prob: float, expected: Sequence[str] = ()) -> Verdict:
        """`expected` are phrases that the question asks for: they are never suspicious."""
        if not text:
            return Verdict.KEEP
        plain = _plain(text)
        if plain in {_plain(phrase) for phrase in expected}:
            return Verdict.KEEP
        silent = self.no_speech is not None and no_speech > self.no_speech
        if silent and (self.log_prob is None or log_prob < self.log_prob):
            return Verdict.DROP
        if self.phrases and (plain in _NEVER_SAID or not plain):
            return Verdict.DROP
        unsure = no_speech > _UNSURE_NO_SPEECH or log_prob < _UNSURE_LOG_PROB
        if self.phrases and unsure and plain in _SELDOM_SAID:
            return Verdict.DROP
        if self.compression is not None and compression_ratio(text) > self.compression:
            return Verdict.RETRY
        return Verdict.KEEP


def compression_ratio(text: str) -> float:
    """Bytes of the text by those of its zlib form: high for what repeats itself."""
    data = text.encode()
    return len(data) / len(zlib.compress(data)) if data else 0.0


def _plain(text: str) -> str:
    """Without case, punctuation and doubled spaces; the signs that Hindi is written with stay."""
    folded = unicodedata.normalize("NFC", text).casefold()
    kept = (character if unicodedata.category(character)[0] in "LMN" else " " for character in folded)
    return re.sub(r"\s+", " ", "".join(kept)).strip()
