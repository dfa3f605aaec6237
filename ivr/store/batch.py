"""Writes as values, and a whole batch of them as a handful of statements.

A batch is applied in an order that keeps its meaning however the calls are mixed in it: new calls, their
events, changes (later over earlier), ends, deliveries. Every write can be applied twice with the effect of
once, so that a batch whose commit was cut off in the middle may simply be repeated.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Insert, Table, bindparam, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import RowMapping
from sqlalchemy.sql import Executable

from ivr.store.audit import KeepAudit
from ivr.store.campaign_writes import erase_contact_of_call
from ivr.store.flows import KeepVersions, write_versions
from ivr.store.parts import Deed
from ivr.store.records import (
    CallLive,
    CallRecord,
    CallState,
    Created,
    Delivery,
    IdempotencyConflict,
    Json,
    Message,
    NewCall,
    StoreError,
)
from ivr.store.schema import audit, calls, events, outbox

ERASED = "erased"
"""What stands in place of a number after its erasure."""

Announce = Callable[[CallRecord], Sequence[Delivery]]
"""Makes the deliveries that tell the world of a call's end; they are stored in the transaction that ends
it."""


_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode


def to_json(value: object) -> str:
    """Compact JSON; raises `StoreError` for what JSON cannot say."""
    try:
        return encodable(_encode(value))
    except (TypeError, ValueError) as error:
        raise StoreError(f"not JSON: {error}") from error


def encodable(text: str) -> str:
    """The text with `?` for what a database may not take (undecodable bytes, NUL): what a peer sends must
    not spoil the
    record of its call."""
    text = text.replace("\0", "?")
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode(errors="replace").decode()
    return text


@dataclass(frozen=True, slots=True)
class Create:
    row: Mapping[str, Any]

    @classmethod
    def of(cls, call: NewCall) -> Create:
        return cls(
            {
                "id": call.id,
                "direction": call.direction,
                "state": CallState.CREATED.value,
                "flow": call.flow,
                "flow_hash": call.flow_hash,
                "language": call.language,
                "trunk": call.trunk,
                "caller": encodable(call.caller),
                "called": encodable(call.called),
                "params": to_json(call.params),
                "created_at": call.created_at,
                "idempotency_key": call.idempotency_key,
                "fingerprint": call.fingerprint,
            }
        )


@dataclass(frozen=True, slots=True)
class Append:
    """Rows of the events table."""

    rows: Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Change:
    """New values of columns of a call; without effect once it has ended."""

    call_id: str
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Finish:
    """The end of a call, its last columns and what else must go out with it; without effect when it has
    ended."""

    call_id: str
    values: Mapping[str, Any]
    deliveries: Sequence[Delivery] = ()


@dataclass(frozen=True, slots=True)
class Enqueue:
    deliveries: Sequence[Delivery]


@dataclass(frozen=True, slots=True)
class Settle:
    """What became of a delivery: `next_at` None means no further try."""

    delivery_id: str
    attempts: int
    next_at: float | None
    delivered_at: float | None
    last_error: str | None


@dataclass(frozen=True, slots=True)
class Erase:
    """Deletes what a call holds of persons; gives the paths of its recording and messages."""

    call_id: str
    at: float


Write = Create | Append | Change | Finish | Enqueue | Settle | Erase | KeepVersions | KeepAudit | Deed


@dataclass(slots=True)
class _Sorted:
    """A batch by kind; `index` is the place of a write in the batch, where its outcome goes."""

    creates: list[tuple[int, Create]] = field(default_factory=list)
    events: list[Mapping[str, Any]] = field(default_factory=list)
    changes: dict[str, dict[str, Any]] = field(default_factory=dict)
    finishes: dict[str, Finish] = field(default_factory=dict)
    deliveries: list[Delivery] = field(default_factory=list)
    settled: list[Settle] = field(default_factory=list)
    erasures: list[tuple[int, Erase]] = field(default_factory=list)
    versions: list[KeepVersions] = field(default_factory=list)
    audited: list[Mapping[str, Any]] = field(default_factory=list)
    deeds: list[tuple[int, Deed]] = field(default_factory=list)


def _sort(batch: Sequence[Write]) -> _Sorted:
    kinds = _Sorted()
    for index, write in enumerate(batch):
        match write:
            case Append():
                kinds.events.extend(write.rows)
            case Change():
                kinds.changes.setdefault(write.call_id, {}).update(write.values)
            case Create():
                kinds.creates.append((index, write))
            case Finish():
                kinds.finishes.setdefault(write.call_id, write)
            case Enqueue():
                kinds.deliveries.extend(write.deliveries)
            case Settle():
                kinds.settled.append(write)
            case Erase():
                kinds.erasures.append((index, write))
            case KeepVersions():
                kinds.versions.append(write)
            case KeepAudit():
                kinds.audited.append(write.row)
            case _:
                kinds.deeds.append((index, write))
    return kinds


_OWNERS_OF = select(calls.c.idempotency_key, calls.c.id, calls.c.fingerprint).where(
    calls.c.idempotency_key.in_(bindparam("keys", expanding=True))
)
_LIVE_OF = select(calls).where(
    calls.c.id.in_(bindparam("ids", expanding=True)), calls.c.state != CallState.ENDED.value
)


class Batcher:
    """Applies batches to a connection of one SQL dialect (`sqlite` or `postgresql`)."""

    def __init__(self, dialect: str, announce: Announce) -> None:
        self._announce = announce
        self._dialect = dialect
        make = postgresql.insert if dialect == "postgresql" else sqlite.insert

        def insert_new(table: Table) -> Insert:
            return make(table).on_conflict_do_nothing()

        self._insert_call = insert_new(calls)
        self._insert_event = insert_new(events)
        self._insert_delivery = insert_new(outbox)
        self._insert_audit = insert_new(audit)
        self._settle = (
            update(outbox)
            .where(outbox.c.id == bindparam("_id"))
            .values({name: bindparam(name) for name in ("attempts", "next_at", "delivered_at", "last_error")})
        )
        self._updates: dict[tuple[str, ...], Executable] = {}

    def apply(self, connection: Connection, batch: Sequence[Write]) -> list[object]:
        """Executes the batch in the connection's transaction; gives the outcome of each write (an exception
        for one that was refused)."""
        kinds = _sort(batch)
        outcomes: list[object] = [None] * len(batch)
        if kinds.creates:
            self._create(connection, kinds.creates, outcomes)
        if kinds.events:
            connection.execute(self._insert_event, kinds.events)
        if kinds.changes:
            self._change(connection, kinds.changes)
        deliveries = kinds.deliveries
        if kinds.finishes:
            deliveries = deliveries + self._finish(connection, kinds.finishes)
        if deliveries:
            connection.execute(self._insert_delivery, [_delivery_row(each) for each in deliveries])
        if kinds.settled:
            connection.execute(self._settle, [_settle_row(each) for each in kinds.settled])
        if kinds.versions:
            write_versions(connection, self._dialect, kinds.versions)
        if kinds.audited:
            connection.execute(self._insert_audit, kinds.audited)
        for index, erasure in kinds.erasures:
            outcomes[index] = self._erase(connection, erasure)
        for index, deed in kinds.deeds:
            outcomes[index] = deed.apply(connection, self._dialect)
        return outcomes

    def _create(
        self, connection: Connection, creates: Iterable[tuple[int, Create]], outcomes: list[object]
    ) -> None:
        connection.execute(self._insert_call, [create.row for _, create in creates])
        keys = {create.row["idempotency_key"] for _, create in creates} - {None}
        owners: dict[str, tuple[str, str]] = {}
        if keys:
            found = connection.execute(_OWNERS_OF, {"keys": list(keys)})
            owners = {row.idempotency_key: (row.id, row.fingerprint) for row in found}
        for index, create in creates:
            own_id, key = create.row["id"], create.row["idempotency_key"]
            call_id, fingerprint = owners[key] if key is not None else (own_id, create.row["fingerprint"])
            if fingerprint != create.row["fingerprint"]:
                outcomes[index] = IdempotencyConflict(call_id)
            else:
                outcomes[index] = Created(call_id, existing=call_id != own_id)

    def _change(self, connection: Connection, changes: Mapping[str, Mapping[str, Any]]) -> None:
        """One statement per set of columns."""
        by_columns: dict[tuple[str, ...], list[dict[str, Any]]] = {}
        for call_id, values in changes.items():
            by_columns.setdefault(tuple(sorted(values)), []).append({"_id": call_id, **values})
        for columns, rows in by_columns.items():
            statement = self._updates.get(columns)
            if statement is None:
                statement = self._updates[columns] = (
                    update(calls)
                    .where(calls.c.id == bindparam("_id"), calls.c.state != CallState.ENDED.value)
                    .values({name: bindparam(name) for name in columns})
                )
            connection.execute(statement, rows)

    def _finish(self, connection: Connection, finishes: Mapping[str, Finish]) -> list[Delivery]:
        """Ends those calls that are live, and gives what their ends owe."""
        found = connection.execute(_LIVE_OF, {"ids": list(finishes)}).mappings().all()
        self._change(connection, {row["id"]: finishes[row["id"]].values for row in found})
        deliveries: list[Delivery] = []
        for row in found:
            finish = finishes[row["id"]]
            deliveries.extend(finish.deliveries)
            deliveries.extend(self._announce(call_record({**row, **finish.values})))
        return deliveries

    def _erase(self, connection: Connection, erasure: Erase) -> object:
        """Returns the paths of its files, or the exception that refuses it."""
        one = calls.c.id == erasure.call_id
        columns = (calls.c.state, calls.c.recording, calls.c.messages, calls.c.idempotency_key)
        wanted = select(*columns).where(one)
        row = connection.execute(wanted).one_or_none()
        if row is None:
            return StoreError("no such call")
        if row.state != CallState.ENDED.value:
            return CallLive("the call has not ended yet")
        nothing = {"params": "{}", "result": None, "answered_by": None, "recording": None, "messages": None}
        numbers = {"caller": ERASED, "called": ERASED}
        connection.execute(update(calls).where(one).values(**nothing, **numbers, erased_at=erasure.at))
        connection.execute(update(events).where(events.c.call_id == erasure.call_id).values(data="{}"))
        connection.execute(delete(outbox).where(outbox.c.call_id == erasure.call_id))
        erase_contact_of_call(connection, row.idempotency_key)
        recording = [] if row.recording is None else [row.recording]
        return recording + [message["path"] for message in json.loads(row.messages or "{}").values()]


def call_record(row: Mapping[str, Any] | RowMapping) -> CallRecord:
    """A row of the calls table as a value."""

    def parsed(name: str) -> Json | None:
        text = row[name]
        return None if text is None else json.loads(text)

    return CallRecord(
        id=row["id"],
        direction=row["direction"],
        state=CallState(row["state"]),
        flow=row["flow"],
        flow_hash=row["flow_hash"],
        language=row["language"],
        trunk=row["trunk"],
        caller=row["caller"],
        called=row["called"],
        params=json.loads(row["params"]),
        result=parsed("result"),
        cause=row["cause"],
        hung_up_by=row["hung_up_by"],
        created_at=row["created_at"],
        ringing_at=row["ringing_at"],
        answered_at=row["answered_at"],
        ended_at=row["ended_at"],
        quality=parsed("quality"),
        recording=row["recording"],
        idempotency_key=row["idempotency_key"],
        erased_at=row["erased_at"],
        answered_by=parsed("answered_by"),
        messages={name: Message(**message) for name, message in (parsed("messages") or {}).items()},
    )


def _delivery_row(delivery: Delivery) -> dict[str, Any]:
    return {
        "id": delivery.id,
        "call_id": delivery.call_id,
        "target": delivery.target,
        "method": delivery.method,
        "carrier": delivery.carrier,
        "body": delivery.body,
        "created_at": delivery.created_at,
        "attempts": 0,
        "next_at": delivery.created_at,
    }


def _settle_row(settle: Settle) -> dict[str, Any]:
    return {
        "_id": settle.delivery_id,
        "attempts": settle.attempts,
        "next_at": settle.next_at,
        "delivered_at": settle.delivered_at,
        "last_error": settle.last_error,
    }
