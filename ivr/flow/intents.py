"""What the caller means, out of what a menu offers: phrases are found, scored, and refused when in doubt.

Pure comparison of words, no model: folded spellings first, then similar ones (rapidfuzz) for what
recognisers garble. A wrong branch is worse than a second question, so a weak or an ambiguous match is no
match.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from rapidfuzz import fuzz, process
from rapidfuzz.distance import Levenshtein

from ivr.flow.hearing.fold import fold
from ivr.flow.hearing.phrases import BUILT_IN, FILLERS, UNCLEAR

MIN_SCORE = 0.6
"""An intent is heard from this score on."""

MIN_MARGIN = 0.1
"""It must be ahead of the next intent by this much."""

_ALIKE = 0.84
"""Words so similar are taken for the same."""

_AT_THE_EDGE = 0.7
"""What a sure phrase is worth that opens or closes a longer utterance: the answer comes first or last, an
explanation fills the rest ("हाँ, बीस मिनट में तैयार कर दूँगा")."""

_FUZZY_FROM = 4
"""Shorter words must be exact: "no" and "ho", "हो" and "दो" are similar and opposite."""

_SHORT = 3
_DOUBTFUL = 0.5
"""How alike a short word within a longer phrase is that is one letter off: "nt okay" may be "not okay", so it
is taken neither for "okay" nor for a refusal."""

_CLOSES_FROM = 5
"""Letters of a phrase that may close a longer utterance: "X नहीं" says what is missing and refuses nothing."""

_OPPOSITES = {"affirm": "deny", "deny": "affirm"}


@dataclass(frozen=True, slots=True)
class Match:
    """An intent that was heard; `score` from 0 to 1, `margin` its lead over the next intent."""

    name: str
    score: float
    margin: float


def builtin_phrases(intent: str, language: str) -> tuple[str, ...]:
    """The commonest phrases of a built-in intent (affirm, deny, repeat, operator), for a recogniser to
    listen for; empty for an intent that is not built in. `match_intent` understands more."""
    wordings = BUILT_IN.get(intent, {}).get(language)
    return _split(wordings.common) if wordings else ()


def _understood(intent: str, language: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The sure and the other phrases of a built-in intent: the language's, and English ones, which callers
    of every language use; in Marathi also the commonest of Hindi."""
    table = BUILT_IN.get(intent, {})
    wordings = [table[code] for code in dict.fromkeys((language, "en")) if code in table]
    sure = [*(wording.common for wording in wordings)]
    if language == "mr" and "hi" in table:
        sure.append(table["hi"].common)
    return _split(",".join(sure)), _split(",".join(wording.other for wording in wordings))


def _split(phrases: str) -> tuple[str, ...]:
    return tuple(phrase.strip() for phrase in phrases.split(",") if phrase.strip())


def builtin_intents() -> tuple[str, ...]:
    return tuple(BUILT_IN)


def match_intent(text: str, language: str, candidates: Mapping[str, tuple[str, ...]]) -> Match | None:
    """The candidate that `text` means, or None for none and for doubt.

    `candidates`: intent -> its phrases in this language; a built-in intent is recognised by all its built-in
    ones as well.
    """
    words = fold(text).split()
    if not words or not candidates:
        return None
    hits = _visible(_index(language, tuple(candidates.items())).find(words))
    scores = {name: _score(name, hits, words, _CLOSES_FROM) for name in candidates}
    best = max(candidates, key=lambda name: scores[name])
    # What speaks against it is weighed less strictly: "yes no" is neither.
    others = (name for name in (*candidates, None) if name != best)
    margin = scores[best] - max(_score(name, hits, words, 1) for name in others)
    if scores[best] < MIN_SCORE or margin < MIN_MARGIN:
        return None
    return Match(best, round(scores[best], 3), round(margin, 3))


@dataclass(frozen=True, slots=True)
class _Phrase:
    """`name` None: it means none of the intents. `sure`: it decides even within other words."""

    name: str | None
    text: str
    sure: bool


@dataclass(frozen=True, slots=True)
class _Hit:
    """A phrase found in the words from `start` up to `end`."""

    name: str | None
    start: int
    end: int
    likeness: float
    sure: bool

    def hides(self, other: _Hit) -> bool:
        if not (self.start <= other.start and other.end <= self.end):
            return False
        mine, others = self.end - self.start, other.end - other.start
        return mine > others or (mine == others and self.likeness > other.likeness)


