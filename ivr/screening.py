"""What is done about answering machines on an outbound call: who answered is found out before the flow
begins. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from media.amd import Answer, AnswerDetector, GreetingEnd, GreetingWatch, Timings, Who
from media.sounds import SoundMeter

SLACK_S: Final = 1.0
"""How much longer than the screening may last frames are awaited: an answered leg always gives some."""


class OnMachine(Enum):
    """What becomes of a call that a machine answered. Where it is not sure, the flow begins in any case."""

    HANG_UP = "hang_up"
    CONTINUE = "continue"
    WAIT_FOR_BEEP = "wait_for_beep"


@dataclass(frozen=True, slots=True)
class Screening:
    """How one call is screened. With `WAIT_FOR_BEEP` the flow begins after the machine's beep, after
    `greeting_end_ms` of silence, or after `beep_wait_ms`, whichever comes first."""

    action: OnMachine
    timings: Timings = field(default_factory=Timings)
    greeting_end_ms: int = 2500
    beep_wait_ms: int = 30_000

    @property
    def longest_s(self) -> float:
        """When it is over at the latest, counted from the answer."""
        wait_ms = self.beep_wait_ms if self.action is OnMachine.WAIT_FOR_BEEP else 0
        return (self.timings.total_ms + wait_ms) / 1000 + SLACK_S


class Screener:
    """Takes the frames of a leg from its answer on: gives who answered and, after a machine that is to be
    left a message, the end of its greeting."""

    def __init__(self, screening: Screening, rate: int, answer: Answer | None = None) -> None:
        """`rate` of the frames, in Hz. With an `answer` that is known only the end of the greeting is looked
        for."""
        self._screening = screening
        self._meter = SoundMeter(rate)
        self._detector = AnswerDetector(screening.timings)
        self._watch = GreetingWatch(screening.greeting_end_ms, screening.beep_wait_ms)
        self._answer = answer
        self._over = False

    def take(self, frame: bytes) -> Answer | GreetingEnd | None:
        """Takes 20 ms of mono 16-bit little-endian PCM."""
        if self._over:
            return None
        heard = self._meter.take(frame)
        if self._answer is None:
            answer = self._detector.take(heard)
            if answer is None or not self.awaits_beep(answer):
                self._over = answer is not None
                self._answer = answer
                return answer
            self._answer = answer
            # The beep that gave the machine away is the one that is waited for.
            self._watch.take(heard)
            return answer
        end = self._watch.take(heard)
        self._over = end is not None
        return end

    def awaits_beep(self, answer: Answer) -> bool:
        """Whether the greeting is listened to the end."""
        return answer.who is Who.MACHINE and self._screening.action is OnMachine.WAIT_FOR_BEEP

    def key(self) -> Answer:
        """A key was pressed: there is a person, whatever it sounded like."""
        self._over = True
        return self._detector.key()

    def expired(self) -> Answer:
        """Frames are not awaited any longer."""
        self._over = True
        return self._answer or self._detector.expired()
