"""The desk: every live call of the node. It takes inbound legs, places outbound calls, and refuses what is
too much."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any, Final

from ivr.api.gateway import (
    BadNumber,
    CallRequest,
    LiveCall,
    NoCapacity,
    NotAllowed,
    ParamsRefused,
    SignalRefused,
    UnknownFlow,
    UnknownTrunk,
)
from ivr.call import CallSession
from ivr.call_parts import Ended, Services
from ivr.callheaders import bind as bind_headers
from ivr.callheaders import x_headers
from ivr.campaigns.numbers import number_key
from ivr.config import Config, InboundNumber
from ivr.feed import BEGAN, ENDED, Feed
from ivr.flow.machine import FlowMachine
from ivr.flow.model import Flow
from ivr.flow.problems import ParamError
from ivr.flow.signals import UnknownSignal
from ivr.flow.types import Value
from ivr.flow.verbs.consent import asks_to_record
from ivr.journal import CallJournal
from ivr.library import FlowLibrary
from ivr.masking import mask_number
from ivr.messages import MessageShelf
from ivr.metrics import Metrics
from ivr.recording import CallRecording
from ivr.screening import Screening
from ivr.store import CallEvent, NewCall, Store, StoreError, new_id
from ivr.supervision import Supervisors
from ivr.tracing import NoTracing, Tracing
from ivr.waiting import Ring, Sound, Waiting, WaitingSounds
from ivr.waterfall import TurnTimes
from ivr.web.book import FlowCall
from media.leg import CallLeg, Cause, LegInfo
from media.recorder import RecordingWriter
from sip import stack as stack_errors
from sip.stack import OutboundCall, SipStack, TrunkBusy
from sip.trunks import Target, TrunkTable, target_of

log = logging.getLogger(__name__)

RETRY_FULL_S: Final = 10
RETRY_LATE_S: Final = 3
RECORDED_S: Final = 2.0
"""How long the end of a call waits for its recording to be complete."""

ANY_NUMBER: Final = "*"


@dataclass(frozen=True, slots=True)
class Load:
    """What admission looks at: `lateness_ms` is the media plane's, over the last seconds."""

    limit_calls: int
    limit_lateness_ms: float
    lateness_ms: Callable[[], float]


