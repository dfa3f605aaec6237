"""A flow within a flow takes hold of all there is to hold: whatever happens when, all of it is let go."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import pytest

from ivr.flow.agent_protocol import Converse, Conversed, StopConversing
from ivr.flow.loader import load_flow
from ivr.flow.machine import FlowMachine
from ivr.flow.model import Flow
from ivr.flow.protocol import (
    AnsweredBy,
    AskWhoAnswered,
    BeginWaiting,
    Command,
    EndMessage,
    EndWaiting,
    Enter,
    Event,
    Failure,
    Finish,
    HangUp,
    Heard,
    HungUpEvent,
    KeepMessage,
    Key,
    Listen,
    PromptDone,
    Publish,
    Queued,
    Replied,
    Say,
    SendRequest,
    Signal,
    SpeechBegan,
    SpeechPaused,
    StopListening,
    StopTransfer,
    StoreConsent,
    Tick,
    Transfer,
    Transferred,
)

AROUND = """
flow: around
languages: [en]
result: {memo: optional text, agreed: {type: yes_no, default: false}, rider: optional text}
limits: {call: 45m, visits: 3}
events: {hangup: told, failure: told}
start: who
steps:
  who: {voicemail: {machine: go_on}, next: sub}
  sub:
    flow: {name: within, result: {memo: memo, agreed: agreed, rider: rider}}
    next: told
    otherwise: told
  told: {publish: {to: events, body: {at: "around"}}, next: bye}
  bye: {end: normal}
"""

WITHIN = """
flow: within
languages: [en]
result: {memo: optional text, agreed: {type: yes_no, default: false}, rider: optional text}
variables: {place: {type: count, default: 1}, order: optional digits}
limits: {call: 40m, visits: 3}
events: {hangup: noted}
start: notice
steps:
  notice:
    consent:
      {for: recording, prompt: ask, agree: {key: "1", intent: affirm}, refuse: {key: "2"}, barge_in: any}
    next: agreed
    otherwise: memo
  agreed: {set: {agreed: true}, next: memo}
  memo: {record: {prompt: ask, length: 20s, silence: 2s, into: memo}, next: search, otherwise: search}
  search: {wait: {for: 30s, sound: music, until: found, values: [rider], key: any}, next: look}
  look: {request: {get: status, timeout: 2s}, next: talk, otherwise: talk}
  talk:
    agent: {instructions: "Help.", slots: {order: "the order"}, tools: {look: {about: "look", get: status}}}
    next: desk
    otherwise: desk
    operator: desk
  desk:
    transfer:
      {to: desk, mode: attended, whisper: ask, accept: "1", sound: music, queued: {prompt: wait, into: place}}
    next: noted
    otherwise: sorry
  sorry: {say: ask, next: noted}
  noted: {publish: {to: events, body: {at: "within", rider: "{{ rider }}"}}, next: bye}
  bye: {end: normal}
prompts:
  ask: {en: "Press 1."}
  wait: {en: "You are number {{ place }}."}
