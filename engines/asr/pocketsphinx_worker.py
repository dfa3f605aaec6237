"""pocketsphinx inside its worker process: utterances are collected as they stream in, and decoded when they
end.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from engines.asr.decoding import PhraseDecoder
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
        self._done: tuple[Speech, Answer] | None = None
        self._finished = False
        self._prepared = False

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
        speech = self._utterance.speech()
        if speech is not None and self._utterance.pausing(speech) and not self._known(speech):
            return Want(Priority.PAUSE)
        return None

    def step(self) -> Progress:
        speech = self._utterance.speech()
        if not self._finished:
            if not self._prepared:
                self._prepared = True
                self._decoder.prepare(self._language, self._phrases)
            elif speech is not None:
                self._done = speech, self._decode(speech)
            return Progress.MORE
        if speech is None:
            answer = _NOTHING
        elif self._done and self._known(speech):
            answer = self._done[1]
        else:
            answer = self._decode(speech)
        self._reply.send(b"", {"text": answer.text, "confidence": answer.confidence})
        return Progress.DONE

    def close(self) -> None:
        pass

    def _known(self, speech: Speech) -> bool:
        """Whether this is the speech that was decoded; its edges move a little with the silence that is
        added.
        """
        if self._done is None:
            return False
        done = self._done[0]
        return abs(done.first - speech.first) <= _SAME_BLOCKS and abs(done.end - speech.end) <= _SAME_BLOCKS

    def _decode(self, speech: Speech) -> Answer:
        if speech.seconds > _LONGEST_SPEECH_S:
            return _NOTHING
        heard = self._decoder.decode(self._language, self._phrases, self._utterance.prepare(speech))
        above = -1.0 if heard is None else heard.score - _LOWEST_SCORE[self._language]
        if heard is None or above < 0:
            return _NOTHING
        confidence = 1.0 / (1.0 + math.exp(-_SLOPE * (above - _EVEN_ABOVE_LOWEST)))
        return Answer(heard.phrase, round(confidence, 3))
