"""A caller's side of the machine, by hand."""

from __future__ import annotations

import wave
from pathlib import Path
from typing import Any, TypeVar

from ivr.flow.machine import FlowMachine
from ivr.flow.model import Flow
from ivr.flow.protocol import Command, Event, Finish, Say, Text, Tick

T = TypeVar("T")

VENDOR_ORDER = Path(__file__).parent / "vendor_order.yaml"
"""The example of the language's description; the shipped flows may change, this one does not."""

TWO_PARTS = Path(__file__).parent / "two_parts.yaml"
"""Digits typed ahead, a request with an answer, a prompt that cannot be cut."""


DELIVERY = Path(__file__).parent / "delivery.yaml"
"""Consent to the recording, and to an opt-in."""

CALLBACK = Path(__file__).parent / "callback.yaml"
"""A machine that answers is left a message."""

HELPLINE = Path(__file__).parent / "helpline.yaml"
"""A message that is left."""


def write_wav(
    path: Path, pcm: bytes = b"\0\1" * 4000, rate: int = 8000, channels: int = 1, width: int = 2
) -> None:
    """An audio file, made of samples as they are given."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(pcm)


class Call:
    """One call on a machine, by hand: `at` is the time of the last event."""

    def __init__(self, flow: Flow, override: str | None = None, /, **values: Any) -> None:
        self.machine = FlowMachine(flow, flow.bind(values), override)
        self.at = 0.0
        self.history: list[Command] = []
        self.last: list[Command] = []

    def start(self, at: float = 0.0) -> list[Command]:
        return self._note(at, self.machine.start(at))

    def send(self, event: Event, at: float | None = None) -> list[Command]:
        at = self.at if at is None else at
        return self._note(at, self.machine.handle(event, at))

    def tick(self) -> list[Command]:
        """Lets the time pass until the machine wants to be woken."""
        due = self.machine.due
        assert due is not None
        return self.send(Tick(), due)

    def _note(self, at: float, commands: list[Command]) -> list[Command]:
        assert at >= self.at
        self.at = at
        self.last = commands
        self.history += commands
        return commands

    def of(self, kind: type[T]) -> list[T]:
        """The last commands of a kind."""
        return [command for command in self.last if isinstance(command, kind)]

    @property
    def said(self) -> str:
        """What the last commands speak."""
        return " ".join(u.text for say in self.of(Say) for u in say.utterances if isinstance(u, Text))

    @property
    def saying(self) -> str:
        """The id of the last `Say` of the call."""
        return next(c.id for c in reversed(self.history) if isinstance(c, Say))

    @property
    def finish(self) -> Finish:
        assert isinstance(self.history[-1], Finish)
        return self.history[-1]