class _Index:
    """The phrases of all candidates, found by their first word."""

    def __init__(self, phrases: Iterable[_Phrase]) -> None:
        self._by_first: dict[str, dict[tuple[str, ...], _Phrase]] = {}
        known: set[str] = set()
        for phrase in phrases:
            if words := tuple(fold(phrase.text).split()):
                self._by_first.setdefault(words[0], {}).setdefault(words, phrase)
                known.update(words)
        self._known = frozenset(known)
        self._fuzzy = sorted(word for word in known if len(word) >= _FUZZY_FROM)
        self._short = sorted(word for word in known if len(word) == _SHORT)

    def find(self, words: Sequence[str]) -> list[_Hit]:
        readings = [self._readings(word) for word in words]
        hits = []
        for start in range(len(words)):
            for first in readings[start]:
                for run, phrase in self._by_first.get(first, {}).items():
                    likeness = _likeness(run, readings[start : start + len(run)])
                    if likeness > _DOUBTFUL:
                        hits.append(_Hit(phrase.name, start, start + len(run), likeness, phrase.sure))
                    elif likeness and len(run) > 1:
                        hits.append(_Hit(None, start, start + len(run), likeness, True))
        return hits

    def _readings(self, word: str) -> dict[str, float]:
        """The known words that this one may be, and how much it is like them."""
        readings = {word: 1.0} if word in self._known else {}
        if len(word) >= _FUZZY_FROM:
            similar = process.extract(
                word, self._fuzzy, scorer=fuzz.ratio, score_cutoff=_ALIKE * 100, limit=5
            )
            for known, score, _ in similar:
                readings.setdefault(known, score / 100)
        if abs(len(word) - _SHORT) <= 1:
            near = process.extract(word, self._short, scorer=Levenshtein.distance, score_cutoff=1, limit=5)
            for known, _, _ in near:
                readings.setdefault(known, _DOUBTFUL)
        return readings


def _likeness(phrase: tuple[str, ...], readings: Sequence[Mapping[str, float]]) -> float:
    """How much the words heard are like the phrase, the least alike deciding; 0 when they are not."""
    if len(readings) < len(phrase):
        return 0.0
    return min(reading.get(word, 0.0) for word, reading in zip(phrase, readings, strict=True))


def _visible(hits: Sequence[_Hit]) -> list[_Hit]:
    return [hit for hit in hits if not any(other.hides(hit) for other in hits)]


def _score(name: str | None, hits: Iterable[_Hit], words: Sequence[str], closes_from: int) -> float:
    """The part of the utterance that means this intent, fillers not counted, times the likeness of its
    phrases.
    """
    own = [hit for hit in hits if hit.name == name]
    if not own:
        return 0.0
    covered: dict[int, float] = {}
    for hit in own:
        for at in range(hit.start, hit.end):
            covered[at] = max(hit.likeness, covered.get(at, 0.0))
    said = [at for at, word in enumerate(words) if at in covered or word not in _fillers()]
    share = sum(len(words[at]) * likeness for at, likeness in covered.items()) / sum(
        len(words[at]) for at in said
    )
    edges = [hit.likeness for hit in own if hit.sure and _is_at_an_edge(hit, said, words, closes_from)]
    return max(share, _AT_THE_EDGE * max(edges, default=0.0))


def _is_at_an_edge(hit: _Hit, said: Sequence[int], words: Sequence[str], closes_from: int) -> bool:
    """Whether it opens the utterance, or closes it with at least so many letters."""
    if hit.start == said[0]:
        return True
    return hit.end == said[-1] + 1 and sum(map(len, words[hit.start : hit.end])) >= closes_from


@lru_cache(maxsize=1)
def _fillers() -> frozenset[str]:
    return frozenset(fold(FILLERS).split())


@lru_cache(maxsize=256)
def _index(language: str, candidates: tuple[tuple[str, tuple[str, ...]], ...]) -> _Index:
    phrases: list[_Phrase] = []
    for name, own in candidates:
        sure, other = _understood(name, language)
        phrases += [_Phrase(name, phrase, True) for phrase in (*own, *sure)]
        phrases += [_Phrase(name, phrase, False) for phrase in other]
    # What is not offered still counts against: "no problem" is no refusal, though only refusing may be
    # offered.
    names = {name for name, _ in candidates}
    for absent, opposite in _OPPOSITES.items():
        if opposite in names and absent not in names:
            sure, other = _understood(absent, language)
            phrases += [_Phrase(None, phrase, True) for phrase in sure]
            phrases += [_Phrase(None, phrase, False) for phrase in other]
    for phrase in (*_split(UNCLEAR.get(language, "")), *_split(UNCLEAR["en"])):
        phrases.append(_Phrase(None, phrase, True))
    return _Index(phrases)
