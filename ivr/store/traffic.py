"""The traffic of a flow, counted where the events lie: hour by hour, each finished hour once.

Events with the same words are counted by the database; few rows are left to read, whatever the calls. An hour
whose calls have all ended does not change any more: its sums stay in memory.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, and_, case, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from ivr.store.records import CallState
from ivr.store.schema import calls, events
from ivr.traffic import Ending, Traffic, add_events, add_last_steps
from media.leg import Cause

HOUR_S: Final = 3600
SETTLED_S: Final = 60.0
"""So long after an hour its last writes have come."""

KEPT: Final = 4096
"""Hours of flows whose sums are kept: a month of five flows."""


@dataclass(frozen=True, slots=True)
class Counted:
    """`since`: what is older was not counted, for want of time, when `complete` is false."""

    traffic: Traffic
    since: float
    until: float
    complete: bool


class TrafficCounts:
    """Counts, and keeps what cannot change."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._hours: OrderedDict[tuple[str, str | None, int], Traffic] = OrderedDict()

    async def count(
        self,
        connection: AsyncConnection,
        flow: str,
        hash: str | None,
        since: float,
        until: float,
        *,
        now: float,
        within_s: float,
    ) -> Counted:
        """Of the calls that began in [`since`, `until`), newest hours first, as far back as there is time.
        With a `hash` those of that version alone. Times are Unix seconds, `within_s` is seconds from now."""
        deadline = self._clock() + within_s
        traffic = Traffic()
        first = await connection.scalar(_first_call(flow, hash, since, until))
        if first is None:
            return Counted(traffic, since, until, True)
        begin = until
        while begin > first:
            hour = int(-(-begin // HOUR_S)) - 1  # the one that ends at `begin`, or has it within
            end, begin = begin, max(since, float(hour * HOUR_S))
            whole = end - begin == HOUR_S
            key = (flow, hash, hour)
            if whole and key in self._hours:
                self._hours.move_to_end(key)
                traffic.add(self._hours[key])
                continue
            if self._clock() >= deadline:
                return Counted(traffic, end, until, False)
            counted = await _of_calls(connection, _which(flow, hash, begin, end))
            traffic.add(counted)
            if whole and not counted.live and end + SETTLED_S < now:
                self._keep(key, counted)
        return Counted(traffic, since, until, True)

    def _keep(self, key: tuple[str, str | None, int], counted: Traffic) -> None:
        self._hours[key] = counted
        if len(self._hours) > KEPT:
            self._hours.popitem(last=False)


async def _of_calls(connection: AsyncConnection, which: ColumnElement[bool]) -> Traffic:
    traffic = Traffic()
    ended = calls.c.state == CallState.ENDED.value
    kinds = select(ended, calls.c.cause, calls.c.hung_up_by, func.count()).where(which)
    rows = await connection.execute(kinds.group_by(ended, calls.c.cause, calls.c.hung_up_by))
    for over, cause, by, count in rows:
        traffic.calls += count
        if over:
            traffic.endings[Ending(cause or "", by or "")] += count
        else:
            traffic.live += count
    if traffic.calls:
        add_events(
            traffic, ((row[0], row[1], row[2]) for row in await connection.execute(events_alike(which)))
        )
        add_last_steps(traffic, ((row[0], row[1]) for row in await connection.execute(last_steps(which))))
    return traffic


def _which(flow: str, hash: str | None, since: float, until: float) -> ColumnElement[bool]:
    which = and_(calls.c.flow == flow, calls.c.created_at >= since, calls.c.created_at < until)
    return which if hash is None else and_(which, calls.c.flow_hash == hash)


def _first_call(flow: str, hash: str | None, since: float, until: float) -> Select[Any]:
    return select(func.min(calls.c.created_at)).where(_which(flow, hash, since, until))


def events_alike(which: ColumnElement[bool]) -> Select[Any]:
    """Kind, data and how often, of the events that are words of `ivr.traffic.add_events`."""
    return (
        select(events.c.kind, events.c.data, func.count())
        .join(calls, calls.c.id == events.c.call_id)
        .where(which, events.c.kind.in_(("step", "outcome")))
        .group_by(events.c.kind, events.c.data)
    )


def last_steps(which: ColumnElement[bool]) -> Select[Any]:
    """Where the far end hung up, told by the words of one event for each call."""
    of_flow = and_(events.c.call_id == calls.c.id, events.c.data.not_like('%"flow":%'))
    left = select(events.c.data).where(
        of_flow, events.c.kind == "outcome", events.c.data.like('%"outcome":"hangup"%')
    )
    entered = select(events.c.data).where(of_flow, events.c.kind == "step")
    newest = events.c.seq.desc()
    told = func.coalesce(
        left.order_by(newest).limit(1).correlate(calls).scalar_subquery(),
        entered.order_by(newest).limit(1).correlate(calls).scalar_subquery(),
    )
    far = case((calls.c.direction == "inbound", "caller"), else_="callee")
    gone = or_(
        and_(calls.c.cause == Cause.NORMAL.value, calls.c.hung_up_by == far),
        calls.c.cause == Cause.MEDIA_TIMEOUT.value,
    )
    where = select(told.label("told")).where(which, gone).subquery()
    return select(where.c.told, func.count()).group_by(where.c.told)
