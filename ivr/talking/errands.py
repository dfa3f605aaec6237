"""What a model wants done: values to be kept, tools of the flow to be used, the conversation to be left. It
is checked here, and granted or refused; it is the flow that does it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from engines.llm.contract import ToolCall
from ivr.flow.agent_protocol import AgentCalls, AgentFills, Converse, Conversed, ToolDone
from ivr.flow.verbs.agent_reading import FILL
from ivr.talking.grounds import Grounds
from ivr.talking.history import History
from ivr.talking.protocol import Command
from ivr.talking.tools import END, answer_text, fitting, leads_on, offers

FAULTS: Final = 2
"""Answers with calls that cannot be used, one after the other: told to the model, then given up."""


@dataclass(frozen=True, slots=True)
class Granted:
    """What came of the calls of one answer. `parting` is how the conversation ends, once all is said."""

    in_use: bool = False
    faulty: bool = False
    complete: bool = True
    """All that was wanted could be done, and nothing of it is of interest to the model."""
    parting: AgentCalls | Conversed | None = None


class Errands:
    def __init__(
        self, begin: Converse, history: History, grounds: Grounds, emit: Callable[[Command], None]
    ) -> None:
        self._begin = begin
        self._history = history
        self._grounds = grounds
        self._emit = emit
        self._tools = {tool.name: tool for tool in (*begin.tools, *leads_on(begin.tools))}
        self._uses: set[str] = set()
        """Calls of tools that the flow is at."""
        self._faults = 0
        self._warned = False
        self.offers = offers(begin)
        self.filled = dict(begin.known)
        self.language = begin.language

    @property
    def in_use(self) -> bool:
        """A tool has not answered yet."""
        return bool(self._uses)

    @property
    def hopeless(self) -> bool:
        return self._faults >= FAULTS

    @property
    def missing(self) -> list[str]:
        """What is still to be found out."""
        return [s.name for s in self._begin.slots if s.required and self.filled.get(s.name) is None]

    def forgive(self) -> None:
        """An answer was good."""
        self._faults = 0

    def do(self, calls: list[ToolCall]) -> Granted:
        """Grants or refuses the calls of an answer, each with its answer for the model."""
        faulty = False
        complete = True
        parting: AgentCalls | Conversed | None = None
        for call in calls:
            tool = self._tools.get(call.tool)
            if call.fault or (tool is None and (call.tool != FILL or not self._begin.slots)):
                faulty, complete = True, False
                names = ", ".join(offer.name for offer in self.offers)
                self._refuse(call, call.fault or f"there is no tool {call.tool[:60]!r}; there are {names}")
            elif tool is None:
                complete &= self._fill_from(call)
            elif not tool.action:
                complete = False
                self._uses.add(call.id)
                self._emit(AgentCalls(self._begin.id, call.id, tool.name, call.arguments))
            elif tool.action == "end" and self.missing and not self._warned:
                # Told once; who ends it all the same may.
                self._warned, complete = True, False
                self._refuse(call, f"first find out {', '.join(self.missing)}")
            else:
                self._history.answered(call.id, answer_text("done"))
                parting = AgentCalls(self._begin.id, call.id, tool.name, {})
                if tool.name == END and tool not in self._begin.tools:
                    parting = Conversed(self._begin.id, "next", {}, END)
        self._faults = self._faults + 1 if faulty else 0
        return Granted(self.in_use, faulty, complete, None if faulty else parting)

    def used(self, done: ToolDone) -> bool:
        """A tool has answered, or will not; whether none is in use any more because of that."""
        if done.call not in self._uses:
            return False
        self._uses.remove(done.call)
        text = answer_text(done.answer, done.error)
        self._grounds.add(text, self.language)
        self._history.answered(done.call, text)
        return not self._uses

    def fill(self, values: Mapping[str, Any]) -> None:
        """Values that fit."""
        if not values:
            return
        self.filled |= values
        for value in values.values():
            self._grounds.add(str(value), self.language, open=True)
        self._emit(AgentFills(self._begin.id, values))
        chosen = values.get(self._begin.language_slot)
        if isinstance(chosen, str):
            self.language = chosen

    def _fill_from(self, call: ToolCall) -> bool:
        kept, wrong = fitting(self._begin.slots, call.arguments)
        self.fill(kept)
        told = {"kept": sorted(kept), "wrong": wrong, "still to be found out": self.missing}
        self._history.answered(call.id, answer_text({key: value for key, value in told.items() if value}))
        return not wrong

    def _refuse(self, call: ToolCall, reason: str) -> None:
        self._history.answered(call.id, answer_text(None, reason))
