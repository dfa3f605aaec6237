"""What `ivr admin` does. Each gives the exit status: 0, or 1 with the reason on stderr.

Changes of users are written to the server's audit log where it can be reached.
"""

from __future__ import annotations

import asyncio
import getpass
import logging
import sys
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import uvloop

from ivr.admin import passwords
from ivr.admin.accounts import Accounts, AccountsError, Lifetimes
from ivr.admin.config import Admin
from ivr.admin.gateway import GatewayClient, GatewayError
from ivr.admin.roles import Role
from ivr.config import ConfigError, load_or_default

_SHELL: Final = "ivr admin user"


def run(config: Path, announce: Path | None) -> int:
    logging.basicConfig(
        level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    logging.getLogger("httpx").setLevel(logging.WARNING)
    from ivr.admin.app import NoKey, serve

    try:
        settings = load_or_default(config).admin
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(serve(settings, announce))
    except (ConfigError, NoKey, AccountsError, OSError) as error:
        print(f"ivr: {error}", file=sys.stderr)
        return 1
    return 0


def add_user(config: Path, name: str, role: str) -> int:
    async def add(accounts: Accounts) -> str:
        wanted = Role.named(role)
        if await accounts.user(name) is not None:
            raise AccountsError(f"there is a user {name} already")
        await accounts.add(name, wanted, _new_password(name), time.time())
        return f"{name} may log in as {role}."

    return _done(config, add, "user.added", name, role=role)


def set_password(config: Path, name: str) -> int:
    async def change(accounts: Accounts) -> str:
        await _known(accounts, name)
        await accounts.set_password(name, _new_password(name))
        return f"{name} has another password; sessions that lasted are over."

    return _done(config, change, "user.password", name)


def set_role(config: Path, name: str, role: str) -> int:
    async def change(accounts: Accounts) -> str:
        await accounts.set_role(name, Role.named(role))
        return f"{name} is {role} from the next action on."

    return _done(config, change, "user.role", name, role=role)


def set_totp(config: Path, name: str, *, off: bool) -> int:
    async def change(accounts: Accounts) -> str:
        if off:
            await accounts.set_totp(name, None)
            return f"{name} logs in without a code."
        secret = passwords.new_totp_secret()
        await accounts.set_totp(name, secret)
        return (
            f"{name} needs a code from now on. For the authenticator, shown this once:\n"
            f"  secret  {secret}\n  link    {passwords.totp_link(name, secret)}"
        )

    return _done(config, change, "user.totp", name, on=not off)


def remove_user(config: Path, name: str) -> int:
    async def remove(accounts: Accounts) -> str:
        await accounts.remove(name)
        return f"{name} is removed; sessions that lasted are over."

    return _done(config, remove, "user.removed", name)


def list_users(config: Path) -> int:
    async def listed(accounts: Accounts) -> str:
        rows = [("NAME", "ROLE", "CODE", "LAST LOG-IN")]
        for user in await accounts.users():
            last = (
                "never"
                if user.seen_at is None
                else f"{datetime.fromtimestamp(user.seen_at, UTC):%Y-%m-%d %H:%M} UTC"
            )
            rows.append((user.name, user.role.title, "yes" if user.totp else "no", last))
        if len(rows) == 1:
            return f"There is no user yet: {_SHELL} add NAME --role admin"
        widths = [max(len(row[column]) for row in rows) for column in range(4)]
        return "\n".join(
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in rows
        )

    return _done(config, listed)


def _done(
    config: Path,
    change: Callable[[Accounts], Awaitable[str]],
    action: str | None = None,
    target: str = "",
    **detail: Any,
) -> int:
    try:
        settings = load_or_default(config).admin
        print(asyncio.run(_with_accounts(settings, change)))
        if action is not None:
            asyncio.run(_audited(settings, action, target, detail))
    except (ConfigError, AccountsError, ValueError, OSError) as error:
        print(f"ivr: {error}", file=sys.stderr)
        return 1
    return 0


async def _with_accounts(settings: Admin, change: Callable[[Accounts], Awaitable[str]]) -> str:
    accounts = await Accounts.open(
        settings.users, Lifetimes(settings.session_hours * 3600, settings.idle_minutes * 60)
    )
    try:
        return await change(accounts)
    finally:
        await accounts.close()


async def _audited(settings: Admin, action: str, target: str, detail: dict[str, Any]) -> None:
    if settings.key is None:
        return
    gateway = GatewayClient(settings.gateway, settings.key)
    by = f"shell:{getpass.getuser()}"
    entry = {"action": action, "operator": by, "target": target, "detail": detail}
    try:
        await gateway.send("POST", "/admin/audit", by=by, body=entry)
    except GatewayError as error:
        print(f"ivr: not in the audit log: {error}", file=sys.stderr)
    finally:
        await gateway.close()


async def _known(accounts: Accounts, name: str) -> None:
    if await accounts.user(name) is None:
        raise AccountsError(f"there is no user {name}")


def _new_password(name: str) -> str:
    """The hash of a password that was typed twice, or was given as a line of standard input."""
    if sys.stdin.isatty():
        password = getpass.getpass(f"Password for {name}: ")
        if getpass.getpass("Once more: ") != password:
            raise AccountsError("the two differ; nothing was changed")
    else:
        password = sys.stdin.readline().rstrip("\r\n")
    if (why := passwords.fault_of(password, name)) is not None:
        raise AccountsError(f"{why}; nothing was changed")
    return passwords.hashed(password)
