"""OpenAI's chat completions as data: what is asked, and what the pieces of a streamed answer say. Pure.

Servers that call themselves compatible differ. What is read here is what all of them send; anything of
another shape is passed over, and what it lacks is told at the end.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from engines.llm.contract import (
    ChatRequest,
    FromCaller,
    FromModel,
    FromTool,
    Instruction,
    Message,
    ToolCall,
    Words,
)
from engines.llm.thinking import WithoutThoughts
from engines.llm.tokens import tokens_of

BYTES_PER_TOKEN: Final = 16
"""More than any tokeniser's tokens have on average: an answer with more is over its `most_tokens`."""

MOST_CALLS: Final = 16


def body_of(request: ChatRequest, model: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """The body of the request. `options` are set over it; one of them that is null takes a field out."""
    body: dict[str, Any] = {
        "model": model,
        "messages": [_message(message) for message in request.messages],
        "temperature": request.temperature,
        "max_tokens": request.most_tokens,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    if request.tools:
        body["tools"] = [
            {
                "type": "function",
                "function": {
                    "name": tool.name,
                    "description": tool.about,
                    "parameters": dict(tool.parameters),
                },
            }
            for tool in request.tools
        ]
    return {key: value for key, value in {**body, **options}.items() if value is not None}


def _message(message: Message) -> dict[str, Any]:
    match message:
        case Instruction(text):
            return {"role": "system", "content": text}
        case FromCaller(text):
            return {"role": "user", "content": text}
        case FromTool(call, text):
            return {"role": "tool", "tool_call_id": call, "content": text}
        case FromModel(text, calls):
            said: dict[str, Any] = {"role": "assistant", "content": text}
            if calls:
                said["tool_calls"] = [_call(call) for call in calls]
            return said


def _call(call: ToolCall) -> dict[str, Any]:
    arguments = json.dumps(dict(call.arguments), ensure_ascii=False)
    return {"id": call.id, "type": "function", "function": {"name": call.tool, "arguments": arguments}}


@dataclass(slots=True)
class _CallInPieces:
    id: str
    tool: str
    arguments: str


class AnswerReader:
    """One answer, from its pieces. `fed` grows with all that the model writes, be it heard or not."""

    def __init__(self, most_tokens: int) -> None:
        self._most_tokens = most_tokens
        self._thoughts = WithoutThoughts()
        self._calls: list[_CallInPieces] = []
        self._by_index: dict[int, _CallInPieces] = {}
        self._pieces = 0
        self._bytes = 0
        self._tokens = 0
        self._words = False
        self.finish = ""
        """Why it ended, in the server's word; empty while it goes on."""
        self.told: tuple[int, int] | None = None
        """Tokens in and out, where the server counts them."""
        self.error = ""
        """What the server told instead of an answer."""

    @property
    def fed(self) -> int:
        return self._bytes

    @property
    def empty(self) -> bool:
        return not self._words and not self._calls

    @property
    def over_long(self) -> bool:
        """Whether it is longer than was asked for: a piece is a token at least."""
        return self._pieces > self._most_tokens or self._bytes > self._most_tokens * BYTES_PER_TOKEN

    @property
    def tokens_out(self) -> int:
        """An estimate."""
        return max(self._pieces, self._tokens)

    def take(self, event: object) -> Words | None:
        """The words in an event of the stream, if there are any."""
        if not isinstance(event, Mapping):
            return None
        self._read_usage(event.get("usage"))
        if event.get("error"):
            self.error = _text_of_error(event["error"])
        choice = _first(event.get("choices"))
        if isinstance(reason := choice.get("finish_reason"), str):
            self.finish = reason
        delta = choice.get("delta")
        if not isinstance(delta, Mapping):
            return None
        for index, part in enumerate(_mappings(delta.get("tool_calls"))):
            self._read_call(index, part)
        for key in ("reasoning_content", "reasoning"):
            self._count(delta.get(key))
        content = delta.get("content")
        self._count(content)
        return self._heard(self._thoughts.take(content)) if isinstance(content, str) else None

    def rest(self) -> Words | None:
        """What was held back, once the answer is over."""
        return self._heard(self._thoughts.rest())

    def calls(self) -> list[ToolCall]:
        """The tool calls, once the answer is over."""
        return [_whole(index, call) for index, call in enumerate(self._calls)]

    def _heard(self, text: str) -> Words | None:
        if not text:
            return None
        self._words = self._words or not text.isspace()
        return Words(text)

    def _count(self, text: object) -> None:
        if isinstance(text, str) and text:
            self._pieces += 1
            self._bytes += len(text) if text.isascii() else len(text.encode("utf-8", "replace"))
            self._tokens += tokens_of(text)

    def _read_usage(self, usage: object) -> None:
        if isinstance(usage, Mapping):
            counts = [usage.get("prompt_tokens"), usage.get("completion_tokens")]
            tokens_in, tokens_out = (n if isinstance(n, int) and n >= 0 else None for n in counts)
            if tokens_in is not None and tokens_out is not None:
                self.told = (tokens_in, tokens_out)

    def _read_call(self, position: int, part: Mapping[str, Any]) -> None:
        index = part.get("index")
        at = index if isinstance(index, int) and not isinstance(index, bool) and index >= 0 else position
        function = part.get("function")
        function = function if isinstance(function, Mapping) else {}
        id, tool, arguments = part.get("id"), function.get("name"), function.get("arguments")
        id = id if isinstance(id, str) else ""
        call = self._by_index.get(at)
        # Some servers give every call the same index: another id is another call.
        if call is None or (id and call.id and id != call.id):
            call = _CallInPieces("", "", "")
            if len(self._calls) < MOST_CALLS:
                self._calls.append(call)
            self._by_index[at] = call
        call.id = call.id or id
        call.tool = call.tool or (tool if isinstance(tool, str) else "")
        if isinstance(arguments, Mapping):  # whole, and no text
            arguments = json.dumps(arguments, ensure_ascii=False)
        if isinstance(arguments, str):
            call.arguments += arguments
            self._count(arguments)


def _whole(index: int, call: _CallInPieces) -> ToolCall:
    id = call.id or f"call_{index}"
    if not call.tool:
        return ToolCall(id, "", {}, "it names no tool")
    try:
        arguments = json.loads(call.arguments or "{}", parse_constant=_no_number)
    except RecursionError:
        return ToolCall(id, call.tool, {}, "its arguments are nested too deeply")
    except ValueError as error:
        return ToolCall(id, call.tool, {}, f"its arguments are no JSON: {error}")
    if arguments is None:
        arguments = {}
    if not isinstance(arguments, dict):
        return ToolCall(id, call.tool, {}, "its arguments are no object")
    return ToolCall(id, call.tool, arguments)


def _no_number(text: str) -> float:
    raise ValueError(f"{text} is no number of JSON")


def _first(choices: object) -> Mapping[str, Any]:
    return next(iter(_mappings(choices)), {})


def _mappings(items: object) -> Sequence[Mapping[str, Any]]:
    return [item for item in items if isinstance(item, Mapping)] if isinstance(items, list) else []


def _text_of_error(error: object) -> str:
    message = error.get("message") if isinstance(error, Mapping) else error
    return str(message or error)
