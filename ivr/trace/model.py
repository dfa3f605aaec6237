"""The turns of one call, as they stand in its record. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from math import ceil
from typing import Any, Final, get_args

from ivr.waterfall import Trigger, TurnTimes

TURN: Final = "turn"
"""The kind of the events that tell a turn."""

TRIGGERS: Final[tuple[Trigger, ...]] = get_args(Trigger)


@dataclass(frozen=True, slots=True)
class CallTrace:
    """`began` is Unix time; the turns' own times count from there."""

    call_id: str
    flow: str
    direction: str
    began: float
    turns: tuple[TurnTimes, ...]

    def replies_ms(self, trigger: Trigger) -> tuple[float, ...]:
        """How long each reply to words, or to a key, took; ascending."""
        took = (turn.reply_s for turn in self.turns if turn.trigger == trigger)
        return tuple(sorted(seconds * 1000 for seconds in took if seconds is not None))

    @property
    def unanswered(self) -> int:
        return sum(turn.reply_s is None for turn in self.turns)

    @property
    def heading(self) -> str:
        when = datetime.fromtimestamp(self.began, UTC)
        return f"{self.flow} · {self.direction} · {when:%Y-%m-%d %H:%M:%S} UTC · {self.call_id}"

    @property
    def summary(self) -> str:
        """The figures of all turns in one line."""
        count = len(self.turns)
        said = [f"{count} {'turn' if count == 1 else 'turns'}"]
        for trigger in TRIGGERS:
            replies = self.replies_ms(trigger)
            if replies:
                p50, p95 = (share(replies, of) for of in (0.5, 0.95))
                said.append(f"reply to {trigger} p50 {p50:.0f}, p95 {p95:.0f}, worst {replies[-1]:.0f} ms")
        if self.unanswered:
            said.append(f"{self.unanswered} without a reply")
        return " · ".join(said)

    @property
    def figures(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "call": self.call_id,
            "flow": self.flow,
            "direction": self.direction,
            "began": datetime.fromtimestamp(self.began, UTC).isoformat(),
            "reply_ms": {trigger: _shares(self.replies_ms(trigger)) for trigger in TRIGGERS},
            "unanswered": self.unanswered,
            "turns": [turn.record(0.0) for turn in self.turns],
        }


def trace_of(report: Mapping[str, Any]) -> CallTrace:
    """The trace of a call with its events, as the API tells it. Raises ValueError."""
    try:
        told: Iterable[Mapping[str, Any]] = report["events"]
        turns = tuple(TurnTimes.read(event["data"]) for event in told if event["kind"] == TURN)
        began = datetime.fromisoformat(report["created_at"]).timestamp()
        return CallTrace(report["id"], report["flow"], report["direction"], began, turns)
    except (KeyError, TypeError) as error:
        raise ValueError(f"no record of a call: {error}") from error


def share(ordered: Sequence[float], of: float) -> float:
    """The value below which that share lies (nearest rank); of an ascending sequence that is not empty."""
    return ordered[max(0, ceil(of * len(ordered)) - 1)]


def _shares(ordered: Sequence[float]) -> dict[str, float] | None:
    """None where nothing was measured."""
    if not ordered:
        return None
    return {name: round(share(ordered, of), 1) for name, of in (("p50", 0.5), ("p95", 0.95), ("max", 1.0))}
