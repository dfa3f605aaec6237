"""A gateway without telephones: it stores calls as the server does, and refuses what it is told to
refuse.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import httpx

from engines.breaker import BreakerState
from engines.gpu.cards import Cards
from engines.gpu.status import GpuMonitor
from engines.supervisor import WorkerHealth, WorkerState
from ivr.api import (
    BadNumber,
    CallRequest,
    LiveCall,
    ParamsRefused,
    Readiness,
    SignalRefused,
    TrunkStatus,
    UnknownFlow,
    UnknownTrunk,
)
from ivr.api.gateway import EngineStatus, FlowFace
from ivr.campaigns.numbers import number_key
from ivr.campaigns.settings import Campaigns
from ivr.elsewhere import Elsewhere
from ivr.feed import Feed
from ivr.flow.types import ValueType
from ivr.hour import Hour
from ivr.overview import Overview, engines_shown
from ivr.shelf.keeper import FlowKeeper
from ivr.store import Ending, NewCall, Store, new_id
from ivr.supervision import SupervisedCall, Supervisors
from ivr.trials import Trials
from ivr.web.book import FlowCall, SessionBook, Supervision
from media.leg import CallLeg, Quality
from media.plane import RtpPlane
from media.ports import PortPool
from sip.stack import TargetState, TrunkState
from tests.fakes.engines import ScriptedRecognizer, ToneSynthesizer
from tests.fakes.switching import no_switcher


class FakeGateway:
    """Knows the flow `vendor-order`, which wants `amount`, and the trunk `exotel`."""

    def __init__(self, store: Store, flows: FlowKeeper) -> None:
        self.store = store
        self.flows = flows
        self.campaign_rules = Campaigns()
        self.calls_of_flows: dict[tuple[str, str], int] = {}
        self.dialled: list[CallRequest] = []
        self.refusal: Exception | None = None
        self.voice = ToneSynthesizer()
        self.recogniser = ScriptedRecognizer()
        self.trials = Trials({"tone": self.voice}, {"scripted": self.recogniser})
        self.reasons: tuple[str, ...] = ()
        self.switcher = no_switcher()
        self.elsewhere = Elsewhere({}, httpx.AsyncClient())
        self.cards = Cards((), "there is no NVIDIA driver on this machine")
        self.gpu = GpuMonitor(dict, lambda: self.switcher.budgets, lambda: self.cards)
        self.live_calls: dict[str, LiveCall] = {}
        self.signals: list[tuple[str, str, dict[str, Any]]] = []
        self.forgot = 0
        self.feed = Feed()
        self.book = SessionBook()
        self.supervised: dict[str, SupervisedCall] = {}
        self.supervisors = Supervisors(lambda call_id: self.supervised.get(call_id))
        self.overview = Overview(self.feed, Hour(), lambda: 1.5, lambda: engines_shown(self.engines()))
        self.plane = RtpPlane(PortPool(0, 0, 0.0, "127.0.0.1"), timeout_s=20.0, address="127.0.0.1")
        self.served: list[tuple[CallLeg, FlowCall]] = []

    def face(self, flow: str) -> FlowFace:
        if flow != "vendor-order":
            raise UnknownFlow(flow, ("vendor-order",))
        return FlowFace(("hi", "en"), {"amount": ValueType("rupees")}, ("accepted", "minutes"))

    def check(self, request: CallRequest) -> str:
        if request.flow != "vendor-order":
            raise UnknownFlow(request.flow, ("vendor-order",))
        if request.trunk not in (None, "exotel"):
            raise UnknownTrunk(request.trunk, ("exotel",))
        wrong = {name: "is unknown" for name in request.params if name != "amount"}
        if "amount" not in request.params:
            wrong["amount"] = "is missing: an amount in rupees"
        if wrong:
            raise ParamsRefused(wrong)
        try:
            return number_key(request.to, "91")
        except ValueError as error:
            raise BadNumber(str(error)) from error

    async def initiate(self, request: CallRequest) -> str:
        if self.refusal is not None:
            raise self.refusal
        self.check(request)
        call = NewCall(
            id=new_id(),
            direction="outbound",
            created_at=time.time(),
            flow=request.flow,
            called=request.to,
            params=request.params,
            idempotency_key=request.idempotency_key,
            fingerprint=request.fingerprint,
        )
        created = await self.store.create_call(call)
        if not created.existing:
            self.dialled.append(request)
            self.live_calls[call.id] = LiveCall("offer", Quality(packets_sent=50))
        return created.call_id

    async def serve(self, leg: CallLeg, call: FlowCall) -> str:
        if self.refusal is not None:
            raise self.refusal
        if call.flow != "vendor-order":
            raise UnknownFlow(call.flow, ("vendor-order",))
        self.served.append((leg, call))
        record = NewCall(
            new_id(), "inbound", time.time(), flow=call.flow, flow_hash="", trunk=leg.info.trunk,
            caller=leg.info.caller, called=leg.info.called, params=call.params,
        )  # fmt: skip
        return (await self.store.create_call(record)).call_id

    async def supervise(self, leg: CallLeg, wish: Supervision) -> str:
        return await self.supervisors.begin(leg, wish)

    async def hang_up(self, call_id: str) -> bool:
        if self.live_calls.pop(call_id, None) is None:
            return False
        await self.store.finish_call(call_id, Ending(time.time(), "normal", "us"))
        return True

    def signal(self, call_id: str, name: str, values: Mapping[str, Any]) -> bool:
        if call_id not in self.live_calls:
            return False
        if name != "rider-found":
            raise SignalRefused(f'no step of vendor-order waits for a signal "{name}"', {}, ("rider-found",))
        if not isinstance(values.get("eta"), int):
            raise SignalRefused("the values do not fit", {"eta": "must be a whole number of minutes"})
        self.signals.append((call_id, name, dict(values)))
        return True

    def live(self, call_id: str) -> LiveCall | None:
        return self.live_calls.get(call_id)

    def flow_calls(self) -> dict[tuple[str, str], int]:
        return self.calls_of_flows

    def forget_personal(self) -> None:
        self.forgot += 1

    def readiness(self) -> Readiness:
        return Readiness(self.reasons)

    def engines(self) -> tuple[EngineStatus, ...]:
        up = WorkerHealth("kokoro", WorkerState.UP, 1, 2, 4711, 10**9, 84.04, "")
        down = WorkerHealth("pocketsphinx", WorkerState.DOWN, 3, 0, None, None, None, "the worker died")
        return (
            EngineStatus("kokoro", "tts", up, BreakerState.CLOSED),
            EngineStatus("pocketsphinx", "asr", down, BreakerState.HALF_OPEN),
        )

    def trunks(self) -> tuple[TrunkStatus, ...]:
        down = TrunkState(
            False,
            "tcp:192.0.2.1:5070: no answer to OPTIONS",
            registered=False,
            rtt_ms=12.5,
            targets=(TargetState("tcp:192.0.2.1:5070", False),),
            seen_as="198.51.100.4:5060",
        )
        return (
            TrunkStatus("exotel", "exotel", down, 3, 100),
            TrunkStatus("office", None, TrunkState(), 0, 10),
        )
