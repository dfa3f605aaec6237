"""A call without audio: the flow machine with a clock that jumps from one event to the next.

Prompts last as long as they would be spoken, an utterance of the caller takes `UTTERANCE_S`. What the
caller does is a method; what there is to notice comes back as `Notice`s. Used by the scenario runner and
the simulator.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final, Literal

from ivr.flow.agent_protocol import AgentOutcome, AgentSums, Converse, Conversed, StopConversing
from ivr.flow.machine import FlowMachine
from ivr.flow.model import Flow
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
from ivr.flow.protocol import (
    AnsweredBy,
    AskWhoAnswered,
    BeginWaiting,
    Classified,
    Classify,
    Command,
    EndMessage,
    Enter,
    Event,
    Finish,
    GreetingOver,
    Heard,
    HungUpEvent,
    KeepMessage,
    Key,
    Listen,
    Outcome,
    PromptDone,
    Publish,
    Queued,
    Replied,
    RequestFailed,
    Say,
    SendRequest,
    SpeechBegan,
    SpeechPaused,
    StopClassifying,
    StopListening,
    StopSaying,
    StopTransfer,
    StoreConsent,
    Tick,
    Transfer,
    Transferred,
    Unclassified,
    words_of,
)
from ivr.flow.signals import bind_signal
from ivr.flow.timing import SPEAKING_RATE

UTTERANCE_S: Final = 1.0
NONE_MEANT: Final = "none"
"""What a classifier says when none of the options was meant."""
GREETING_S: Final = 3.0
"""How long a machine goes on with its greeting when it is known to be one."""

_MAX_TICKS_AT_ONCE: Final = 1000


@dataclass(frozen=True, slots=True)
class _Playing:
    id: str
    until: float


class VirtualCall:
    """One call. `now` counts seconds from its start."""

    def __init__(
        self,
        flow: Flow,
        values: Mapping[str, Any],
        language: str | None = None,
        today: date | None = None,
    ) -> None:
        """`values` are those of `flow.bind`, `today` is the day of the call."""
        self.machine = FlowMachine(flow, values, language, today)
        self.now = 0.0
        self.over: Over | None = None
        self._playing: deque[_Playing] = deque()
        self._heard: tuple[float, str] | None = None
        self._means: str | None = None
        """What a classifier makes of what was said last, if one is asked; None: none answers."""
        self._asked: Classify | None = None
        self._request: SendRequest | None = None
        self._transferring = False
        self._conversation = ""
        """The id of the conversation with an agent under way, or nothing."""
        self._dictated_until: float | None = None
        self._who_asked: AskWhoAnswered | None = None
        self._greeting_until: float | None = None
        self.listening = False
        self.recording = False
        """Whether what the caller says is kept as a message."""

    # --- what the caller and the world do

    def start(self) -> list[Notice]:
        return self._carry_out(self.machine.start(self.now))

    def press(self, key: str) -> list[Notice]:
        """Where it is being found out who answered, it is a human."""
        return self._handle(Key(key)) + self.answer("human")

    def answer(self, who: Literal["human", "machine", "unknown"]) -> list[Notice]:
        """Tells who answered, where that is asked; a machine takes a message `GREETING_S` later."""
        asked = self._who_asked
        if asked is None:
            return []
        self._greeting_until = None
        if who == "machine" and asked.to_greeting_end:
            self._greeting_until = self.now + GREETING_S
        else:
            self._who_asked = None
        return self._handle(AnsweredBy(who))

    def say(self, text: str, means: str | None = None) -> list[Notice]:
        """The caller speaks; it is heard `UTTERANCE_S` later, or never when nobody listens. `means` is the
        option that a classifier would choose, or `NONE_MEANT`; None: no classifier answers."""
        if not self.listening:
            return []
        self._means = means
        self._heard = (self.now + UTTERANCE_S, text)
        return self._handle(SpeechBegan())

    def dictate(self, seconds: float) -> list[Notice]:
        """The caller speaks for so long; nothing where no message is kept."""
        if not self.recording:
            return []
        self._dictated_until = self.now + seconds
        return self._handle(SpeechBegan())

    def hang_up(self) -> list[Notice]:
        self._playing.clear()
        self._heard = self._asked = self._who_asked = self._greeting_until = None
        return self._handle(HungUpEvent())

    def reply(self, status: int, body: Any) -> list[Notice]:
        """Answers the request under way, if there is one."""
        request, self._request = self._request, None
        return [] if request is None else self._handle(Replied(request.id, status, body))

    def fail_request(self, reason: str, status: int | None = None) -> list[Notice]:
        request, self._request = self._request, None
        return [] if request is None else self._handle(RequestFailed(request.id, reason, status))

    def settle_transfer(self, event: Transferred) -> list[Notice]:
        """Ends the transfer under way, if there is one."""
        if not self._transferring:
            return []
        self._transferring = False
        return self._handle(event)

    def converse(self, outcome: AgentOutcome, slots: Mapping[str, Any], summary: str = "") -> list[Notice]:
        """The agent ends the conversation under way, if there is one; `slots` are JSON values, `summary` is
        what it tells a colleague."""
        id, self._conversation = self._conversation, ""
        if not id:
            return []
        told = self._handle(AgentSums(id, summary)) if summary else []
        return told + self._handle(Conversed(id, outcome, slots))

    def signal(self, name: str, values: Mapping[str, Any]) -> list[Notice]:
        """Something happens outside; as `ivr.flow.signals.bind_signal`."""
        return self._handle(bind_signal(self.machine.flow, name, values))

    def queue(self, place: int) -> list[Notice]:
        """The caller waits in this place of a queue, where a transfer is under way."""
        return self._handle(Queued(place)) if self._transferring else []

    @property
    def speaking(self) -> bool:
        """Whether a prompt is being said."""
        return bool(self._playing)

    @property
    def hearing(self) -> bool:
        """Whether an utterance of the caller is under way, what he says into a message, or what he meant is
        not clear yet."""
        return self._heard is not None or self._dictated_until is not None or self._asked is not None

    # --- time

    @property
    def due(self) -> float | None:
        """When something happens by itself, or None once the call is over."""
        if self.over is not None:
            return None
        if self._asked is not None:
            return self.now
        due = self.machine.due
        for other in (
            self._playing[0].until if self._playing else None,
            None if self._heard is None else self._heard[0],
            self._dictated_until,
            self._greeting_until,
        ):
            if other is not None and (due is None or other < due):
                due = other
        return None if due is None else max(self.now, due)

    def advance(self, until: float) -> list[Notice]:
        """Lets the next thing happen, or just the time pass to `until` when nothing happens before."""
        due = self.due
        if due is None or due > until:
            self.now = max(self.now, until)
            return []
        self.now = due
        if self._asked is not None:
            return [*self._handle(self._classified(self._asked)), SpeechOver()]
        if self._heard is not None and self._heard[0] <= due:
            text, self._heard = self._heard[1], None
            notices = self._handle(Heard(text))
            # What a classifier is asked about is over when it has answered.
            return notices if self._asked is not None else [*notices, SpeechOver()]
        if self._dictated_until is not None and self._dictated_until <= due:
            self._dictated_until = None
            return [*self._handle(SpeechPaused()), SpeechOver()]
        if self._greeting_until is not None and self._greeting_until <= due:
            self._greeting_until = self._who_asked = None
            return self._handle(GreetingOver())
        if self._playing and self._playing[0].until <= due:
            done = self._playing.popleft()
            quiet: list[Notice] = [] if self._playing else [Quiet()]
            return quiet + self._handle(PromptDone(done.id))
        return self._tick()

    def _tick(self) -> list[Notice]:
        notices: list[Notice] = []
        for _ in range(_MAX_TICKS_AT_ONCE):
            notices += self._handle(Tick())
            if self.over is not None or self.machine.due is None or self.machine.due > self.now:
                return notices
        raise RuntimeError(f"step {self.machine.step} wants a tick at {self.machine.due} again and again")

    def _classified(self, asked: Classify) -> Event:
        self._asked = None
        if self._means is None:
            return Unclassified(asked.id, "there is no classifier")
        return Classified(asked.id, None if self._means == NONE_MEANT else self._means)

    # --- commands

    def _handle(self, event: Event) -> list[Notice]:
        return self._carry_out(self.machine.handle(event, self.now))

    def _carry_out(self, commands: Iterable[Command]) -> list[Notice]:
        notices: list[Notice] = []
        for command in commands:
            # By its class, and not case by case: this is half of what a scenario takes.
            notice = _NOTICES.get(type(command))
            if notice is not None:
                notices += notice(self, command)
        return notices

    def _enter(self, command: Enter) -> tuple[Notice, ...]:
        self._who_asked = self._greeting_until = None
        return (Entered(command.step, command.flow),)

    def _leave(self, command: Outcome) -> tuple[Notice, ...]:
        return (LeftBy(command.step, command.outcome, command.via, command.flow),)

    def _say(self, command: Say) -> tuple[Notice, ...]:
        text = " ".join(map(words_of, command.utterances))
        begins = self._playing[-1].until if self._playing else self.now
        self._playing.append(_Playing(command.id, begins + len(text) / SPEAKING_RATE))
        return (Spoke(text),)

    def _classify(self, command: Classify) -> tuple[Notice, ...]:
        self._asked = command
        return ()

    def _stop_classifying(self, command: StopClassifying) -> tuple[Notice, ...]:
        self._asked = None
        return (SpeechOver(),)

    def _stop_saying(self, command: StopSaying) -> tuple[Notice, ...]:
        quiet: tuple[Notice, ...] = (Quiet(),) if self._playing else ()
        self._playing.clear()
        return quiet

    def _listen(self, command: Listen) -> tuple[Notice, ...]:
        self.listening = True
        return (Listens(True),)

    def _stop_listening(self, command: StopListening) -> tuple[Notice, ...]:
        dropped: tuple[Notice, ...] = (SpeechOver(),) if self._heard is not None else ()
        self.listening, self._heard = False, None
        return (Listens(False), *dropped)

    def _keep_message(self, command: KeepMessage) -> tuple[Notice, ...]:
        self.recording = True
        return (Records(True),)

    def _end_message(self, command: EndMessage) -> tuple[Notice, ...]:
        cut: tuple[Notice, ...] = (SpeechOver(),) if self._dictated_until is not None else ()
        self.recording, self._dictated_until = False, None
        return (Records(False), *cut)

    def _ask_who(self, command: AskWhoAnswered) -> tuple[Notice, ...]:
        self._who_asked = command
        return (WhoAsked(),)

    def _consent(self, command: StoreConsent) -> tuple[Notice, ...]:
        return (Consented(command.name or command.purpose, granted=command.granted),)

    def _request_sent(self, command: SendRequest) -> tuple[Notice, ...]:
        if not command.background:
            self._request = command
        return (Requested(command.endpoint, command.body, awaited=not command.background),)

    def _publish(self, command: Publish) -> tuple[Notice, ...]:
        return (Published(command.topic, command.body),)

    def _wait(self, command: BeginWaiting) -> tuple[Notice, ...]:
        return (Waits(command.sound),)

    def _transfer(self, command: Transfer) -> tuple[Notice, ...]:
        self._transferring = True
        attended = command.attended
        whisper = "" if attended is None else " ".join(map(words_of, attended.whisper))
        return (TransferAsked(command.target, command.context, whisper),)

    def _stop_transfer(self, command: StopTransfer) -> tuple[Notice, ...]:
        self._transferring = False
        return ()

    def _converse(self, command: Converse) -> tuple[Notice, ...]:
        self._conversation = command.id
        return (Converses(tuple(slot.name for slot in command.slots)),)

    def _stop_conversing(self, command: StopConversing) -> tuple[Notice, ...]:
        self._conversation = ""
        return ()

    def _finish(self, command: Finish) -> tuple[Notice, ...]:
        self.over = Over(dict(command.result), command.cause)
        return (self.over,)


_NOTICES: Final[Mapping[type, Callable[[VirtualCall, Any], tuple[Notice, ...]]]] = {
    Enter: VirtualCall._enter,
    Outcome: VirtualCall._leave,
    Say: VirtualCall._say,
    StopSaying: VirtualCall._stop_saying,
    Listen: VirtualCall._listen,
    StopListening: VirtualCall._stop_listening,
    Classify: VirtualCall._classify,
    StopClassifying: VirtualCall._stop_classifying,
    KeepMessage: VirtualCall._keep_message,
    EndMessage: VirtualCall._end_message,
    AskWhoAnswered: VirtualCall._ask_who,
    StoreConsent: VirtualCall._consent,
    SendRequest: VirtualCall._request_sent,
    Publish: VirtualCall._publish,
    BeginWaiting: VirtualCall._wait,
    Transfer: VirtualCall._transfer,
    Converse: VirtualCall._converse,
    StopConversing: VirtualCall._stop_conversing,
    StopTransfer: VirtualCall._stop_transfer,
    Finish: VirtualCall._finish,
}
"""What is to be noticed of each command; the others are for real calls."""
