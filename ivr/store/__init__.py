"""Durable records of calls: SQLite by default, PostgreSQL by URL."""

from ivr.store.audit import AuditEntry, AuditPage, AuditQuery
from ivr.store.batch import ERASED, Announce, Settle
from ivr.store.flows import FlowVersion
from ivr.store.listing import CallQuery
from ivr.store.records import (
    INTERRUPTED,
    CallEvent,
    CallLive,
    CallPage,
    CallRecord,
    CallState,
    Carrier,
    Created,
    Delivery,
    DueDelivery,
    Ending,
    IdempotencyConflict,
    Json,
    Message,
    NewCall,
    StoredEvent,
    StoreError,
    StoreUnavailable,
    new_id,
)
from ivr.store.store import Store, database_url

__all__ = [
    "ERASED",
    "INTERRUPTED",
    "Announce",
    "AuditEntry",
    "AuditPage",
    "AuditQuery",
    "CallEvent",
    "CallLive",
    "CallPage",
    "CallQuery",
    "CallRecord",
    "CallState",
    "Carrier",
    "Created",
    "Delivery",
    "DueDelivery",
    "Ending",
    "FlowVersion",
    "IdempotencyConflict",
    "Json",
    "Message",
    "NewCall",
    "Settle",
    "Store",
    "StoreError",
    "StoreUnavailable",
    "StoredEvent",
    "database_url",
    "new_id",
]
