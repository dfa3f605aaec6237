"""Agents: services that hold a conversation for a call, behind a narrow contract.

A service opens a `Conversation` for a `Converse` of the flow. From then on it is told everything that the
caller does and that becomes of its own words (`Conversation.tell`), and sends what it wants to `send`
(`AgentSays`, `AgentPrepares`, `AgentFills`, `AgentCalls`, `Conversed`), as often as it likes and from the
event loop alone. It reaches nothing else of the call: the flow speaks its words, uses the tools, keeps the
values and the bounds.
`stop` ends it at any moment; what it sends after that is ignored.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

from ivr.flow.agent_protocol import (
    AgentCalls,
    AgentCommand,
    AgentEvent,
    AgentFills,
    AgentSays,
    AgentSums,
    Converse,
    Conversed,
    News,
    StopConversing,
    TellAgent,
)
from ivr.flow.model import Flow
from ivr.flow.verbs.agent import Agent
from ivr.waterfall import Stage

log = logging.getLogger(__name__)

NO_AGENT = "no agent"
"""Why an `agent` step is left where no service is configured."""

Send = Callable[[AgentEvent], None]


class Conversation(Protocol):
    """One conversation, from the side of the call. Neither method waits or raises."""

    def tell(self, news: News) -> None:
        """Something happened."""

    def stop(self) -> None:
        """It is over: everything of it ends, and nothing is sent any more."""


class Agents(Protocol):
    """A service of agents."""

    def open(self, begin: Converse, send: Send) -> Conversation:
        """Begins a conversation; returns at once. A service that cannot hold it sends a `Conversed` with the
        outcome `otherwise` and its reason."""


class NoAgents:
    """No service is configured: every conversation is over as it begins."""

    def open(self, begin: Converse, send: Send) -> Conversation:
        send(Conversed(begin.id, "otherwise", {}, NO_AGENT))
        return _Silence()


class _Silence:
    def tell(self, news: News) -> None: ...

    def stop(self) -> None: ...


class AgentLine:
    """The conversation of one call, if it has one now; and what stands of it in the record."""

    def __init__(
        self,
        agents: Agents,
        send: Send,
        note: Callable[[str, Mapping[str, Any]], None],
        mark: Callable[[Stage, float, str], None],
    ) -> None:
        """`send` takes what the agent wants; `note` keeps an event of the record, `mark` a turn's stage."""
        self._agents = agents
        self._send = send
        self._note = note
        self._mark = mark
        self._id = ""
        self._conversation: Conversation | None = None

    def carry_out(self, command: AgentCommand) -> None:
        match command:
            case Converse():
                self.close()
                self._note("agent", {"id": command.id, "slots": [slot.name for slot in command.slots]})
                self._id = command.id
                self._conversation = self._agents.open(command, self._send)
            case TellAgent(id=id, news=news):
                if self._conversation is not None and id == self._id:
                    self._conversation.tell(news)
            case StopConversing(id=id):
                if id == self._id:
                    self.close()

    def noted(self, event: AgentEvent) -> AgentEvent:
        """The event, once it stands in the record. What is said stands there as any prompt."""
        match event:
            case AgentFills(slots=slots):
                self._note("agent_filled", {"slots": sorted(slots)})
            case AgentCalls(tool=tool):
                self._note("agent_tool", {"tool": tool})
            case Conversed(outcome=outcome, reason=reason):
                self._note("agent_over", {"outcome": outcome, "reason": reason})
            case AgentSums():
                self._note("agent_summary", {})
            case AgentSays(token_at=at, token_by=by):
                if at is not None:
                    self._mark(Stage.FIRST_TOKEN, at, by)
        return event

    def close(self) -> None:
        conversation, self._conversation = self._conversation, None
        if conversation is not None:
            conversation.stop()


def warn_of_missing_agents(flows: Iterable[Flow], agents: Agents) -> None:
    """Once at start: which flows talk to agents where there are none."""
    if not isinstance(agents, NoAgents):
        return
    talking = sorted(
        flow.name for flow in flows if any(isinstance(step, Agent) for step in flow.steps.values())
    )
    if talking:
        log.warning(
            "no agent service is configured: the agent steps of %s are left by otherwise", ", ".join(talking)
        )
