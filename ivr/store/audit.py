"""The audit log: who did what to which call, flow or model, and how that ended. It holds ids, never what a
caller said, a number or a secret."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Select, select, tuple_
from sqlalchemy.engine import RowMapping

from ivr.store.records import Json
from ivr.store.schema import audit


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """`client` is the name of an API key's holder, `operator` who used it where that is known. `at` is Unix
    seconds."""

    id: str
    at: float
    client: str
    action: str
    outcome: str
    operator: str | None = None
    target: str | None = None
    details: Json = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AuditQuery:
    """Which entries are wanted; None: whatever it is. `since` is included, `until` is not."""

    client: str | None = None
    operator: str | None = None
    action: str | None = None
    target: str | None = None
    outcome: str | None = None
    since: float | None = None
    until: float | None = None


@dataclass(frozen=True, slots=True)
class AuditPage:
    """Entries, newest first; `next` is the cursor of the page behind, None at the end."""

    entries: tuple[AuditEntry, ...]
    next: str | None


@dataclass(frozen=True, slots=True)
class KeepAudit:
    """A write: one further entry."""

    row: Mapping[str, Any]


def entries_of(query: AuditQuery, cursor: str | None, limit: int) -> Select[Any]:
    """One more than `limit`, newest first. Raises `ValueError` when the cursor is none."""
    chosen = select(audit).order_by(audit.c.at.desc(), audit.c.id.desc()).limit(limit + 1)
    for name in ("client", "operator", "action", "target", "outcome"):
        if (wanted := getattr(query, name)) is not None:
            chosen = chosen.where(audit.c[name] == wanted)
    if query.since is not None:
        chosen = chosen.where(audit.c.at >= query.since)
    if query.until is not None:
        chosen = chosen.where(audit.c.at < query.until)
    if cursor is not None:
        chosen = chosen.where(tuple_(audit.c.at, audit.c.id) < tuple_(*read_cursor(cursor)))
    return chosen


def page_of(rows: Sequence[RowMapping], limit: int) -> AuditPage:
    entries = tuple(_entries(rows[:limit]))
    return AuditPage(entries, cursor_of(entries[-1].at, entries[-1].id) if len(rows) > limit else None)


def cursor_of(at: float, id: str) -> str:
    return base64.urlsafe_b64encode(f"{at!r} {id}".encode()).decode().rstrip("=")


def read_cursor(cursor: str) -> tuple[float, str]:
    """Raises `ValueError`."""
    padded = cursor + "=" * (-len(cursor) % 4)
    try:
        at, id = base64.urlsafe_b64decode(padded.encode("ascii")).decode().split(" ")
        return float(at), id
    except ValueError as error:
        raise ValueError("not a cursor of this list") from error


def _entries(rows: Iterable[RowMapping]) -> Iterable[AuditEntry]:
    for row in rows:
        yield AuditEntry(**{**row, "details": json.loads(row["details"])})
