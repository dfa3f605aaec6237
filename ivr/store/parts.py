"""What the parts of the store have of it: connections to read with, and its one writer."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncConnection


class Deed(Protocol):
    """A write that knows itself how it is applied, in a transaction with others, after the calls' own.

    What it gives is its outcome: an exception that it gives (not raises) refuses it alone. Applied twice, it
    has the effect of once.
    """

    def apply(self, connection: Connection, dialect: str) -> object: ...


class Reading(Protocol):
    def __call__(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """A connection to read with; what goes wrong on it is a `StoreUnavailable`."""


class Perform(Protocol):
    async def __call__(self, deed: Deed, *, deadline_s: float = 5.0) -> Any:
        """Carries the write out, durable; gives its outcome, or raises the one that refuses it."""
