"""The agents of a server: a dialogue for each conversation, with the model and the knowledge that it asks.

Each request is a task of its own, and cancelling it ends the request at the provider. Whatever goes wrong in
here, the call gets its `Conversed` and goes on.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Coroutine
from typing import Any, Protocol

from engines.contract import EngineError
from engines.llm.contract import ChatRequest, Finished, LanguageModel, Usage
from ivr.agents import Send
from ivr.alarm import Alarm
from ivr.flow.agent_protocol import Converse, Conversed, News
from ivr.knowledge.contract import Knowledge
from ivr.talking.asking import Style
from ivr.talking.dialogue import Dialogue
from ivr.talking.guard import warm
from ivr.talking.protocol import (
    Ask,
    Broke,
    Cancel,
    Command,
    Count,
    Counted,
    Event,
    Find,
    Found,
    Got,
    Spent,
    Wake,
)

log = logging.getLogger(__name__)


class Observer(Protocol):
    """What is measured of all conversations."""

    def agent_counted(self, what: Counted) -> None: ...

    def agent_over(self, outcome: str, seconds: float) -> None:
        """`outcome` is that of the agent's own word, or `left`: the flow ended it."""


class ModelAgents:
    """The `ivr.agents.Agents` of a server with a language model."""

    def __init__(
        self,
        model: LanguageModel,
        observer: Observer,
        style: Style,
        deadline_s: float,
        knowledge: Knowledge | None = None,
    ) -> None:
        """`deadline_s`: to the first word of an answer, whichever model it comes from, and the longest pause
        in it."""
        self.model = model
        self.observer = observer
        self.knowledge = knowledge
        self.style = style
        self.deadline_s = deadline_s
        warm()

    def open(self, begin: Converse, send: Send) -> Conversation:
        self.model.warm()
        return Conversation(begin, send, self)


class Conversation:
    """One conversation; a `ivr.agents.Conversation`."""

    def __init__(self, begin: Converse, send: Send, agents: ModelAgents) -> None:
        self._begin = begin
        self._send = send
        self._agents = agents
        self._observer = agents.observer
        self._loop = asyncio.get_running_loop()
        self._began = self._loop.time()
        self._alarm = Alarm(self._loop, lambda: self._handle(Wake()))
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._ending: set[asyncio.Task[None]] = set()
        """Cancelled, and not gone yet."""
        self._dialogue = Dialogue(begin, self._began, agents.style)
        self._outcome = "left"
        self._stopped = False
        self._set_alarm()

    def tell(self, news: News) -> None:
        self._handle(news)

    def stop(self) -> None:
        if self._stopped:
            return
        self._stopped = True
        self._observer.agent_over(self._outcome, self._loop.time() - self._began)
        self._alarm.cancel()
        for id in list(self._tasks):
            self._cancel(id)

    def _handle(self, event: Event) -> None:
        if self._stopped:
            return
        try:
            commands = self._dialogue.handle(event, self._loop.time())
            for command in commands:
                self._carry_out(command)
        except Exception:
            log.exception("a conversation failed")
            self._over(Conversed(self._begin.id, "otherwise", {}, "internal error"))
            return
        self._set_alarm()

    def _set_alarm(self) -> None:
        due = self._dialogue.due
        if due is None or self._stopped:
            self._alarm.cancel()
        else:
            self._alarm.set(due)

    def _carry_out(self, command: Command) -> None:
        match command:
            case Ask(id=id, request=request):
                self._start(id, self._ask(id, request))
            case Find(id=id, question=question):
                self._start(id, self._find(id, question))
            case Cancel(id=id):
                self._cancel(id)
            case Count(what=what):
                self._observer.agent_counted(what)
            case Conversed():
                self._over(command)
            case _:
                self._send(command)

    def _over(self, last: Conversed) -> None:
        self._outcome = last.outcome
        self.stop()
        self._send(last)

    # --- requests

    def _start(self, id: str, work: Coroutine[Any, Any, None]) -> None:
        self._cancel(id)
        task = asyncio.create_task(work)
        self._tasks[id] = task
        task.add_done_callback(lambda done: self._done(id, done))

    def _done(self, id: str, task: asyncio.Task[None]) -> None:
        self._ending.discard(task)
        if self._tasks.get(id) is task:
            del self._tasks[id]
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a request of a conversation failed", exc_info=error)
            self._handle(Broke(id, type(error).__name__))

    def _cancel(self, id: str) -> None:
        task = self._tasks.pop(id, None)
        if task is not None:
            self._ending.add(task)
            task.cancel()

    async def _ask(self, id: str, request: ChatRequest) -> None:
        stream = self._agents.model.chat(request, deadline_s=self._agents.deadline_s, spent=self._spent)
        try:
            async with contextlib.aclosing(stream) as pieces:
                async for piece in pieces:
                    self._handle(Got(id, piece))
                    if isinstance(piece, Finished):
                        return
        except EngineError as error:
            self._handle(Broke(id, str(error) or type(error).__name__))
        else:
            self._handle(Broke(id, "the answer has no end"))

    def _spent(self, usage: Usage) -> None:
        self._handle(Spent(usage.cost))

    async def _find(self, id: str, question: str) -> None:
        passages: tuple[str, ...] = ()
        if (knowledge := self._agents.knowledge) is not None:
            found = await knowledge.find(self._begin.knowledge, question)
            passages = tuple(f"{passage.source}: {passage.text}" for passage in found)
        self._tasks.pop(id, None)  # the request that follows has the same id
        self._handle(Found(id, passages))
