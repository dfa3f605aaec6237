"""Who answered: a person says a word or two and waits, a machine speaks on. Pure: frames in, a verdict out.

The timings and their meaning are the usual ones (Asterisk's `amd.conf`). A word is sound of at least
`minimum_word_ms`; gaps shorter than `between_words_ms` are within it. Tones are no words: where it rings on
after the answer, silence is no sign of a machine; a fax or a beep is one.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

from media.codecs import FRAME_MS
from media.sounds import TONE_MS, Heard, Sound

BEEP_HZ: Final = (400.0, 2000.0)
FAX_HZ: Final = ((1060.0, 1140.0), (2080.0, 2120.0))
"""The calling tone and the answer tone (ITU-T T.30: 1100 Hz ± 38, 2100 Hz ± 15)."""

FAX_MS: Final = 400
"""A calling tone lasts 500 ms, an answer tone 2.6 s."""

BEEP_OVER_MS: Final = 60


class Who(Enum):
    HUMAN = "human"
    MACHINE = "machine"
    NOT_SURE = "not_sure"


class Reason(Enum):
    """What the verdict rests on."""

    KEY = "key"
    SHORT_GREETING = "short_greeting"
    INITIAL_SILENCE = "initial_silence"
    LONG_GREETING = "long_greeting"
    MANY_WORDS = "many_words"
    BEEP = "beep"
    FAX = "fax"
    TOO_LONG = "too_long"


@dataclass(frozen=True, slots=True)
class Answer:
    """The verdict, `after_ms` from the first frame."""

    who: Who
    reason: Reason
    after_ms: int


@dataclass(frozen=True, slots=True)
class Timings:
    """Milliseconds, but for `maximum_words`.

    `total_ms` is the most that is listened; so long a silence before the first word is a machine
    (`initial_silence_ms`), so much speech too (`greeting_ms`), or more words than `maximum_words`; so long a
    silence after the first words is a person who waits (`after_greeting_silence_ms`).
    """

    total_ms: int = 5000
    initial_silence_ms: int = 2500
    greeting_ms: int = 1500
    after_greeting_silence_ms: int = 800
    minimum_word_ms: int = 100
    between_words_ms: int = 50
    maximum_words: int = 2


class AnswerDetector:
    """Takes the frames from the answer on, until it gives a verdict; and no more after."""

    def __init__(self, timings: Timings) -> None:
        self._timings = timings
        self._ms = 0
        self._silence_ms = 0
        self._sound_ms = 0  # of what may become a word, or is one
        self._speech_ms = 0  # of all words
        self._words = 0
        self._tone_ms = 0
        self._toned_before = False

    def take(self, heard: Heard) -> Answer | None:
        """Takes the next 20 ms."""
        self._ms += FRAME_MS
        if heard.sound is Sound.SILENCE:
            reason = self._silent()
        elif heard.sound is Sound.VOICE:
            reason = self._voiced()
        else:
            reason = self._toned(heard.hz)
        if reason is None and self._ms >= self._timings.total_ms:
            reason = Reason.TOO_LONG
        return None if reason is None else Answer(_WHO[reason], reason, self._ms)

    def key(self) -> Answer:
        """A key was pressed."""
        return Answer(Who.HUMAN, Reason.KEY, self._ms)

    def expired(self) -> Answer:
        """No frames came any more."""
        return Answer(Who.NOT_SURE, Reason.TOO_LONG, self._ms)

    def _silent(self) -> Reason | None:
        timings = self._timings
        self._tone_ms = 0
        self._silence_ms += FRAME_MS
        if self._silence_ms >= timings.between_words_ms:
            self._sound_ms = 0
        if not (self._words or self._toned_before) and self._silence_ms >= timings.initial_silence_ms:
            return Reason.INITIAL_SILENCE
        if self._words and self._silence_ms >= timings.after_greeting_silence_ms:
            return Reason.SHORT_GREETING
        return None

    def _voiced(self) -> Reason | None:
        timings = self._timings
        self._tone_ms = 0
        self._sound_ms += FRAME_MS
        if self._sound_ms < timings.minimum_word_ms:
            return None
        if self._sound_ms - FRAME_MS < timings.minimum_word_ms:
            self._words += 1
            self._speech_ms += self._sound_ms
        else:
            self._speech_ms += FRAME_MS
        self._silence_ms = 0
        if self._words > timings.maximum_words:
            return Reason.MANY_WORDS
        return Reason.LONG_GREETING if self._speech_ms >= timings.greeting_ms else None

    def _toned(self, hz: float) -> Reason | None:
        self._toned_before = True
        # It was taken for voice before it was known to be a tone.
        self._tone_ms = self._tone_ms + FRAME_MS if self._tone_ms else TONE_MS
        self._silence_ms = self._sound_ms = 0
        if self._tone_ms >= FAX_MS and any(low <= hz <= high for low, high in FAX_HZ):
            return Reason.FAX
        if self._words and BEEP_HZ[0] <= hz <= BEEP_HZ[1]:
            return Reason.BEEP
        return None


_WHO: Final = {
    Reason.KEY: Who.HUMAN,
    Reason.SHORT_GREETING: Who.HUMAN,
    Reason.INITIAL_SILENCE: Who.MACHINE,
    Reason.LONG_GREETING: Who.MACHINE,
    Reason.MANY_WORDS: Who.MACHINE,
    Reason.BEEP: Who.MACHINE,
    Reason.FAX: Who.MACHINE,
    Reason.TOO_LONG: Who.NOT_SURE,
}


class GreetingEnd(Enum):
    """Why a message may be spoken to a machine now."""

    BEEP = "beep"
    QUIET = "quiet"
    WAITED = "waited"


class GreetingWatch:
    """Waits for the end of a machine's greeting: its beep, a long silence, or the patience's end."""

    def __init__(self, quiet_ms: int, wait_ms: int) -> None:
        self._quiet_ms = quiet_ms
        self._left_ms = wait_ms
        self._silence_ms = 0
        self._since_beep_ms: int | None = None

    def take(self, heard: Heard) -> GreetingEnd | None:
        """Takes the next 20 ms."""
        self._left_ms -= FRAME_MS
        self._silence_ms = self._silence_ms + FRAME_MS if heard.sound is Sound.SILENCE else 0
        if heard.sound is Sound.TONE and BEEP_HZ[0] <= heard.hz <= BEEP_HZ[1]:
            self._since_beep_ms = 0
        elif self._since_beep_ms is not None:
            self._since_beep_ms += FRAME_MS
            if self._since_beep_ms >= BEEP_OVER_MS:
                return GreetingEnd.BEEP
        if self._silence_ms >= self._quiet_ms:
            return GreetingEnd.QUIET
        return GreetingEnd.WAITED if self._left_ms <= 0 else None
