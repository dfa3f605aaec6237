"""What goes into a dialogue and what comes out, beside the words that a flow and an agent have for each other
(`ivr.flow.agent_protocol`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from engines.llm.contract import ChatRequest, Piece
from ivr.flow.agent_protocol import AgentEvent, News

# --- in


@dataclass(frozen=True, slots=True)
class Got:
    """The model gave this for the `Ask` with this id."""

    id: str
    piece: Piece


@dataclass(frozen=True, slots=True)
class Broke:
    """No model gave an answer, or it broke off."""

    id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Found:
    """What is known of the question of the `Find` with this id."""

    id: str
    passages: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Spent:
    """A request, be it answered or cancelled, has cost so much."""

    cost: float


@dataclass(frozen=True, slots=True)
class Wake:
    """The time is `due`."""


Event: TypeAlias = "News | Got | Broke | Found | Spent | Wake"

# --- out


@dataclass(frozen=True, slots=True)
class Ask:
    """Ask the model, and tell what comes of it until `Finished`, `Broke`, or `Cancel`."""

    id: str
    request: ChatRequest


@dataclass(frozen=True, slots=True)
class Cancel:
    """The answer to the `Ask` or `Find` with this id is not wanted any more: end the request for real."""

    id: str


@dataclass(frozen=True, slots=True)
class Find:
    """Look into the knowledge of the step; `Found` comes in any case, and soon."""

    id: str
    question: str


Counted = Literal[
    "turn",
    "opening",
    "filler",
    "interrupted",
    "speculation_kept",
    "speculation_dropped",
    "withheld_number",
    "withheld_personal",
    "withheld_language",
    "withheld_no_speech",
    "safe_sentence",
    "no_words",
    "endless",
    "tool_fault",
    "broken_off",
    "not_understood",
    "language_changed",
    "summary",
    "summary_without_model",
]


@dataclass(frozen=True, slots=True)
class Count:
    """For the metrics."""

    what: Counted


Command: TypeAlias = Ask | Cancel | Find | Count | AgentEvent
