"""A flow and a dialogue that talk to each other, in virtual time: all that lies between a caller and a model
but for sound, sockets and threads."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from engines.llm.contract import ChatRequest, FromTool, Piece
from ivr.flow.agent_protocol import Converse, StopConversing, TellAgent
from ivr.flow.machine import FlowMachine
from ivr.flow.model import Flow
from ivr.flow.protocol import (
    Event,
    Finish,
    PromptDone,
    Replied,
    Say,
    SendRequest,
    SpokenSoFar,
    StopSaying,
    Tick,
    Transfer,
    Transferred,
    words_of,
)
from ivr.talking.asking import Style
from ivr.talking.dialogue import Dialogue
from ivr.talking.protocol import Ask, Broke, Cancel, Count, Find, Found, Got, Wake
from ivr.talking.protocol import Event as DialogueEvent

WORDS_PER_S = 2.5
TOKEN_S = 0.05

Model = Callable[[ChatRequest], "list[Piece | str]"]
"""What is answered; a text comes word by word, and a text in angle brackets is a failure."""


@dataclass(order=True)
class _Due:
    at: float
    number: int
    act: Callable[[], None] = field(compare=False)
    id: str = field(compare=False, default="")


class Pair:
    """`said` is all that was begun to be said; `answers` are those of the endpoints, by name, with the
    seconds that they take."""

    def __init__(
        self, flow: Flow, model: Model, answers: dict[str, tuple[float, Any]] | None = None, **values: Any
    ) -> None:
        self.machine = FlowMachine(flow, flow.bind(values))
        self.model = model
        self.answers = answers or {}
        self.first_s = 0.3
        self.now = 0.0
        self.said: list[str] = []
        self.asked: list[ChatRequest] = []
        self.cancelled = 0
        self.sent: list[SendRequest] = []
        self.transfers: list[Transfer] = []
        self.finished: Finish | None = None
        self._dialogue: Dialogue | None = None
        self._conversing = ""
        self._playing: list[tuple[str, str, float, float]] = []
        self._agenda: list[_Due] = []
        self._running: set[str] = set()
        self._numbers = count()
        self._carry_out(self.machine.start(self.now))

    def caller(self, *events: Event) -> None:
        for event in events:
            if self._playing:
                id, text, began, _ = self._playing[0]
                words = text.split()[: int((self.now - began) * WORDS_PER_S)]
                self._tell_flow(SpokenSoFar(id, " ".join(words)))
            self._tell_flow(event)

    def run(self, seconds: float) -> None:
        """Lets so much time pass."""
        until = self.now + seconds
        while self.finished is None:
            due = [entry.at for entry in self._agenda[:1]]
            due += [time for time in (self.machine.due, self._dialogue_due) if time is not None]
            due += [ends for *_, ends in self._playing[:1]]
            if not due or min(due) > until:
                break
            self.now = max(self.now, min(due))
            self._step()
        self.now = until

    @property
    def _dialogue_due(self) -> float | None:
        return None if self._dialogue is None else self._dialogue.due

    def _step(self) -> None:
        """One thing that is due."""
        if self._agenda and self._agenda[0].at <= self.now:
            heapq.heappop(self._agenda).act()
        elif self._playing and self._playing[0][3] <= self.now:
            self._tell_flow(PromptDone(self._playing.pop(0)[0]))
        elif self._dialogue_due is not None and self._dialogue_due <= self.now:
            self._tell_dialogue(Wake())
        else:
            self._tell_flow(Tick())

    def _later(self, seconds: float, act: Callable[[], None], id: str = "") -> None:
        heapq.heappush(self._agenda, _Due(self.now + seconds, next(self._numbers), act, id))

    # --- the flow

    def _tell_flow(self, event: Event) -> None:
        if self.finished is None:
            self._carry_out(self.machine.handle(event, self.now))

    def _carry_out(self, commands: list[Any]) -> None:
        for command in commands:
            match command:
                case Say(id=id, utterances=utterances):
                    text = " ".join(map(words_of, utterances))
                    begins = self._playing[-1][3] if self._playing else self.now
                    self._playing.append((id, text, begins, begins + len(text.split()) / WORDS_PER_S))
                    self.said.append(text)
                case StopSaying():
                    self._playing.clear()
                case Converse():
                    self._conversing = command.id
                    self._dialogue = Dialogue(command, self.now, Style())
                case TellAgent(news=news):
                    self._later(0.0, lambda news=news: self._tell_dialogue(news))  # type: ignore[misc]
                case StopConversing():
                    self._dialogue = None
                    self._running.clear()
                case SendRequest(background=True):
                    self.sent.append(command)
                case SendRequest():
                    self.sent.append(command)
                    takes, body = self.answers[command.endpoint]
                    self._later(
                        takes, lambda id=command.id, body=body: self._tell_flow(Replied(id, 200, body))
                    )  # type: ignore[misc]
                case Transfer():
                    self.transfers.append(command)
                    self._later(1.0, lambda: self._tell_flow(Transferred("done")))
                case Finish():
                    self.finished = command
                case _:
                    pass

    # --- the agent

    def _tell_dialogue(self, event: DialogueEvent) -> None:
        if self._dialogue is None:
            return
        for command in self._dialogue.handle(event, self.now):
            match command:
                case Ask(id=id, request=request):
                    assert len(self._running) <= 1, "an answer, and a summary at most"
                    self.asked.append(request)
                    self._running.add(id)
                    self._answer(id, self.model(request))
                case Cancel(id=id):
                    self.cancelled += id in self._running
                    self._running.discard(id)
                case Find(id=id):
                    self._later(0.01, lambda id=id: self._tell_dialogue(Found(id)))  # type: ignore[misc]
                case Count():
                    pass
                case _:
                    self._later(0.0, lambda event=command: self._tell_flow(event))  # type: ignore[misc]

    def _answer(self, id: str, pieces: list[Piece | str]) -> None:
        at = self.first_s
        for piece in pieces:
            event = Broke(id, piece.strip("<>")) if isinstance(piece, str) else Got(id, piece)
            self._later(at, lambda event=event: self._from_model(id, event))  # type: ignore[misc]
            at += TOKEN_S

    def _from_model(self, id: str, event: Got | Broke) -> None:
        if id in self._running:
            if isinstance(event, Broke) or type(event.piece).__name__ == "Finished":
                self._running.discard(id)
            self._tell_dialogue(event)


def of_tool(request: ChatRequest) -> bool:
    """Whether the model goes on from the answer of a tool."""
    return isinstance(request.messages[-1], FromTool)
