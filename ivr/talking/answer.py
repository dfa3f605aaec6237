"""One answer of the model on its way: pieces in, sentences that may be spoken out, each looked at once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Final

from engines.llm.contract import Finished, Piece, Slow, ToolCall, Words
from ivr.talking.grounds import Grounds
from ivr.talking.guard import Finding, Personal, check
from ivr.talking.history import Reply, Sentence
from ivr.talking.sentences import SentenceFeed

MOST_SENTENCES: Final = 8
MOST_CHARACTERS: Final = 1500
MOST_CALLS: Final = 8


@dataclass(frozen=True, slots=True)
class Withheld:
    """This must not be said; nothing more of the answer is wanted."""

    text: str
    finding: Finding


@dataclass(frozen=True, slots=True)
class TooLong:
    """It does not come to an end; what there is of it stands."""


Outcome = Withheld | TooLong | None


@dataclass(slots=True)
class Answer:
    """`presumed` are the caller's words where it is not sure yet that they are all; `again` says that it was
    asked for a second time. `reply` takes the sentences, and the calls."""

    id: str
    language: str
    presumed: str | None = None
    again: bool = False
    reply: Reply = field(default_factory=Reply)
    passages: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    slow: bool = False
    done: bool = False
    poor: str = ""
    """Why nothing good came of it; a safe sentence stands in."""
    _characters: int = 0
    _token_at: float | None = None
    _token_by: str = ""
    _feed: SentenceFeed = field(init=False)

    def __post_init__(self) -> None:
        self._feed = SentenceFeed(self.language)

    def take(
        self, piece: Piece, now: float, grounds: Grounds, readable: Personal
    ) -> tuple[list[Sentence], Outcome]:
        """The sentences that came with a piece."""
        if self._token_at is None and isinstance(piece, Words):
            self._token_at, self._token_by = now, piece.by
        match piece:
            case Slow():
                self.slow = True
                return [], None
            case Words(text):
                self._characters += len(text)
                found, outcome = self._spoken(self._feed.feed(text), grounds, readable)
                if outcome is None and self._characters > MOST_CHARACTERS:
                    outcome = TooLong()
                return found, outcome
            case ToolCall():
                if len(self.reply.calls) < MOST_CALLS:
                    self.reply.calls.append(replace(piece, id=f"{self.id}.{len(self.reply.calls) + 1}"))
                return self._spoken(self._feed.finish(), grounds, readable)
            case Finished():
                self.done = True
                if piece.cut and self.reply.sentences:
                    self._feed.drop()  # half a sentence
                return self._spoken(self._feed.finish(), grounds, readable)

    def _spoken(
        self, texts: Iterable[str], grounds: Grounds, readable: Personal
    ) -> tuple[list[Sentence], Outcome]:
        found: list[Sentence] = []
        for text in texts:
            finding = check(text, self.language, grounds, readable)
            if finding is not None:
                return found, Withheld(text, finding)
            found.append(Sentence(text))
            if not self.reply.sentences:
                found[-1].token_at, found[-1].token_by = self._token_at, self._token_by
            self.reply.sentences.append(found[-1])
            if len(self.reply.sentences) >= MOST_SENTENCES:
                return found, TooLong()
        return found, None

    @property
    def asks(self) -> bool:
        """It ends with a question: the caller is to speak next."""
        return bool(self.reply.sentences) and self.reply.sentences[-1].text.endswith("?")
