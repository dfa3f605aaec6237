"""The words between a flow and an agent: a conversation with a language model, held by a service outside.

The agent only talks and asks. What it says is spoken by the flow's own prompts, what it wants done (`tools`)
is done by the flow, what it finds out (`slots`) is fitted to the flow's types by the flow. It is told what
the caller says and presses, how far its words were heard, and what came of its tools; it can be stopped at
any moment, and what it sends after that is ignored.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

if TYPE_CHECKING:
    from ivr.flow.protocol import BargeIn, Heard, Key, NothingSaid, SpeechBegan

AgentOutcome = Literal["next", "otherwise", "operator"]
AGENT_OUTCOMES: tuple[AgentOutcome, ...] = get_args(AgentOutcome)

GREETING = "greeting"
"""The mark under which an agent says the greeting: the flow's own prompt is heard."""

READABLE: tuple[str, ...] = ("phone", "email", "number")
"""Kinds of personal data; `number` is any long one: of an account, a card, an order of others."""

# --- to the agent


@dataclass(frozen=True, slots=True)
class Slot:
    """A value to find out: `schema` is the JSON Schema of what fits, `about` says what it is."""

    name: str
    about: str
    schema: Mapping[str, Any]
    required: bool


@dataclass(frozen=True, slots=True)
class Tool:
    """Something that the flow does when the agent asks for it: `parameters` is the JSON Schema of an object.
    One with an `action` ends the conversation: `transfer` by operator, `end` by next."""

    name: str
    about: str
    parameters: Mapping[str, Any]
    action: Literal["", "transfer", "end"] = ""


@dataclass(frozen=True, slots=True)
class Bounds:
    """`cost` is counted in the service's own unit; None: not bounded. `turns` and `time_s` are kept by the
    flow as well."""

    turns: int
    time_s: float
    cost: float | None = None


@dataclass(frozen=True, slots=True)
class Converse:
    """Begin a conversation. `known` are the values of slots that are there already. `reads_out` are the kinds
    of personal data that may be said to the caller (`READABLE`). `language_slot` is the slot that sets the
    language of the call, where the step has one; with `summary` the flow wants `AgentSums` at the end.
    `greeting` are the words that the agent begins with, under the mark `GREETING`; without them the caller
    speaks first."""

    id: str
    instructions: str
    language: str
    slots: tuple[Slot, ...]
    tools: tuple[Tool, ...]
    knowledge: tuple[str, ...]
    bounds: Bounds
    barge_in: BargeIn
    emotion: str = "neutral"
    known: Mapping[str, Any] = field(default_factory=dict)
    reads_out: tuple[str, ...] = ()
    language_slot: str = ""
    summary: bool = False
    greeting: str = ""


@dataclass(frozen=True, slots=True)
class Presumed:
    """The caller pauses and has said this so far: an answer may be prepared, nothing of it said or kept. Then
    comes `Heard` (with the same text, and the answer stands; with another, and it does not), a later
    `Presumed` in its place, or `Dropped`. `language` is the one that was heard, empty where nobody knows."""

    text: str
    language: str = ""


@dataclass(frozen=True, slots=True)
class Dropped:
    """The caller goes on: what was presumed last does not hold."""


@dataclass(frozen=True, slots=True)
class NoInput:
    """The caller has been silent for so many seconds since all was said; told once each time."""

    for_s: float


@dataclass(frozen=True, slots=True)
class Said:
    """What the agent said under this mark is over: heard to its end, or cut. `heard` are the words of it that
    were out by then, where it was cut; None where it was not, or nobody knows."""

    mark: str
    cut: bool = False
    heard: str | None = None


@dataclass(frozen=True, slots=True)
class ToolDone:
    """What came of a call for a tool: the answer's JSON, or why there is none."""

    call: str
    answer: Any = None
    error: str = ""


@dataclass(frozen=True, slots=True)
class Summarise:
    """The flow leaves the conversation, and waits a little for `AgentSums`."""


@dataclass(frozen=True, slots=True)
class TellAgent:
    """Something happened in the conversation with this id."""

    id: str
    news: News


@dataclass(frozen=True, slots=True)
class StopConversing:
    """The conversation is over: nothing is said or done for it any more."""

    id: str


# --- from the agent


@dataclass(frozen=True, slots=True)
class AgentSays:
    """Speak this, after what is being said already; then the agent gets `Said(mark)`. `emotion` is one of
    `engines.tts.emotion`, felt with an `intensity` from 0 to 1; empty: the step's own. `token_at` is the
    event loop's time at which the model's first word of an answer came, with its first sentence, `token_by`
    the model."""

    id: str
    text: str
    mark: str = ""
    emotion: str = ""
    intensity: float = 0.5
    token_at: float | None = None
    token_by: str = ""


@dataclass(frozen=True, slots=True)
class AgentPrepares:
    """This may be said soon, in this manner: its sound may be made, in the place of what was to be prepared
    before. Nothing of it is said or kept before an `AgentSays`; without words nothing is to be prepared."""

    id: str
    text: str = ""
    emotion: str = ""
    intensity: float = 0.5


@dataclass(frozen=True, slots=True)
class AgentFills:
    """Values that were found out, as JSON; what does not fit is left out."""

    id: str
    slots: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class AgentCalls:
    """The agent wants a tool used; `call` names this use in the answer."""

    id: str
    call: str
    tool: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class AgentSums:
    """What a colleague is to be told of the conversation. It comes before what ends it."""

    id: str
    text: str


@dataclass(frozen=True, slots=True)
class Conversed:
    """The conversation is over, by the agent's own word; `reason` is for the record."""

    id: str
    outcome: AgentOutcome
    slots: Mapping[str, Any] = field(default_factory=dict)
    reason: str = ""


News: TypeAlias = (
    "Heard | SpeechBegan | NothingSaid | Key | Presumed | Dropped | NoInput | Said | ToolDone | Summarise"
)
"""What an agent is told."""

AgentEvent = AgentSays | AgentPrepares | AgentFills | AgentCalls | AgentSums | Conversed
AgentCommand = Converse | TellAgent | StopConversing
