"""Plays the caller of a scenario: notices of a call in, the caller's actions out. Pure, so that the same
player runs on the virtual call and on a real one.

    player = Player(scenario, language)
    player.begin(now)
    actions = player.notice(notice, now)       # and player.tick(now) at player.due
    failure = player.failure                   # set at the first step that does not come true
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, Literal, assert_never

from ivr.flow.agent_protocol import AgentOutcome
from ivr.flow.notices import (
    Consented,
    Converses,
    Entered,
    LeftBy,
    Listens,
    Notice,
    Over,
    Published,
    Quiet,
    Records,
    Requested,
    SpeechOver,
    Spoke,
    TransferAsked,
    Waits,
    WhoAsked,
)
from ivr.flow.respelling import Respelling
from ivr.flow.sayas import normalise
from ivr.flow.scenario_acts import (
    Act,
    AgentGoes,
    AnsweredBy,
    Consents,
    Fails,
    HangsUp,
    Hears,
    IsQueued,
    LeavesMessage,
    Presses,
    Publishes,
    Replies,
    Says,
    Sends,
    Signals,
    Silence,
    Step,
    TransferGoes,
    describe,
)
from ivr.flow.scenarios import Scenario

PATIENCE_S: Final = 3.0
"""So long the server may be quiet before what a step waits for is given up."""

KEY_GAP_S: Final = 0.2


@dataclass(frozen=True, slots=True)
class PressKey:
    key: str


@dataclass(frozen=True, slots=True)
class Speak:
    """`means` as in `Says`."""

    text: str
    means: str | None = None


@dataclass(frozen=True, slots=True)
class Dictate:
    """The caller speaks for so long, into a message."""

    seconds: float


@dataclass(frozen=True, slots=True)
class TellWho:
    """Who answered the call."""

    who: Literal["human", "machine", "unknown"]


@dataclass(frozen=True, slots=True)
class HangUpNow:
    pass


@dataclass(frozen=True, slots=True)
class Answer:
    """The endpoint answers the request that is awaited."""

    status: int
    body: Any


@dataclass(frozen=True, slots=True)
class Refuse:
    """The request that is awaited fails."""

    reason: str


@dataclass(frozen=True, slots=True)
class SendSignal:
    """This happens outside."""

    name: str
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class SettleAgent:
    """The agent ends the conversation, with these slots."""

    outcome: AgentOutcome
    slots: Mapping[str, Any]
    summary: str = ""


@dataclass(frozen=True, slots=True)
class SettleTransfer:
    outcome: Literal["done", "busy", "no_answer", "failed"]


_LOOKS_BACK: Final = (Hears, Sends, Publishes, Consents)
"""Steps that may come true of what was before the end of the call."""


@dataclass(frozen=True, slots=True)
class MoveInQueue:
    """The caller is in this place of the queue now."""

    place: int


Action = (
    PressKey
    | Speak
    | Dictate
    | TellWho
    | HangUpNow
    | Answer
    | Refuse
    | SendSignal
    | SettleTransfer
    | SettleAgent
    | MoveInQueue
)


@dataclass(frozen=True, slots=True)
class Failed:
    """Why a scenario did not come true. `step` counts from 1 and is None when all steps did, but not the
    end.
    """

    line: int
    step: int | None
    message: str
    details: tuple[str, ...] = ()


class Player:
    """One scenario in one call."""

    def __init__(
        self,
        scenario: Scenario,
        language: str,
        patience_s: float = PATIENCE_S,
        respell: Respelling | None = None,
    ) -> None:
        """`respell` is how the flow has words said in the language."""
        self._respell = respell
        self._scenario = scenario
        self._patience_s = patience_s
        self._language = language
        self._at = 0
        self._step: Step | None = next(iter(scenario.steps), None)
        """The step under way; None when all are done."""
        self._since = 0.0
        """When the step under way began, or the server last did something."""
        self._began = 0.0
        self._keys_pressed = 0
        self._speaking = False
        self._listening = False
        self._recording = False
        self._who_asked = False
        self._consents: list[Consented] = []
        self._checked_consents = 0
        self._spoken: list[str] = []
        self._heard_to = (0, 0)
        """How far `hears` has come: the prompt, and the place in it."""
        self._said_before = 0
        """Prompts that had begun when the step under way did."""
        self._spoke = False
        """The caller has begun to say the text of the step under way."""
        self._speech_over = False
        self._waits = False
        """The call waits for a time or a signal: the server may be quiet for longer."""
        self._requests: list[Requested] = []
        self._checked_requests = 0
        self._events: list[Published] = []
        self._checked_events = 0
        self._awaited: Requested | None = None
        self._transfer: TransferAsked | None = None
        self._conversation: Converses | None = None
        self._path: list[str] = []
        self._outcomes: list[LeftBy] = []
        self._over: Over | None = None
        self._gone = False
        """The caller has hung up."""
        self.failure: Failed | None = None

    @property
    def due(self) -> float | None:
        """When it wants a `tick`, or None."""
        step = self._step
        if step is None or self.failure is not None:
            return None
        if isinstance(step.act, Silence):
            return self._began + step.act.seconds
        if isinstance(step.act, Presses) and self._keys_pressed:
            return self._began + self._keys_pressed * KEY_GAP_S
        # Waits and messages end by themselves, after a time that may be longer than this patience.
        return None if self._speaking or self._waits or self._recording else self._since + self._patience_s

    @property
    def path(self) -> tuple[str, ...]:
        """The steps entered so far; those of a flow within as FLOW/STEP."""
        return tuple(self._path)

    @property
    def outcomes(self) -> tuple[LeftBy, ...]:
        """How they were left."""
        return tuple(self._outcomes)

    def begin(self, now: float) -> None:
        """The call begins; the first step waits for its first notice."""
        self._began = self._since = now

    def notice(self, notice: Notice, now: float) -> list[Action]:
        self._since = now
        match notice:
            case Entered():
                self._path.append(notice.path)
                self._awaited = self._transfer = None
                return []  # what can be done in a step is noticed by itself
            case LeftBy():
                self._outcomes.append(notice)
                self._waits = False
                return []
            case Spoke(text):
                self._speaking = True
                self._spoken.append(text)
            case Quiet():
                self._speaking = False
            case Listens(on):
                self._listening = on
            case SpeechOver():
                self._speech_over = True
            case Records(on):
                self._recording = on
            case Consented():
                self._consents.append(notice)
            case WhoAsked():
                self._who_asked = True
                steps = self._scenario.steps[self._at :]
                if not any(isinstance(step.act, AnsweredBy) for step in steps):
                    self._who_asked = False
                    return [TellWho("human")]
            case Requested():
                self._requests.append(notice)
                self._awaited = notice if notice.awaited else self._awaited
            case Published():
                self._events.append(notice)
            case Waits():
                self._waits = True
            case Converses():
                self._conversation = notice
            case TransferAsked():
                self._transfer = notice
            case Over():
                self._over = notice
            case _:
                assert_never(notice)
        return self._go_on(now)

    def tick(self, now: float) -> list[Action]:
        actions = self._go_on(now)
        if not actions and self.due is not None and now >= self.due and self._step is not None:
            self._fail(f"{describe(self._step.act)}: {self._why_not(self._step.act)}")
        return actions

    def finish(self) -> Failed | None:
        """Once the call is over: what is still wrong with the steps, the result, the cause or the path."""
        if self.failure is not None:
            return self.failure
        if self._over is None:
            self._fail("the flow neither ends nor waits for anything")
            return self.failure
        if (step := self._step) is not None:
            why = f"{self._why_not(step.act)}; " if isinstance(step.act, _LOOKS_BACK) else ""
            self._fail(f"{describe(step.act)}: {why}the call was over ({self._over.cause})")
            return self.failure
        wrong = list(_differences(self._scenario.result, self._over.result))
        if self._scenario.cause not in (None, self._over.cause):
            wrong.append(f"cause: {self._over.cause}, expected {self._scenario.cause}")
        if self._scenario.path not in (None, tuple(self._path)):
            wrong.append(f"path: expected {' -> '.join(self._scenario.path or ())}")
        if wrong:
            self.failure = Failed(self._scenario.line, None, wrong[0], (*wrong[1:], *self._story()))
        return self.failure

    # --- the steps

    def _go_on(self, now: float) -> list[Action]:
        """Carries out steps until one has to wait. An action ends the turn: its effects are noticed first."""
        while self.failure is None and (step := self._step) is not None:
            done, actions = self._try(step.act, now)
            if done:
                self._next(step.act, now)
            if actions or not done:
                return actions
        return []

    def _next(self, done: Act, now: float) -> None:
        if isinstance(done, Presses | Says | Silence | LeavesMessage | HangsUp):
            # What the caller has acted upon does not count as an answer to it.
            self._heard_to = max(self._heard_to, (self._said_before, 0))
        self._at += 1
        steps = self._scenario.steps
        self._step = steps[self._at] if self._at < len(steps) else None
        self._began = self._since = now
        self._said_before = len(self._spoken)
        self._keys_pressed = 0
        self._spoke = self._speech_over = False

    def _try(self, act: Act, now: float) -> tuple[bool, list[Action]]:
        """Whether the step is done now, and what it does."""
        if self._gone and isinstance(act, Presses | Says | LeavesMessage | HangsUp):
            return False, []
        if self._over is not None and not isinstance(act, (*_LOOKS_BACK, Silence)):
            return self._spoke, []  # what was said may have ended the call
        match act:
            case Hears():
                return self._hears(act), []
            case Presses(keys):
                if now < self._began + self._keys_pressed * KEY_GAP_S:
                    return False, []
                self._keys_pressed += 1
                return self._keys_pressed == len(keys), [PressKey(keys[self._keys_pressed - 1])]
            case Says(text, means):
                if self._spoke or not self._listening:
                    return self._spoke and self._speech_over, []
                self._spoke = True
                return False, [Speak(text, means)]
            case LeavesMessage(seconds):
                if self._spoke or not self._recording:
                    return self._spoke and self._speech_over, []
                self._spoke = True
                return False, [Dictate(seconds)]
            case AnsweredBy(who):
                asked, self._who_asked = self._who_asked, False
                return asked, [TellWho(who)] if asked else []
            case Consents():
                return self._consented(act), []
            case Silence(seconds):
                return now >= self._began + seconds or self._over is not None, []
            case HangsUp():
                self._gone = True
                return True, [HangUpNow()]
            case Sends():
                return self._sent(act), []
            case Publishes():
                return self._published(act), []
            case Signals(name, values):
                return True, [SendSignal(name, values)]
            case Replies(status, body):
                awaited, self._awaited = self._awaited, None
                return awaited is not None, [Answer(status, body)] if awaited else []
            case Fails(reason):
                awaited, self._awaited = self._awaited, None
                return awaited is not None, [Refuse(reason)] if awaited else []
            case IsQueued(place):
                return self._transfer is not None, [MoveInQueue(place)] if self._transfer else []
            case AgentGoes(outcome, slots, summary):
                talk, self._conversation = self._conversation, None
                return talk is not None, [SettleAgent(outcome, slots, summary)] if talk else []
            case TransferGoes():
                return self._transferred(act)
            case _:
                assert_never(act)

    def _hears(self, act: Hears) -> bool:
        wanted = _wanted(act.text, self._language, self._respell)
        first, offset = self._heard_to
        for index in range(first, len(self._spoken)):
            found = _plain(self._spoken[index]).find(wanted, offset if index == first else 0)
            if found >= 0:
                if act.to_end and index == len(self._spoken) - 1 and self._speaking:
                    return False
                self._heard_to = (index, found + len(wanted))
                return True
        return False

    def _consented(self, act: Consents) -> bool:
        for index in range(self._checked_consents, len(self._consents)):
            if self._consents[index] == Consented(act.to, act.granted):
                self._checked_consents = index + 1
                return True
        return False

    def _sent(self, act: Sends) -> bool:
        for index in range(self._checked_requests, len(self._requests)):
            request = self._requests[index]
            if request.endpoint == act.endpoint and _has(request.body or {}, act.body):
                self._checked_requests = index + 1
                return True
        return False

    def _published(self, act: Publishes) -> bool:
        for index in range(self._checked_events, len(self._events)):
            event = self._events[index]
            if event.topic == act.topic and _has(event.body, act.body):
                self._checked_events = index + 1
                return True
        return False

    def _transferred(self, act: TransferGoes) -> tuple[bool, list[Action]]:
        asked = self._transfer
        if asked is None or act.target not in (None, asked.target) or not self._is_whispered(act, asked):
            return False, []
        self._transfer = None
        return True, [SettleTransfer(act.outcome)]

    def _is_whispered(self, act: TransferGoes, asked: TransferAsked) -> bool:
        if act.whispers is None:
            return True
        return _wanted(act.whispers, self._language, self._respell) in _plain(asked.whisper)

    # --- failures

    def _fail(self, message: str) -> None:
        line = self._scenario.line if self._step is None else self._step.line
        self.failure = Failed(line, self._at + 1, message, self._story())

    def _why_not(self, act: Act) -> str:
        match act:
            case Hears():
                since = self._spoken[self._heard_to[0] + (1 if self._heard_to[1] else 0) :]
                return f"heard instead: {_quoted(since)}" if since else "nothing was said"
            case Says():
                return "nobody listens for speech"
            case LeavesMessage():
                return "no message is recorded"
            case AnsweredBy():
                return "nobody asks who answered"
            case Consents():
                told = [f"{'given' if one.granted else 'refused'} to {one.to}" for one in self._consents]
                return f"stored were: {', '.join(told)}" if told else "no consent was stored"
            case Sends():
                sent = [f"{request.endpoint} {dict(request.body or {})}" for request in self._requests]
                return f"sent were: {', '.join(sent)}" if sent else "nothing was sent"
            case Publishes():
                events = [f"{event.topic} {dict(event.body)}" for event in self._events]
                return f"published were: {', '.join(events)}" if events else "nothing was published"
            case Replies() | Fails():
                return "no request is awaited"
            case TransferGoes(target=target) if self._transfer is not None:
                if target not in (None, self._transfer.target):
                    return f"the transfer is to {self._transfer.target}"
                return f'the agent is told "{self._transfer.whisper}"'
            case AgentGoes():
                return "no agent is talked to"
            case TransferGoes() | IsQueued():
                return "no transfer is under way"
            case _:
                return "it could not be done"

    def _story(self) -> tuple[str, ...]:
        """How the call went until now."""
        outcomes = [f"{left.path} ({left.via or left.outcome})" for left in self._outcomes]
        last = self._path[-1:] if len(self._path) > len(outcomes) else []
        return (f"the call went: {' -> '.join([*outcomes, *last])}",)


def _has(body: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    return all(key in body and body[key] == value for key, value in wanted.items())


@lru_cache(maxsize=1024)
def _wanted(text: str, language: str, respell: Respelling | None) -> str:
    """Authors may write figures where words are spoken, and words as they are written in the flow."""
    return _plain(normalise(text if respell is None else respell(text), language))


@lru_cache(maxsize=1024)
def _plain(text: str) -> str:
    """For comparing: single spaces, no capitals."""
    return " ".join(text.casefold().split())


def _quoted(texts: list[str]) -> str:
    return " | ".join(f'"{text}"' for text in texts)


def _differences(expected: Mapping[str, Any] | None, result: Mapping[str, Any]) -> list[str]:
    if expected is None:
        return []
    return [
        f"result {name}: {_shown(result.get(name))}, expected {_shown(value)}"
        for name, value in expected.items()
        if result.get(name) != value
    ]


def _shown(value: Any) -> str:
    return "nothing" if value is None else f'"{value}"' if isinstance(value, str) else str(value)
