"""Who may use the dashboard, and who is logged in: SQLite, a file of its own that only its owner may read.

Of a session only a digest is kept: who reads the file cannot become anybody. Times are Unix seconds.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from sqlalchemy import (
    Column,
    Double,
    Integer,
    MetaData,
    Table,
    Text,
    delete,
    event,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from ivr.admin.roles import Role

SEEN_EVERY_S: Final = 30.0
"""A session's last sign of life is written no more often."""
_NAME: Final = re.compile(r"[a-z][a-z0-9._-]{0,31}")
_VERSION: Final = 1

_tables = MetaData()
_users = Table(
    "users",
    _tables,
    Column("name", Text, primary_key=True),
    Column("role", Text, nullable=False),
    Column("password", Text, nullable=False),
    Column("totp", Text),
    Column("totp_step", Integer, nullable=False, default=0),
    Column("language", Text, nullable=False, default="en"),
    Column("dark", Integer),
    Column("created_at", Double, nullable=False),
    Column("seen_at", Double),
)
_sessions = Table(
    "sessions",
    _tables,
    Column("digest", Text, primary_key=True),
    Column("user", Text, nullable=False, index=True),
    Column("created_at", Double, nullable=False),
    Column("seen_at", Double, nullable=False),
    Column("address", Text, nullable=False),
)


class AccountsError(Exception):
    """It cannot be done; the text says why."""


@dataclass(frozen=True, slots=True)
class User:
    """Without a secret in it. `dark` None: as the browser wishes."""

    name: str
    role: Role
    totp: bool
    language: str
    dark: bool | None
    created_at: float
    seen_at: float | None


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a log-in is checked against."""

    password: str
    totp: str | None
    totp_step: int


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody is logged in; `digest` names the session without being able to open it."""

    digest: str
    user: User
    created_at: float
    seen_at: float


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """How long a session lasts: since it began, and since anything was done in it."""

    whole_s: float
    idle_s: float


