"""The history of flows: every version that answered calls, with its text, since when and put by whom."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Final

from sqlalchemy import Connection, Select, Table, delete, func, select
from sqlalchemy.dialects import postgresql, sqlite

from ivr.store.schema import flow_versions

MOST_VERSIONS: Final = 200
"""Versions of a flow that are kept; older ones go."""


@dataclass(frozen=True, slots=True)
class FlowVersion:
    """A version of a flow as it was put in place. `by` is the name of an API key's holder, or `file` for a
    change of the folder; `at` is Unix seconds."""

    flow: str
    at: float
    hash: str
    file: str
    by: str
    text: str


@dataclass(frozen=True, slots=True)
class KeepVersion:
    """A write: another version in the history."""

    version: FlowVersion


def write_versions(connection: Connection, dialect: str, kept: Iterable[KeepVersion]) -> None:
    """Adds versions, and takes out what is too old."""
    make = postgresql.insert if dialect == "postgresql" else sqlite.insert
    table: Table = flow_versions
    rows = [asdict(each.version) for each in kept]
    connection.execute(make(table).on_conflict_do_nothing(), rows)
    for flow in {row["flow"] for row in rows}:
        newest = select(table.c.at).where(table.c.flow == flow).order_by(table.c.at.desc())
        oldest = newest.offset(MOST_VERSIONS - 1).limit(1).scalar_subquery()
        connection.execute(delete(table).where(table.c.flow == flow, table.c.at < oldest))


def newest_of_all() -> Select[tuple[str, float, str, str, str, str]]:
    """The version of each flow that was put last."""
    table = flow_versions
    last = select(table.c.flow, func.max(table.c.at).label("at")).group_by(table.c.flow).subquery()
    return select(*_COLUMNS).join(last, (last.c.flow == table.c.flow) & (last.c.at == table.c.at))


def versions_of(flow: str) -> Select[tuple[str, float, str, str, str, str]]:
    """All of a flow, newest first."""
    return select(*_COLUMNS).where(flow_versions.c.flow == flow).order_by(flow_versions.c.at.desc())


def from_rows(rows: Iterable[Sequence[object]]) -> list[FlowVersion]:
    return [FlowVersion(*row) for row in rows]  # type: ignore[arg-type]


_COLUMNS: Final = tuple(flow_versions.c[name] for name in ("flow", "at", "hash", "file", "by", "text"))
