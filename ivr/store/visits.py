"""How past calls went through a flow, counted in the store. Only reads: the server may be up meanwhile."""

from __future__ import annotations

from sqlalchemy import Connection, func, select

from ivr.flow.drawing import Visits
from ivr.store.peeking import peek
from ivr.store.schema import calls
from ivr.store.traffic import events_alike, last_steps
from ivr.traffic import Traffic, add_events, add_last_steps


def count_visits(url: str, flow: str) -> Visits:
    """Of all calls of the flow with this name, whatever its version was; raises `StoreError`."""
    with peek(url) as connection:
        return _count(connection, flow)


def _count(connection: Connection, flow: str) -> Visits:
    of_flow = calls.c.flow == flow
    traffic = Traffic(connection.execute(select(func.count()).where(of_flow)).scalar_one())
    add_events(traffic, ((row[0], row[1], row[2]) for row in connection.execute(events_alike(of_flow))))
    add_last_steps(traffic, ((row[0], row[1]) for row in connection.execute(last_steps(of_flow))))
    ways: dict[tuple[str, str, str], int] = {
        (way.step, way.outcome, way.next): n for way, n in traffic.ways.items()
    }
    return Visits(traffic.calls, traffic.visits, ways, traffic.hung_up)
