"""The record of one past call as the API tells it, as far as its turns need it. Only reads."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select

from ivr.store.peeking import peek
from ivr.store.records import StoreError
from ivr.store.schema import calls, events


def read_call(url: str, call_id: str | None, kind: str) -> dict[str, Any]:
    """The call with its events of one kind; the newest call without an id. Raises `StoreError`, also where
    there is no such call."""
    columns = select(calls.c.id, calls.c.flow, calls.c.direction, calls.c.created_at)
    newest = columns.order_by(calls.c.created_at.desc(), calls.c.id.desc()).limit(1)
    with peek(url) as connection:
        call = connection.execute(newest if call_id is None else columns.where(calls.c.id == call_id)).first()
        if call is None:
            raise StoreError("there is no call yet" if call_id is None else f"there is no call {call_id}")
        of_kind = (
            select(events.c.kind, events.c.data)
            .where(events.c.call_id == call.id, events.c.kind == kind)
            .order_by(events.c.seq)
        )
        told = [{"kind": row.kind, "data": json.loads(row.data)} for row in connection.execute(of_kind)]
    return {
        "id": call.id,
        "flow": call.flow,
        "direction": call.direction,
        "created_at": datetime.fromtimestamp(call.created_at, UTC).isoformat(),
        "events": told,
    }
