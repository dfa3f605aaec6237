"""How a conversation ends: with all words said and a summary for a colleague where the flow wants one, or at
once where nothing good comes of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from engines.llm.contract import Piece
from ivr.flow.agent_protocol import AgentCalls, AgentSums, Converse, Conversed
from ivr.talking.errands import Errands
from ivr.talking.grounds import Grounds
from ivr.talking.history import History
from ivr.talking.protocol import Ask, Cancel, Command, Count
from ivr.talking.summing import Summing

SUMMARY_S: Final = 2.0
"""So long a summary by the model is waited for."""


class Leaving:
    def __init__(
        self,
        begin: Converse,
        history: History,
        errands: Errands,
        grounds: Grounds,
        emit: Callable[[Command], None],
    ) -> None:
        self._begin = begin
        self._history = history
        self._errands = errands
        self._grounds = grounds
        self._emit = emit
        self._summaries = 0
        self._summing: Summing | None = None
        self._parting: AgentCalls | Conversed | None = None
        """How it ends, once all is said."""
        self.closing = False
        """The flow leaves, and only wants the summary."""
        self.over = False

    @property
    def begun(self) -> bool:
        """It is the agent's own word that all is said."""
        return self._parting is not None

    @property
    def due(self) -> float | None:
        return None if self._summing is None else self._summing.until

    def begin(self, parting: AgentCalls | Conversed, now: float) -> None:
        """The agent leaves so, once all is said."""
        self._parting = parting
        if self._begin.summary and self._summing is None:
            self._sum_up(now)

    def close(self, now: float) -> None:
        """The flow leaves."""
        self.closing = True
        if self._summing is None:
            self._sum_up(now)

    def give_up(self, reason: str) -> None:
        """At once, by the step's `otherwise`."""
        if self._begin.summary:
            self._emit(AgentSums(self._begin.id, self._new_summing(0.0).without_model()))
        self._end(Conversed(self._begin.id, "otherwise", {}, reason))

    def finish(self) -> None:
        """All is said."""
        if self._parting is not None and self._summing is None and not self.closing:
            self._end(self._parting)

    # --- the summary

    def got(self, id: str, piece: Piece) -> None:
        if self._summing is not None and id == self._summing.id and self._summing.take(piece):
            self._summed(self._summing)

    def broke(self, id: str) -> None:
        if self._summing is not None and id == self._summing.id:
            self._summing.broken()
            self._summed(self._summing)

    def wake(self, now: float) -> None:
        if self._summing is not None and now >= self._summing.until:
            self._summing.broken()
            self._summed(self._summing)

    def _new_summing(self, until: float) -> Summing:
        self._summaries += 1
        transcript = list(self._history.transcript())
        errands = self._errands
        return Summing(f"s{self._summaries}", errands.language, transcript, errands.filled, until)

    def _sum_up(self, now: float) -> None:
        self._summing = summing = self._new_summing(now + SUMMARY_S)
        request = summing.request()
        if request is None:
            self._summed(summing)
        else:
            self._emit(Ask(summing.id, request))

    def _summed(self, summing: Summing) -> None:
        self._summing = None
        text = summing.text(self._grounds)
        self._emit(Count("summary" if text else "summary_without_model"))
        self._emit(Cancel(summing.id))
        self._emit(AgentSums(self._begin.id, text or summing.without_model()))
        self.over = self.closing

    def _end(self, last: AgentCalls | Conversed) -> None:
        if not self.over:
            self.over = True
            self._emit(last)
