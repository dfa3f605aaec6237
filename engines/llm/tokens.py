"""How many tokens a text is, where nobody says: rather too many than too few."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable

from engines.llm.contract import ChatRequest, FromModel, Message

LETTERS_PER_TOKEN = 4
"""Of English. A letter of an Indian script is counted as a token: Qwen2.5 needs about that for Devanagari."""

TOKENS_PER_MESSAGE = 4
"""For its role and its ends."""


def tokens_of(text: str) -> int:
    if text.isascii():
        return math.ceil(len(text) / LETTERS_PER_TOKEN)
    plain = sum(1 for letter in text if letter.isascii())
    return math.ceil(plain / LETTERS_PER_TOKEN) + len(text) - plain


def tokens_of_request(request: ChatRequest) -> int:
    tools = (json.dumps([tool.name, tool.about, dict(tool.parameters)]) for tool in request.tools)
    return sum(map(tokens_of, tools)) + sum(
        TOKENS_PER_MESSAGE + sum(map(tokens_of, _texts(message))) for message in request.messages
    )


def _texts(message: Message) -> Iterable[str]:
    yield message.text
    if isinstance(message, FromModel):
        for call in message.calls:
            yield call.tool
            yield json.dumps(dict(call.arguments), ensure_ascii=False)
