"""A caller's speech, from frames to transcripts: voice activity finds the utterance, a recogniser understands
it."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Final, Protocol

from engines.contract import EngineError, RecognitionRequest, Recognizer, RecognizerStream, Transcript
from ivr.flow.protocol import SpeechSpec
from ivr.waterfall import Stage
from media.leg import CallLeg
from media.resample import StreamResampler
from media.silero import RATE as VAD_RATE
from media.turns import Endpointer, Endpointing, Turn

log = logging.getLogger(__name__)

PRE_ROLL_FRAMES: Final = 20
"""400 ms of audio from before the onset was sure: the recogniser needs the first consonant."""


class VadStream(Protocol):
    """One caller's stream at the voice-activity detector, which hears 8 kHz."""

    def write(self, frame: bytes) -> None: ...

    def close(self) -> None: ...


class Vad(Protocol):
    """A voice-activity detector for many streams; gives (probability, sample) per chunk, on the loop."""

    def open(self, on_probability: Callable[[float, int], None]) -> VadStream: ...


@dataclass(frozen=True, slots=True)
class Utterance:
    """What was made of one utterance. `transcript` is None where no engine could do what was asked for (free
    speech with small-grammar engines only); `failure` says what went wrong, if something did."""

    transcript: Transcript | None
    failure: str = ""


class Ear:
    """Listens to one leg while a step wants speech; costs nothing otherwise."""

    def __init__(
        self,
        leg: CallLeg,
        vad: Vad,
        recognizer: Recognizer,
        deadline_s: float,
        spawn: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]],
        on_began: Callable[[], None],
        on_heard: Callable[[Utterance], None],
        mark: Callable[[Stage, float, str], None] = lambda _stage, _at, _by: None,
    ) -> None:
        """`spawn` starts a task that dies with the call; `mark` takes the stages of a turn, as
        `ivr.waterfall.Waterfall` does."""
        self._leg = leg
        self._vad = vad
        self._recognizer = recognizer
        self._deadline_s = deadline_s
        self._spawn = spawn
        self._on_began = on_began
        self._on_heard = on_heard
        self._mark = mark
        self._session: _Listening | None = None

    def listen(self, spec: SpeechSpec) -> None:
        """Replaces whatever was listened for before."""
        self.stop()
        self._session = _Listening(self, spec)
        self._leg.listen(self._session.take)

    def stop(self) -> None:
        """An utterance under way is dropped."""
        if self._session is not None:
            self._leg.listen(None)
            self._session.close()
            self._session = None

    def _open(self, spec: SpeechSpec) -> RecognizerStream | None:
        request = RecognitionRequest(spec.language, self._leg.sample_rate, spec.phrases)
        if not self._recognizer.supports(request):
            return None
        try:
            return self._recognizer.open(request)
        except EngineError as error:
            log.warning("no recogniser takes the utterance: %s", error)
            return None


class _Listening:
    """One `Listen` of the flow: any number of utterances under the same specification."""

    def __init__(self, ear: Ear, spec: SpeechSpec) -> None:
        self._ear = ear
        self._spec = spec
        self._endpointer = Endpointer(Endpointing(spec.end_silence_s, spec.max_s), VAD_RATE)
        self._narrow = StreamResampler(ear._leg.sample_rate, VAD_RATE)
        self._vad = ear._vad.open(self._on_probability)
        self._pre_roll: deque[bytes] = deque(maxlen=PRE_ROLL_FRAMES)
        self._stream: RecognizerStream | None = None
        self._loop = asyncio.get_running_loop()
        self._heard = 0
        """Samples of the caller's audio so far, at the detector's rate, and when the last of them came."""
        self._heard_at = self._loop.time()
        self._finishing: asyncio.Task[None] | None = None
        self._closed = False

    def take(self, frame: bytes) -> None:
        narrow = self._narrow.process(frame)
        self._heard += len(narrow) // 2
        self._heard_at = self._loop.time()
        self._vad.write(narrow)
        if self._stream is not None:
            self._stream.write(frame)
        else:
            self._pre_roll.append(frame)

    def close(self) -> None:
        self._closed = True
        self._vad.close()
        if self._stream is not None:
            self._stream.cancel()
            self._stream = None
        if self._finishing is not None:
            self._finishing.cancel()

    def _on_probability(self, probability: float, sample: int) -> None:
        if self._closed:
            return
        turn = self._endpointer.feed(probability, sample)
        if turn is Turn.BEGAN:
            self._begin()
        elif turn is Turn.ENDED:
            self._end()

    def _begin(self) -> None:
        self._stream = self._ear._open(self._spec)
        if self._stream is not None:
            for frame in self._pre_roll:
                self._stream.write(frame)
        self._pre_roll.clear()
        self._ear._on_began()

    def _end(self) -> None:
        self._ear._mark(Stage.SPEECH_END, self._came_at(self._endpointer.quiet_from), "")
        self._ear._mark(Stage.ENDPOINT, self._loop.time(), "")
        stream, self._stream = self._stream, None
        if stream is None:
            self._ear._on_heard(Utterance(None))
        elif self._finishing is None or self._finishing.done():
            self._finishing = self._ear._spawn(self._finish(stream))
        else:
            stream.cancel()

    def _came_at(self, sample: int) -> float:
        """When that sample came to us: before it was heard it waited in the jitter buffer."""
        buffered_s = self._ear._leg.quality().buffer_ms / 1000
        return self._heard_at - (self._heard - sample) / VAD_RATE - buffered_s

    async def _finish(self, stream: RecognizerStream) -> None:
        engine = ""
        try:
            transcript = await stream.finish(deadline_s=self._ear._deadline_s)
            heard = Utterance(transcript)
            engine = self._ear._recognizer.name if transcript.route is None else transcript.route.engine
        except EngineError as error:
            heard = Utterance(Transcript("", self._spec.language, 0.0), str(error) or type(error).__name__)
        finally:
            stream.cancel()
        if not self._closed:
            self._ear._mark(Stage.FINAL, self._loop.time(), engine)
            self._ear._on_heard(heard)
