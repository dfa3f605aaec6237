"""When a caller begins and stops speaking: a pure automaton over voice-activity probabilities.

It knows no audio and no clock: positions are samples of the caller's stream, as the voice-activity detector
counts them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

ONSET_PROBABILITY: Final = 0.5
RELEASE_PROBABILITY: Final = 0.35
"""Below the onset's, so that a soft syllable does not end an utterance (hysteresis, as Silero's own iterator
has it)."""

ONSET_S: Final = 0.06
"""Speech shorter than this is a click, not a word: two chunks of 32 ms in a row."""


class Turn(Enum):
    """What just became known."""

    BEGAN = auto()
    ENDED = auto()


class _State(Enum):
    QUIET = auto()
    RISING = auto()
    SPEAKING = auto()
    PAUSING = auto()


@dataclass(frozen=True, slots=True)
class Endpointing:
    """Limits of one utterance in seconds: the silence that ends it, and its greatest length."""

    end_silence_s: float
    max_s: float


class Endpointer:
    """Finds utterances, one after the other."""

    def __init__(self, endpointing: Endpointing, rate: int) -> None:
        """`rate` is that of the sample positions, in Hz."""
        self._onset = int(ONSET_S * rate)
        self._silence = int(endpointing.end_silence_s * rate)
        self._max = int(endpointing.max_s * rate)
        self._state = _State.QUIET
        self._began_at = 0
        self._pause_at = 0
        self._position = 0

    @property
    def speaking(self) -> bool:
        return self._state in (_State.SPEAKING, _State.PAUSING)

    @property
    def quiet_from(self) -> int:
        """Where the last pause began, in samples."""
        return self._pause_at

    def feed(self, probability: float, sample: int) -> Turn | None:
        """Takes the probability of speech in the chunk that ends at `sample`; says what became known by
        it."""
        chunk_start, self._position = self._position, sample
        if self._state is _State.QUIET or self._state is _State.RISING:
            return self._feed_quiet(probability, chunk_start, sample)
        return self._feed_speaking(probability, chunk_start, sample)

    def _feed_quiet(self, probability: float, chunk_start: int, sample: int) -> Turn | None:
        if probability < ONSET_PROBABILITY:
            self._state = _State.QUIET
            return None
        if self._state is _State.QUIET:
            self._state = _State.RISING
            self._began_at = chunk_start
        if sample - self._began_at < self._onset:
            return None
        self._state = _State.SPEAKING
        return Turn.BEGAN

    def _feed_speaking(self, probability: float, chunk_start: int, sample: int) -> Turn | None:
        if probability >= RELEASE_PROBABILITY:
            self._state = _State.SPEAKING
        elif self._state is _State.SPEAKING:
            self._state = _State.PAUSING
            self._pause_at = chunk_start
        silent = self._state is _State.PAUSING and sample - self._pause_at >= self._silence
        if silent or sample - self._began_at >= self._max:
            self._state = _State.QUIET
            return Turn.ENDED
        return None