class Accounts:
    """Open one with `Accounts.open`; several processes may have it open."""

    def __init__(self, engine: AsyncEngine, lifetimes: Lifetimes) -> None:
        self._engine = engine
        self._lifetimes = lifetimes

    @classmethod
    async def open(cls, path: Path, lifetimes: Lifetimes) -> Self:
        """Opens (and where needed creates) the file; raises `AccountsError`."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        except OSError as error:
            raise AccountsError(f"{path}: {error.strerror}") from error
        engine = create_async_engine(f"sqlite+aiosqlite:///{path}")
        event.listen(engine.sync_engine, "connect", _tune)
        try:
            async with engine.begin() as connection:
                await connection.run_sync(_tables.create_all)
                found = (await connection.exec_driver_sql("PRAGMA user_version")).scalar_one()
                if found not in (0, _VERSION):
                    raise AccountsError(f"{path}: was written by a newer release (version {found})")
                await connection.exec_driver_sql(f"PRAGMA user_version={_VERSION}")
        except (SQLAlchemyError, AccountsError) as error:
            await engine.dispose()
            if isinstance(error, AccountsError):
                raise
            raise AccountsError(f"{path}: cannot be used: {_reason(error)}") from error
        return cls(engine, lifetimes)

    async def close(self) -> None:
        await self._engine.dispose()

    # --- users

    async def add(self, name: str, role: Role, password_hash: str, now: float) -> None:
        """Raises `AccountsError`: the name is taken, or is none."""
        if not _NAME.fullmatch(name):
            raise AccountsError(
                f"{name!r}: a name is of a-z, 0-9, '.', '_', '-', up to 32, and begins with a letter"
            )
        try:
            async with self._writing() as connection:
                row = {"name": name, "role": role.title, "password": password_hash, "created_at": now}
                await connection.execute(insert(_users).values(row))
        except AccountsError as error:
            if isinstance(error.__cause__, IntegrityError):
                raise AccountsError(f"there is a user {name} already") from None
            raise

    async def remove(self, name: str) -> None:
        """With all sessions. Raises `AccountsError`: unknown, or the last admin."""
        async with self._writing() as connection:
            await _not_the_last_admin(connection, name)
            await connection.execute(delete(_sessions).where(_sessions.c.user == name))
            await connection.execute(delete(_users).where(_users.c.name == name))

    async def set_role(self, name: str, role: Role) -> None:
        """It counts from the next action on. Raises `AccountsError`: unknown, or the last admin."""
        async with self._writing() as connection:
            if role is not Role.ADMIN:
                await _not_the_last_admin(connection, name)
            await _change(connection, name, role=role.title)

    async def set_password(self, name: str, password_hash: str) -> None:
        """Ends all sessions of the user. Raises `AccountsError`."""
        async with self._writing() as connection:
            await _change(connection, name, password=password_hash)
            await connection.execute(delete(_sessions).where(_sessions.c.user == name))

    async def renew_hash(self, name: str, password_hash: str) -> None:
        """The same password, hashed as is done today."""
        async with self._writing() as connection:
            await _change(connection, name, password=password_hash)

    async def set_totp(self, name: str, secret: str | None) -> None:
        """Log-ins need a code from now on, or none; ends all sessions of the user. Raises `AccountsError`."""
        async with self._writing() as connection:
            await _change(connection, name, totp=secret, totp_step=0)
            await connection.execute(delete(_sessions).where(_sessions.c.user == name))

    async def use_totp(self, name: str, step: int) -> bool:
        """Whether this was the first use of the code of that step, or of a later one."""
        newer = update(_users).where(_users.c.name == name, _users.c.totp_step < step).values(totp_step=step)
        async with self._writing() as connection:
            return (await connection.execute(newer)).rowcount == 1

    async def prefer(self, name: str, language: str, dark: bool | None) -> None:
        """How the user wants to see the dashboard. Raises `AccountsError`."""
        async with self._writing() as connection:
            await _change(connection, name, language=language, dark=None if dark is None else int(dark))

    async def users(self) -> list[User]:
        """By name."""
        async with self._reading() as connection:
            rows = await connection.execute(select(_users).order_by(_users.c.name))
            return [_user(row) for row in rows.mappings()]

    async def user(self, name: str) -> User | None:
        row = await self._row(name)
        return None if row is None else _user(row)

    async def credentials(self, name: str) -> Credentials | None:
        """What a log-in of that name is checked against."""
        row = await self._row(name)
        return None if row is None else Credentials(row["password"], row["totp"], row["totp_step"])

    # --- sessions

    async def log_in(self, name: str, address: str, now: float) -> str:
        """Begins a session and gives the token that opens it: 256 bits that are kept nowhere here."""
        token = secrets.token_urlsafe(32)
        row = {
            "digest": digest_of(token),
            "user": name,
            "created_at": now,
            "seen_at": now,
            "address": address,
        }
        async with self._writing() as connection:
            await connection.execute(delete(_sessions).where(self._over(now)))
            await connection.execute(insert(_sessions).values(row))
            await _change(connection, name, seen_at=now)
        return token

    async def session(self, token: str, now: float, *, used: bool = True) -> Session | None:
        """The session that the token opens, if it still lasts; with `used` it lasts longer by that."""
        return await self.session_of(digest_of(token), now, used=used)

    async def session_of(self, digest: str, now: float, *, used: bool = True) -> Session | None:
        """The same by the session's digest."""
        joined = select(
            _users,
            _sessions.c.digest,
            _sessions.c.created_at.label("began"),
            _sessions.c.seen_at.label("used"),
        )
        query = joined.join(_sessions, _sessions.c.user == _users.c.name)
        async with self._reading() as connection:
            found = await connection.execute(query.where(_sessions.c.digest == digest, ~self._over(now)))
            row = found.mappings().one_or_none()
        if row is None:
            return None
        if used and now - row["used"] > SEEN_EVERY_S:
            async with self._writing() as connection:
                seen = update(_sessions).where(_sessions.c.digest == digest).values(seen_at=now)
                await connection.execute(seen)
        return Session(row["digest"], _user(row), row["began"], row["used"])

    async def lasting(self, now: float) -> set[str]:
        """The digests of all sessions that last."""
        async with self._reading() as connection:
            rows = await connection.execute(select(_sessions.c.digest).where(~self._over(now)))
            return set(rows.scalars())

    async def sessions_by_user(self, now: float) -> dict[str, int]:
        """How many sessions of each user last."""
        count = select(_sessions.c.user, func.count()).where(~self._over(now)).group_by(_sessions.c.user)
        async with self._reading() as connection:
            return {row[0]: row[1] for row in await connection.execute(count)}

    async def log_out(self, digest: str) -> None:
        async with self._writing() as connection:
            await connection.execute(delete(_sessions).where(_sessions.c.digest == digest))

    async def log_out_everywhere(self, name: str) -> None:
        async with self._writing() as connection:
            await connection.execute(delete(_sessions).where(_sessions.c.user == name))

    # --- inside

    def _over(self, now: float) -> Any:
        whole = _sessions.c.created_at <= now - self._lifetimes.whole_s
        return whole | (_sessions.c.seen_at <= now - self._lifetimes.idle_s)

    async def _row(self, name: str) -> Any:
        async with self._reading() as connection:
            found = await connection.execute(select(_users).where(_users.c.name == name))
            return found.mappings().one_or_none()

    @asynccontextmanager
    async def _reading(self) -> AsyncIterator[AsyncConnection]:
        try:
            async with self._engine.connect() as connection:
                yield connection
        except SQLAlchemyError as error:
            raise AccountsError(f"the users cannot be read: {_reason(error)}") from error

    @asynccontextmanager
    async def _writing(self) -> AsyncIterator[AsyncConnection]:
        try:
            async with self._engine.begin() as connection:
                yield connection
        except SQLAlchemyError as error:
            raise AccountsError(f"the users cannot be written: {_reason(error)}") from error


def digest_of(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


async def _change(connection: AsyncConnection, name: str, **values: Any) -> None:
    changed = await connection.execute(update(_users).where(_users.c.name == name).values(values))
    if changed.rowcount == 0:
        raise AccountsError(f"there is no user {name}")


async def _not_the_last_admin(connection: AsyncConnection, name: str) -> None:
    rows = {row.name: row.role for row in await connection.execute(select(_users.c.name, _users.c.role))}
    if name not in rows:
        raise AccountsError(f"there is no user {name}")
    if [who for who, role in rows.items() if role == Role.ADMIN.title] == [name]:
        raise AccountsError(f"{name} is the only admin: make another one first")


def _user(row: Any) -> User:
    return User(
        name=row["name"],
        role=Role.named(row["role"]),
        totp=row["totp"] is not None,
        language=row["language"],
        dark=None if row["dark"] is None else bool(row["dark"]),
        created_at=row["created_at"],
        seen_at=row["seen_at"],
    )


def _tune(connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    for pragma in ("busy_timeout=5000", "journal_mode=WAL", "synchronous=NORMAL", "secure_delete=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _reason(error: SQLAlchemyError) -> str:
    return str(getattr(error, "orig", None) or error).splitlines()[0]
