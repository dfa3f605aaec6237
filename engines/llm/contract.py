"""The contract of the language models: one conversation in, a stream of words and wishes out.

A model only writes. What it writes is data: nothing of it is executed here, and no address of its choosing is
fetched. A call for a tool is a wish that the asker grants or not.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

# --- in


@dataclass(frozen=True, slots=True)
class ToolCall:
    """The model wants a tool used. `arguments` are as written; `fault` says why they could not be parsed."""

    id: str
    tool: str
    arguments: Mapping[str, Any]
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Instruction:
    """What the model is told by us."""

    text: str


@dataclass(frozen=True, slots=True)
class FromCaller:
    """What the caller said."""

    text: str


@dataclass(frozen=True, slots=True)
class FromModel:
    """What the model said, as far as it was heard, and the tools that it asked for."""

    text: str
    calls: tuple[ToolCall, ...] = ()


@dataclass(frozen=True, slots=True)
class FromTool:
    """What came of the tool call with this id, as JSON text."""

    call: str
    text: str


Message = Instruction | FromCaller | FromModel | FromTool


@dataclass(frozen=True, slots=True)
class ToolOffer:
    """A tool that the model may ask for. `parameters` is the JSON Schema of an object."""

    name: str
    about: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """What the model goes on from. `most_tokens` bounds the answer."""

    messages: tuple[Message, ...]
    tools: tuple[ToolOffer, ...] = ()
    temperature: float = 0.3
    most_tokens: int = 300


# --- out


@dataclass(frozen=True, slots=True)
class Words:
    """More text of the answer; `by` names its model, with the first of it."""

    text: str
    by: str = ""


@dataclass(frozen=True, slots=True)
class Slow:
    """There is no word yet after a while: who speaks for the model may fill the pause. At most once in an
    answer, before anything else of it."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What an answer took, in tokens, and its cost by the configured prices (in their own unit). It is
    `estimated` where the provider did not say: it does not know how to, or the request was cancelled."""

    tokens_in: int = 0
    tokens_out: int = 0
    cost: float = 0.0
    estimated: bool = False

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.tokens_in + other.tokens_in,
            self.tokens_out + other.tokens_out,
            self.cost + other.cost,
            self.estimated or other.estimated,
        )


OnSpent = Callable[[Usage], None]
"""Told once for each request that reached a provider what it took, be it answered, failed or cancelled."""


@dataclass(frozen=True, slots=True)
class Finished:
    """The answer is whole; `cut` where `most_tokens` ended it. `model` is who wrote it, `usage` what its
    request took."""

    model: str
    usage: Usage = field(default_factory=Usage)
    cut: bool = False


Piece = Slow | Words | ToolCall | Finished


class LanguageModel(Protocol):
    """One model at one provider."""

    @property
    def name(self) -> str: ...

    def warm(self) -> None:
        """Somebody is about to ask: what a first request would wait for is done now. Returns at once."""

    def chat(
        self, request: ChatRequest, *, deadline_s: float, spent: OnSpent | None = None
    ) -> AsyncGenerator[Piece, None]:
        """Yields words and tool calls as they come, and `Finished` last. Closing the generator cancels the
        request for real: the connection ends, and the provider stops writing.

        The first piece comes before `deadline_s` or `EngineTimeout` is raised, and no later pause is longer
        than that; `EngineUnavailable` when the provider cannot be reached or refuses; other `EngineError` for
        an answer that is none. `spent` hears what closing it cost, too; who counts adds up what it is told,
        not `Finished.usage` as well.
        """
