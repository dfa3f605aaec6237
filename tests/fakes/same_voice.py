"""espeak-ng as it is on its first text, for every text: a worker for tests.

The library varies its pitch from one text to the next, so that the sound of a test would depend on which
tests ran before it. Here each text is spoken by a copy of the process that has spoken nothing yet.
"""

from __future__ import annotations

import os
from contextlib import suppress

from engines.tts.espeak_worker import EspeakEngine, SpeechJob
from engines.wire import Fields
from engines.worker.engine import Progress, Reply


class SameVoice(EspeakEngine):
    def open(self, request: Fields, reply: Reply) -> SpeechJob:
        return _Job(self._library, str(request["text"]), str(request["voice"]), int(request["rate"]), reply)


class _Job(SpeechJob):
    def step(self) -> Progress:
        parts = list(self._clauses)
        self._clauses.clear()
        readable, writable = os.pipe()
        copy = os.fork()
        if not copy:
            with suppress(BaseException), os.fdopen(writable, "wb") as out:
                self._library.set_voice(self._voice)
                self._library.set_rate(self._rate)
                for clause in parts:
                    self._library.speak(clause, lambda pcm: out.write(pcm) >= 0)
            os._exit(0)
        os.close(writable)
        with os.fdopen(readable, "rb") as said:
            self._reply.send(said.read())
        os.waitpid(copy, 0)
        return Progress.DONE
