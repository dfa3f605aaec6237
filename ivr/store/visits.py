"""How past calls went through a flow, counted in the store. Only reads: the server may be up meanwhile."""

from __future__ import annotations

import json
from collections import Counter

from sqlalchemy import Connection, func, select

from ivr.flow.drawing import Visits
from ivr.store.peeking import peek
from ivr.store.schema import calls, events


def count_visits(url: str, flow: str) -> Visits:
    """Of all calls of the flow with this name, whatever its version was; raises `StoreError`."""
    with peek(url) as connection:
        return _count(connection, flow)


def _count(connection: Connection, flow: str) -> Visits:
    number = connection.execute(select(func.count()).where(calls.c.flow == flow)).scalar_one()
    # Events with the same words are counted where they lie; few remain to be read.
    alike = (
        select(events.c.kind, events.c.data, func.count())
        .join(calls, calls.c.id == events.c.call_id)
        .where(calls.c.flow == flow, events.c.kind.in_(("step", "outcome")))
        .group_by(events.c.kind, events.c.data)
    )
    steps: Counter[str] = Counter()
    outcomes: Counter[tuple[str, str, str]] = Counter()
    for kind, text, count in connection.execute(alike):
        data = json.loads(text)
        if "flow" in data:
            continue  # of a flow within, which may have a step of the same name
        if kind == "step":
            steps[data["step"]] += count
        else:
            outcomes[data["step"], data["outcome"], data["next"]] += count
    return Visits(number, steps, outcomes)
