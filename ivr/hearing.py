"""A caller's speech, from frames to words: voice activity finds it, a recogniser understands it, and whose
turn it is decides what our own voice does meanwhile."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from math import ceil
from typing import Any, Final, Protocol

from engines.contract import EngineError, RecognitionRequest, Recognizer, RecognizerStream, Transcript
from ivr.flow.agent_protocol import Dropped, Presumed
from ivr.flow.protocol import BargeIn, NothingSaid, SpeechBegan, SpeechSpec
from ivr.turns.answers import answer_in
from ivr.turns.automaton import (
    RISING_PROBABILITY,
    Act,
    Finish,
    Limits,
    Open,
    Output,
    Paused,
    Presume,
    Quiet,
    Speaking,
    Turn,
    TurnTaker,
)
from ivr.turns.echo import MOST_DELAY_S, NEEDED_S, WINDOW_S, EchoGate
from ivr.turns.phrasing import murmurs
from ivr.waterfall import Stage
from media.codecs import FRAME_MS
from media.leg import CallLeg
from media.resample import StreamResampler
from media.silero import RATE as VAD_RATE

log = logging.getLogger(__name__)

PRE_ROLL_FRAMES: Final = 20
"""400 ms of audio from before the onset was sure: the recogniser needs the first consonant."""

KEPT_FRAMES: Final = 100
"""2 s: who goes on speaking while his last words are weighed is heard from where he began."""

BACK_MS: Final = 600
"""How far back the word is looked for that was broken off."""

ECHO_TAIL_S: Final = MOST_DELAY_S + WINDOW_S
"""So long after our last word it may still come back."""

SURELY_ECHO: Final = 2
"""So many are no accident."""


class VadStream(Protocol):
    """One caller's stream at the voice-activity detector, which hears 8 kHz."""

    def write(self, frame: bytes) -> None: ...

    def close(self) -> None: ...


class Vad(Protocol):
    """A voice-activity detector for many streams; gives (probability, sample) per chunk, on the loop."""

    def open(self, on_probability: Callable[[float, int], None]) -> VadStream: ...


class Advisor(Protocol):
    """Who tells by the sound of a turn whether it is over."""

    def ask(self, pcm: bytes, rate: int, answer: Callable[[float], None]) -> None:
        """`pcm` is 16-bit PCM of all that was said. Returns at once; the probability comes on the event loop,
        or never where it would be too late."""


@dataclass(frozen=True, slots=True)
class Utterance:
    """What was made of one utterance. `transcript` is None where no engine could do what was asked for (free
    speech with small-grammar engines only); `failure` says what went wrong, if something did."""

    transcript: Transcript | None
    failure: str = ""


Told = SpeechBegan | NothingSaid | Presumed | Dropped | Utterance
"""What an ear tells the flow."""


class Ear:
    """Listens to one leg while a step wants speech; costs nothing otherwise."""

    def __init__(
        self,
        leg: CallLeg,
        vad: Vad,
        recognizer: Recognizer,
        deadline_s: float,
        spawn: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]],
        tell: Callable[[Told], None],
        mark: Callable[[Stage, float, str], None] = lambda _stage, _at, _by: None,
        note: Callable[[str], None] = lambda _kind: None,
        advisor: Advisor | None = None,
    ) -> None:
        """`spawn` starts a task that dies with the call; `mark` takes the stages of a turn, as
        `ivr.waterfall.Waterfall` does; `note` is told when our own voice gave way for nothing
        (`prompt_resumed`)."""
        self.leg = leg
        self.vad = vad
        self.recognizer = recognizer
        self.deadline_s = deadline_s
        self.spawn = spawn
        self.tell = tell
        self.mark = mark
        self.note = note
        self.advisor = advisor
        self._playing: BargeIn | None = None
        self._session: _Listening | None = None

    def listen(self, spec: SpeechSpec) -> None:
        """Replaces whatever was listened for before."""
        self.stop()
        self._session = _Listening(self, spec, self._playing)
        self.leg.listen(self._session.take)

    def stop(self) -> None:
        """An utterance under way is dropped."""
        session, self._session = self._session, None
        if session is not None:
            self.leg.listen(None)
            session.close()

    def playing(self, mode: BargeIn | None) -> None:
        """By what the prompt may be interrupted that is played from now on; None: none is."""
        self._playing = mode
        if self._session is not None:
            self._session.playing(mode)

    def key(self) -> None:
        """The caller has pressed a key."""
        if self._session is not None:
            self._session.key()

    def open(self, spec: SpeechSpec, on_partial: Callable[[Transcript], None]) -> RecognizerStream | None:
        over_prompt = self._playing is not None
        request = RecognitionRequest(
            spec.language,
            self.leg.sample_rate,
            spec.phrases,
            murmurs=murmurs(spec.language) if over_prompt and spec.phrases else (),
        )
        if not self.recognizer.supports(request):
            return None
        try:
            return self.recognizer.open(request, on_partial)
        except EngineError as error:
            log.warning("no recogniser takes the utterance: %s", error)
            return None


