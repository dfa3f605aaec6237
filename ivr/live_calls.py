"""What is known of every live call, for who looks at all of them: kept up to date as events are noted, so
that looking costs no question to anybody. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from ivr.store.records import CallEvent, CallState
from media.leg import Direction

LONGEST: Final = 500
"""Characters of a caption that are kept."""


@dataclass(frozen=True, slots=True)
class Caption:
    """What one side said last; an empty text of the caller was not understood."""

    text: str
    at: float


@dataclass(slots=True)
class LiveCallState:
    """One live call. Times are Unix seconds. `queued` is the caller's place while he waits for an agent,
    `agent` the one he talks to."""

    id: str
    flow: str
    direction: Direction
    trunk: str
    caller: str
    called: str
    since: float
    language: str
    state: CallState = CallState.CREATED
    answered_at: float | None = None
    step: str | None = None
    queued: int | None = None
    agent: str | None = None
    said: Caption | None = None
    heard: Caption | None = None

    @classmethod
    def begun(cls, call_id: str, event: CallEvent) -> LiveCallState:
        """As the feed tells of a call first."""
        data = event.data
        return cls(
            id=call_id,
            flow=data["flow"],
            direction=data["direction"],
            trunk=data["trunk"],
            caller=data["caller"],
            called=data["called"],
            since=event.at,
            language=data["language"],
        )

    def take(self, event: CallEvent) -> None:
        """An event of its record."""
        data = event.data
        match event.kind:
            case "ringing":
                self.state = CallState.RINGING
            case "answered":
                self.state, self.answered_at = CallState.ANSWERED, event.at
            case "hung_up":
                self.state = CallState.ENDED
            case "step":
                self.step = f"{data['flow']}/{data['step']}" if data.get("flow") else data["step"]
            case "prompt":
                self.said = Caption(str(data.get("text", ""))[:LONGEST], event.at)
            case "heard":
                self.heard = Caption(str(data.get("text") or "")[:LONGEST], event.at)
            case "turn" | "language":
                self.language = data.get("language") or self.language
            case "queued":
                self.queued = data["place"]
            case "connected":
                self.agent, self.queued = data.get("to"), None
            case "talk_over":
                self.agent = None
            case "transferred":
                self.queued = None


@dataclass(slots=True)
class LiveCalls:
    """All of them, by id."""

    calls: dict[str, LiveCallState] = field(default_factory=dict)

    def began(self, call: LiveCallState) -> None:
        self.calls[call.id] = call

    def noted(self, call_id: str, event: CallEvent) -> None:
        if (call := self.calls.get(call_id)) is not None:
            call.take(event)

    def ended(self, call_id: str) -> None:
        self.calls.pop(call_id, None)

    def __iter__(self) -> Iterator[LiveCallState]:
        return iter(self.calls.values())

    def __len__(self) -> int:
        return len(self.calls)

    def by(self, what: str) -> dict[str, int]:
        """How many there are of each `state`, `flow`, `trunk` or `direction`."""
        counted: dict[str, int] = {}
        for call in self:
            value: Any = getattr(call, what)
            counted[str(value)] = counted.get(str(value), 0) + 1
        return counted
