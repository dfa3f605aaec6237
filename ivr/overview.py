"""What all live calls do now, and what the server does meanwhile: kept up to date from the feed, for who
looks at all of them and for who follows what happens."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from ivr.event_log import EventLog
from ivr.feed import BEGAN, ENDED, Feed, TooManyFollowers
from ivr.hour import Hour
from ivr.live_calls import LiveCalls, LiveCallState
from ivr.store import CallEvent

if TYPE_CHECKING:
    from ivr.api.gateway import EngineStatus

log = logging.getLogger(__name__)

MOST_FOLLOWERS: Final = 64
QUEUE: Final = 20_000
"""Events of the feed that wait for us: a server that is so far behind has other worries."""

LOAD_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class Load:
    """What the server bears now. `lateness_ms` is the media plane's, `cpu` the share of a core that the
    process took of late; `engines` is how each stands."""

    calls: int
    by_state: dict[str, int]
    lateness_ms: float
    cpu: float
    engines: list[dict[str, Any]]


class Overview:
    """`run` keeps it; what it shows is at most a moment old."""

    def __init__(
        self,
        feed: Feed,
        hour: Hour,
        lateness_ms: Callable[[], float],
        engines: Callable[[], list[dict[str, Any]]],
    ) -> None:
        """`hour` gets the levels of calls, lateness and processor."""
        self.hour: Final = hour
        self.calls: Final = LiveCalls()
        self.log: Final = EventLog(secrets.token_hex(4))
        self.since: Final = time.time()
        self.closed = False
        self.followers = 0
        self._feed = feed
        self._lateness_ms = lateness_ms
        self._engines = engines
        self._spent_s = time.process_time()
        self._looked_at = time.monotonic()
        self.load = Load(0, {}, 0.0, 0.0, [])

    async def run(self) -> None:
        """Until the feed is closed."""
        looking = asyncio.create_task(self._look())
        try:
            with self._feed.follow(limit=QUEUE) as following:
                async for first in following:
                    for call_id, event in (first, *following.take()):
                        try:
                            self.take(call_id, event)
                        except Exception:
                            log.exception("an event of the kind %s cannot be shown", event.kind)
        finally:
            looking.cancel()
            self.closed = True

    def take(self, call_id: str, event: CallEvent) -> None:
        """Something happened in a call."""
        if event.kind == BEGAN:
            self.calls.began(LiveCallState.begun(call_id, event))
            self.log.add("call.began", call_id, {"at": event.at, **event.data})
        elif event.kind == ENDED:
            self.calls.ended(call_id)
            self.log.add("call.ended", call_id, {"at": event.at, **event.data})
        else:
            self.calls.noted(call_id, event)
            self.log.add("call.event", call_id, {"at": event.at, "kind": event.kind, "data": event.data})

    def look(self) -> None:
        """Takes what the server bears now."""
        now, spent_s, at = time.time(), time.process_time(), time.monotonic()
        cpu = (spent_s - self._spent_s) / max(at - self._looked_at, 1e-3)
        self._spent_s, self._looked_at = spent_s, at
        load = Load(
            len(self.calls),
            self.calls.by("state"),
            round(self._lateness_ms(), 2),
            round(cpu, 3),
            self._engines(),
        )
        self.load = load
        self.hour.level("calls", load.calls, now)
        self.hour.level("lateness_ms", load.lateness_ms, now)
        self.hour.level("cpu", load.cpu, now)
        self.log.add("load", None, {"at": now, **_shown(load)})

    @contextmanager
    def following(self) -> Iterator[EventLog]:
        """The log, for one reader more; raises `TooManyFollowers`."""
        if self.followers >= MOST_FOLLOWERS:
            raise TooManyFollowers(f"{MOST_FOLLOWERS} follow already")
        self.followers += 1
        try:
            yield self.log
        finally:
            self.followers -= 1

    async def _look(self) -> None:
        while True:
            self.look()
            await asyncio.sleep(LOAD_S)


def engines_shown(statuses: Iterable[EngineStatus]) -> list[dict[str, Any]]:
    """How each engine stands, in short."""
    return [
        {
            "name": status.name,
            "kind": status.kind,
            "state": status.health.state.value,
            "breaker": status.breaker.value,
            "jobs": status.health.jobs,
        }
        for status in statuses
    ]


def _shown(load: Load) -> dict[str, Any]:
    return {
        "calls": load.calls,
        "by_state": load.by_state,
        "lateness_ms": load.lateness_ms,
        "cpu": load.cpu,
        "engines": load.engines,
    }