class _Listening:
    """One `Listen` of the flow: any number of turns under the same specification. Carries out what its
    `TurnTaker` decides."""

    def __init__(self, ear: Ear, spec: SpeechSpec, playing: BargeIn | None) -> None:
        self._ear = ear
        self._spec = spec
        end = spec.end_silence
        limits = Limits(end.floor_s, end.ceiling_s, spec.max_s)
        is_answer = answer_in(spec.answers, spec.language) if spec.answers else None
        self._turns = TurnTaker(limits, spec.language, is_answer, playing)
        self._narrow = StreamResampler(ear.leg.sample_rate, VAD_RATE)
        self._vad = ear.vad.open(self._on_probability)
        self._kept: deque[bytes] = deque(maxlen=KEPT_FRAMES)
        self._gate = EchoGate()
        self._echoes = self._voices = 0
        """Chunks over a prompt since it was quiet: those that were an echo, and those that were none."""
        self._played_until = 0.0 if playing is None else float("inf")
        """Of the caller's audio, in seconds."""
        self._stream: RecognizerStream | None = None
        self._spoken = bytearray()
        """The turn under way, where somebody judges turns by their sound."""
        self._language = spec.language
        self._loop = asyncio.get_running_loop()
        self._heard = 0
        """Samples of the caller's audio so far, at the detector's rate, and when the last of them came."""
        self._heard_at = self._loop.time()
        self._marked: float | None = None
        """Until when the caller's voice was, as was marked last."""
        self._finishing: dict[int, asyncio.Task[None]] = {}
        """By the numbers of the turns."""
        self._closed = False

    def take(self, frame: bytes) -> None:
        narrow = self._narrow.process(frame)
        self._heard += len(narrow) // 2
        self._heard_at = self._loop.time()
        self._kept.append(frame)
        if self._stream is not None:
            self._stream.write(frame)
            if self._ear.advisor is not None:
                self._spoken += frame
        self._vad.write(narrow)

    def playing(self, mode: BargeIn | None) -> None:
        self._played_until = self._heard / VAD_RATE + ECHO_TAIL_S if mode is None else float("inf")
        self._do(self._turns.playing(mode))

    def key(self) -> None:
        self._do(self._turns.key())

    def close(self) -> None:
        self._do(self._turns.leave())
        self._closed = True
        self._vad.close()
        self._drop()
        for task in self._finishing.values():
            task.cancel()

    # --- what comes in

    def _on_probability(self, probability: float, sample: int) -> None:
        if self._closed:
            return
        at = sample / VAD_RATE
        if probability >= RISING_PROBABILITY and at < self._played_until:
            probability = self._without_echo(probability)
        self._do(self._turns.voice(probability, at))

    def _without_echo(self, probability: float) -> float:
        """What is most of it an echo is let be, whatever its beginning was taken for."""
        if isinstance(self._turns.state, Speaking):
            return probability  # who has the turn is the caller, whatever else there is to be heard
        if isinstance(self._turns.state, Quiet):
            self._echoes = self._voices = 0
        if not self._is_echo():
            self._voices += 1
            return probability
        self._echoes += 1
        if self._echoes >= SURELY_ECHO and self._echoes > self._voices:
            self._do(self._turns.echo())
        return 0.0

    def _is_echo(self) -> bool:
        leg = self._ear.leg
        frames = ceil(WINDOW_S * 1000 / FRAME_MS)
        heard = b"".join(list(self._kept)[-frames:])
        return self._gate.is_echo(heard, leg.just_sent(int(NEEDED_S * 1000)), leg.sample_rate)

    def _on_partial(self, transcript: Transcript) -> None:
        if not self._closed and self._stream is not None:
            self._language = transcript.language
            self._do(self._turns.words(transcript.text))

    # --- what is to be done

    def _do(self, outputs: list[Output]) -> None:
        for output in outputs:
            if self._closed:
                return  # what was told has ended it
            match output:
                case Act():
                    self._act(output)
                case Open(since=since):
                    self._open(since)
                case Paused(since=since):
                    self._pause(since)
                case Presume(text=text):
                    self._ear.tell(Presumed(text, self._language))
                case Finish(turn=turn):
                    self._finish(turn)

    def _act(self, act: Act) -> None:
        ear, leg = self._ear, self._ear.leg
        match act:
            case Act.DUCK | Act.RESTORE:
                leg.duck(act is Act.DUCK)
            case Act.HOLD:
                leg.pause()
            case Act.RESUME:
                leg.duck(False)
                leg.resume(BACK_MS)
                ear.note("prompt_resumed")
            case Act.DROP:
                self._drop()
            case Act.BEGAN:
                ear.tell(SpeechBegan())
            case Act.DROPPED:
                ear.tell(Dropped())
            case Act.NOTHING:
                ear.tell(NothingSaid())
            case Act.HEARD:
                raise AssertionError("is told with its words")

    def _open(self, since: float) -> None:
        self._drop()
        self._stream = self._ear.open(self._spec, self._on_partial)
        self._spoken.clear()
        ago = ceil((self._heard / VAD_RATE - since) * 1000 / FRAME_MS)
        for frame in list(self._kept)[-max(PRE_ROLL_FRAMES, ago + PRE_ROLL_FRAMES // 2) :]:
            if self._stream is not None:
                self._stream.write(frame)
                self._spoken += frame

    def _drop(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.cancel()

    def _pause(self, since: float) -> None:
        """The turn may be over."""
        self._mark_end(since)
        self._ear.mark(Stage.PAUSE, self._loop.time(), "")
        if self._ear.advisor is not None and self._spoken:
            pcm = bytes(self._spoken)
            self._ear.advisor.ask(pcm, self._ear.leg.sample_rate, self._advised)

    def _advised(self, probability: float) -> None:
        if not self._closed:
            self._do(self._turns.advise(probability))

    def _mark_end(self, until: float) -> None:
        """The caller's voice came to its end, once for each."""
        if until != self._marked:
            self._marked = until
            self._ear.mark(Stage.SPEECH_END, self._came_at(until), "")

    def _came_at(self, second: float) -> float:
        """When that second of the caller's audio came to us; what comes in its order waits for nothing."""
        return self._heard_at - (self._heard / VAD_RATE - second)

    def _finish(self, turn: Turn) -> None:
        endpoint_at = self._loop.time()
        if turn.told:
            self._mark_end(turn.until)
            self._ear.mark(Stage.ENDPOINT, endpoint_at, "")
        stream, self._stream = self._stream, None
        if stream is None:
            self._conclude(turn, Utterance(None), endpoint_at, "")
            return
        before = next(reversed(self._finishing.values()), None)
        task = self._ear.spawn(self._await_final(turn, stream, endpoint_at, before))
        self._finishing[turn.number] = task
        task.add_done_callback(lambda _task: self._finishing.pop(turn.number, None))

    async def _await_final(
        self,
        turn: Turn,
        stream: RecognizerStream,
        endpoint_at: float,
        before: asyncio.Task[None] | None,
    ) -> None:
        engine = ""
        try:
            transcript = await stream.finish(deadline_s=self._ear.deadline_s)
            heard = Utterance(transcript)
            engine = self._ear.recognizer.name if transcript.route is None else transcript.route.engine
        except EngineError as error:
            heard = Utterance(Transcript("", self._spec.language, 0.0), str(error) or type(error).__name__)
        finally:
            stream.cancel()
        if before is not None:
            await asyncio.wait([before])  # what was said first is told first; it has a deadline of its own
        if not self._closed:
            self._conclude(turn, heard, endpoint_at, engine)

    def _conclude(self, turn: Turn, heard: Utterance, endpoint_at: float, engine: str) -> None:
        text = None if heard.transcript is None or heard.failure else heard.transcript.text
        for output in self._turns.final(turn, text):
            if output is not Act.HEARD:
                self._do([output])
                continue
            if not turn.told:
                self._mark_end(turn.until)
                self._ear.mark(Stage.ENDPOINT, endpoint_at, "")
            if heard.transcript is not None:
                self._ear.mark(Stage.FINAL, self._loop.time(), engine)
            self._ear.tell(heard)
