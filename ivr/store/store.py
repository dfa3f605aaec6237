"""The store: calls, their events and results, and the deliveries they owe.

Writes go through one `GroupWriter`, reads through connections of their own. What a method calls durable
survives a kill of the process at any moment after it returned.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import logging
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any, Self

from sqlalchemy import Select, create_engine, event, func, select, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from ivr.store.audit import (
    AuditEntry,
    AuditPage,
    AuditQuery,
    KeepAudit,
    entries_of,
    page_of,
)
from ivr.store.batch import (
    Announce,
    Append,
    Batcher,
    Change,
    Create,
    Enqueue,
    Erase,
    Finish,
    Settle,
    call_record,
    to_json,
)
from ivr.store.campaigns import CampaignBook
from ivr.store.flows import FlowVersion, KeepVersions, from_rows, newest_of_all, one_version, versions_of
from ivr.store.listing import ALL_CALLS, CallQuery, call_page, calls_of
from ivr.store.parts import Deed
from ivr.store.records import (
    INTERRUPTED,
    CallEvent,
    CallPage,
    CallRecord,
    CallState,
    Carrier,
    Created,
    Delivery,
    DueDelivery,
    Ending,
    Json,
    Message,
    NewCall,
    StoredEvent,
    StoreError,
    StoreUnavailable,
)
from ivr.store.schema import calls, events, outbox, prepare, tune_sqlite
from ivr.store.suppressions import SuppressionList
from ivr.store.traffic import Counted, TrafficCounts
from ivr.store.writer import GroupWriter, Observer, reason

log = logging.getLogger(__name__)

DEADLINE_S = 5.0
CHECKPOINT_S = 15.0
_COUNTERS = 20_000
_DRIVERS = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+psycopg"}
_BLOCKING_DRIVERS = {"sqlite+aiosqlite": "sqlite+pysqlite", "postgresql+asyncpg": "postgresql+psycopg"}
_STATE_TIMES = {CallState.RINGING: "ringing_at", CallState.ANSWERED: "answered_at"}


def database_url(folder: Path, database: str | None = None) -> str:
    """The address of the database: `database` when given, else the file `calls.db` in `folder`."""
    return database or f"sqlite+aiosqlite:///{folder / 'calls.db'}"


def _no_announcement(_: CallRecord) -> Sequence[Delivery]:
    return ()


class Store:
    """Open one with `Store.open`; one server has a database to itself. Times are Unix seconds (UTC)."""

    def __init__(self, engine: AsyncEngine, writer: GroupWriter, lock: IO[bytes] | None) -> None:
        self._engine = engine
        self._writer = writer
        self._lock = lock
        self._last_seq: OrderedDict[str, int] = OrderedDict()
        self._on_deliveries: Callable[[], None] = lambda: None
        self._traffic = TrafficCounts()
        self._on_end: Callable[[str], None] = lambda _: None
        self.campaigns = CampaignBook(self._reading, self.perform)
        self.suppressions = SuppressionList(self._reading, self.perform)
        self._checkpoints: asyncio.Task[None] | None = None
        if lock is not None:
            self._checkpoints = asyncio.create_task(self._checkpoint(), name="store checkpoints")

    @classmethod
    async def open(
        cls, url: str, *, announce: Announce = _no_announcement, observer: Observer | None = None
    ) -> Self:
        """Opens (and where needed creates) the database at a SQLAlchemy URL.

        `announce` makes the deliveries that a call's end owes; they are stored with the end itself. Raises
        `StoreError`: another process has it open, it is of a newer release, or it cannot be reached.
        """
        address = _address(url)
        lock = _lock_file(address) if address.get_backend_name() == "sqlite" else None
        engine = create_async_engine(address, pool_size=4, pool_pre_ping=lock is None)
        try:
            if lock is not None:
                event.listen(engine.sync_engine, "connect", tune_sqlite)
            async with engine.begin() as connection:
                await connection.run_sync(prepare)
        except (SQLAlchemyError, StoreError, OSError) as error:
            await engine.dispose()
            if lock is not None:
                lock.close()
            why = reason(error) if isinstance(error, SQLAlchemyError) else error
            raise StoreError(f"{address.render_as_string(hide_password=True)}: {why}") from error
        writer_engine = create_engine(
            address.set(drivername=_BLOCKING_DRIVERS.get(address.drivername, address.drivername)), pool_size=1
        )
        if lock is not None:
            event.listen(writer_engine, "connect", tune_sqlite)
        writer = GroupWriter(writer_engine, Batcher(engine.dialect.name, announce), observer=observer)
        return cls(engine, writer, lock)

    async def close(self) -> None:
        """Writes what is queued and closes the database."""
        try:
            await self._writer.close()
        finally:
            if self._checkpoints is not None:
                self._checkpoints.cancel()
                with suppress(asyncio.CancelledError):
                    await self._checkpoints
            await self._engine.dispose()
            if self._lock is not None:
                self._lock.close()

    @property
    def alone(self) -> bool:
        """Whether no other process can have this database open."""
        return self._lock is not None

    @property
    def backlog(self) -> int:
        """Writes that are not committed yet."""
        return self._writer.backlog

    @property
    def failing(self) -> str | None:
        """Why nothing can be written at present; None when all is well."""
        return self._writer.failing

    # --- a call's life
    # --------------------------------------------------------------------------------------

    async def create_call(self, call: NewCall, *, deadline_s: float = DEADLINE_S) -> Created:
        """Stores a new call, durable. A key that is known gives the call it belongs to; raises
        `IdempotencyConflict` where that was another request."""
        created: Created = await self._writer.commit(Create.of(call), deadline_s)
        if not created.existing:
            self._remember(call.id, 0)
        return created

    async def advance(self, call_id: str, state: CallState, at: float) -> None:
        """Queues the step to `RINGING` or `ANSWERED`."""
        await self._writer.put(Change(call_id, {"state": state.value, _STATE_TIMES[state]: at}))

    async def set_language(self, call_id: str, language: str) -> None:
        """Queues the language the call is held in."""
        await self._writer.put(Change(call_id, {"language": language}))

    async def set_answered_by(self, call_id: str, answer: Json) -> None:
        """Queues who answered, and by what sign it was known."""
        await self._writer.put(Change(call_id, {"answered_by": to_json(answer)}))

    async def set_recording(self, call_id: str, path: str | None) -> None:
        """Queues where the recording lies, or that there is none any more; worth doing when it begins, so
        that a crash does not hide it."""
        await self._writer.put(Change(call_id, {"recording": path}))

    async def set_messages(self, call_id: str, messages: Mapping[str, Message]) -> None:
        """Queues which messages there are, and where they lie."""
        listed = {name: asdict(message) for name, message in messages.items()}
        await self._writer.put(Change(call_id, {"messages": to_json(listed)}))

    async def append_events(
        self,
        call_id: str,
        happened: Sequence[CallEvent],
        *,
        durable: bool = False,
        deadline_s: float = DEADLINE_S,
    ) -> None:
        """Adds events behind those the call has; queued, or with `durable` committed on return (or
        `StoreUnavailable` after `deadline_s`)."""
        if call_id not in self._last_seq:
            await self._find_last_seq(call_id)
        append = Append(self._rows(call_id, happened))
        if durable:
            await self._writer.commit(append, deadline_s)
        else:
            await self._writer.put(append)

    async def commit_result(self, call_id: str, result: Json, *, deadline_s: float = DEADLINE_S) -> None:
        """Stores the result as it stands, durable, with everything queued before it. Raises
        `StoreUnavailable`."""
        await self._writer.commit(Change(call_id, {"result": to_json(result)}), deadline_s)

    async def finish_call(
        self,
        call_id: str,
        ending: Ending,
        *,
        deliveries: Sequence[Delivery] = (),
        deadline_s: float = DEADLINE_S,
    ) -> None:
        """Ends the call: its last columns, `deliveries` and those that `announce` makes, in one transaction,
        durable.

        A call that has ended stays as it is.
        """
        await self._writer.commit(_finish(call_id, ending, deliveries), deadline_s)
        self._on_deliveries()
        self._on_end(call_id)

    def on_end(self, listener: Callable[[str], None]) -> None:
        """Has `listener` called with the id of every call whose end is stored."""
        self._on_end = listener

    async def recover(self, now: float) -> list[str]:
        """To be called once before the first call: ends the calls that a crash left live, with the cause
        `interrupted`, at the time of their last sign of life; what `announce` makes is queued. Gives their
        ids."""
        last_event = (
            select(events.c.call_id, func.max(events.c.at).label("at")).group_by(events.c.call_id).subquery()
        )
        query = (
            select(calls, last_event.c.at.label("seen_at"))
            .outerjoin(last_event, last_event.c.call_id == calls.c.id)
            .where(calls.c.state != CallState.ENDED.value)
            .order_by(calls.c.created_at)
        )
        async with self._reading() as connection:
            rows = (await connection.execute(query)).mappings().all()
        endings = []
        for row in rows:
            seen = [row[name] for name in ("created_at", "ringing_at", "answered_at", "seen_at")]
            last_seen = max(at for at in seen if at is not None)
            await self.append_events(row["id"], [CallEvent(now, INTERRUPTED, {"last_seen": last_seen})])
            endings.append(
                self.finish_call(row["id"], Ending(at=last_seen, cause=INTERRUPTED, hung_up_by="us"))
            )
        await asyncio.gather(*endings)
        if rows:
            log.warning("%d calls were cut off when the server stopped; their records are closed", len(rows))
        return [row["id"] for row in rows]

    async def erase_call(self, call_id: str, at: float) -> list[str]:
        """Deletes numbers, parameters, result, who answered, the data of events and stored deliveries of an
        ended call, durable.

        Gives the paths of its recording and messages, which are the caller's to delete. Raises `CallLive`, or
        `StoreError` for an unknown id.
        """
        files: list[str] = await self._writer.commit(Erase(call_id, at), DEADLINE_S)
        return files

    # --- reading
    # --------------------------------------------------------------------------------------------

    async def get_call(self, call_id: str) -> CallRecord | None:
        """The call as committed."""
        return await self._one(select(calls).where(calls.c.id == call_id))

    async def call_of_key(self, idempotency_key: str) -> tuple[CallRecord, str] | None:
        """The call that the key created, and the fingerprint of the request that did."""
        async with self._reading() as connection:
            found = await connection.execute(select(calls).where(calls.c.idempotency_key == idempotency_key))
            row = found.mappings().one_or_none()
        return None if row is None else (call_record(row), row["fingerprint"])

    async def list_calls(
        self, query: CallQuery = ALL_CALLS, *, cursor: str | None = None, limit: int = 50
    ) -> CallPage:
        """Calls, newest first. `cursor` is `CallPage.next` of the page before; raises `ValueError` when it is
        not."""
        chosen = calls_of(query, cursor, limit)
        async with self._reading() as connection:
            rows = (await connection.execute(chosen)).mappings().all()
        return call_page(rows, limit)

    async def list_events(self, call_id: str) -> list[StoredEvent]:
        """All events of a call in their order."""
        columns = select(events.c.seq, events.c.at, events.c.kind, events.c.data)
        query = columns.where(events.c.call_id == call_id).order_by(events.c.seq)
        async with self._reading() as connection:
            rows = await connection.execute(query)
            return [StoredEvent(row.seq, row.at, row.kind, json.loads(row.data)) for row in rows]

    # --- flows
    # ----------------------------------------------------------------------------------------------

    async def keep_flow_versions(self, versions: Sequence[FlowVersion]) -> None:
        """Queues versions for the history of their flows."""
        await self._writer.put(KeepVersions(versions))

    async def flow_versions(self, flow: str) -> list[FlowVersion]:
        """The versions of a flow that are kept, newest first, without their texts."""
        async with self._reading() as connection:
            return from_rows(await connection.execute(versions_of(flow)))

    async def flow_version(self, flow: str, hash: str) -> FlowVersion | None:
        """The version of a flow with this hash."""
        async with self._reading() as connection:
            return next(iter(from_rows(await connection.execute(one_version(flow, hash)))), None)

    async def newest_flow_versions(self) -> list[FlowVersion]:
        """The version of each flow that was put last."""
        async with self._reading() as connection:
            return from_rows(await connection.execute(newest_of_all()))

    # --- audit
    # ----------------------------------------------------------------------------------------------

    async def keep_audit(self, entry: AuditEntry, *, deadline_s: float = DEADLINE_S) -> None:
        """Stores what somebody did, durable; after `deadline_s` it raises `StoreUnavailable`, and stays
        queued."""
        row = asdict(entry) | {"details": to_json(entry.details)}
        await self._writer.commit(KeepAudit(row), deadline_s)

    async def list_audit(self, query: AuditQuery, *, cursor: str | None = None, limit: int = 50) -> AuditPage:
        """What was done, newest first. `cursor` is `AuditPage.next` of the page before; raises `ValueError`
        when it is not."""
        async with self._reading() as connection:
            rows = (await connection.execute(entries_of(query, cursor, limit))).mappings().all()
        return page_of(rows, limit)

    async def traffic(
        self, flow: str, hash: str | None, since: float, until: float, *, now: float, within_s: float
    ) -> Counted:
        """As `TrafficCounts.count`."""
        async with self._reading() as connection:
            return await self._traffic.count(connection, flow, hash, since, until, now=now, within_s=within_s)

    # --- deliveries
    # -----------------------------------------------------------------------------------------

    async def enqueue(self, deliveries: Sequence[Delivery]) -> None:
        """Stores deliveries to be made, durable."""
        await self._writer.commit(Enqueue(deliveries), DEADLINE_S)
        self._on_deliveries()

    async def due_deliveries(
        self, now: float, limit: int, *, carrier: Carrier = "http", except_for: Sequence[str] = ()
    ) -> list[DueDelivery]:
        """Deliveries whose time has come, longest due first (those never tried in the order of their making),
        without those to the targets `except_for`."""
        query = select(outbox).where(outbox.c.carrier == carrier, outbox.c.next_at <= now)
        query = query.order_by(outbox.c.next_at, outbox.c.id).limit(limit)
        if except_for:
            query = query.where(outbox.c.target.not_in(except_for))
        async with self._reading() as connection:
            rows = (await connection.execute(query)).mappings().all()
        return [
            DueDelivery(
                Delivery(
                    id=row["id"],
                    call_id=row["call_id"],
                    target=row["target"],
                    body=row["body"],
                    created_at=row["created_at"],
                    method=row["method"],
                ),
                row["attempts"],
            )
            for row in rows
        ]

    def on_deliveries(self, listener: Callable[[], None]) -> None:
        """Has `listener` called whenever deliveries may have been added."""
        self._on_deliveries = listener

    async def waiting_deliveries(
        self, now: float, carrier: Carrier | None = None
    ) -> tuple[int, float | None]:
        """How many deliveries wait, of one carrier or of all, and when the next becomes due after `now`."""
        later = func.min(outbox.c.next_at).filter(outbox.c.next_at > now)
        query = select(func.count(), later).where(outbox.c.next_at.is_not(None))
        if carrier is not None:
            query = query.where(outbox.c.carrier == carrier)
        async with self._reading() as connection:
            count, next_at = (await connection.execute(query)).one()
        return count, next_at

    async def settle_delivery(self, settle: Settle) -> None:
        """Stores what became of a try, durable but in no hurry."""
        await self._writer.commit(settle, DEADLINE_S, at_once=False)

    # --- for the other parts of the store
    # -----------------------------------------------------------------------

    async def perform(self, deed: Deed, *, deadline_s: float = DEADLINE_S) -> Any:
        """Carries out a write of another part, durable; gives its outcome, or raises the one that refuses
        it."""
        return await self._writer.commit(deed, deadline_s)

    # --- inside
    # ---------------------------------------------------------------------------------------------

    def _rows(self, call_id: str, happened: Sequence[CallEvent]) -> list[dict[str, Any]]:
        last = self._last_seq[call_id]
        rows = [
            {"call_id": call_id, "seq": seq, "at": each.at, "kind": each.kind, "data": to_json(each.data)}
            for seq, each in enumerate(happened, last + 1)
        ]
        self._remember(call_id, last + len(rows))
        return rows

    def _remember(self, call_id: str, seq: int) -> None:
        self._last_seq[call_id] = seq
        self._last_seq.move_to_end(call_id)
        if len(self._last_seq) > _COUNTERS:
            self._last_seq.popitem(last=False)

    async def _find_last_seq(self, call_id: str) -> None:
        query = select(func.coalesce(func.max(events.c.seq), 0)).where(events.c.call_id == call_id)
        async with self._reading() as connection:
            last = (await connection.execute(query)).scalar_one()
        if call_id not in self._last_seq:
            self._remember(call_id, last)

    @asynccontextmanager
    async def _reading(self) -> AsyncIterator[AsyncConnection]:
        """A connection to read with; what goes wrong on it is a `StoreUnavailable`."""
        try:
            async with self._engine.connect() as connection:
                yield connection
        except SQLAlchemyError as error:
            raise StoreUnavailable(f"the store cannot be read: {reason(error)}") from error

    async def _one(self, query: Select[Any]) -> CallRecord | None:
        async with self._reading() as connection:
            row = (await connection.execute(query)).mappings().one_or_none()
        return None if row is None else call_record(row)

    async def _checkpoint(self) -> None:
        """Moves the write-ahead log into the database file, from a connection that no call waits for."""
        while True:
            await asyncio.sleep(CHECKPOINT_S)
            try:
                async with self._reading() as connection:
                    await connection.execute(text("PRAGMA wal_checkpoint(PASSIVE)"))
            except StoreError as error:
                log.warning("checkpoint: %s", error)


def _finish(call_id: str, ending: Ending, deliveries: Sequence[Delivery]) -> Finish:
    values: dict[str, Any] = {
        "state": CallState.ENDED.value,
        "ended_at": ending.at,
        "cause": ending.cause,
        "hung_up_by": ending.hung_up_by,
    }
    if ending.result is not None:
        values["result"] = to_json(ending.result)
    if ending.quality is not None:
        values["quality"] = to_json(asdict(ending.quality))
    if ending.recording is not None:
        values["recording"] = ending.recording
    return Finish(call_id, values, deliveries)


def _address(url: str) -> URL:
    """The URL with the driver we use where it names none; raises `StoreError`."""
    try:
        address = make_url(url)
        if address.drivername in _DRIVERS:
            address = address.set(drivername=_DRIVERS[address.drivername])
        if address.get_backend_name() not in _DRIVERS:
            raise StoreError(f"the store knows SQLite and PostgreSQL, not {address.get_backend_name()}")
        address.get_dialect().import_dbapi()
    except ArgumentError:
        raise StoreError("not a database URL; write it as postgresql://user:password@host/name") from None
    except ImportError as error:
        raise StoreError(
            f"the driver of {address.drivername} is not installed: pip install {error.name}"
        ) from error
    return address


def _lock_file(address: URL) -> IO[bytes]:
    """Holds the database for this process: a second server would close the calls of the first as
    interrupted."""
    if not address.database or address.database == ":memory:":
        raise StoreError("the store needs a file: a database in memory would not survive anything")
    path = Path(address.database)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = open(f"{path}.lock", "wb")  # noqa: SIM115 (held until the store is closed)
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror}") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.close()
        raise StoreError(f"{path}: another server process uses this database") from error
    return lock
