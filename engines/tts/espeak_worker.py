"""espeak-ng inside its worker process: clause by clause, one clause of each waiting text in turn."""

from __future__ import annotations

from collections import deque
from typing import Final

from engines.tts.clauses import clauses
from engines.tts.espeak_library import EspeakError, EspeakLibrary
from engines.wire import Fields
from engines.worker.engine import JobError, Progress, Reply
from engines.worker.queue import Bounds, Priority, Want

_FIRST_PIECE_BYTES: Final = 1
_NEXT_PIECE_BYTES: Final = 16_384
"""The first audio goes out as soon as there is any; the rest in pieces of some 370 ms, which cost the parent
less.
"""


class EspeakEngine:
    """`request`: `text`, `voice` (espeak-ng's own name), `rate` (words a minute). Answers PCM at
    `sample_rate`.
    """

    bounds = Bounds()

    def __init__(self) -> None:
        self._library = EspeakLibrary()
        # The first use of a voice reads its dictionary: 90 ms for Hindi, which no caller should wait for.
        for voice, word in (("hi", "हाँ"), ("mr", "हो"), ("en-us", "yes")):
            self._library.set_voice(voice)
            self._library.speak(word, lambda _pcm: True)

    def describe(self) -> Fields:
        return {"sample_rate": self._library.sample_rate, "version": self._library.version}

    def open(self, request: Fields, reply: Reply) -> SpeechJob:
        return SpeechJob(
            self._library, str(request["text"]), str(request["voice"]), int(request["rate"]), reply
        )


class SpeechJob:
    """One text; each step speaks one clause of it."""

    def __init__(self, library: EspeakLibrary, text: str, voice: str, rate: int, reply: Reply) -> None:
        self._library = library
        self._voice = voice
        self._rate = rate
        self._reply = reply
        self._clauses = deque(clauses(text))
        self._unsent = bytearray()
        self._piece_bytes = _FIRST_PIECE_BYTES
        self._want = Want(Priority.FIRST_AUDIO)

    def feed(self, data: bytes) -> None:
        raise JobError("a text to be spoken takes no input")

    def finish(self) -> None:
        pass

    def want(self) -> Want:
        return self._want

    def step(self) -> Progress:
        self._want = Want(Priority.REST)
        if self._clauses:
            try:
                self._library.set_voice(self._voice)
                self._library.set_rate(self._rate)
                self._library.speak(self._clauses.popleft(), self._take)
            except EspeakError as error:
                raise JobError(str(error)) from error
            self._send()
        return Progress.MORE if self._clauses else Progress.DONE

    def close(self) -> None:
        self._clauses.clear()

    def _take(self, pcm: bytes) -> bool:
        self._unsent += pcm
        if len(self._unsent) >= self._piece_bytes:
            self._piece_bytes = _NEXT_PIECE_BYTES
            self._send()
        return not self._reply.cancelled

    def _send(self) -> None:
        if self._unsent:
            self._reply.send(bytes(self._unsent))
            self._unsent.clear()