class CallDesk:
    """Live calls by id."""

    def __init__(
        self,
        config: Config,
        library: FlowLibrary,
        store: Store,
        services: Services,
        recorder: RecordingWriter,
        trunks: TrunkTable,
        load: Load,
        metrics: Metrics,
        tracing: Tracing | None = None,
    ) -> None:
        """Raises `ConfigError` when the hold music cannot be read."""
        self._config = config
        self._library = library
        self._store = store
        self._services = services
        self._recorder = recorder
        self._trunks = trunks
        self._load = load
        self._metrics = metrics
        self._tracing = tracing or NoTracing()
        self._sounds = WaitingSounds(config.media.hold_music)
        self._sessions: dict[str, CallSession] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._placing = 0
        self.draining = False
        self.feed: Final = Feed()
        """What happens in live calls."""
        self.supervisors: Final = Supervisors(self._sessions.get)

    @property
    def live(self) -> int:
        """Calls under way, those still ringing and those about to be placed included."""
        return len(self._tasks) + self._placing

    @property
    def flows(self) -> Counter[tuple[str, str]]:
        """How many live calls each version of a flow has, by name and hash."""
        return Counter((session.flow.name, session.flow.hash) for session in self._sessions.values())

    def admit(self) -> int | None:
        """None when another call may come; else the seconds after which to try again."""
        if self.draining:
            self._metrics.call_refused("draining")
            return RETRY_FULL_S
        if self._many:
            self._metrics.call_refused("no_capacity")
            return RETRY_FULL_S
        if self._late:
            self._metrics.call_refused("loop_lag")
            return RETRY_LATE_S
        return None

    @property
    def full(self) -> bool:
        """Whether `admit` would refuse."""
        return self._many or self._late

    @property
    def _many(self) -> bool:
        return self._left <= 0

    @property
    def _left(self) -> int:
        """How many calls may be here beside those that are. Agents who are called for a caller count as
        calls, and so do operators."""
        others = self._services.switchboard.legs + self.supervisors.count
        return self._load.limit_calls - self.live - others

    @property
    def _late(self) -> bool:
        """Calls spoil each other's media; where there is none, a late loop is no reason to refuse the
        first."""
        return self.live > 0 and self._load.lateness_ms() > self._load.limit_lateness_ms

    def take(self, leg: CallLeg) -> None:
        """An inbound leg: its number decides the flow."""
        self._spawn(self._inbound(leg))

    def room(self) -> int:
        """How many calls may still come."""
        if self.draining or self._late:
            return 0
        return max(0, self._left)

    def flow(self, name: str) -> Flow:
        """Raises `UnknownFlow`."""
        flow = self._library.get(name)
        if flow is None:
            raise UnknownFlow(name, self._library.names)
        return flow

    def check(self, request: CallRequest) -> str:
        """As `ivr.api.gateway.Gateway.check`."""
        _bind(self.flow(request.flow), request.params, request.language)
        outbound, _ = self._target(request)
        return self._known_as(request.to, outbound.trunk)

    def _known_as(self, number: str, trunk: str) -> str:
        """One spelling for a far end; empty where nobody can be told by it."""
        configured = self._config.trunks.get(trunk)
        code = self._config.campaigns.country_code if configured is None else configured.country_code
        try:
            return number_key(number, code)
        except ValueError:
            return ""

    async def initiate(self, request: CallRequest, stack: SipStack) -> str:
        """As `ivr.api.gateway.Gateway.initiate`; nothing is sent before the record is durable."""
        flow = self.flow(request.flow)
        values = _bind(flow, request.params, request.language)
        outbound, target = self._target(request)
        if (retry := self.admit()) is not None:
            raise NoCapacity(retry)
        if (retry := stack.wait_s(outbound.trunk)) is not None:
            self._metrics.call_refused("no_capacity")
            raise NoCapacity(retry, f"the trunk {outbound.trunk} has all the calls it may have now")
        self._placing += 1
        try:
            return await self._place(request, flow, values, outbound, target, stack)
        finally:
            self._placing -= 1

    async def _place(
        self,
        request: CallRequest,
        flow: Flow,
        values: dict[str, Value],
        outbound: OutboundCall,
        target: Target,
        stack: SipStack,
    ) -> str:
        """Gives the id of the call, which is placed, or of the one that its key made before."""
        call = NewCall(
            new_id(),
            "outbound",
            time.time(),
            flow=flow.name,
            flow_hash=flow.hash,
            trunk=outbound.trunk,
            caller=target.caller,
            called=target.number,
            params=request.params,
            idempotency_key=request.idempotency_key,
            fingerprint=request.fingerprint,
        )
        created = await self._store.create_call(call)
        if created.existing:
            return created.call_id
        far_end = self._known_as(request.to, outbound.trunk)
        journal = CallJournal(self._store, call.id, flow.name, self.feed, far_end)
        machine = FlowMachine(flow, values, request.language, date.today())
        try:
            leg = await stack.call(outbound)
        except TrunkBusy:
            # Others were faster while the record was written: it stands, and says so.
            await journal.finish(machine.result, Cause.NO_CAPACITY.value, "us")
        except Exception as error:
            await journal.finish(machine.result, Cause.FAILED.value, "us")
            if isinstance(error, stack_errors.BadNumber):  # not with this stack
                raise BadNumber(str(error)) from error
            raise
        else:
            began = time.monotonic()
            self._spawn(self._run(call.id, leg, machine, journal, began, request.screening))
        return call.id

    def _target(self, request: CallRequest) -> tuple[OutboundCall, Target]:
        """Raises `UnknownTrunk`, `BadNumber`."""
        known = tuple(self._config.trunks)
        name = request.trunk if request.trunk is not None else next(iter(known), None)
        if name not in known:
            raise UnknownTrunk(name, known)
        outbound = OutboundCall(request.to, name, request.caller_id, request.headers)
        try:
            return outbound, target_of(outbound, self._trunks[name])
        except stack_errors.NotAllowed as error:
            raise NotAllowed(str(error)) from error
        except stack_errors.BadNumber as error:
            raise BadNumber(str(error)) from error

    async def hang_up(self, call_id: str) -> bool:
        """Ends a live call; False when there is none of this id."""
        session = self._sessions.get(call_id)
        if session is None:
            return False
        await session.hang_up()
        return True

    def signal(self, call_id: str, name: str, values: Mapping[str, Any]) -> bool:
        """As `ivr.api.gateway.Gateway.signal`."""
        session = self._sessions.get(call_id)
        if session is None:
            return False
        try:
            session.signal(name, values)
        except UnknownSignal as error:
            raise SignalRefused(str(error), {}, error.known) from error
        except ParamError as error:
            raise SignalRefused(f"the values do not fit the signal: {error}", error.fields) from error
        return True

    def live_call(self, call_id: str) -> LiveCall | None:
        """The live call; None when there is none of this id."""
        session = self._sessions.get(call_id)
        return None if session is None else LiveCall(session.step, session.quality)

    async def wait_until_idle(self, wait_s: float) -> None:
        """Returns when no call lives any more, or after `wait_s`."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=wait_s)

    async def close(self) -> None:
        """Ends every call that is still there; their records are closed."""
        for session in list(self._sessions.values()):
            await session.hang_up()
        await self.wait_until_idle(3.0)
        await self.supervisors.close()
        self.feed.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _inbound(self, leg: CallLeg) -> None:
        began = time.monotonic()
        info = leg.info
        number = self._config.numbers.get(info.called) or self._config.numbers.get(ANY_NUMBER)
        flow = self._library.get(number.flow) if number is not None else None
        if number is None or flow is None:
            log.warning(
                "no flow answers %s; the call of %s is refused",
                mask_number(info.called), mask_number(info.caller),
            )  # fmt: skip
            self._metrics.call_refused("unknown_number")
            await leg.reject(Cause.NOT_FOUND)
            return
        try:
            params, values = bind_headers(flow, number.params, number.params_from_headers, info.headers)
        except ParamError as error:
            log.error("number %s: %s", mask_number(info.called), error)
            await leg.reject(Cause.UNAVAILABLE)
            return
        await self._answer(leg, flow, params, values, began, number)

    async def serve(self, leg: CallLeg, call: FlowCall) -> str:
        """As `ivr.api.gateway.Gateway.serve`."""
        began = time.monotonic()
        flow = self.flow(call.flow)
        values = _bind(flow, call.params, call.language)
        if (retry := self.admit()) is not None:
            raise NoCapacity(retry)
        self._placing += 1
        try:
            call_id = await self._record(leg.info, flow, call.params)
        finally:
            self._placing -= 1
        self._spawn(self._serve(call_id, leg, flow, values, began, language=call.language))
        return call_id

    async def _answer(
        self,
        leg: CallLeg,
        flow: Flow,
        params: Mapping[str, Any],
        values: dict[str, Value],
        began: float,
        number: InboundNumber,
    ) -> None:
        try:
            call_id = await self._record(leg.info, flow, params)
        except StoreError as error:
            log.error("a call is refused, the store cannot take it: %s", error)
            await leg.reject(Cause.NO_CAPACITY, RETRY_FULL_S)
            return
        ring = Ring(number.ring_s, number.early_media) if number.ring_s else None
        await self._serve(call_id, leg, flow, values, began, ring)

    async def _record(self, info: LegInfo, flow: Flow, params: Mapping[str, Any]) -> str:
        """The id of a new inbound call, whose record is durable; raises `StoreError`."""
        record = NewCall(
            new_id(),
            "inbound",
            time.time(),
            flow=flow.name,
            flow_hash=flow.hash,
            trunk=info.trunk,
            caller=info.caller,
            called=info.called,
            params=params,
        )
        return (await self._store.create_call(record)).call_id

    async def _serve(
        self,
        call_id: str,
        leg: CallLeg,
        flow: Flow,
        values: dict[str, Value],
        began: float,
        ring: Ring | None = None,
        language: str | None = None,
    ) -> None:
        machine = FlowMachine(flow, values, language, today=date.today())
        far_end = self._known_as(leg.info.caller, leg.info.trunk)
        journal = CallJournal(self._store, call_id, flow.name, self.feed, far_end)
        await self._run(call_id, leg, machine, journal, began, ring=ring)

    async def _run(
        self,
        call_id: str,
        leg: CallLeg,
        machine: FlowMachine,
        journal: CallJournal,
        began: float,
        screening: Screening | None = None,
        ring: Ring | None = None,
    ) -> None:
        info, flow = leg.info, machine.flow.name
        log.info(
            "call %s: %s from %s to %s, flow %s",
            call_id, info.direction, mask_number(info.caller), mask_number(info.called), flow,
        )  # fmt: skip
        if told := _told(info):
            journal.note("headers", told)
        answered: list[float] = []
        recording = self._recording_of(leg, call_id, journal, machine.flow)

        def on_answered() -> None:
            answered.append(time.monotonic())
            rang = 0.0 if ring is None else ring.seconds
            self._metrics.observe_setup(info.direction, max(0.0, answered[0] - began - rang))
            if recording is not None:
                recording.answered()

        spans = self._tracing.call(call_id, info.direction, flow, asyncio.get_running_loop().time())

        def on_turn(turn: TurnTimes) -> None:
            self._metrics.observe_turn(turn)
            spans.turn(turn)

        services = self._services_of(info.trunk)
        waiting = self._waiting(leg)
        messages = MessageShelf(self._recorder, self._recordings(), call_id, journal)
        session = CallSession(
            leg,
            machine,
            journal,
            services,
            on_answered,
            screening,
            ring,
            waiting,
            messages,
            recording,
            on_turn,
        )
        self._sessions[call_id] = session
        self._metrics.call_started(info.direction)
        self.feed.tell(call_id, CallEvent(time.time(), BEGAN, _begun(info, machine)))
        ended = Ended(machine.result, Cause.FAILED.value, "us")
        try:
            ended = await session.run()
        finally:
            del self._sessions[call_id]
            spans.end(ended.cause)
            quality = leg.quality()
            talked = time.monotonic() - answered[0] if answered else None
            if ended.answered_by is not None:
                self._metrics.answered_by(ended.answered_by)
            self._metrics.call_ended(info.direction, flow, ended.cause, answered_s=talked, quality=quality)
            await journal.language(machine.language)
            await messages.complete(RECORDED_S)
            if recording is not None:
                # Who reads that the call has ended may fetch its recording: it is whole by then.
                await recording.complete(RECORDED_S)
            await journal.finish(ended.result, ended.cause, ended.by, quality)
            told = {"cause": ended.cause, "by": ended.by, "result": dict(ended.result)}
            self.feed.tell(call_id, CallEvent(time.time(), ENDED, told))
            log.info("call %s: ended, %s by %s, after %.1f s", call_id, ended.cause, ended.by, talked or 0.0)

    def _waiting(self, leg: CallLeg) -> Waiting:
        """What the far end hears while it waits; it rings as in the country of its trunk."""
        trunk = self._config.trunks.get(leg.info.trunk)
        sound = self._config.media.transfer_sound
        return Waiting(
            leg,
            self._sounds,
            country_code="91" if trunk is None else trunk.country_code,
            transfer=None if sound == "silence" else Sound(sound),
        )

    def _services_of(self, trunk: str) -> Services:
        """What a call over the trunk shares with others; no longer than the trunk allows."""
        configured = self._config.trunks.get(trunk)
        return replace(
            self._services,
            max_call_s=self._config.longest_call_s(trunk),
            replaces=configured is not None and configured.transfer == "replaces",
            bridges_over=None if configured is not None else next(iter(self._config.trunks), trunk),
        )

    def _recording_of(
        self, leg: CallLeg, call_id: str, journal: CallJournal, flow: Flow
    ) -> CallRecording | None:
        if not self._config.media.record:
            return None
        path = self._recordings() / f"{call_id}.wav"
        return CallRecording(leg, self._recorder, path, journal, held=asks_to_record(flow))

    def _recordings(self) -> Path:
        """The folder of today."""
        return self._config.store.path / "recordings" / time.strftime("%Y-%m-%d", time.gmtime())

    def _spawn(self, work: Any) -> None:
        task: asyncio.Task[None] = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        with contextlib.suppress(asyncio.CancelledError):
            if (error := task.exception()) is not None:
                log.error("a call failed", exc_info=error)


def _begun(info: LegInfo, machine: FlowMachine) -> dict[str, Any]:
    """A call as the feed tells of it first."""
    return {
        "flow": machine.flow.name,
        "direction": info.direction,
        "trunk": info.trunk,
        "caller": info.caller,
        "called": info.called,
        "language": machine.language,
    }


def _told(info: LegInfo) -> dict[str, Any]:
    """What the signalling says beside the numbers, for the record."""
    told: dict[str, Any] = dict(x_headers(info.headers))
    if info.diverted_from is not None:
        told["diverted_from"] = info.diverted_from
    if info.privacy:
        told["privacy"] = True
    return told


def _bind(flow: Flow, params: Mapping[str, Any], language: str | None) -> dict[str, Value]:
    """The flow's parameters; raises `ParamsRefused`."""
    wrong: dict[str, str] = {}
    values: dict[str, Value] = {}
    try:
        values = flow.bind(params)
    except ParamError as error:
        wrong |= error.fields
    if language is not None and language not in flow.languages:
        wrong["language"] = f"must be one of {', '.join(flow.languages)}"
    if wrong:
        raise ParamsRefused(wrong)
    return values
