"""One scenario as a call: what the API, the endpoints and the phone tell becomes notices for the player, and
what the player wants is done on the phone."""

from __future__ import annotations

import asyncio
import json
import queue
import time
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, assert_never

import httpx

from ivr.flow.machine import FlowMachine
from ivr.flow.model import Flow, Step
from ivr.flow.notices import (
    Consented,
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
from ivr.flow.payload import Computed
from ivr.flow.protocol import SUPPRESS_CALLER
from ivr.flow.rehearsal import Played
from ivr.flow.scenario_player import (
    Action,
    Answer,
    Dictate,
    Failed,
    HangUpNow,
    MoveInQueue,
    Player,
    PressKey,
    Refuse,
    SendSignal,
    SettleAgent,
    SettleTransfer,
    Speak,
    TellWho,
)
from ivr.flow.scenarios import Scenario
from ivr.flow.types import Family, to_json
from ivr.flow.verbs.asking import AskingStep
from ivr.flow.verbs.request import Request
from ivr.flow.verbs.voicemail import Voicemail
from ivr.local import Api
from ivr.over_sip.broker import Message
from ivr.over_sip.desk import Desk
from ivr.over_sip.endpoints import Asked
from ivr.over_sip.greeting import greet, who_answers
from ivr.phone.calling import CallOver, NothingHeard, PhoneCall
from ivr.phone.phone import Phone

PATIENCE_S: Final = 10.0
"""As the player's in virtual time, with recognition and a busy machine added."""

QUIET_S: Final = 0.8
SILENT_PROMPT_S: Final = 3.0
"""A prompt of which nothing is heard for so long is over: it was silence, or cut."""

LONGEST_S: Final = 300.0
DELIVERY_S: Final = 5.0
_POLL_S: Final = 0.1


@dataclass(slots=True)
class _Prompt:
    """What is being said: when it began, and how much had been heard before."""

    at: float
    heard_s: float


class Playing:
    """Plays one scenario; `asked` gets the requests of its call."""

    def __init__(
        self,
        flow: Flow,
        scenario: Scenario,
        api: Api,
        phone: Phone,
        desk: Phone,
        asked: queue.SimpleQueue[Asked],
        published: queue.SimpleQueue[Message],
    ) -> None:
        self._flow = flow
        self._language = FlowMachine(flow, scenario.values).language
        respell = flow.manner.say_as.get(self._language)
        self._player = Player(scenario, self._language, PATIENCE_S, respell)
        self._scenario = scenario
        self._line = scenario.line
        self._api = api
        self._phone = phone
        self._desk = Desk(desk)
        self._asked = asked
        self._published = published
        self._id = ""
        """Of the call, once the server has a record of it."""
        self._waiting: Asked | None = None
        self._came: list[Asked] = []
        """Requests whose step has not been told yet: the record may be a little late."""
        self._announced: dict[str, deque[Request]] = {}
        """The steps that have sent a request, by endpoint; the request comes after, or has come."""
        self._in_background: deque[Request] = deque()
        """Those that sent theirs in the background and whose has not been told yet, in the flow's order."""
        self._seen = 0
        self._prompt: _Prompt | None = None
        self._step: Step = flow.steps[flow.start.step]
        self._transferred = False
        self._expected = 0
        self._delivered = 0
        """Requests of the background and events: those that were sent, and those that came."""
        self._over = False

    async def play(self, uri: str, number: str) -> Played:
        """Calls `uri`, which the server knows as `number`; or is called, where the scenario says who
        answers."""
        who = who_answers(self._scenario)
        call = await (self._phone.call(uri) if who is None else self._called())
        greeting: asyncio.Task[None] | None = None
        try:
            await call.until_answered(30.0)
            if who is None:
                self._id = await self._call_id(number)
            else:
                greeting = asyncio.create_task(greet(call, who, self._language))
            self._player.begin(time.monotonic())
            async with asyncio.timeout(LONGEST_S):
                while not self._over and self._player.failure is None:
                    await self._round(call)
            failure = self._player.finish()
        except (NothingHeard, CallOver, TimeoutError) as error:
            why = str(error) or f"the call took longer than {LONGEST_S:g} s"
            failure = self._player.failure or Failed(self._line, None, f"over SIP: {why}")
        finally:
            if greeting is not None:
                greeting.cancel()
                await asyncio.gather(greeting, return_exceptions=True)
            await call.close()
            for left in (self._waiting, *self._came):
                if left is not None:
                    left.answer(503)
        return Played(failure, self._player.path, self._player.outcomes)

    async def _called(self) -> PhoneCall:
        """The server calls the phone."""
        values = {name: to_json(value) for name, value in self._scenario.values.items() if value is not None}
        order = partial(self._api.initiate, to=self._phone.address, flow=self._flow.name, params=values)
        self._id = await asyncio.to_thread(order)
        return await self._phone.answer(within_s=30.0)

    async def _call_id(self, number: str) -> str:
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            for call in await asyncio.to_thread(self._api.calls):
                if call["called"] == number:
                    return str(call["id"])
            await asyncio.sleep(_POLL_S)
        raise NothingHeard("the server has no record of the call")

    async def _round(self, call: PhoneCall) -> None:
        record = await asyncio.to_thread(self._api.call, self._id)
        events = record["events"][self._seen :]
        self._seen += len(events)
        for event in events:
            if event["kind"] == "connected":
                await self._desk.connected()
            for notice in self._noticed(event, call):
                await self._tell(call, notice)
        await self._take_requests(call)
        await self._take_events(call)
        if self._said(call):
            await self._tell(call, Quiet())
            if self._listens():
                await self._tell(call, Listens(True))
        if record["ended_at"] is not None and not events:
            await self._finish(call, record)
            return
        await self._do(call, self._player.tick(time.monotonic()))
        await asyncio.sleep(_POLL_S)

    # --- what happens

    def _noticed(self, event: Mapping[str, Any], call: PhoneCall) -> list[Notice]:
        data = event["data"]
        match event["kind"]:
            case "step":
                entered = Entered(data["step"], data.get("flow", ""))
                self._step = self._flow.family[entered.flow or self._flow.name].steps[entered.step]
                self._expected += isinstance(self._step, Request) and self._step.background
                return [entered, WhoAsked()] if isinstance(self._step, Voicemail) else [entered]
            case "outcome":
                self._transferred = self._transferred or data["via"] == "done"
                left = LeftBy(data["step"], data["outcome"], data["via"], data.get("flow", ""))
                return [left, Listens(False)]
            case "prompt":
                self._prompt = _Prompt(time.monotonic(), call.heard_s)
                return [Spoke(data["text"])]
            case "heard":
                return [SpeechOver()]
            case "consent":
                return [Consented(data["name"] or data["purpose"], granted=data["granted"])]
            case "message_began":
                return [Records(True)]
            case "message":
                return [Records(False)]
            case "request":
                if isinstance(self._step, Request):
                    self._announced.setdefault(data["endpoint"], deque()).append(self._step)
                    if self._step.background:
                        self._in_background.append(self._step)
                return []
            case "suppressed":
                self._came.append(Asked(SUPPRESS_CALLER, False, {}))  # the server does it itself
                return []
            case "wait":
                # What is heard from now on is no prompt.
                quiet: list[Notice] = [] if self._prompt is None else [Quiet()]
                self._prompt = None
                return [*quiet, Waits(data["sound"])]
            case "publish":
                self._expected += 1
                return []
            case "transfer":
                return [TransferAsked(data["target"], {}, data.get("whisper", ""))]
            case _:
                return []

    def _said(self, call: PhoneCall) -> bool:
        """Whether what was being said is over now, by what is heard."""
        prompt = self._prompt
        if prompt is None:
            return False
        lasted = time.monotonic() - prompt.at
        heard = call.heard_s > prompt.heard_s
        if call.ended is None and (
            call.quiet_s < QUIET_S or lasted < (QUIET_S if heard else SILENT_PROMPT_S)
        ):
            return False
        self._prompt = None
        return True

    def _listens(self) -> bool:
        step = self._step
        return isinstance(step, AskingStep) and bool(step.phrases or getattr(step, "speech", None))

    async def _take_requests(self, call: PhoneCall) -> None:
        while not self._asked.empty():
            self._came.append(self._asked.get())
        coming, self._came = self._came, []
        for asked in coming:
            announced = self._announced.get(asked.endpoint)
            if not announced or not self._is_next(announced[0]):
                self._came.append(asked)
                continue
            step = announced.popleft()
            if step.background:
                asked.answer(204)
                self._delivered += 1
                self._in_background.popleft()
            else:
                self._waiting = asked
            body = _typed_query(asked.body, step) if asked.get else asked.body
            await self._tell(call, Requested(asked.endpoint, body, awaited=not step.background))

    def _is_next(self, step: Request) -> bool:
        """What is sent in the background comes as it comes; it is told in the order of the flow."""
        return not step.background or self._in_background[0] is step

    async def _take_events(self, call: PhoneCall) -> None:
        while not self._published.empty():
            event = self._published.get().event
            if event["call_id"] == self._id:  # not one of a call before
                self._delivered += 1
                await self._tell(call, Published(event["event"], event["body"]))

    async def _finish(self, call: PhoneCall, record: Mapping[str, Any]) -> None:
        """The call is over: what it sent for sure comes soon after."""
        deadline = time.monotonic() + DELIVERY_S
        while self._owed() > 0 and time.monotonic() < deadline:
            await asyncio.sleep(_POLL_S)
            await self._take_requests(call)
            await self._take_events(call)
        cause = "transferred" if self._transferred else record["cause"]
        if not self._transferred and record["hung_up_by"] != "us":
            cause = "hangup"
        self._over = True
        await self._tell(call, Over(record["result"] or {}, cause))

    def _owed(self) -> int:
        """Requests of the background and events that have not come yet."""
        return self._expected - self._delivered

    # --- what the caller does

    async def _tell(self, call: PhoneCall, notice: Notice) -> None:
        await self._do(call, self._player.notice(notice, time.monotonic()))

    async def _do(self, call: PhoneCall, actions: list[Action]) -> None:
        for action in actions:
            match action:
                case PressKey(key):
                    with suppress(CallOver):  # it may end the call at once
                        await call.press(key)
                case Speak(text):
                    with suppress(CallOver):
                        await call.say(text)
                case TellWho():
                    pass  # it is heard since the answer, or the phone has called
                case Dictate(seconds):
                    with suppress(CallOver):
                        await call.dictate(seconds)
                    await self._tell(call, SpeechOver())
                case HangUpNow():
                    await call.hang_up()
                case Answer(status, body):
                    self._reply(status, body)
                case Refuse():
                    self._reply(503, None)
                case SendSignal(name, values):
                    await self._signal(name, values)
                case SettleAgent():
                    pass  # no agent is there: such scenarios are not played (`ivr.over_sip.stage.cannot`)
                case SettleTransfer(outcome):
                    await self._desk.settle(outcome, self._step)
                case MoveInQueue():
                    raise NothingHeard("a place in a queue cannot be played over SIP")
                case _:
                    assert_never(action)

    async def _signal(self, name: str, values: Mapping[str, Any]) -> None:
        try:
            await asyncio.to_thread(self._api.signal, self._id, name, values)
        except httpx.HTTPStatusError as error:
            raise NothingHeard(f"signal {name}: the server answers {error.response.status_code}") from error

    def _reply(self, status: int, body: Any) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.answer(status, body)


def _typed_query(query: Mapping[str, str], step: Request) -> dict[str, Any]:
    """The query of a GET is text: what the flow sends as numbers becomes numbers again."""
    fields = (step.body.fields if step.body is not None else None) or {}
    return {name: _typed(text, fields.get(name)) for name, text in query.items()}


def _typed(text: str, field: Any) -> Any:
    number = (
        field.expression.shape.family in (Family.NUMBER, Family.TRUTH)
        if isinstance(field, Computed)
        else isinstance(field, int | float)
    )
    try:
        return json.loads(text) if number else text
    except ValueError:
        return text
