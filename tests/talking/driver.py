"""A dialogue by hand: its model is the test, its time is a number."""

from __future__ import annotations

from typing import Any, TypeVar

from engines.llm.contract import Finished, FromCaller, Piece, ToolCall, Words
from ivr.flow.agent_protocol import AgentPrepares, AgentSays, Bounds, Converse, Said, Slot, Tool
from ivr.flow.protocol import BargeIn, Heard
from ivr.talking.asking import Style
from ivr.talking.dialogue import Dialogue
from ivr.talking.protocol import Ask, Cancel, Command, Count, Event, Got, Wake

T = TypeVar("T")

OBJECT = {"type": "object", "properties": {}, "additionalProperties": False}
STATE = Tool("order-state", "how an order stands", OBJECT)
PERSON = Tool("person", "a person is wanted", OBJECT, "transfer")
DONE = Tool("done", "all is said", OBJECT, "end")
ORDER = Slot("order", "the number of the order", {"type": "string", "pattern": "^[0-9]{1,64}$"}, True)
ETA = Slot(
    "eta", "in how many minutes", {"anyOf": [{"type": "integer", "minimum": 0}, {"type": "null"}]}, False
)


def begin(**changes: Any) -> Converse:
    fields: dict[str, Any] = {
        "id": "agent1",
        "instructions": "You help callers of Sharma with their orders.",
        "language": "en",
        "slots": (ORDER, ETA),
        "tools": (STATE, PERSON, DONE),
        "knowledge": (),
        "bounds": Bounds(20, 180.0),
        "barge_in": BargeIn.ANY,
    }
    return Converse(**{**fields, **changes})


class Talk:
    """`last` are the commands of the last event."""

    def __init__(self, **changes: Any) -> None:
        self.now = 0.0
        self.dialogue = Dialogue(begin(**changes), 0.0, Style())
        self.history: list[Command] = []
        self.last: list[Command] = []
        self._ended: set[str] = set()

    def send(self, event: Event, after: float = 0.0) -> list[Command]:
        self.now += after
        if isinstance(event, Said):
            self._ended.add(event.mark)
        self.last = self.dialogue.handle(event, self.now)
        self.history += self.last
        return self.last

    def wake(self) -> list[Command]:
        due = self.dialogue.due
        assert due is not None
        return self.send(Wake(), max(due - self.now, 0.0))

    def hears(self, text: str) -> Ask:
        """The caller says this; the request that follows."""
        self.send(Heard(text, 0.9))
        return self.asked

    def model(self, *pieces: Piece | str, id: str | None = None, end: bool = True) -> list[Command]:
        """The model's answer to the last request: texts come word by word."""
        id = id or self.asked.id
        whole: list[Command] = []
        for piece in pieces:
            for one in _words(piece) if isinstance(piece, str) else [piece]:
                whole += self.send(Got(id, one))
        if end:
            whole += self.send(Got(id, Finished("scripted")))
        self.last = whole
        return whole

    def says_all(self) -> list[str]:
        """Everything that is to be said is heard by the caller; what it was."""
        heard: list[str] = []
        while (says := self.speaking) is not None:
            heard.append(says.text)
            self.send(Said(says.mark))
        return heard

    @property
    def speaking(self) -> AgentSays | None:
        """The first of what is being said."""
        return next((s for s in self.of(AgentSays, all=True) if s.mark not in self._ended), None)

    def of(self, kind: type[T], *, all: bool = False) -> list[T]:
        return [command for command in (self.history if all else self.last) if isinstance(command, kind)]

    @property
    def asked(self) -> Ask:
        return self.of(Ask, all=True)[-1]

    @property
    def cancelled(self) -> list[str]:
        return [cancel.id for cancel in self.of(Cancel, all=True)]

    @property
    def texts(self) -> list[str]:
        return [says.text for says in self.of(AgentSays)]

    @property
    def prepared(self) -> list[str]:
        """What was to be prepared, in its order; empty where what was is not wanted any more."""
        return [coming.text for coming in self.of(AgentPrepares, all=True)]

    @property
    def counts(self) -> list[str]:
        return [count.what for count in self.of(Count, all=True)]

    @property
    def dialog(self) -> list[str]:
        """What the model was shown last, but for its instructions."""
        return [f"{type(one).__name__}: {one.text}" for one in self.asked.request.messages[1:]]

    @property
    def system(self) -> str:
        return self.asked.request.messages[0].text


def _words(text: str) -> list[Words]:
    first, *others = text.split(" ")
    return [Words(first, by="scripted"), *(Words(f" {word}") for word in others)]


def call(tool: str, fault: str = "", **arguments: Any) -> ToolCall:
    return ToolCall("x", tool, arguments, fault)


def last_caller(talk: Talk) -> str:
    return next(m.text for m in reversed(talk.asked.request.messages) if isinstance(m, FromCaller))
