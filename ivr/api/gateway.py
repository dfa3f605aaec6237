"""What the API asks of the server behind it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from engines.breaker import BreakerState
from engines.gpu.status import GpuMonitor
from engines.supervisor import WorkerHealth
from engines.switching.switcher import Switcher
from ivr.campaigns.settings import Campaigns
from ivr.elsewhere import Elsewhere
from ivr.feed import Feed
from ivr.flow.types import ValueType
from ivr.overview import Overview
from ivr.screening import Screening
from ivr.shelf.keeper import FlowKeeper
from ivr.supervision import Supervisors
from ivr.trials import Trials
from ivr.web.book import FlowCall, SessionBook, Supervision
from media.leg import CallLeg, Quality
from media.plane import RtpPlane
from sip.stack import TrunkState


@dataclass(frozen=True, slots=True)
class CallRequest:
    """A call to be made.

    `trunk`, `caller_id` and `language` None mean the server's choice. `idempotency_key` is already told
    apart by client. Without a `screening` nobody asks whether a machine answered.
    `headers` are X-headers of the INVITE.
    """

    to: str
    flow: str
    params: Mapping[str, Any] = field(default_factory=dict)
    trunk: str | None = None
    caller_id: str | None = None
    language: str | None = None
    idempotency_key: str | None = None
    screening: Screening | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def fingerprint(self) -> str:
        """A digest of all that is asked: equal for equal requests, whatever the order of their
        parameters.
        """
        parts: list[Any] = [self.to, self.flow, self.params, self.trunk, self.caller_id, self.language]
        if self.screening is not None:
            parts.append(repr(self.screening))
        if self.headers:
            parts.append(self.headers)
        text = json.dumps(parts, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


class CallRefused(Exception):
    """The call cannot be made; the kind says why."""


class UnknownFlow(CallRefused):
    """`known` are the flows there are, to help with a slip of the pen."""

    def __init__(self, flow: str, known: tuple[str, ...] = ()) -> None:
        super().__init__(f"there is no flow {flow!r}")
        self.flow = flow
        self.known = known


class ParamsRefused(CallRefused):
    """`fields` tells for each parameter that is missing, unknown or ill-typed what is wrong with it."""

    def __init__(self, fields: Mapping[str, str]) -> None:
        super().__init__("the parameters do not fit the flow: " + ", ".join(sorted(fields)))
        self.fields = dict(fields)


class BadNumber(CallRefused):
    """`reason` is a whole phrase: what is wrong with the number, without the number itself."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class NotAllowed(BadNumber):
    """The trunk may not be used to call this."""


class UnknownTrunk(CallRefused):
    def __init__(self, trunk: str | None, known: tuple[str, ...] = ()) -> None:
        super().__init__(
            "no trunk is configured for outbound calls" if trunk is None else f"there is no trunk {trunk!r}"
        )
        self.trunk = trunk
        self.known = known


class NoCapacity(CallRefused):
    """Worth another try after `retry_after_s` seconds."""

    def __init__(self, retry_after_s: int, reason: str = "all lines are in use") -> None:
        super().__init__(reason)
        self.retry_after_s = max(1, int(retry_after_s))


class SignalRefused(Exception):
    """The call's flow does not know the signal (then `known` are those it does), or its values do not fit:
    `fields` tells for each what is wrong."""

    def __init__(self, reason: str, fields: Mapping[str, str], known: tuple[str, ...] | None = None) -> None:
        super().__init__(reason)
        self.fields = dict(fields)
        self.known = known


@dataclass(frozen=True, slots=True)
class FlowFace:
    """What a flow takes and gives: its languages, its parameters, and the names of its results."""

    languages: tuple[str, ...]
    params: Mapping[str, ValueType]
    results: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LiveCall:
    """What only a call itself knows while it lasts."""

    step: str
    quality: Quality


@dataclass(frozen=True, slots=True)
class TrunkStatus:
    """A trunk of the configuration and how it stands; `calls` both ways, now."""

    name: str
    profile: str | None
    state: TrunkState
    calls: int
    max_calls: int


@dataclass(frozen=True, slots=True)
class EngineStatus:
    """A speech engine and how it stands; the breaker says whether it is asked."""

    name: str
    kind: Literal["tts", "asr"]
    health: WorkerHealth
    breaker: BreakerState


@dataclass(frozen=True, slots=True)
class Readiness:
    """`reasons` are why new calls should not be sent here now; none: the server is ready."""

    reasons: tuple[str, ...] = ()


class Gateway(Protocol):
    """The running server, as far as the API needs it."""

    async def initiate(self, request: CallRequest) -> str:
        """Accepts a call to be made and gives its id; the record is durable when this returns, dialling
        follows.

        A repetition (same idempotency key, same fingerprint) gives the id of the first. Raises
        `CallRefused`, `ivr.store.IdempotencyConflict`, `ivr.store.StoreUnavailable`.
        """

    def check(self, request: CallRequest) -> str:
        """What the one who would be called is known by, as on the suppression list
        (`ivr.campaigns.numbers.number_key`). Raises `CallRefused` for what `initiate` would always refuse."""

    def face(self, flow: str) -> FlowFace:
        """What a flow takes and gives; raises `UnknownFlow`."""

    @property
    def campaign_rules(self) -> Campaigns:
        """What holds for all campaigns."""

    async def serve(self, leg: CallLeg, call: FlowCall) -> str:
        """Gives an inbound leg to a flow, and gives the id of the call, whose record is durable by then.
        Raises `UnknownFlow`, `ParamsRefused`, `NoCapacity`, `ivr.store.StoreError`: the leg is then the
        caller's still."""

    @property
    def plane(self) -> RtpPlane:
        """What legs have their streams of."""

    @property
    def book(self) -> SessionBook:
        """The tokens that calls by the web begin with; its clock is `time.time`."""

    @property
    def feed(self) -> Feed:
        """What happens in live calls."""

    async def supervise(self, leg: CallLeg, wish: Supervision) -> str:
        """Lets an operator's leg join a live call, and gives the id of that. Raises
        `ivr.supervision.SupervisionRefused`: the leg is then the caller's still."""

    @property
    def supervisors(self) -> Supervisors:
        """Operators on live calls."""

    @property
    def overview(self) -> Overview:
        """What all live calls do now."""

    async def hang_up(self, call_id: str) -> bool:
        """Ends a live call; False when no such call is live here."""

    def signal(self, call_id: str, name: str, values: Mapping[str, Any]) -> bool:
        """Tells a live call that something happened outside; False when no such call is live here. Raises
        `SignalRefused`."""

    def live(self, call_id: str) -> LiveCall | None:
        """The live call; None when no such call is live here."""

    @property
    def flows(self) -> FlowKeeper:
        """The flows and their files."""

    def flow_calls(self) -> Mapping[tuple[str, str], int]:
        """How many live calls each version of a flow has, by name and hash."""

    def forget_personal(self) -> None:
        """Drops what is kept in memory of the values of ended calls: prompts that spoke them."""

    @property
    def switcher(self) -> Switcher:
        """The models of this process that can be switched."""

    @property
    def elsewhere(self) -> Elsewhere:
        """The engines at services elsewhere."""

    @property
    def gpu(self) -> GpuMonitor:
        """The cards of this machine."""

    @property
    def trials(self) -> Trials:
        """Texts and recordings for the engines, outside of calls."""

    def readiness(self) -> Readiness: ...

    def engines(self) -> tuple[EngineStatus, ...]:
        """All speech engines, voices first."""

    def trunks(self) -> tuple[TrunkStatus, ...]:
        """All trunks, in the order of the configuration."""
