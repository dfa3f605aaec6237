"""Reading a store that a server may have open meanwhile: without its lock, and without writing anything."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, create_engine, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from ivr.store.records import StoreError


@contextmanager
def peek(url: str) -> Iterator[Connection]:
    """A connection to the database at this address (`database_url`); raises `StoreError`."""
    try:
        engine = _engine(make_url(url))
    except (ArgumentError, ImportError) as error:
        raise StoreError(f"the database cannot be read: {error}") from error
    try:
        with engine.connect() as connection:
            yield connection
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
