"""pocketsphinx inside its worker process: utterances are collected as they stream in, and decoded when they
end.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from engines.asr.decoding import Decoding, Heard, PhraseDecoder
from engines.asr.signal import Speech, Utterance
from engines.wire import Fields
from engines.worker.engine import JobError, Progress, Reply
from engines.worker.queue import Bounds, Priority, Want

_LONGEST_SPEECH_S: Final = 4.0
"""Who speaks longer says none of a menu's phrases."""

_LONGEST_AUDIO_S: Final = 30.0

_LOWEST_SCORE: Final = {"hi": -0.0020, "mr": -0.0013, "en": -0.0016}
"""Below it the phones in any order explain the audio better by too much: it was something else. By language,
since the model is English: about 5 % of synthetic answers lie below (bench/asr_yes_no.py).
"""

_EVEN_ABOVE_LOWEST: Final = 0.0006
_SLOPE: Final = 2000.0
"""Score to confidence, by a logistic function: 0.23 at the lowest score, 0.5 at 0.0006 above it."""

_SAME_BLOCKS: Final = 4

_LOOK_EVERY_S: Final = 0.06
"""Whether the caller pauses; a pause lasts longer."""


@dataclass(frozen=True, slots=True)
class Answer:
    text: str
    confidence: float


_NOTHING: Final = Answer("", 0.0)


class PocketsphinxEngine:
    """`request`: `language`, `rate` of the input in Hz, `phrases`. One answer: `text`, `confidence`."""

    bounds = Bounds()

    def __init__(self) -> None:
        self._decoder = PhraseDecoder()
        # The first decoding touches the whole model.
        for language, phrase in (("hi", "हाँ"), ("mr", "हो"), ("en", "yes")):
            self._decoder.decode(language, (phrase,), bytes(16000))

    def describe(self) -> Fields:
        return {}

    def open(self, request: Fields, reply: Reply) -> UtteranceJob:
        phrases = tuple(str(phrase) for phrase in request["phrases"])
        return UtteranceJob(self._decoder, str(request["language"]), int(request["rate"]), phrases, reply)


class UtteranceJob:
    """One utterance. The grammar is compiled in the first step, while the caller still speaks."""

    def __init__(
        self, decoder: PhraseDecoder, language: str, rate: int, phrases: tuple[str, ...], reply: Reply
    ) -> None:
        if rate < 8000:
            raise JobError(f"audio at {rate} Hz cannot be recognised; 8000 is the least")
        self._decoder = decoder
        self._language = language
        self._rate = rate
        self._phrases = phrases
        self._reply = reply
        self._utterance = Utterance(rate)
        self._under_way: tuple[Speech, Decoding] | None = None
        self._done: tuple[Speech, Answer] | None = None
        self._finished = False
        self._prepared = False
        self._looked_s = 0.0

    def feed(self, data: bytes) -> None:
        if self._utterance.seconds < _LONGEST_AUDIO_S:
            self._utterance.add(data)

    def finish(self) -> None:
        self._finished = True

    def want(self) -> Want | None:
        if self._finished:
            return Want(Priority.FINAL)
        if not self._prepared:
            return Want(Priority.FIRST_PARTIAL)
        if self._utterance.seconds - self._looked_s < _LOOK_EVERY_S and self._under_way is None:
            return None
        self._looked_s = self._utterance.seconds
        speech = self._utterance.speech()
        if speech is not None and self._utterance.pausing(speech) and not self._known(speech):
            return Want(Priority.PAUSE)
        return None

    def step(self) -> Progress:
        if not self._finished and not self._prepared:
            if self._is_mine():
                self._prepared = True
                self._decoder.prepare(self._language, self._phrases)
            return Progress.MORE
        speech = self._utterance.speech()
        if speech is not None and not self._known(speech):
            self._decode(speech)
            if not self._known(speech):
                return Progress.MORE
        if not self._finished:
            return Progress.MORE
        answer = self._done[1] if self._done and speech is not None else _NOTHING
        self._reply.send(b"", {"text": answer.text, "confidence": answer.confidence})
        return Progress.DONE

    def close(self) -> None:
        self._abandon()

    def _is_mine(self) -> bool:
        """Whether the decoder is free for this job. Where it is not, it comes a little nearer to that."""
        if (current := self._decoder.current) is None:
            return True
        current.advance()
        return False

    def _abandon(self) -> None:
        if self._under_way is not None:
            self._under_way[1].abandon()
            self._under_way = None

    def _known(self, speech: Speech) -> bool:
        return self._done is not None and _same(self._done[0], speech)

    def _decode(self, speech: Speech) -> None:
        """A little of it. It is begun anew when the caller has gone on speaking."""
        if speech.seconds > _LONGEST_SPEECH_S:
            self._done = speech, _NOTHING
            return
        if self._under_way is not None and not _same(self._under_way[0], speech):
            self._abandon()
        if self._under_way is None:
            if not self._is_mine():
                return
            pcm = self._utterance.prepare(speech)
            self._under_way = speech, self._decoder.begin(self._language, self._phrases, pcm)
        begun, decoding = self._under_way
        if not decoding.done:  # another job may have worked it off
            decoding.advance()
        if decoding.done:
            self._under_way = None
            self._done = begun, self._answer(decoding.heard)

    def _answer(self, heard: Heard | None) -> Answer:
        above = -1.0 if heard is None else heard.score - _LOWEST_SCORE[self._language]
        if heard is None or above < 0:
            return _NOTHING
        confidence = 1.0 / (1.0 + math.exp(-_SLOPE * (above - _EVEN_ABOVE_LOWEST)))
        return Answer(heard.phrase, round(confidence, 3))


def _same(one: Speech, other: Speech) -> bool:
    """Its edges move a little with the silence that is added."""
    return abs(one.first - other.first) <= _SAME_BLOCKS and abs(one.end - other.end) <= _SAME_BLOCKS
