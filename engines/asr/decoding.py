"""pocketsphinx: the best phrase of a grammar, and how much better it explains the audio than sounds in any
order. A pass at a time, so that nothing urgent waits for all of a word.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import pocketsphinx

from engines.asr.grammar import END, START, Grammar, Vocabulary, build
from engines.asr.phones import pronunciations
from engines.asr.signal import MODEL_RATE
from engines.tts.espeak_library import EspeakLibrary

_MEAN: Final = "56.44,-2.73,-10.45,4.63,-11.64,-5.63,3.74,-11.37,0.20,-2.41,-3.27,1.80,-6.49"
"""Cepstral mean of telephone speech as `Utterance.prepare` gives it. A word is too short to take its own mean
from: that would subtract the vowel. Nor may one caller's mean be left for the next.
"""

_VOICES: Final = {"hi": "hi", "mr": "mr", "en": "en-us"}

_MOST_GRAMMARS: Final = 64
_MOST_WORDS: Final = 4000
"""Phrases out of live data must not let the dictionary grow for ever; past this it is begun anew."""

_FASTEST_FRAMES_PER_PHONE: Final = 5.5
_SLOWEST_FRAMES_PER_PHONE: Final = 27.0
_SHORT_FRAMES: Final = 80
_FEWEST_FRAMES: Final = 11
"""A frame is 10 ms. Words said faster or slower than this were something else; but any word may take 0.8
s.
"""


_ANCHORS: Final = {
    "hi": ("हाँ", "जी हाँ", "ठीक है", "नहीं", "जी नहीं"),
    "mr": ("हो", "होय", "ठीक आहे", "नाही", "नको"),
    "en": ("yes", "yeah", "okay", "no", "nope"),
}
"""The decoder counts scores from the best sound that any phrase has in a frame, so that a score falls with
the number of phrases. What was heard in a large grammar is scored again among these, where the threshold was
measured.
"""


Result = TypeVar("Result")
Work = Generator[None, None, Result]
"""Pauses again and again; its result comes at the end."""


@dataclass(frozen=True, slots=True)
class Heard:
    """`score` is ln(phrase) - ln(phone loop) for each frame of the words, among few phrases;
    the higher, the surer.
    """

    phrase: str
    score: float


class Decoding:
    """A word on its way through the decoder, which does one at a time."""

    def __init__(self, work: Work[Heard | None]) -> None:
        self._work = work
        self.done = False
        self.heard: Heard | None = None
        """Once it is done; None when it was none of the phrases."""

    def advance(self) -> None:
        """Another pass over the word: 10 ms for its phrases, 25 ms for sounds in any order."""
        try:
            next(self._work)
        except StopIteration as over:
            self.done, self.heard = True, over.value

    def abandon(self) -> None:
        """Nobody wants to know any more."""
        self._work.close()
        self.done = True


class PhraseDecoder:
    """Loads the model (its own English one) on creation. For one thread."""

    _active: str
    _next_grammar: int

    def __init__(self) -> None:
        self._current: Decoding | None = None
        self._espeak = EspeakLibrary()
        self._loop = _decoder(allphone_ci=True)
        self._loop.add_allphone_file("phones", None)
        self._loop.activate_search("phones")
        self._begin()

    def prepare(self, language: str, phrases: tuple[str, ...]) -> Grammar:
        """Compiles the grammar, unless it is known; 1 ms for a yes/no question, more for hundreds of
        phrases. Not while the decoder is busy.
        """
        key = (language, phrases)
        if key in self._grammars:
            self._grammars.move_to_end(key)
            return self._grammars[key][1]
        if sum(map(len, self._vocabularies.values())) > _MOST_WORDS:
            self._begin()
        if len(self._grammars) >= _MOST_GRAMMARS:
            _, (old, _) = self._grammars.popitem(last=False)
            if old != self._active:
                self._decoder.remove_search(old)
        grammar = build(phrases, self._vocabulary(language))
        name = f"g{self._next_grammar}"
        self._next_grammar += 1
        if grammar.transitions:
            # One word with the update flag makes those before it known, too.
            self._decoder.add_word(f"{name}end", "SIL", True)
            fsg = self._decoder.create_fsg(name, START, END, list(grammar.transitions))
            self._decoder.add_fsg(name, fsg)
        self._grammars[key] = (name, grammar)
        return grammar

    @property
    def current(self) -> Decoding | None:
        """What it is at. Who needs the decoder works that off first."""
        if self._current is not None and self._current.done:
            self._current = None
        return self._current

    def begin(self, language: str, phrases: tuple[str, ...], pcm: bytes) -> Decoding:
        """Which of the phrases is in mono 16-bit PCM at 16 kHz, made by `Utterance.prepare`. Not while the
        decoder is busy.
        """
        assert self.current is None
        self._current = Decoding(self._decode(language, phrases, pcm))
        return self._current

    def decode(self, language: str, phrases: tuple[str, ...], pcm: bytes) -> Heard | None:
        """The same in one go."""
        decoding = self.begin(language, phrases, pcm)
        while not decoding.done:
            decoding.advance()
        return decoding.heard

    def _decode(self, language: str, phrases: tuple[str, ...], pcm: bytes) -> Work[Heard | None]:
        phrase = self._best(language, phrases, pcm)
        if phrase is not None and len(phrases) > len(_ANCHORS[language]) + 1:
            phrases = tuple(dict.fromkeys((phrase, *_ANCHORS[language])))
            yield
            if self._best(language, phrases, pcm) != phrase:
                return None
        if phrase is None:
            return None
        frames = self._word_frames(language)
        hypothesis = self._decoder.hyp()
        if frames is None or hypothesis.score <= 0.0:
            return None
        yield
        loop = _run(self._loop, pcm)
        if loop is None or loop.score <= 0.0:
            return None
        # The scores come exponentiated.
        return Heard(phrase, (math.log(hypothesis.score) - math.log(loop.score)) / frames)

    def _best(self, language: str, phrases: tuple[str, ...], pcm: bytes) -> str | None:
        grammar = self.prepare(language, phrases)
        if not grammar.transitions:
            return None
        name = self._grammars[(language, phrases)][0]
        if name != self._active:
            self._decoder.activate_search(name)
            self._active = name
        hypothesis = _run(self._decoder, pcm)
        return grammar.phrases.get(hypothesis.hypstr) if hypothesis else None

    def _word_frames(self, language: str) -> int | None:
        """How long the words were, without the silence; None when nobody speaks so."""
        vocabulary = self._vocabulary(language)
        frames = phones = 0
        for segment in self._decoder.seg():
            word_id = str(segment.word).partition("(")[0]
            if word_id.startswith("w"):
                frames += segment.end_frame - segment.start_frame + 1
                phones += vocabulary.phones(word_id)
        if phones == 0 or frames < _FEWEST_FRAMES:
            return None
        longest = max(_SHORT_FRAMES, _SLOWEST_FRAMES_PER_PHONE * phones)
        if not _FASTEST_FRAMES_PER_PHONE * phones <= frames <= longest:
            return None
        return frames

    def _begin(self) -> None:
        self._decoder = _decoder()
        self._grammars: OrderedDict[tuple[str, tuple[str, ...]], tuple[str, Grammar]] = OrderedDict()
        self._vocabularies: dict[str, Vocabulary] = {}
        self._active = ""
        self._next_grammar = 0

    def _vocabulary(self, language: str) -> Vocabulary:
        """All languages share one dictionary; the prefix keeps their ids apart."""
        if language not in self._vocabularies:
            self._vocabularies[language] = Vocabulary(
                prefix=f"w{language}",
                pronounce=lambda word: self._pronounce(word, language),
                add=lambda word_id, phones: self._decoder.add_word(word_id, phones, False),
            )
        return self._vocabularies[language]

    def _pronounce(self, word: str, language: str) -> tuple[str, ...]:
        """English words among Hindi ones are read as English."""
        english = language == "en" or word.isascii()
        self._espeak.set_voice(_VOICES["en" if english else language])
        return pronunciations(self._espeak.phonemes(word), english=english)


def _decoder(**settings: object) -> Any:
    # The dictionary is the grammars' own: the model's 134,000 English words would cost half a second.
    return pocketsphinx.Decoder(
        lm=None, dict=None, samprate=MODEL_RATE, cmn="live", loglevel="FATAL", **settings
    )


def _run(decoder: Any, pcm: bytes) -> Any:
    decoder.set_cmn(_MEAN)
    decoder.start_utt()
    # Whole: in pieces the scores come out a little otherwise.
    decoder.process_raw(pcm, False, False)
    decoder.end_utt()
    return decoder.hyp()
