"""What can be noticed of a call from outside, whatever carries it: the virtual call and a real one say it
alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Entered:
    """A step was entered; `flow` is named when it is within the call's own."""

    step: str
    flow: str = ""

    @property
    def path(self) -> str:
        """The step as scenarios name it: STEP, or FLOW/STEP within a flow."""
        return f"{self.flow}/{self.step}" if self.flow else self.step


@dataclass(frozen=True, slots=True)
class LeftBy:
    """A step was left by one of its outcomes; `flow` as in `Entered`."""

    step: str
    outcome: str
    via: str
    flow: str = ""

    @property
    def path(self) -> str:
        """As of `Entered`."""
        return f"{self.flow}/{self.step}" if self.flow else self.step


@dataclass(frozen=True, slots=True)
class Spoke:
    """The server began to speak these words."""

    text: str


@dataclass(frozen=True, slots=True)
class Quiet:
    """Nothing is being spoken any more."""


@dataclass(frozen=True, slots=True)
class Listens:
    """Speech of the caller is listened for from now on, or no longer."""

    on: bool


@dataclass(frozen=True, slots=True)
class SpeechOver:
    """What the caller said is over, understood or not; the flow has acted on it."""


@dataclass(frozen=True, slots=True)
class Records:
    """What the caller says is kept as a message from now on, or no longer."""

    on: bool


@dataclass(frozen=True, slots=True)
class Consented:
    """It was stored that consent to this (`recording`, or the name of an opt-in) was given or refused."""

    to: str
    granted: bool


@dataclass(frozen=True, slots=True)
class WhoAsked:
    """It is being found out who answered."""


@dataclass(frozen=True, slots=True)
class Requested:
    """A request was sent; when it is awaited the flow goes on with its answer only."""

    endpoint: str
    body: Mapping[str, Any] | None
    awaited: bool


@dataclass(frozen=True, slots=True)
class Published:
    """An event was published."""

    topic: str
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Waits:
    """The call waits for a time or a signal, until the step is left; meanwhile this is heard."""

    sound: str


@dataclass(frozen=True, slots=True)
class TransferAsked:
    """A transfer was begun; its outcome is awaited. `whisper` is what the agent is told before he has the
    caller."""

    target: str
    context: Mapping[str, Any]
    whisper: str = ""


@dataclass(frozen=True, slots=True)
class Converses:
    """A conversation with an agent was begun, with these slots to fill; how it ends is awaited."""

    slots: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Over:
    """The flow is over: its result (JSON values) and the cause."""

    result: Mapping[str, Any]
    cause: str


Notice = (
    Entered
    | LeftBy
    | Spoke
    | Quiet
    | Listens
    | SpeechOver
    | Records
    | Consented
    | WhoAsked
    | Requested
    | Published
    | Waits
    | TransferAsked
    | Converses
    | Over
)
