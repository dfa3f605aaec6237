"""A live call: drives the pure flow machine with what happens on a leg, and carries out what it commands.

One task per call runs `CallSession.run`; what it starts (leg events, recognition, requests, transfers) dies
with it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, replace
from math import inf
from typing import Any, Final

from engines.contract import Route
from ivr.agents import AgentLine
from ivr.alarm import Alarm
from ivr.answering import Answering
from ivr.call_parts import Ended, Journal, Services
from ivr.classifiers import Questions
from ivr.flow.agent_protocol import (
    AgentCalls,
    AgentEvent,
    AgentFills,
    AgentPrepares,
    AgentSays,
    AgentSums,
    Converse,
    Conversed,
    Dropped,
    Presumed,
    StopConversing,
    TellAgent,
)
from ivr.flow.machine import FlowMachine
from ivr.flow.model import Flow
from ivr.flow.protocol import (
    SUPPRESS_CALLER,
    AnsweredBy,
    AskWhoAnswered,
    BeginWaiting,
    Classified,
    Classify,
    Command,
    Commit,
    EndMessage,
    EndWaiting,
    Enter,
    Event,
    Failure,
    Finish,
    GreetingOver,
    HangUp,
    Heard,
    HungUpEvent,
    KeepMessage,
    Key,
    Listen,
    NothingSaid,
    Outcome,
    PromptDone,
    Publish,
    Queued,
    Replied,
    RequestFailed,
    Say,
    SendRequest,
    Signal,
    SpeechBegan,
    StopClassifying,
    StopListening,
    StopSaying,
    StopTransfer,
    StoreConsent,
    Tick,
    Transfer,
    Transferred,
    Unclassified,
    Yield,
)
from ivr.flow.signals import bind_signal
from ivr.handover import Handover, Means, told_of
from ivr.hearing import Ear, Told, Utterance
from ivr.journal import event_note, heard_note, step_note
from ivr.messages import Dictation, DuringMessage, MessageShelf
from ivr.recording import CallRecording, settle_consent
from ivr.screening import Screening
from ivr.speaking import Mouth
from ivr.taking_over import GiveBack, Hands, TakeOver
from ivr.waiting import Ring, Sound, Waiting
from ivr.waterfall import Stage, TurnTimes, Waterfall
from media.amd import Answer, GreetingEnd
from media.leg import (
    Answered,
    Began,
    CallLeg,
    Cause,
    Digit,
    Held,
    HungUp,
    LegEvent,
    Played,
    Quality,
    Replaced,
    Ringing,
    Stopped,
)

log = logging.getLogger(__name__)

HIDDEN: Final = "•"
"""Stands in the record for a key or words of a secret step."""

GOODBYE_S: Final = 2.0
"""How long the end of a leg is awaited after the flow is over."""

CUTTING: Final = (Key, SpeechBegan, Heard)
"""What may cut a prompt: how much of it was heard is told before."""

_CAUSES: Final[Mapping[str, Cause]] = {cause.value: cause for cause in Cause}


@dataclass(frozen=True, slots=True)
class _Spoken:
    """Something heard under the `Listen` of this generation; later ones make it stale."""

    generation: int
    event: SpeechBegan | NothingSaid | Presumed | Dropped | Heard
    failure: str = ""
    route: Route | None = None


_Input = (
    LegEvent
    | AgentEvent
    | Answer
    | GreetingEnd
    | AnsweredBy
    | GreetingOver
    | _Spoken
    | DuringMessage
    | PromptDone
    | Classified
    | Unclassified
    | Tick
    | Replied
    | RequestFailed
    | Queued
    | Transferred
    | Signal
    | Failure
    | TakeOver
    | GiveBack
)


class CallSession:
    """One call of one flow over one leg."""

    def __init__(
        self,
        leg: CallLeg,
        machine: FlowMachine,
        journal: Journal,
        services: Services,
        on_answered: Callable[[], None] = lambda: None,
        screening: Screening | None = None,
        ring: Ring | None = None,
        waiting: Waiting | None = None,
        messages: MessageShelf | None = None,
        recording: CallRecording | None = None,
        on_turn: Callable[[TurnTimes], None] = lambda _turn: None,
    ) -> None:
        """`on_answered` is called when media flows (to start a recording). With a `screening` it is found out
        who answered before the flow begins; with a `ring` an inbound call is not answered at once.
        `waiting` is what the far end hears while it waits, nothing without one; `messages` keeps what is left
        by `record`, and `recording` is what a consent decides about; `on_turn` takes what each turn took."""
        self._leg = leg
        self._machine = machine
        self._journal = journal
        self._services = services
        self._on_answered = on_answered
        self._screening = screening
        self._ring = ring
        self._recording = recording
        self._waiting = waiting or Waiting(leg)
        self._loop = asyncio.get_running_loop()
        self._inbox: asyncio.Queue[_Input] = asyncio.Queue()
        self._answering = Answering(leg, self._inbox, journal.note)
        self._tasks: set[asyncio.Task[None]] = set()
        self._waterfall = Waterfall(machine, self._loop.time(), journal.note, on_turn)
        self._ear = Ear(
            leg,
            services.vad,
            services.recognizer,
            services.asr_deadline_s,
            self._spawn,
            self._on_speech,
            self._waterfall.mark,
            lambda kind: journal.note(kind, {}),
            services.advisor,
        )
        folder = str(machine.flow.folder)
        self._mouth = Mouth(leg, services.prompts, folder, journal.note, self._waterfall, self._ear.playing)
        self._dictation = Dictation(leg, services.vad, messages, self._inbox.put_nowait)
        self._handover = Handover(
            leg,
            self._waiting,
            Means(
                journal.call_id,
                services.switchboard,
                services.prompts,
                services.replaces,
                self._mouth.located,
                services.bridges_over,
            ),
            journal.note,
            lambda place: self._inbox.put_nowait(Queued(place)),
        )
        self.hands = Hands(leg, machine, self._handover, self._waiting, self._inbox.put_nowait, self._spawn)
        """Whose the caller is: the flow's, an agent's, or those of who took him over."""
        self.over = asyncio.Event()
        self.answered = False
        self._transferring: asyncio.Task[None] | None = None
        self._questions = Questions(services.classifiers, self._spawn, self._inbox.put_nowait, journal.note)
        self._agents = AgentLine(services.agents, self._inbox.put_nowait, journal.note, self._waterfall.mark)
        self._generation = 0
        self._hung_up: HungUp | None = None
        self._too_long = False
        self._secret = False
        self._until = inf
        """When the call has lasted as long as it may, counted from its answer."""
        self._finish: Finish | None = None

    async def run(self) -> Ended:
        """Runs the call to its end. An inbound leg is answered here; an outbound one is awaited."""
        self._spawn(self._pump())
        try:
            self._mouth.prefetch(self._machine.lookahead())
            if await self._connected() and await self._screened():
                await self._converse()
                await self._talk()
            await self._goodbye()
        finally:
            self.over.set()
            self._ear.stop()
            self._waterfall.close()
            self._answering.stop()
            self._mouth.close()
            self._dictation.close()
            self._agents.close()
            await self._leg.hang_up(Cause.FAILED)
            await self._handover.close()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
        return self._ended()

    @property
    def step(self) -> str:
        """The step of the flow that the call is in."""
        return self._machine.step

    @property
    def leg(self) -> CallLeg:
        return self._leg

    def note(self, kind: str, data: Mapping[str, Any]) -> None:
        """Something that others did to the call, for its record."""
        self._journal.note(kind, data)

    @property
    def flow(self) -> Flow:
        """The flow as it was when the call began: a reload does not change it."""
        return self._machine.flow

    @property
    def quality(self) -> Quality:
        """What the network did to the media so far."""
        return self._leg.quality()

    def signal(self, name: str, values: Mapping[str, Any]) -> None:
        """Something happened outside. Raises as `ivr.flow.signals.bind_signal`."""
        signal = bind_signal(self._machine.flow, name, values)
        if self._machine.started:
            self._inbox.put_nowait(signal)
        else:
            self._machine.handle(signal, self._loop.time())  # kept until the flow comes to it

    async def hang_up(self) -> None:
        """Ends the call from outside, as an operator does; the flow's `hangup` steps still run."""
        await self._leg.hang_up(Cause.NORMAL)

    async def _connected(self) -> bool:
        if self._leg.info.direction == "inbound":
            if self._ring is not None and not await self._rang(self._ring):
                return False
            await self._leg.answer()
        while True:
            event = await self._inbox.get()
            if isinstance(event, Ringing):
                self._journal.note("ringing", {"early_media": event.early_media})
            elif isinstance(event, Answered):
                self._journal.note("answered", {"codec": self._leg.codec.name})
                self._on_answered()
                self.answered = True
                self._until = self._loop.time() + self._services.max_call_s
                return True
            elif isinstance(event, HungUp):
                self._note_hang_up(event)
                return False

    async def _rang(self, ring: Ring) -> bool:
        """Lets an inbound call ring for its time; False when the caller gave up meanwhile."""
        if ring.early_media:
            await self._leg.progress()
            self._waiting.begin(Sound.RINGBACK)
        else:
            await self._leg.ring()
        try:
            async with asyncio.timeout(ring.seconds):
                while True:
                    item = await self._inbox.get()
                    if isinstance(item, HungUp):
                        self._note_hang_up(item)
                        return False
        except TimeoutError:
            self._waiting.end()
            return True

    async def _screened(self) -> bool:
        """Finds out who answered, where that is asked for; False when a machine was hung up on."""
        if self._screening is None:
            return True
        return await self._answering.screen(self._screening, self._until - self._loop.time())

    async def _converse(self) -> None:
        machine, loop, inbox = self._machine, self._loop, self._inbox
        alarm = Alarm(loop, lambda: inbox.put_nowait(Tick()))
        limit = self._until
        try:
            await self._carry_out(machine.start(loop.time()))
            while not machine.finished:
                alarm.set(limit if machine.due is None else min(limit, machine.due))
                item = await inbox.get()
                now = loop.time()
                if now >= limit:
                    limit = now + GOODBYE_S
                    self._too_long = True
                    if machine.taken_over:
                        await self._leg.hang_up(Cause.LIMIT)
                    await self._carry_out(machine.handle(Failure("the call is too long"), now))
                event = self._translate(item)
                if event is not None:
                    if isinstance(event, CUTTING) and (spoken := self._mouth.so_far()) is not None:
                        machine.handle(spoken, now)
                    await self._carry_out(machine.handle(event, now))
                    self.hands.refuse()  # unless it has let go of him
        finally:
            alarm.cancel()

    def _translate(self, item: _Input) -> Event | None:
        match item:
            case Digit(at=at, key=key):
                self._journal.note("key", {"key": HIDDEN if self._secret else key})
                self._waterfall.mark(Stage.KEY, at)
                self._answering.key()
                self._ear.key()
                return Key(key)
            case Played(mark=mark):
                return self._prompt_played(mark)
            case Began():
                self._mouth.began(item)
                return None
            case Stopped():
                self._mouth.stopped(item)
                return None
            case HungUp():
                self._note_hang_up(item)
                self._questions.stop()
                return HungUpEvent()
            case Held(on=on):
                self._journal.note("held", {"on": on})
                if self._handover.talk is not None:
                    self._handover.talk.held(on)
                return None
            case Replaced(party=party):
                self._journal.note("replaced", {"party": party})
                return None
            case _Spoken():
                return self._spoken(item)
            case TakeOver() | GiveBack():
                return self.hands.translate(item)
            case DuringMessage(event=event):
                return event if self._dictation.current(item) else None
            case Answer() | GreetingEnd():
                return self._answering.told(item)
            case Ringing() | Answered():
                return None
            case PromptDone() | Tick() | AnsweredBy() | GreetingOver() | Classified() | Unclassified():
                return item
            case AgentSays() | AgentPrepares() | AgentFills() | AgentCalls() | AgentSums() | Conversed():
                return self._agents.noted(item)
            case Replied() | RequestFailed() | Queued() | Transferred() | Signal() | Failure():
                self._journal.note(*event_note(item))
                return item

    def _prompt_played(self, mark: str) -> Event | None:
        event = self._mouth.played(mark)
        if isinstance(event, Failure):
            self._journal.note(*event_note(event))
        elif event is not None:
            self._handover.said()
        return event

    def _spoken(self, spoken: _Spoken) -> Event | None:
        if spoken.generation != self._generation:
            return None
        event = spoken.event
        if isinstance(event, Heard):
            told = replace(event, text=HIDDEN) if self._secret and event.text else event
            self._journal.note("heard", heard_note(told, spoken.failure, spoken.route))
        elif isinstance(event, SpeechBegan):
            self._journal.note("speech_began", {})
        elif isinstance(event, NothingSaid):
            self._journal.note("nothing_said", {})
        return event

    def _on_speech(self, told: Told) -> None:
        if not isinstance(told, Utterance):
            self._inbox.put_nowait(_Spoken(self._generation, told))
            return
        transcript = told.transcript
        heard = Heard(None, 0.0) if transcript is None else Heard(transcript.text, transcript.confidence)
        route = None if transcript is None else transcript.route
        self._inbox.put_nowait(_Spoken(self._generation, heard, told.failure, route))

    async def _carry_out(self, commands: list[Command]) -> None:
        for command in commands:
            match command:
                case AskWhoAnswered():
                    self._answering.ask(command)
                case Enter() | Outcome():
                    self._secret = command.secret if isinstance(command, Enter) else self._secret
                    self._waterfall.mark(Stage.INTENT, self._loop.time())
                    self._answering.stop()
                    self._journal.note(*step_note(command))
                case Say():
                    self._say(command)
                case StopSaying():
                    self._mouth.stop()
                case Listen(speech=spec):
                    self._generation += 1
                    self._ear.listen(spec)
                case StopListening():
                    self._generation += 1
                    self._ear.stop()
                case Classify():
                    self._questions.ask(command)
                case StopClassifying():
                    self._questions.stop()
                case Converse() | TellAgent() | StopConversing():
                    self._agents.carry_out(command)
                case Commit(result=result):
                    await self._journal.commit(result)
                case SendRequest():
                    await self._request(command)
                case Publish(topic=topic, body=body):
                    self._journal.note("publish", {"topic": topic})
                    await self._journal.publish(topic, body)
                case BeginWaiting(sound=sound):
                    self._journal.note("wait", {"sound": sound})
                    self._waiting.begin(None if sound == "silence" else Sound(sound))
                case EndWaiting():
                    self._waiting.end()
                case Transfer():
                    self._journal.note("transfer", told_of(command))
                    self._transferring = self._spawn(self._transfer(command))
                case StopTransfer():
                    if self._transferring is not None:
                        self._transferring.cancel()
                    await self._handover.close()
                case KeepMessage(name=name):
                    self._dictation.begin(name)
                case StoreConsent():
                    await settle_consent(command, self._journal, self._recording)
                case EndMessage(kept=kept):
                    await self._dictation.end(kept)
                case Yield():
                    self.hands.connect()
                case HangUp(cause=cause):
                    why = Cause.LIMIT if self._too_long else _CAUSES.get(cause, Cause.NORMAL)
                    await self._leg.hang_up(why)
                case Finish():
                    self._finish = command
        if not self._machine.finished and self._hung_up is None:
            self._mouth.prefetch(self._machine.lookahead())

    def _say(self, command: Say) -> None:
        self._waiting.end()
        self._mouth.say(command)
        if not command.utterances:
            self._inbox.put_nowait(PromptDone(command.id))

    async def _request(self, command: SendRequest) -> None:
        self._journal.note("request", {"id": command.id, "endpoint": command.endpoint})
        if command.endpoint == SUPPRESS_CALLER:
            known = await self._journal.suppress()
            if not command.background:
                nobody = RequestFailed(command.id, "the number of the far end is not known")
                self._inbox.put_nowait(Replied(command.id, 200, None) if known else nobody)
        elif command.background:
            await self._journal.post(command.endpoint, command.method, command.body)
        else:
            self._spawn(self._send(command))

    async def _send(self, command: SendRequest) -> None:
        self._inbox.put_nowait(await self._services.endpoints.send(command))

    async def _transfer(self, command: Transfer) -> None:
        self._inbox.put_nowait(await self._handover.transfer(command))
        if self._handover.talk is not None:
            await self._handover.talk.run()

    async def _talk(self) -> None:
        """The caller talks to whom he was handed over to, until one of them is gone."""
        talk = self._handover.talk
        if talk is None:
            return
        try:
            async with asyncio.timeout_at(min(self._until, talk.until)):
                while self._hung_up is None:
                    self._translate(await self._inbox.get())
        except TimeoutError:
            self._too_long = True
            await self._handover.close(Cause.LIMIT)

    async def _pump(self) -> None:
        while True:
            event = await self._leg.next_event()
            self._inbox.put_nowait(event)
            if isinstance(event, HungUp):
                return

    async def _goodbye(self) -> None:
        """The flow is over: ends the leg if it still lives, and waits a moment for how it ended."""
        self._ear.stop()
        await self._leg.hang_up(Cause.LIMIT if self._too_long else Cause.NORMAL)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(GOODBYE_S):
                while self._hung_up is None:
                    item = await self._inbox.get()
                    if isinstance(item, HungUp):
                        self._note_hang_up(item)

    def _note_hang_up(self, event: HungUp) -> None:
        self._hung_up = event
        self._handover.caller_gone(event)
        self._spawn(self._handover.close())
        said = {} if event.reason is None else {"reason": event.reason}
        self._journal.note(
            "hung_up", {"cause": event.cause.value, "by": event.by, "code": event.code, **said}
        )

    def _ended(self) -> Ended:
        result = self._finish.result if self._finish is not None else self._machine.result
        if self._hung_up is None:
            return Ended(result, Cause.FAILED.value, "us", self._answering.answer)
        cause = self._hung_up.cause
        if cause is Cause.NORMAL and self._handover.talk is not None:
            cause = Cause.TRANSFERRED
        return Ended(result, cause.value, self._hung_up.by, self._answering.answer)

    def _spawn(self, coroutine: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._task_done)
        return task

    def _task_done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("call %s: a task of the call failed", self._leg.info.id, exc_info=error)
            self._inbox.put_nowait(Failure(f"internal error: {type(error).__name__}"))
