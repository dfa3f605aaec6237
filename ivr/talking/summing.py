"""What a colleague is told of a conversation: by the model, in time, or else by what is known."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from engines.llm.contract import ChatRequest, Finished, FromCaller, Instruction, Piece, Words
from ivr.talking import instructions
from ivr.talking.grounds import Grounds
from ivr.talking.guard import Fault, check
from ivr.talking.phrasebook import phrases
from ivr.talking.sentences import SentenceFeed
from ivr.talking.tools import as_data

MOST: Final = 400
"""Characters of a summary: what fits a text of a flow, and half a minute of listening."""

_LAST_WORDS: Final = 3
_READABLE: Final = frozenset(("phone", "email", "number"))
"""A colleague may hear what the caller may not."""


class Summing:
    """One summary; `until` is when the model's is not waited for any more."""

    def __init__(
        self,
        id: str,
        language: str,
        transcript: Sequence[tuple[str, str]],
        known: Mapping[str, Any],
        until: float,
    ) -> None:
        self.id = id
        self.until = until
        self._language = language
        self._transcript = transcript
        self._known = {name: value for name, value in known.items() if value is not None}
        self._feed = SentenceFeed(language)
        self._sentences: list[str] = []
        self._whole = False

    def request(self) -> ChatRequest | None:
        """None where nothing was said that could be summed up."""
        if not any(who == "caller" for who, _ in self._transcript):
            return None
        talk = "\n".join(f"{who}: {words}" for who, words in self._transcript)[-8000:]
        data = f"{talk}\nvalues: {json.dumps(self._known, ensure_ascii=False)}"
        messages = (Instruction(instructions.summary(self._language)), FromCaller(as_data(data)))
        return ChatRequest(messages, temperature=0.1, most_tokens=160)

    def take(self, piece: Piece) -> bool:
        """Whether it is whole now."""
        if isinstance(piece, Words):
            self._sentences += self._feed.feed(piece.text)
        elif isinstance(piece, Finished):
            self._sentences += self._feed.finish()
            self._whole = True
        return self._whole or sum(map(len, self._sentences)) > MOST

    def broken(self) -> None:
        """No more comes; whole sentences stand."""
        self._feed.drop()

    def text(self, grounds: Grounds) -> str:
        """What the model made of it, less what it invented; empty where nothing is left."""
        good = (s for s in self._sentences if not self._is_invented(s, grounds))
        return " ".join(good)[:MOST]

    def _is_invented(self, sentence: str, grounds: Grounds) -> bool:
        found = check(sentence, self._language, grounds, _READABLE)
        return found is not None and found.fault in (Fault.NUMBER, Fault.NO_SPEECH)

    def without_model(self) -> str:
        words = [words for who, words in self._transcript if who == "caller"][-_LAST_WORDS:]
        known = ", ".join(f"{name} {value}" for name, value in self._known.items())
        if not words and not known:
            return ""
        text = phrases(self._language).summary
        return text.format(known=known or "-", words=" … ".join(words) or "-")[:MOST]
