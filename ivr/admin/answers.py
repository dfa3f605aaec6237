"""What the dashboard reads of the server's answers; what else they tell is passed over, so that dashboard and
server need not be of one release."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class _Answer(BaseModel):
    model_config = ConfigDict(extra="ignore")


class CallShort(_Answer):
    """A call in a list."""

    id: str
    direction: str
    state: str
    flow: str
    language: str | None = None
    trunk: str
    caller: str
    called: str
    cause: str | None = None
    hung_up_by: str | None = None
    created_at: datetime
    ringing_at: datetime | None = None
    answered_at: datetime | None = None
    ended_at: datetime | None = None
    erased_at: datetime | None = None

    @property
    def talked_s(self) -> float | None:
        """From the answer to the end."""
        if self.answered_at is None or self.ended_at is None:
            return None
        return (self.ended_at - self.answered_at).total_seconds()


class CallList(_Answer):
    calls: list[CallShort]
    next: str | None = None


class RecordEvent(_Answer):
    at: datetime
    kind: str
    data: dict[str, Any] = {}


class Quality(_Answer):
    packets_sent: int = 0
    packets_received: int = 0
    packets_lost: int = 0
    packets_late: int = 0
    jitter_ms: float = 0.0
    rtt_ms: float | None = None
    mos: float | None = None
    remote_mos: float | None = None


class LeftMessage(_Answer):
    name: str
    duration_ms: int | None = None


class CallDetail(CallShort):
    """A call, whole."""

    flow_hash: str = ""
    params: dict[str, Any] = {}
    result: dict[str, Any] | None = None
    quality: Quality | None = None
    recording: str | None = None
    messages: list[LeftMessage] = []
    step: str | None = None
    events: list[RecordEvent] = []


class AuditEntry(_Answer):
    at: datetime
    client: str = ""
    operator: str | None = None
    action: str
    target: str | None = None
    outcome: str = ""
    detail: dict[str, Any] = {}


class AuditList(_Answer):
    entries: list[AuditEntry]
    next: str | None = None


class Times(_Answer):
    count: int = 0
    p50_ms: float | None = None
    p95_ms: float | None = None


class Now(_Answer):
    calls: int = 0
    by_state: dict[str, int] = {}
    by_flow: dict[str, int] = {}
    by_trunk: dict[str, int] = {}
    lateness_ms: float = 0.0
    cpu: float = 0.0
    memory_mb: float = 0.0


class Minute(_Answer):
    at: datetime
    began: int = 0
    answered: int = 0
    ended: dict[str, int] = {}
    calls: int = 0


class Totals(_Answer):
    began: int = 0
    answered: int = 0
    ended: dict[str, int] = {}
    refused: dict[str, int] = {}


class Engine(_Answer):
    name: str
    kind: str = ""
    state: str = ""
    breaker: str = ""
    latency_ms: float | None = None


class Figures(_Answer):
    """What `GET /admin/metrics` tells."""

    at: datetime
    started_at: datetime
    now: Now
    totals: Totals = Totals()
    hour: dict[str, Times] = {}
    minutes: list[Minute] = []
    engines: list[Engine] = []


class Trunk(_Answer):
    name: str
    up: bool | None = None
    reason: str = ""
    calls: int = 0
    max_calls: int = 0


class Trunks(_Answer):
    trunks: list[Trunk] = []


class Ticket(_Answer):
    """A session for a browser's leg: the token is good for one start."""

    session_id: str
    token: str = Field(repr=False)
    ice_servers: list[dict[str, Any]] = []
