"""The tables, their version, and what a connection to SQLite is set to."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    Double,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    insert,
    inspect,
    select,
    text,
    update,
)

from ivr.store.campaign_tables import UPGRADE as CAMPAIGNS
from ivr.store.campaign_tables import add_tables as add_campaign_tables
from ivr.store.records import CallState, StoreError

VERSION = 8

metadata = MetaData()

schema_version = Table("schema_version", metadata, Column("version", Integer, nullable=False))

# JSON is kept as text: it is made once, where a mistake in it can still be told to the one who made it.
calls = Table(
    "calls",
    metadata,
    Column("id", Text, primary_key=True),
    Column("direction", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("flow", Text, nullable=False),
    Column("flow_hash", Text, nullable=False),
    Column("language", Text),
    Column("trunk", Text, nullable=False),
    Column("caller", Text, nullable=False),
    Column("called", Text, nullable=False),
    Column("params", Text, nullable=False),
    Column("result", Text),
    Column("cause", Text),
    Column("hung_up_by", Text),
    Column("created_at", Double, nullable=False),
    Column("ringing_at", Double),
    Column("answered_at", Double),
    Column("ended_at", Double),
    Column("quality", Text),
    Column("recording", Text),
    Column("idempotency_key", Text, unique=True),
    Column("fingerprint", Text, nullable=False),
    Column("erased_at", Double),
    Column("answered_by", Text),
    Column("messages", Text),
)
Index("calls_by_time", calls.c.created_at, calls.c.id)
Index("calls_by_flow", calls.c.flow, calls.c.created_at, calls.c.id)
Index("calls_by_caller", calls.c.caller, calls.c.created_at, calls.c.id)
Index("calls_by_called", calls.c.called, calls.c.created_at, calls.c.id)
Index("calls_by_cause", calls.c.cause, calls.c.created_at, calls.c.id)
_live = calls.c.state != CallState.ENDED.value
Index("calls_live", calls.c.state, sqlite_where=_live, postgresql_where=_live)

events = Table(
    "events",
    metadata,
    Column("call_id", Text, primary_key=True),
    Column("seq", Integer, primary_key=True),
    Column("at", Double, nullable=False),
    Column("kind", Text, nullable=False),
    Column("data", Text, nullable=False),
    sqlite_with_rowid=False,
)

outbox = Table(
    "outbox",
    metadata,
    Column("id", Text, primary_key=True),
    Column("call_id", Text),
    Column("target", Text, nullable=False),
    Column("method", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_at", Double),  # null: delivered, or given up
    Column("delivered_at", Double),
    Column("last_error", Text),
    Column("carrier", Text, nullable=False, server_default="http"),
)
_waiting = outbox.c.next_at.is_not(None)
# What one carrier cannot deliver for hours is not in the way of the other.
Index("outbox_due", outbox.c.carrier, outbox.c.next_at, sqlite_where=_waiting, postgresql_where=_waiting)
Index("outbox_by_call", outbox.c.call_id)


flow_versions = Table(
    "flow_versions",
    metadata,
    Column("flow", Text, primary_key=True),
    Column("at", Double, primary_key=True),
    Column("hash", Text, nullable=False),
    Column("file", Text, nullable=False),
    Column("by", Text, nullable=False),
    Column("text", Text, nullable=False),
)

audit = Table(
    "audit",
    metadata,
    Column("id", Text, primary_key=True),
    Column("at", Double, nullable=False),
    Column("client", Text, nullable=False),
    Column("operator", Text),
    Column("action", Text, nullable=False),
    Column("target", Text),
    Column("outcome", Text, nullable=False),
    Column("details", Text, nullable=False),
)
Index("audit_by_time", audit.c.at, audit.c.id)
Index("audit_by_target", audit.c.target, audit.c.at)

campaigns, contacts, suppressions = add_campaign_tables(metadata)

_UPGRADES: dict[int, tuple[str, ...]] = {
    1: ("ALTER TABLE calls ADD COLUMN answered_by TEXT",),
    2: ("ALTER TABLE calls ADD COLUMN messages TEXT",),
    3: (
        """CREATE TABLE flow_versions (flow TEXT NOT NULL, at DOUBLE PRECISION NOT NULL, hash TEXT NOT NULL,
           file TEXT NOT NULL, "by" TEXT NOT NULL, text TEXT NOT NULL, PRIMARY KEY (flow, at))""",
    ),
    4: (
        "ALTER TABLE outbox ADD COLUMN carrier TEXT NOT NULL DEFAULT 'http'",
        "DROP INDEX outbox_waiting",
        "CREATE INDEX outbox_due ON outbox (carrier, next_at) WHERE next_at IS NOT NULL",
    ),
    5: (
        """CREATE TABLE audit (id TEXT NOT NULL PRIMARY KEY, at DOUBLE PRECISION NOT NULL,
           client TEXT NOT NULL, operator TEXT, action TEXT NOT NULL, target TEXT, outcome TEXT NOT NULL,
           details TEXT NOT NULL)""",
        "CREATE INDEX audit_by_time ON audit (at, id)",
        "CREATE INDEX audit_by_target ON audit (target, at)",
    ),
    6: (
        "CREATE INDEX calls_by_caller ON calls (caller, created_at, id)",
        "CREATE INDEX calls_by_called ON calls (called, created_at, id)",
        "CREATE INDEX calls_by_cause ON calls (cause, created_at, id)",
    ),
    7: CAMPAIGNS,
}
"""What brings the tables of each earlier version to the next."""


def prepare(connection: Connection) -> None:
    """Creates the tables in an empty database, and brings those of an earlier release up to date: all of it
    or nothing, whatever cuts it off. Raises `StoreError` when it holds something else or something newer."""
    if connection.dialect.name == "sqlite":
        # Python's driver begins a transaction at the first row that is written, not at a table that is made.
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    present = set(inspect(connection).get_table_names())
    if not present:
        metadata.create_all(connection)
        connection.execute(insert(schema_version).values(version=VERSION))
        return
    if schema_version.name not in present:
        raise StoreError("the database holds tables of another program; give the server one of its own")
    found = connection.execute(select(schema_version.c.version)).scalar_one_or_none()
    while found in _UPGRADES:
        for statement in _UPGRADES[found]:
            connection.execute(text(statement))
        found += 1
        connection.execute(update(schema_version).values(version=found))
    if found != VERSION:
        raise StoreError(
            f"the database has schema version {found}, this server knows version {VERSION}: "
            "run the server release that wrote it, or a newer one"
        )


def tune_sqlite(connection: Any, _record: Any) -> None:
    """Settings of each SQLite connection (a listener of SQLAlchemy's `connect` event).

    WAL with synchronous=NORMAL: what was committed survives the death of the process at any moment without
    an fsync per commit. Checkpoints, which do wait for the disk, are left to a connection of their own.
    """
    cursor = connection.cursor()
    for pragma in (
        "busy_timeout=5000",
        "journal_mode=WAL",
        "synchronous=NORMAL",
        "wal_autocheckpoint=0",
        "cache_size=-8000",
        "secure_delete=FAST",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
