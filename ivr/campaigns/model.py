"""What a campaign is, and how its contacts stand. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from ivr.campaigns.hours import Window
from ivr.screening import Screening


class State(StrEnum):
    """How a campaign stands. `scheduled` waits for its start; `done` has nobody left to call, or no time."""

    DRAFT = "draft"
    SCHEDULED = "scheduled"
    RUNNING = "running"
    PAUSED = "paused"
    DONE = "done"
    CANCELLED = "cancelled"

    @property
    def over(self) -> bool:
        return self in (State.DONE, State.CANCELLED)

    @property
    def active(self) -> bool:
        """Whether there is something to do for the runner."""
        return self in (State.SCHEDULED, State.RUNNING)


class ContactState(StrEnum):
    """How a contact stands. `unreached` had all the calls that it may have; `erased` is nobody any more."""

    WAITING = "waiting"
    CALLING = "calling"
    ANSWERED = "answered"
    UNREACHED = "unreached"
    SUPPRESSED = "suppressed"
    ERASED = "erased"


class Miss(StrEnum):
    """Why nobody was reached, as far as another call is worth it."""

    BUSY = "busy"
    NO_ANSWER = "no_answer"
    FAILED = "failed"
    ANSWERING_MACHINE = "answering_machine"


@dataclass(frozen=True, slots=True)
class Pace:
    """`at_once` are calls under way, over all nodes; `per_minute` are calls begun, evenly spread."""

    at_once: int = 10
    per_minute: float = 60.0


@dataclass(frozen=True, slots=True)
class Retries:
    """`times` further calls to who was missed for one of the reasons `on`, each `after_s` after the end of
    the last."""

    times: int = 2
    after_s: float = 1800.0
    on: tuple[Miss, ...] = (Miss.BUSY, Miss.NO_ANSWER, Miss.FAILED)


@dataclass(frozen=True, slots=True)
class Spec:
    """What a campaign does; it never changes. Times are Unix seconds."""

    flow: str
    trunk: str
    caller_id: str | None = None
    language: str | None = None
    timezone: str = "Asia/Kolkata"
    window: Window = field(default_factory=Window)
    pace: Pace = field(default_factory=Pace)
    retries: Retries = field(default_factory=Retries)
    screening: Screening | None = None
    starts_at: float | None = None
    ends_at: float | None = None


@dataclass(frozen=True, slots=True)
class Campaign:
    """`reason` says why the server paused it; empty where a person did."""

    id: str
    name: str
    state: State
    spec: Spec
    created_at: float
    created_by: str
    started_at: float | None = None
    ended_at: float | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class NewContact:
    """Somebody to be called: `called` is what is dialled, `number` what he is known by (`number_key`)."""

    called: str
    number: str
    timezone: str
    params: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Claim:
    """One call that is to be made: the contact is ours until it is settled or given back."""

    campaign_id: str
    contact: int
    attempt: int
    called: str
    params: Mapping[str, Any]

    @property
    def key(self) -> str:
        """The idempotency key of this attempt: however often it is asked for, it is one call."""
        return call_key(self.campaign_id, self.contact, self.attempt)


_KEY: Final = "campaign:"


def call_key(campaign_id: str, contact: int, attempt: int) -> str:
    return f"{_KEY}{campaign_id}:{contact}:{attempt}"


def contact_of(key: str | None) -> tuple[str, int] | None:
    """Campaign and contact that a call with this idempotency key was for."""
    if key is None or not key.startswith(_KEY):
        return None
    campaign_id, _, rest = key.removeprefix(_KEY).partition(":")
    contact = rest.partition(":")[0]
    return (campaign_id, int(contact)) if contact.isascii() and contact.isdigit() else None
