"""The history of flows: every version that answered calls, with its text, since when and put by whom."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Final

from sqlalchemy import Connection, Select, bindparam, delete, func, literal, select
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
class KeepVersions:
    """A write: further versions in the history."""

    versions: Sequence[FlowVersion]


def write_versions(connection: Connection, dialect: str, kept: Iterable[KeepVersions]) -> None:
    """Adds versions, and takes out what is too old: two statements, however many they are."""
    make = postgresql.insert if dialect == "postgresql" else sqlite.insert
    rows = [asdict(version) for each in kept for version in each.versions]
    connection.execute(make(flow_versions).on_conflict_do_nothing(), rows)
    connection.execute(_PRUNE, [{"_flow": flow} for flow in {row["flow"] for row in rows}])


def newest_of_all() -> Select[tuple[str, float, str, str, str, str]]:
    """The version of each flow that was put last."""
    table = flow_versions
    last = select(table.c.flow, func.max(table.c.at).label("at")).group_by(table.c.flow).subquery()
    return select(*_COLUMNS).join(last, (last.c.flow == table.c.flow) & (last.c.at == table.c.at))


def versions_of(flow: str) -> Select[tuple[str, float, str, str, str, str]]:
    """All of a flow, newest first, without their texts."""
    columns = (*_COLUMNS[:-1], literal(""))
    return select(*columns).where(flow_versions.c.flow == flow).order_by(flow_versions.c.at.desc())


def one_version(flow: str, hash: str) -> Select[tuple[str, float, str, str, str, str]]:
    """The version with this hash; where it was put again, as it was last."""
    found = select(*_COLUMNS).where(flow_versions.c.flow == flow, flow_versions.c.hash == hash)
    return found.order_by(flow_versions.c.at.desc()).limit(1)


def from_rows(rows: Iterable[Sequence[object]]) -> list[FlowVersion]:
    return [FlowVersion(*row) for row in rows]  # type: ignore[arg-type]


_same = flow_versions.alias()
_oldest_kept = (
    select(_same.c.at)
    .where(_same.c.flow == bindparam("_flow"))
    .order_by(_same.c.at.desc())
    .offset(MOST_VERSIONS - 1)
    .limit(1)
    .scalar_subquery()
)
_PRUNE: Final = delete(flow_versions).where(
    flow_versions.c.flow == bindparam("_flow"), flow_versions.c.at < _oldest_kept
)

_COLUMNS: Final = tuple(flow_versions.c[name] for name in ("flow", "at", "hash", "file", "by", "text"))
