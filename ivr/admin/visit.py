"""One page that one user has open: who it is, what he may do, and what the page works with."""

from __future__ import annotations

import functools
import inspect
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from nicegui import ui

from ivr.admin.accounts import Accounts, AccountsError, Session, User
from ivr.admin.audit import AuditTrail
from ivr.admin.board import CallBoard
from ivr.admin.following import Follower
from ivr.admin.gateway import GatewayClient, GatewayError
from ivr.admin.lockout import Lockout
from ivr.admin.login import Csrf
from ivr.admin.roles import Role
from ivr.admin.words import said

log = logging.getLogger(__name__)

Handler = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class House:
    """What all pages share. `board` holds the live calls; `follower` keeps it."""

    accounts: Accounts
    gateway: GatewayClient
    board: CallBoard
    follower: Follower
    audit: AuditTrail
    csrf: Csrf
    lockout: Lockout
    sweep: Callable[[], Awaitable[None]]


class Visit:
    """`params` are the path's and the query's, by name."""

    def __init__(self, house: House, session: Session, params: Mapping[str, str]) -> None:
        self.house = house
        self.session = session
        self.params = params
        self.gateway = house.gateway

    @property
    def user(self) -> User:
        """As he was when the page was opened."""
        return self.session.user

    def may(self, role: Role) -> bool:
        """For what is shown. What is done is guarded by `needs`."""
        return self.user.role >= role

    def t(self, text: str) -> str:
        """The text in the user's language."""
        return said(text, self.user.language)

    def needs(self, role: Role, doing: str = "") -> Callable[[Handler], Callable[..., Awaitable[None]]]:
        """The guard of every action: of a handler it makes one that runs only while the session lasts and its
        user, as he is now, has the role; what the server refuses is told to him. `doing` names the action in
        the audit log when it was refused here."""

        def guarded(handler: Handler) -> Callable[..., Awaitable[None]]:
            takes = len(inspect.signature(handler).parameters)

            @functools.wraps(handler)
            async def act(*args: Any) -> None:
                if not await self._allowed(role, doing or handler.__name__):
                    return
                try:
                    done = handler(*args[:takes])
                    if inspect.isawaitable(done):
                        await done
                except (GatewayError, AccountsError) as error:
                    ui.notify(str(error), type="negative", multi_line=True, close_button=True, timeout=8000)

            # NiceGUI looks at the parameters to know whether a handler takes the event.
            act.__signature__ = inspect.signature(handler)  # type: ignore[attr-defined]
            return act

        return guarded

    async def _allowed(self, role: Role, doing: str) -> bool:
        # A timer of a page comes by here as a click does: that the user is there is told by the door.
        now = await self.house.accounts.session_of(self.session.digest, time.time(), used=False)
        if now is None:
            ui.navigate.to("/login")
            return False
        if now.user.role < role:
            self.house.audit.note(doing, now.user.name, outcome="refused", needs=role.title)
            ui.notify(f"{self.t('This needs the role')} {self.t(role.title)}.", type="warning")
            return False
        return True
