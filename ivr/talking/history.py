"""What was said in a conversation, as far as it was really heard: what was cut counts up to the cut, and what
was never spoken does not count."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final

from engines.llm.contract import FromCaller, FromModel, FromTool, Message, ToolCall

MOST_CHARACTERS: Final = 16_000
"""Of one request; what is older is left out."""

PENDING: Final = "error: there is no answer yet"


class State(Enum):
    WAITING = auto()
    OUT = auto()
    """Given to the flow: it is being said, or is next."""
    SAID = auto()
    CUT = auto()


@dataclass(slots=True)
class Sentence:
    text: str
    state: State = State.WAITING
    heard: str = ""
    """Of one that was cut."""
    token_at: float | None = None
    """Of the first of an answer: when the model's first word came."""
    token_by: str = ""
    """And of which model."""

    @property
    def words(self) -> str:
        """What the caller has heard of it, or will."""
        if self.state is not State.CUT:
            return self.text
        return f"{self.heard} …" if self.heard else ""


@dataclass(slots=True)
class Reply:
    """One answer of the model: what it says, and what it wants done."""

    sentences: list[Sentence] = field(default_factory=list)
    calls: list[ToolCall] = field(default_factory=list)

    @property
    def words(self) -> str:
        return " ".join(filter(None, (sentence.words for sentence in self.sentences)))


class History:
    def __init__(self) -> None:
        self._entries: list[FromCaller | Reply | FromTool] = []

    def heard(self, words: str) -> None:
        """The caller said this."""
        self._entries.append(FromCaller(words))

    def reply(self, reply: Reply) -> None:
        """This is being answered; it fills as it is said."""
        self._entries.append(reply)

    def answered(self, call: str, text: str) -> None:
        """This came of a tool."""
        self._entries.append(FromTool(call, text))

    @property
    def owed(self) -> bool:
        """Whether the last word was not ours: an answer is due."""
        for entry in reversed(self._entries):
            if not isinstance(entry, Reply):
                return True
            if entry.words or entry.calls:
                return False
        return False

    def messages(
        self, aside: str = "", *, presumed: str = "", without: Reply | None = None
    ) -> tuple[Message, ...]:
        """For a request. `aside` stands before the caller's last words, and is gone in the next; `presumed`
        are words that he may have ended with, `without` is a reply that is being made anew."""
        found: list[Message] = []
        answers = {entry.call: entry for entry in self._entries if isinstance(entry, FromTool)}
        entries = [entry for entry in self._entries if entry is not without]
        for entry in [*entries, FromCaller(presumed)] if presumed else entries:
            match entry:
                case FromCaller(text):
                    if found and isinstance(found[-1], FromCaller):
                        found[-1] = FromCaller(f"{found[-1].text} {text}")
                    else:
                        found.append(entry)
                case Reply() if entry.words or entry.calls:
                    found.append(FromModel(entry.words, tuple(entry.calls)))
                    # Each call has its answer behind it, whenever that came.
                    found += [answers.get(call.id) or FromTool(call.id, PENDING) for call in entry.calls]
                case _:
                    pass
        found = list(_recent(found))
        if aside:
            _set_aside(found, aside)
        return tuple(found)

    @property
    def last_words(self) -> str:
        """What the caller said last."""
        return next((e.text for e in reversed(self._entries) if isinstance(e, FromCaller)), "")

    def transcript(self) -> Iterator[tuple[str, str]]:
        """Who said what, in order: `caller` and `agent`."""
        for entry in self._entries:
            if isinstance(entry, FromCaller):
                yield "caller", entry.text
            elif isinstance(entry, Reply) and entry.words:
                yield "agent", entry.words


def _recent(messages: list[Message]) -> list[Message]:
    """All of them, or where that is too much the last, from words of the caller on: a call never stands
    without its answer."""
    size = 0
    start = len(messages)
    for at in range(len(messages) - 1, -1, -1):
        size += len(messages[at].text)
        if size > MOST_CHARACTERS and start < len(messages):
            return messages[start:]
        if isinstance(messages[at], FromCaller):
            start = at
    return messages


def _set_aside(messages: list[Message], aside: str) -> None:
    for at in range(len(messages) - 1, -1, -1):
        message = messages[at]
        if isinstance(message, FromCaller):
            messages[at] = FromCaller(f"{aside}\n{message.text}")
            return
