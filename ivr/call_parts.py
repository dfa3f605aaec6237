"""What a live call is given, and what it gives back: the record that it writes, the services that it shares
with other calls, and how it ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from engines.contract import Recognizer
from ivr.agents import Agents, NoAgents
from ivr.classifiers import Classifiers
from ivr.endpoints import Endpoints
from ivr.hearing import Advisor, Vad
from ivr.prompts import Prompts
from ivr.switchboard import Switchboard
from media.amd import Answer
from media.leg import Party


class Journal(Protocol):
    """The record of one call."""

    @property
    def call_id(self) -> str:
        """Under which it can be asked for."""

    def note(self, kind: str, data: Mapping[str, Any]) -> None:
        """Keeps an event; stored soon after, in order."""

    async def commit(self, result: Mapping[str, Any]) -> None:
        """Keeps the result as it stands; durable when this returns."""

    async def consent(self, data: Mapping[str, Any]) -> None:
        """Keeps a consent that was given or refused; durable when this returns."""

    async def post(
        self, endpoint: str, method: Literal["GET", "POST", "PUT"], body: Mapping[str, Any] | None
    ) -> None:
        """Keeps a request that must be delivered even if the server dies now."""

    async def suppress(self) -> bool:
        """Puts the far end's number on the suppression list, as surely; False where it is not known."""

    async def publish(self, topic: str, body: Mapping[str, Any]) -> None:
        """Keeps an event for the broker, as surely."""


@dataclass(frozen=True, slots=True)
class Services:
    """What calls share. `replaces`: who is handed over is asked to call the agent himself. `bridges_over` is
    the trunk that agents are called over for a caller who came by none: he is bridged where he cannot be
    transferred. `advisor` tells by the sound of a turn whether it is over, where such a model is
    installed."""

    prompts: Prompts
    vad: Vad
    recognizer: Recognizer
    asr_deadline_s: float
    endpoints: Endpoints
    switchboard: Switchboard
    max_call_s: float
    replaces: bool = False
    bridges_over: str | None = None
    classifiers: Classifiers = field(default_factory=Classifiers)
    agents: Agents = field(default_factory=NoAgents)
    advisor: Advisor | None = None


@dataclass(frozen=True, slots=True)
class Ended:
    """How a call went: the flow's result, why and by whom the leg ended, and who answered it where that was
    asked."""

    result: Mapping[str, Any]
    cause: str
    by: Party
    answered_by: Answer | None = None
