"""What the store keeps, as plain values. Times are Unix seconds (UTC)."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal
from uuid import UUID

from media.leg import Direction, Quality

Json = Mapping[str, Any]

INTERRUPTED = "interrupted"
"""The cause of a call that was live when the server died."""


class StoreError(Exception):
    """The store cannot do what was asked; the text says why."""


class StoreUnavailable(StoreError):
    """Not written within the deadline (disk full or slow, database away). The write stays queued and is
    retried."""


class IdempotencyConflict(StoreError):
    """The idempotency key was used before, for a different request."""

    def __init__(self, call_id: str) -> None:
        super().__init__(f"the idempotency key belongs to another request (call {call_id})")
        self.call_id = call_id


class CallLive(StoreError):
    """The call has not ended yet."""


Carrier = Literal["http", "mqtt"]
"""What carries a delivery."""


class CallState(StrEnum):
    CREATED = "created"
    RINGING = "ringing"
    ANSWERED = "answered"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class NewCall:
    """A call that begins now.

    `idempotency_key` is unique over all calls; `fingerprint` is a digest of the request that carried it, so
    that the same key with another request is told apart from a repetition.
    """

    id: str
    direction: Direction
    created_at: float
    flow: str = ""
    flow_hash: str = ""
    language: str | None = None
    trunk: str = ""
    caller: str = ""
    called: str = ""
    params: Json = field(default_factory=dict)
    idempotency_key: str | None = None
    fingerprint: str = ""


@dataclass(frozen=True, slots=True)
class Created:
    """`call_id` is the new call's id, or with `existing` that of the call which the same key created
    before."""

    call_id: str
    existing: bool


@dataclass(frozen=True, slots=True)
class CallEvent:
    """Something that happened in a call; `data` must be JSON."""

    at: float
    kind: str
    data: Json = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An event with its place in its call, counted from 1."""

    seq: int
    at: float
    kind: str
    data: Json


@dataclass(frozen=True, slots=True)
class Ending:
    """How a call ended. Without a `result` the one committed before stands; `recording` is the path of the
    file."""

    at: float
    cause: str
    hung_up_by: str
    result: Json | None = None
    quality: Quality | None = None
    recording: str | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """A message that was left: its file, and how long it is once that is complete."""

    path: str
    duration_ms: int | None = None


@dataclass(frozen=True, slots=True)
class CallRecord:
    """A call as stored. `erased_at`: its personal data was deleted then. `answered_by`: who, by what sign
    (`reason`), found out `after_ms`; None where nobody asked. `messages` are those left in it, by name."""

    id: str
    direction: Direction
    state: CallState
    flow: str
    flow_hash: str
    language: str | None
    trunk: str
    caller: str
    called: str
    params: Json
    result: Json | None
    cause: str | None
    hung_up_by: str | None
    created_at: float
    ringing_at: float | None
    answered_at: float | None
    ended_at: float | None
    quality: Json | None
    recording: str | None
    idempotency_key: str | None
    erased_at: float | None
    answered_by: Json | None
    messages: Mapping[str, Message] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CallPage:
    """Calls, newest first; `next` is the cursor of the page behind, None at the end."""

    calls: tuple[CallRecord, ...]
    next: str | None


@dataclass(frozen=True, slots=True)
class Delivery:
    """An HTTP request, or an event for the broker (`PUBLISH`), that must get through, now or after a crash.

    `target` names an endpoint or a topic of the configuration, so that addresses and secrets stay out of the
    database.
    `id` is what the receiver tells repetitions by.
    """

    id: str
    call_id: str | None
    target: str
    body: str
    created_at: float
    method: Literal["GET", "POST", "PUT", "PUBLISH"] = "POST"

    @property
    def carrier(self) -> Carrier:
        return "mqtt" if self.method == "PUBLISH" else "http"


@dataclass(frozen=True, slots=True)
class DueDelivery:
    """A delivery to try now; `attempts` were made before."""

    delivery: Delivery
    attempts: int


def new_id() -> str:
    """A UUID version 7 (RFC 9562, 5.7): sorted by the time of its making, so that new rows lie together."""
    milliseconds = time.time_ns() // 1_000_000
    random = int.from_bytes(os.urandom(10), "big")
    value = (milliseconds & (1 << 48) - 1) << 80 | random
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return str(UUID(int=value))
