"""What `ivr llm test` does: each provider is asked a question and given a tool, and it is told how it did."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from engines.contract import EngineError
from engines.llm.contract import (
    ChatRequest,
    Finished,
    FromCaller,
    Instruction,
    LanguageModel,
    ToolCall,
    ToolOffer,
    Usage,
    Words,
)
from ivr.config import ConfigError, load
from ivr.knowledge.configured import source_of
from ivr.knowledge.embedding import EmbeddingError, EmbeddingServer
from ivr.knowledge.meaning import Source, meaning_of
from ivr.llm import model_of
from ivr.llm_config import Llm, LlmProvider

DEADLINE_S: Final = 20.0
_SHOWN: Final = 160

_QUESTION: Final = ChatRequest(
    (
        Instruction("You answer callers of a shop on the telephone, in Hindi, in one short sentence."),
        FromCaller("आपकी दुकान में चीज़ें वापस कैसे करते हैं?"),
    ),
    most_tokens=120,
)

_ORDER: Final = "48213"
_ERRAND: Final = ChatRequest(
    (
        Instruction("You answer callers of a shop. Look up how an order stands before you say it."),
        FromCaller(f"Where is my order {_ORDER}?"),
    ),
    (
        ToolOffer(
            "order_state",
            "How an order stands",
            {"type": "object", "properties": {"order": {"type": "string"}}, "required": ["order"]},
        ),
    ),
    most_tokens=120,
)

_NO_TOOLS: Final = (
    "choose a model that can, or let its server read its calls "
    "(vLLM: --enable-auto-tool-choice --tool-call-parser hermes)"
)


@dataclass(frozen=True, slots=True)
class Trial:
    """How a model did. `first_s` is the time to the first word of a warm connection, `tokens_a_second` that
    of the words after it; `tools` says in words how it used one, `tools_work` whether as it should."""

    said: str
    first_s: float
    tokens_a_second: float | None
    tools: str
    tools_work: bool
    spent: Usage


async def try_out(model: LanguageModel, deadline_s: float = DEADLINE_S) -> Trial:
    """Raises `EngineError` when it does not answer."""
    spent = [Usage()]
    said, first_s, end_s, tokens = "", 0.0, 0.0, 0
    for _ in range(2):  # the first one finds it cold
        said, tokens = "", 0
        began = time.perf_counter()
        async for piece in model.chat(_QUESTION, deadline_s=deadline_s, spent=spent.append):
            match piece:
                case Words(text):
                    first_s = first_s if said else time.perf_counter() - began
                    said += text
                    end_s = time.perf_counter() - began
                case Finished(usage=usage):
                    tokens = usage.tokens_out
    pace = (tokens - 1) / (end_s - first_s) if tokens > 1 and end_s > first_s else None
    tools, work = await _try_tools(model, deadline_s, spent.append)
    return Trial(said, first_s, pace, tools, work, sum(spent[1:], spent[0]))


async def _try_tools(
    model: LanguageModel, deadline_s: float, spent: Callable[[Usage], None]
) -> tuple[str, bool]:
    stream = model.chat(_ERRAND, deadline_s=deadline_s, spent=spent)
    try:
        calls = [piece async for piece in stream if isinstance(piece, ToolCall)]
    except EngineError as error:
        return f"it fails when it is offered one: {error}", False
    if not calls:
        return f"it was offered one and did not use it: {_NO_TOOLS}", False
    call = calls[0]
    if call.fault:
        return f"it used one, but {call.fault}", False
    if call.tool != "order_state" or _ORDER not in str(call.arguments.get("order")):
        return f"it used one with other values than it was told: {call.tool} {dict(call.arguments)}", False
    return "it used one as it should", True


def told(provider: LlmProvider, trial: Trial, config: Llm) -> list[str]:
    """The lines for a model that answers."""
    pace = f", then {trial.tokens_a_second:.0f} tokens a second" if trial.tokens_a_second else ""
    said = " ".join(trial.said.split())
    said = said if len(said) <= _SHOWN else said[:_SHOWN] + "…"
    lines = [f"  answers: first word after {trial.first_s * 1000:.0f} ms{pace}", f"  it said: {said}"]
    if trial.first_s > config.second_s:
        lines.append(f"  that is slow: after {config.second_s:g} s (second_s) the next provider is asked too")
    elif trial.first_s > config.slow_s:
        lines.append(f"  that is slow: after {config.slow_s:g} s (slow_s) callers hear a filler")
    lines.append(f"  tools: {trial.tools}")
    tokens = f"{trial.spent.tokens_in} tokens in, {trial.spent.tokens_out} out"
    guessed = " (estimated: it does not count them)" if trial.spent.estimated else ""
    priced = provider.price_in or provider.price_out
    cost = f"; by its prices {trial.spent.cost:.6f}" if priced else "; it has no price_in and price_out"
    return [*lines, f"  these three answers: {tokens}{guessed}{cost}"]


async def try_all(config: Llm, say: Callable[[str], None], deadline_s: float = DEADLINE_S) -> bool:
    """Whether all answer and use tools."""
    well = True
    for provider in config.providers:
        say(f"{provider.name}: {provider.model} at {provider.url}")
        model = model_of(provider)
        try:
            trial = await try_out(model, deadline_s)
        except EngineError as error:
            say(f"  does not work: {error}")
            well = False
        else:
            for line in told(provider, trial, config):
                say(line)
            well = well and trial.tools_work
        finally:
            await model.close()
    return well


async def try_embeddings(source: Source, say: Callable[[str], None]) -> bool:
    """Whether there are vectors in time."""
    where = f"at {source.url}" if isinstance(source, EmbeddingServer) else "in a process of its own"
    say(f"embeddings: {source.model} {where}")
    took_s = 0.0
    meaning = meaning_of(source)
    try:
        await meaning.start()
        for _ in range(2):  # the first one finds it cold
            began = time.perf_counter()
            vector = await meaning.question(_QUESTION.messages[-1].text, DEADLINE_S)
            took_s = time.perf_counter() - began
    except EmbeddingError as error:
        say(f"  does not work: {error}")
        return False
    finally:
        await meaning.close()
    say(f"  a question has {len(vector)} dimensions after {took_s * 1000:.0f} ms")
    if took_s > source.deadline_s:
        say(f"  that is too late: after {source.deadline_s:g} s (deadline_s) the words alone count")
    return took_s <= source.deadline_s


async def _try_what_is_named(config: Llm, source: Source | None) -> bool:
    def say(line: str) -> None:
        print(line, flush=True)

    well = await try_all(config, say)
    return (source is None or await try_embeddings(source, say)) and well


def test(path: Path) -> int:
    """Prints; gives the exit status: 0 all well, 1 not, 2 nothing could be tried."""
    try:
        config = load(path)
        if not config.llm.providers and config.llm.embeddings is None:
            print(f"ivr: {path} names no model: set llm.providers (docs/agents.md)", file=sys.stderr)
            return 2
        return 0 if asyncio.run(_try_what_is_named(config.llm, source_of(config))) else 1
    except ConfigError as error:
        print(f"ivr: {error}", file=sys.stderr)
        return 2
