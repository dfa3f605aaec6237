"""What a campaign does next: how it stands and the time go in, what is to be done comes out. Pure.

It is asked again whenever something has happened (a call ended, a person pressed a button), and at `wake_at`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from ivr.campaigns.hours import Window, next_open
from ivr.campaigns.model import ContactState, Miss, Retries, Spec, State
from media.leg import Cause

FULL_S: Final = 2.0
"""How soon lines that are all in use are looked at again: nobody tells when one is free."""

SPARED_S: Final = 30.0
"""How soon a call that found no line is made again."""

_SOON_S: Final = 0.001

MOST_SPARED: Final = 10
"""Calls of one contact that may find no line before that counts as a failure."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How a campaign stands. `calling` are contacts that are called now, by whatever node; `earliest` says
    for each time zone when the first of its waiting contacts is due (no zone: nobody waits). No call before
    `next_call_at`, for the pace."""

    state: State
    calling: int = 0
    next_call_at: float = 0.0
    earliest: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Decision:
    """`state` is how the campaign stands from now on. `take` contacts are to be called, of those that are due
    in `zones`; the n-th of them moves `next_call_at` to `paced_from` + n times `interval_s`. It is worth
    looking again at `wake_at`; None: when something has happened."""

    state: State
    take: int = 0
    zones: tuple[str, ...] = ()
    paced_from: float = 0.0
    interval_s: float = 0.0
    wake_at: float | None = None


def plan(spec: Spec, standing: Standing, room: int, allowed: Window, now: float) -> Decision:
    """`room` is how many calls the lines have place for, those kept for others not counted; nobody is called
    outside the hours that are `allowed` to all campaigns."""
    state = standing.state
    if not state.active:
        return Decision(state)
    if spec.ends_at is not None and now >= spec.ends_at:
        return Decision(State.DONE)
    if spec.starts_at is not None and now < spec.starts_at:
        return Decision(state, wake_at=spec.starts_at)
    if not standing.earliest:
        over = standing.calling == 0
        return Decision(State.DONE if over else State.RUNNING, wake_at=None if over else spec.ends_at)
    zones: list[str] = []
    wakes = [] if spec.ends_at is None else [spec.ends_at]
    for zone, due in sorted(standing.earliest.items(), key=lambda item: item[1]):
        at = next_open((spec.window, allowed), zone, max(due, now))
        if at is not None and at <= now:
            zones.append(zone)
        elif at is not None:
            wakes.append(at)
    take, paced_from, interval_s = 0, 0.0, 60.0 / spec.pace.per_minute
    free = min(room, spec.pace.at_once - standing.calling)
    if zones:
        paced_from, ready = _paced(standing.next_call_at, interval_s, now)
        take = max(0, min(free, ready))
        if free > take:
            wakes.append(max(paced_from + take * interval_s, now + _SOON_S))
        elif room <= spec.pace.at_once - standing.calling:
            wakes.append(now + FULL_S)
    wake_at = min(wakes, default=None)
    return Decision(State.RUNNING, take, tuple(zones), paced_from, interval_s, wake_at)


def _paced(next_call_at: float, interval_s: float, now: float) -> tuple[float, int]:
    """From when the pace counts, and how many calls it has ready: what was not used before is not made up
    for, but for a second's worth."""
    burst = max(1, math.ceil(1.0 / interval_s - 1e-9))
    start = max(next_call_at, now - (burst - 1) * interval_s)
    if start > now:
        return start, 0
    return start, min(burst, int((now - start) / interval_s + 1e-3) + 1)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of a contact after a call; `waiting` is due again at `due_at`. With `spared` the call does
    not count: it found no line."""

    state: ContactState
    due_at: float = 0.0
    spared: bool = False


_MISSES: Final[Mapping[str, Miss]] = {
    Cause.BUSY.value: Miss.BUSY,
    Cause.NO_ANSWER.value: Miss.NO_ANSWER,
    Cause.UNAVAILABLE.value: Miss.NO_ANSWER,
    Cause.ANSWERING_MACHINE.value: Miss.ANSWERING_MACHINE,
    Cause.CANCELLED.value: Miss.FAILED,
    Cause.INCOMPATIBLE_MEDIA.value: Miss.FAILED,
    Cause.NO_CAPACITY.value: Miss.FAILED,
    Cause.FAILED.value: Miss.FAILED,
    "interrupted": Miss.FAILED,
}
"""Who declines, or whose number nobody has, is not called again."""


def judge(cause: str, answered: bool, calls: int, spared: int, retries: Retries, now: float) -> Verdict:
    """After the last of `calls` to a contact, `spared` of which did not count, has ended. Whoever answered is
    never called again; a machine is nobody."""
    if answered and cause != Cause.ANSWERING_MACHINE.value:
        return Verdict(ContactState.ANSWERED)
    if cause == Cause.NO_CAPACITY.value and spared < MOST_SPARED:
        return Verdict(ContactState.WAITING, now + SPARED_S, spared=True)
    if _MISSES.get(cause) in retries.on and calls - spared <= retries.times:
        return Verdict(ContactState.WAITING, now + retries.after_s)
    return Verdict(ContactState.UNREACHED)
