"""The contract of the speech engines: two small protocols, one vocabulary of requests, answers and failures.

Audio is mono 16-bit little-endian PCM with its rate beside it. An engine is used from the event loop; the
work is done in a worker process. `deadline_s` is how long the caller is ready to wait, counted from the call.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from enum import Enum
from typing import Protocol


class EngineError(Exception):
    """An engine could not do its work; the call goes on with the next engine or without speech."""


class EngineUnavailable(EngineError):
    """The worker is down, still starting, or refuses more work."""


class EngineDown(EngineUnavailable):
    """It refuses at once: there is no worker yet, or no more. Nobody has waited for it."""


class EngineTimeout(EngineError):
    """No answer before the deadline."""


def base_of(language: str) -> str:
    """ "hi-IN" is spoken and heard like "hi"."""
    return language.partition("-")[0].lower()


@dataclass(frozen=True, slots=True)
class VoiceReference:
    """Speech of a voice to be cloned: `path` of a WAV file, the words in it where they are known.

    `key` names the voice profile: what an engine derives from the audio is kept, and forgotten, under it.
    """

    key: str
    path: str
    transcript: str = ""


@dataclass(frozen=True, slots=True)
class SpeechRequest:
    """A text to be spoken, already normalised: no digits, signs or abbreviations are left to the engine.

    `speed` is a multiple of the voice's normal one, from 0.5 to 2. The text may hold tags, and `emotion` is
    one of those of `engines.tts.emotion`, felt with an `intensity` from 0 to 1: an engine leaves out what it
    lacks. A `reference` takes the place of a `voice`, with engines that clone. What is not `waited_for` is
    made ahead: an engine that others wait for serves them first.
    """

    text: str
    language: str
    voice: str = ""
    speed: float = 1.0
    emotion: str = "neutral"
    intensity: float = 0.5
    reference: VoiceReference | None = None
    waited_for: bool = True


@dataclass(frozen=True, slots=True)
class RecognitionRequest:
    """What a recogniser should listen for. An empty `phrases` asks for free speech.

    An empty `language` leaves it to the engine to find out. `prompt` is text of the kind that is expected,
    which a free recogniser leans towards. `words`: the transcript should tell when each word was said.
    `murmurs` are sounds that mean none of the phrases: a recogniser that must hear one of a closed set hears
    them rather than the phrase that is nearest.
    """

    language: str
    rate: int
    phrases: tuple[str, ...] = ()
    prompt: str = ""
    words: bool = False
    murmurs: tuple[str, ...] = ()


class Reason(Enum):
    """Why an engine did the work, or why another had to."""

    FIRST = "first choice"
    LATE = "late"
    """It had not answered when the next was asked (the hedge), or broke off; the other was first."""
    ERROR = "error"
    DOWN = "down"
    """It refused at once: its worker is not up, or full."""
    OPEN = "breaker open"
    """It failed again and again of late, and is left alone for a while."""
    VOICE = "voice not there"
    """It speaks as itself: no engine of the chain has the voice that was asked for."""
    CACHED = "cached"
    """Nobody had to work: it was there."""


@dataclass(frozen=True, slots=True)
class Passed:
    """An engine that was to do the work before another did it."""

    engine: str
    reason: Reason
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Route:
    """Which engine did the work. `reason` is FIRST, or what became of the first choice; `passed` are all that
    did not do it. `wait_s` is from the request, or the end of speech, to the answer."""

    engine: str
    reason: Reason
    wait_s: float = 0.0
    passed: tuple[Passed, ...] = ()

    def told(self) -> dict[str, object]:
        """For the record of a call."""
        told: dict[str, object] = {"engine": self.engine, "why": self.reason.value}
        if self.reason is not Reason.CACHED:
            told["ms"] = round(self.wait_s * 1000)
        if self.passed:
            told["passed"] = [
                {"engine": each.engine, "why": each.reason.value}
                | ({"detail": each.detail} if each.detail else {})
                for each in self.passed
            ]
        return told


@dataclass(frozen=True, slots=True)
class Word:
    """Times in seconds of the audio; `confidence` between 0 and 1."""

    text: str
    start_s: float
    end_s: float
    confidence: float


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of speech in a transcript, in seconds of the audio."""

    text: str
    start_s: float
    end_s: float
    words: tuple[Word, ...] = ()


@dataclass(frozen=True, slots=True)
class Transcript:
    """`text` is empty when nothing of what was asked for was heard. `confidence` is between 0 and 1.

    `final` is false for what was heard so far of an utterance that goes on; of that, `text` may change,
    save for its first `stable` characters. `segments` are there where the engine knows times. `route` says
    who heard it, where that was to be chosen.
    """

    text: str
    language: str
    confidence: float
    final: bool = True
    stable: int = 0
    segments: tuple[Segment, ...] = ()
    route: Route | None = None


OnPartial = Callable[[Transcript], None]
"""Takes what was heard so far, on the event loop."""


class Synthesizer(Protocol):
    """Text in, audio out."""

    @property
    def name(self) -> str: ...

    @property
    def version(self) -> str:
        """Changes whenever the same text may sound different; part of the prompt cache's key."""

    @property
    def sample_rate(self) -> int: ...

    def supports(self, language: str) -> bool: ...

    def voices(self, language: str) -> frozenset[str]:
        """What `SpeechRequest.voice` may be in a language, beside "" for the engine's own choice."""

    def synthesize(self, request: SpeechRequest, *, deadline_s: float) -> AsyncGenerator[bytes, None]:
        """Yields PCM chunks as they are made; closing the generator cancels the work.

        The first chunk comes before `deadline_s` or `EngineTimeout` is raised; `EngineUnavailable` when there
        is no worker.
        """


class RecognizerStream(Protocol):
    """One utterance of one caller."""

    def write(self, pcm: bytes) -> None:
        """Takes audio; never blocks."""

    async def finish(self, *, deadline_s: float) -> Transcript:
        """The utterance is over: waits for the final transcript."""

    def cancel(self) -> None:
        """Drops the utterance and frees what it held; allowed at any time, also after `finish`."""


class Recognizer(Protocol):
    """Audio in, text out."""

    @property
    def name(self) -> str: ...

    @property
    def version(self) -> str: ...

    def supports(self, request: RecognitionRequest) -> bool:
        """Whether this engine can do it at all: an engine of small grammars cannot do free speech."""

    def open(self, request: RecognitionRequest, on_partial: OnPartial | None = None) -> RecognizerStream:
        """Starts an utterance; raises `EngineUnavailable`. `on_partial` is called while the caller speaks, by
        engines that can; never after the transcript, nor after `cancel`.
        """
