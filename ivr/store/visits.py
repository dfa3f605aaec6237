"""How past calls went through a flow, counted in the store. Only reads: the server may be up meanwhile."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, create_engine, func, make_url, select
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from ivr.flow.drawing import Visits
from ivr.store.records import StoreError
from ivr.store.schema import calls, events


def count_visits(url: str, flow: str) -> Visits:
    """Of all calls of the flow with this name, whatever its version was; raises `StoreError`."""
    try:
        engine = _engine(make_url(url))
    except (ArgumentError, ImportError) as error:
        raise StoreError(f"the database cannot be read: {error}") from error
    try:
        with engine.connect() as connection:
            return _count(connection, flow)
    except SQLAlchemyError as error:
        raise StoreError(f"the database cannot be read: {getattr(error, 'orig', None) or error}") from error
    finally:
        engine.dispose()


def _engine(address: URL) -> Engine:
    if address.get_backend_name() != "sqlite":
        return create_engine(address.set(drivername="postgresql+psycopg"))
    path = Path(address.database or "")
    return create_engine(
        "sqlite+pysqlite://",
        creator=lambda: sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, timeout=5.0),
    )


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
