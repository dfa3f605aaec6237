"""What a dialogue says: sentences in a row, two at most given to the flow, and what becomes of them.

Whatever is cut is kept until it is known whether the caller said something: a noise lets it go on.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import Final

from ivr.flow.agent_protocol import GREETING, AgentPrepares, AgentSays, Converse, Said
from ivr.talking.history import Reply, Sentence, State
from ivr.talking.phrasebook import Rotation
from ivr.talking.protocol import Command
from ivr.talking.sentiment import Temper, manner_of

AHEAD: Final = 2
"""Sentences given to the flow at a time: the second is synthesised while the first plays."""


class Speaking:
    def __init__(self, begin: Converse, emit: Callable[[Command], None]) -> None:
        self._begin = begin
        self._emit = emit
        self._phrases = Rotation()
        self._marks = 0
        self._queue: deque[Sentence] = deque()
        self._out: dict[str, Sentence | None] = {}
        """What the flow has, by its mark; None for words that are no part of the history."""
        self._rest: list[str] = []
        self._prepared = False
        self.temper = Temper()
        """How the caller feels, which sets the manner."""

    @property
    def waiting(self) -> bool:
        """There is more to be said than what the flow has."""
        return bool(self._queue)

    @property
    def silent(self) -> bool:
        return not self._queue and not self._out

    @property
    def cut(self) -> bool:
        """Something was cut, and it is not known yet for what."""
        return bool(self._rest)

    def add(self, sentences: Iterable[Sentence]) -> None:
        self._queue.extend(sentences)

    def advance(self) -> None:
        """Gives the flow as much as it is to have."""
        while self._queue and len(self._out) < AHEAD:
            sentence = self._queue.popleft()
            sentence.state = State.OUT
            self._give(sentence.text, sentence)

    def prepare(self, sentence: Sentence, presumed: str) -> None:
        """It will be said first if the caller has said no more than what was presumed."""
        manner = manner_of(self.temper.after(presumed), self._begin.emotion)
        self._emit(AgentPrepares(self._begin.id, sentence.text, manner.emotion, manner.intensity))
        self._prepared = True

    def prepare_nothing(self) -> None:
        if self._prepared:
            self._prepared = False
            self._emit(AgentPrepares(self._begin.id))

    def say(self, kind: str, language: str) -> None:
        """One of the words that are always the same (`Phrases`); no part of the history."""
        self._give(self._phrases.take(kind, language), None)

    def greet(self, text: str) -> Reply:
        """Says the greeting of the flow."""
        sentence = Sentence(text, State.OUT)
        self._give(text, sentence, GREETING)
        return Reply([sentence])

    def safe(self, language: str) -> Sentence:
        return Sentence(self._phrases.take("safe", language))

    def said(self, said: Said) -> bool:
        """What was being said is over; whether it was cut."""
        if said.mark not in self._out:
            return False
        sentence = self._out.pop(said.mark)
        if not said.cut:
            if sentence is not None:
                sentence.state = State.SAID
            return False
        if sentence is not None:
            sentence.state, sentence.heard = State.CUT, said.heard or ""
            self._rest.append(sentence.text)
        if not self._out:
            self._rest += [waiting.text for waiting in self._queue]
            self.drop()
        return True

    def drop(self) -> None:
        """What is not given to the flow yet is not said any more."""
        for sentence in self._queue:
            sentence.state = State.CUT
        self._queue.clear()

    def forget_rest(self) -> None:
        """The caller did say something."""
        self._rest = []

    def resume(self) -> Reply:
        """What was cut is said again, and what stood behind it."""
        reply = Reply([Sentence(text) for text in self._rest])
        self._rest = []
        self._queue.extend(reply.sentences)
        return reply

    def _give(self, text: str, sentence: Sentence | None, mark: str = "") -> None:
        self._prepared = False
        self._marks += 1
        mark = mark or f"m{self._marks}"
        self._out[mark] = sentence
        manner = manner_of(self.temper.now, self._begin.emotion)
        at, by = (None, "") if sentence is None else (sentence.token_at, sentence.token_by)
        self._emit(AgentSays(self._begin.id, text, mark, manner.emotion, manner.intensity, at, by))
