"""How a caller was served, from what went over the wire and what stands in the record. Pure.

All times are seconds of one clock. What the server says is known from packets alone: sound, with gaps too
short for a turn filled. Whether a prompt was cut is known from the record: by ear its own end is the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from ivr.evaluation.talk.scenario import Expect

GAP_S: Final = 0.4
"""A pause within what the server says is shorter."""

CUT_WITHIN_S: Final = 1.2
"""A prompt that is cut so long after a sound was cut by it."""


class Kind(Enum):
    WORDS = "words"
    INTERRUPTION = "interruption"
    """Words into what the server says; it is to give way."""
    LISTENING = "listening"
    """A listener's word, or a cough; the server is to speak on."""
    KEYS = "keys"


@dataclass(frozen=True, slots=True)
class Said:
    """Something that the caller said, from its first sound to its last, or pressed; `words` is how many."""

    kind: Kind
    began: float
    ended: float
    words: int


@dataclass(frozen=True, slots=True)
class Sound:
    """A stretch in which the server was to be heard."""

    began: float
    ended: float


@dataclass(frozen=True, slots=True)
class Heard:
    """One call, as it went: what was said, the moments at which a prompt was cut, and how it ended."""

    said: Sequence[Said]
    sounds: Sequence[Sound]
    cuts: Sequence[float]
    result: Mapping[str, Any]
    ended: str


@dataclass(frozen=True, slots=True)
class Score:
    """`replies_ms` are in order, each from the end of the caller's words; below zero where the server did not
    wait for it. `failures` say what was expected and did not come."""

    replies_ms: tuple[float, ...]
    unanswered: int
    false_barge_ins: int
    missed_barge_ins: int
    listening: int
    interruptions: int
    talked_over: float
    failures: tuple[str, ...]

    @property
    def passed(self) -> bool:
        return not self.failures


def sounds_of(packets: Iterable[tuple[float, bool]], frame_s: float = 0.02) -> list[Sound]:
    """The stretches of sound in packets of (time, whether it is silent)."""
    found: list[Sound] = []
    for at, silent in packets:
        if silent:
            continue
        if found and at - found[-1].ended <= GAP_S:
            found[-1] = Sound(found[-1].began, at + frame_s)
        else:
            found.append(Sound(at, at + frame_s))
    return found


def score(heard: Heard, expect: Expect, within_s: float | None) -> Score:
    """`within_s` bounds the replies where the scenario itself does not."""
    spoken = [one for one in heard.said if one.kind in (Kind.WORDS, Kind.INTERRUPTION)]
    listening = [one for one in heard.said if one.kind is Kind.LISTENING]
    interruptions = [one for one in spoken if one.kind is Kind.INTERRUPTION]
    answers = [_reply_s(one, heard.sounds, _next(one, spoken)) for one in spoken]
    cut = [_cut_by(at, heard.said) for at in heard.cuts]
    replies = [seconds for seconds in answers if seconds is not None]
    # Who has said his last word may be hung up on without another one.
    unanswered = sum(seconds is None for seconds in answers[:-1])
    false = sum(one in cut for one in listening)
    missed = sum(one not in cut for one in interruptions)
    talked_over = sum(_talked_over(one, heard.sounds) for one in spoken)
    failures = list(_wrong_results(heard, expect))
    bound = expect.within if expect.within is not None else within_s
    if bound is not None:
        late = [seconds for seconds in replies if seconds > bound]
        failures += [f"a reply took {seconds * 1000:.0f} ms, not {bound * 1000:.0f}" for seconds in late]
    if unanswered:
        failures.append(f"{unanswered} of {len(spoken)} times nothing was replied")
    if false:
        failures.append(f"{false} of {len(listening)} sounds of a listener cut a prompt off")
    if missed:
        failures.append(f"{missed} of {len(interruptions)} interruptions cut nothing off")
    if expect.talked_over is not None and talked_over > expect.talked_over:
        failures.append(f"{talked_over:.1f} words were talked over, not {expect.talked_over:g}")
    return Score(
        tuple(round(seconds * 1000, 1) for seconds in replies),
        unanswered,
        false,
        missed,
        len(listening),
        len(interruptions),
        round(talked_over, 2),
        tuple(failures),
    )


def _next(one: Said, spoken: Sequence[Said]) -> float:
    return min((other.began for other in spoken if other.began > one.began), default=float("inf"))


def _reply_s(one: Said, sounds: Sequence[Sound], until: float) -> float | None:
    """From the end of the words to the first sound that began after they did."""
    began = next((sound.began for sound in sounds if one.began < sound.began < until), None)
    return None if began is None else began - one.ended


def _cut_by(at: float, said: Sequence[Said]) -> Said | None:
    """What cut a prompt off: the last that was done before, unless that is too long ago."""
    last = max((one for one in said if one.began <= at), key=lambda one: one.began, default=None)
    return last if last is not None and at <= last.ended + CUT_WITHIN_S else None


def _talked_over(one: Said, sounds: Sequence[Sound]) -> float:
    """How many of the words were spoken while the server was to be heard."""
    length = one.ended - one.began
    if length <= 0.0:
        return 0.0
    overlap = sum(max(0.0, min(one.ended, s.ended) - max(one.began, s.began)) for s in sounds)
    return one.words * min(1.0, overlap / length)


def _wrong_results(heard: Heard, expect: Expect) -> Iterable[str]:
    for name, wanted in expect.result.items():
        if name not in heard.result:
            yield f"the result has no {name}"
        elif heard.result[name] != wanted:
            yield f"{name} is {heard.result[name]!r}, not {wanted!r}"
    if expect.ended is not None and heard.ended != expect.ended:
        yield f"the call ended with {heard.ended}, not {expect.ended}"
