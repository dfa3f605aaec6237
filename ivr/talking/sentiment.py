"""How a caller feels, by his words: a small lexicon of Hindi, Marathi and English, mixed as callers mix them.

No model, no delay, and no more than a hint: it sets the manner of the voice that answers, never what is done.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from ivr.flow.hearing.fold import fold

Mood = Literal["neutral", "happy", "sad", "angry"]

_LEXICON: Final[Mapping[Mood, str]] = {
    "angry": """
        angry furious useless pathetic ridiculous nonsense rubbish fraud cheat cheating cheated scam worst
        terrible horrible unacceptable disgusting complaint
        |fed up|how many times|every time|consumer court|waste of time
        बेकार बकवास घटिया धोखा धोखाधड़ी ठगी गुस्सा लापरवाही शिकायत बदतमीज़ी
        |हद हो गई|कितनी बार|तंग आ गया|तंग आ गई|परेशान कर
        bekar bakwas ghatiya dhokha gussa|kitni baar|had ho gayi
        फालतू वाईट फसवणूक राग संताप निष्काळजी तक्रार|किती वेळा|वैताग आला|कंटाळा आला
    """,
    "sad": """
        sad upset worried disappointed unhappy lost died death hospital accident emergency crying
        afraid scared
        दुखी परेशान चिंता निराश मुश्किल मौत अस्पताल एक्सीडेंट डर दिक्कत|बहुत परेशानी
        pareshan chinta dukhi takleef
        दुःखी काळजी चिंतेत निराश त्रास अपघात दवाखाना भीती अडचण
    """,
    "happy": """
        thanks great perfect wonderful excellent awesome happy glad lovely brilliant super|thank you
        धन्यवाद शुक्रिया बढ़िया शानदार खुश मस्त अच्छा|बहुत अच्छा
        dhanyavaad shukriya badhiya mast
        छान मस्त आनंद उत्तम आभारी|खूप छान
    """,
}
"""Words, and behind "|" phrases."""

_NOT_WORDS: Final = "not no never nothing isn't wasn't don't नहीं नही मत न नाही नको नव्हतं nahi"
_VERY_WORDS: Final = (
    "very so really extremely totally absolutely बहुत बेहद एकदम बिल्कुल खूप फारच अतिशय bahut ekdam"
)
_NOT: Final = frozenset(map(fold, _NOT_WORDS.split()))
_VERY: Final = frozenset(map(fold, _VERY_WORDS.split()))


def _lexicon() -> dict[str, Mood]:
    found: dict[str, Mood] = {}
    for mood, text in _LEXICON.items():
        for line in text.strip().splitlines():
            words, *phrases = line.strip().split("|")
            for entry in (*words.split(), *phrases):
                found.setdefault(fold(entry), mood)
    return found


_MOODS: Final = _lexicon()
_LONGEST: Final = max(entry.count(" ") + 1 for entry in _MOODS)
_LOUD: Final = re.compile("!")


@dataclass(frozen=True, slots=True)
class Feeling:
    """`strength` from 0 (a hint) to 1."""

    mood: Mood = "neutral"
    strength: float = 0.0


def feeling_of(text: str) -> Feeling:
    """Of one utterance. What is denied ("not happy") does not count as what it says, but as its contrary."""
    words = fold(text).split()
    scores: dict[Mood, float] = {"angry": 0.0, "sad": 0.0, "happy": 0.0}
    at = 0
    while at < len(words):
        size = next((n for n in range(_LONGEST, 0, -1) if " ".join(words[at : at + n]) in _MOODS), 0)
        if size:
            mood = _MOODS[" ".join(words[at : at + size])]
            around = words[max(at - 2, 0) : at] + words[at + size : at + size + 2]
            if not _NOT.isdisjoint(around):
                mood = "sad" if mood == "happy" else "neutral"
            if mood != "neutral":
                scores[mood] += 1.5 if not _VERY.isdisjoint(around) else 1.0
        at += max(size, 1)
    mood = max(scores, key=lambda one: scores[one])
    if scores[mood] == 0:
        return Feeling()
    return Feeling(mood, min(1.0, 0.3 + 0.25 * scores[mood] + 0.1 * len(_LOUD.findall(text))))


@dataclass(frozen=True, slots=True)
class Manner:
    """How a voice is to answer: an emotion of `engines.tts.emotion`, and how much of it."""

    emotion: str = "neutral"
    intensity: float = 0.5


def manner_of(feeling: Feeling, usual: str) -> Manner:
    """The manner for somebody who feels so, where the step's own is `usual`. Nobody is answered in anger."""
    match feeling.mood:
        case "angry":
            return Manner("calm" if feeling.strength < 0.6 else "sorry", 0.3 + 0.4 * feeling.strength)
        case "sad":
            return Manner("sorry", 0.3 + 0.4 * feeling.strength)
        case "happy" if usual == "neutral":
            return Manner("happy", 0.2 + 0.3 * feeling.strength)
        case _:
            return Manner(usual)


class Temper:
    """How a caller has felt of late: it fades, and one friendly word does not end an anger."""

    def __init__(self) -> None:
        self.now = Feeling()

    def hear(self, text: str) -> None:
        self.now = self.after(text)

    def after(self, text: str) -> Feeling:
        """How he feels if he has said this."""
        heard, before = feeling_of(text), self.now
        faded = before.strength * 0.6
        if heard.mood == "neutral" or (heard.mood != before.mood and heard.strength < faded):
            return Feeling(before.mood, faded) if faded >= 0.2 else Feeling()
        if heard.mood == before.mood:
            return Feeling(heard.mood, min(1.0, heard.strength + 0.5 * faded))
        return heard