"""


def read() -> Flow:
    with TemporaryDirectory() as folder:
        for name, text in (("around", AROUND), ("within", WITHIN)):
            (Path(folder) / f"{name}.yaml").write_text(text, encoding="utf-8")
        return load_flow(Path(folder) / "around.yaml")


FLOW = read()

ANYTHING: tuple[Event, ...] = (
    Key("1"),
    Key("2"),
    Key("0"),
    Key("#"),
    Heard("yes", 0.9),
    Heard("operator", 0.9),
    SpeechBegan(),
    SpeechPaused(),
    Signal("found", {"rider": "Ravi"}),
    Signal("found", {"rider": None}),
    PromptDone("say1"),
    Transferred("busy"),
    Tick(),
)


ONLY_WITH_A_CALLER = Say | Listen | Transfer | Converse | KeepMessage | HangUp


class Held:
    """What a driver would hold after these commands, and what it could tell next."""

    def __init__(self) -> None:
        self.messages: set[str] = set()
        self.waiting = self.listening = self.transferring = self.asked = False
        self.talks: set[str] = set()
        self.saying: str | None = None
        self.request: str | None = None

    def note(self, command: Command) -> None:
        match command:
            case KeepMessage(name=name):
                assert not self.messages, "one message at a time"
                self.messages.add(name)
            case EndMessage(name=name):
                self.messages.remove(name)
            case BeginWaiting():
                self.waiting = True
            case EndWaiting():
                self.waiting = False
            case Listen():
                self.listening = True
            case StopListening():
                self.listening = False
            case Transfer():
                self.transferring = True
            case StopTransfer():
                assert self.transferring
                self.transferring = False
            case Converse(id=id_):
                self.talks.add(id_)
            case StopConversing(id=id_):
                self.talks.discard(id_)
            case AskWhoAnswered():
                self.asked = True
            case Say(id=id_):
                self.saying, self.waiting = id_, False
            case SendRequest(id=id_, background=False):
                self.request = id_

    def told(self, event: Event) -> None:
        match event:
            case Transferred():
                self.transferring = False
            case Conversed(id=id_):
                self.talks.discard(id_)
            case AnsweredBy():
                self.asked = False
            case PromptDone(id=id_) if id_ == self.saying:
                self.saying = None
            case Replied():
                self.request = None

    def answers(self) -> Iterator[Event]:
        """What would come next if all went well."""
        if self.asked:
            yield AnsweredBy("human")
        if self.saying is not None:
            yield PromptDone(self.saying)
        if self.messages:
            yield SpeechPaused()
        if self.request is not None:
            yield Replied(self.request, 200, {})
        for talk in self.talks:
            yield Conversed(talk, "next")
        if self.transferring:
            yield Queued(2)
            yield Transferred("no_answer")
            yield Transferred("done")


def next_event(chance: Random, held: Held) -> Event:
    kind = chance.choices(("well", "any", "hung up", "failed"), (80, 14, 4, 2))[0]
    if kind == "hung up":
        return HungUpEvent()
    if kind == "failed":
        return Failure("x")
    well = tuple(held.answers())
    return chance.choice(well if well and kind == "well" else ANYTHING)


def play(chance: Random) -> list[Command]:
    """A call at random; whoever is still there after 80 events hangs up."""
    machine, held, now = FlowMachine(FLOW, {}), Held(), 0.0
    commands: list[Command] = []
    gone = False

    def note(batch: list[Command]) -> None:
        commands.extend(batch)
        for command in batch:
            held.note(command)
            assert not (
                gone and isinstance(command, Say | Listen | Transfer | Converse | KeepMessage | HangUp)
            )

    note(machine.start(now))
    for n in range(81):
        event = next_event(chance, held) if n < 80 else HungUpEvent()
        if machine.finished:
            break
        if gone and isinstance(event, HungUpEvent):
            continue
        now += chance.choice((0.1, 1.0, 3.0))
        gone = gone or isinstance(event, HungUpEvent)
        held.told(event)
        note(machine.handle(event, now))
    for _ in range(50):
        if machine.due is None:
            break
        now = max(now, machine.due)
        note(machine.handle(Tick(), now))
    assert machine.finished
    assert not held.messages
    assert not held.talks
    assert not held.transferring
    assert gone or not (held.waiting or held.listening), "nobody waits or is listened to any more"
    return commands


@pytest.mark.parametrize("seed", range(200))
def test_all_that_is_taken_is_let_go(seed: int) -> None:
    commands = play(Random(seed))
    finish = commands[-1]
    assert isinstance(finish, Finish)
    published = [c.body["at"] for c in commands if isinstance(c, Publish)]
    assert published.count("within") <= 1
    assert published.count("around") == 1
    agreed = any(c.granted for c in commands if isinstance(c, StoreConsent))
    assert finish.result["agreed"] is agreed


def test_some_of_those_calls_come_to_each_step() -> None:
    entered = {c.step for seed in range(200) for c in play(Random(seed)) if isinstance(c, Enter)}
    assert entered == {*FLOW.steps, *FLOW.family["within"].steps}
