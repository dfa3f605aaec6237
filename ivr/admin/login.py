"""Logging in and out: the only forms of the dashboard, each with a token that belongs to it."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import math
import secrets
import time
from collections.abc import Awaitable, Callable
from typing import Annotated, Final

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response

from ivr.admin import passwords
from ivr.admin.accounts import Accounts, Session
from ivr.admin.audit import AuditTrail
from ivr.admin.door import cookie_name
from ivr.admin.lockout import Lockout
from ivr.admin.login_page import login_page

FORM_COOKIE: Final = "ivr-admin-form"
FORM_S: Final = 3600
WAITING_MOST: Final = 50
"""Log-ins that may wait for their password to be looked at; each takes some 50 ms."""

_WRONG: Final = "The name, the password or the code is wrong."
_Short = Annotated[str, Form(max_length=512)]


class Csrf:
    """Tokens of forms: each belongs to a session, or to a browser that has none yet. They live as long as
    this process."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)

    def token(self, subject: str) -> str:
        return hmac.new(self._key, subject.encode(), hashlib.sha256).hexdigest()

    def fits(self, subject: str, token: str) -> bool:
        return bool(subject) and hmac.compare_digest(self.token(subject).encode(), token.encode())


class Logins:
    """Tells who may come in. At most two passwords are looked at at once, in threads."""

    def __init__(
        self,
        accounts: Accounts,
        audit: AuditTrail,
        lockout: Lockout,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._accounts = accounts
        self._audit = audit
        self._clock = clock
        self._lockout = lockout
        self._looking = asyncio.Semaphore(2)
        self._waiting = 0

    async def wait_s(self, name: str, address: str) -> float:
        """How long this name from this address must wait; 0: it may try."""
        if self._waiting >= WAITING_MOST:
            return 1.0
        return self._lockout.wait_s(name, address, self._clock())

    async def log_in(self, name: str, password: str, code: str, address: str) -> str | None:
        """The token of a new session; None when something is wrong, and it is not told what. A try counts
        from its beginning, so that many at once are many."""
        self._lockout.failed(name, address, self._clock())
        self._waiting += 1
        try:
            async with self._looking:
                right = await self._right(name, password, code)
        finally:
            self._waiting -= 1
        if not right:
            known = await self._accounts.user(name) is not None
            self._audit.note("login", name if known else "", address=address, outcome="refused")
            return None
        self._lockout.succeeded(name, address)
        token = await self._accounts.log_in(name, address, self._clock())
        self._audit.note("login", name, address=address)
        return token

    async def _right(self, name: str, password: str, code: str) -> bool:
        known = await self._accounts.credentials(name)
        hash = None if known is None else known.password
        if not await asyncio.to_thread(passwords.fits, password, hash) or known is None:
            return False
        if known.totp is not None:
            step = passwords.totp_step(known.totp, code, self._clock(), known.totp_step)
            if step is None or not await self._accounts.use_totp(name, step):
                return False
        if passwords.outdated(known.password):
            renewed = await asyncio.to_thread(passwords.hashed, password)
            await self._accounts.renew_hash(name, renewed)
        return True


def routes(
    accounts: Accounts,
    logins: Logins,
    csrf: Csrf,
    audit: AuditTrail,
    sweep: Callable[[], Awaitable[None]],
    session_s: float,
) -> APIRouter:
    router = APIRouter(include_in_schema=False)

    async def page(
        request: Request, wanted: str, fault: str = "", name: str = "", status: int = 200
    ) -> Response:
        browser = request.cookies.get(FORM_COOKIE) or secrets.token_urlsafe(16)
        nobody = not await accounts.users()
        html = login_page(csrf.token(browser), wanted, fault, name, nobody=nobody)
        answer = HTMLResponse(html, status)
        _set(answer, request, FORM_COOKIE, browser, FORM_S)
        return answer

    @router.get("/login")
    async def show(request: Request, next: str = "/") -> Response:
        if request.state.session is not None:
            return RedirectResponse(_ours(next), 303)
        return await page(request, _ours(next))

    @router.post("/login")
    async def enter(
        request: Request,
        name: _Short = "",
        password: _Short = "",
        code: _Short = "",
        csrf_token: Annotated[str, Form(alias="csrf", max_length=128)] = "",
        next: _Short = "/",
    ) -> Response:
        name, wanted = name.strip().lower(), _ours(next)
        address = request.client.host if request.client else ""
        if not csrf.fits(request.cookies.get(FORM_COOKIE, ""), csrf_token):
            return await page(request, wanted, "The page was too old. Please try again.", name, 403)
        wait_s = math.ceil(await logins.wait_s(name, address))
        if wait_s:
            audit.note("login", "", address=address, outcome="refused", why="too many tries")
            answer = await page(request, wanted, f"Too many tries. Please wait {wait_s} s.", name, 429)
            answer.headers["Retry-After"] = str(wait_s)
            return answer
        token = await logins.log_in(name, password, code, address)
        if token is None:
            return await page(request, wanted, _WRONG, name, 401)
        entered = RedirectResponse(wanted, 303)
        _set(entered, request, cookie_name(request.state.secure), token, int(session_s))
        entered.delete_cookie(FORM_COOKIE)
        return entered

    @router.post("/logout")
    async def leave(
        request: Request,
        csrf_token: Annotated[str, Form(alias="csrf", max_length=128)] = "",
        everywhere: bool = Form(default=False),
    ) -> Response:
        session: Session = request.state.session
        if not csrf.fits(session.digest, csrf_token):
            return PlainTextResponse("The page was too old: load it again.", 403)
        if everywhere:
            await accounts.log_out_everywhere(session.user.name)
        else:
            await accounts.log_out(session.digest)
        audit.note("logout.everywhere" if everywhere else "logout", session.user.name)
        await sweep()
        left = RedirectResponse("/login", 303)
        left.delete_cookie(cookie_name(request.state.secure), secure=request.state.secure, httponly=True)
        left.headers["Clear-Site-Data"] = '"storage"'
        return left

    return router


def _set(answer: Response, request: Request, name: str, value: str, age_s: int) -> None:
    secure = request.state.secure
    answer.set_cookie(name, value, max_age=age_s, path="/", secure=secure, httponly=True, samesite="strict")


def _ours(wanted: str) -> str:
    """A path of our own; anything else is the first page."""
    inside = wanted.startswith("/") and not wanted.startswith(("//", "/\\")) and wanted.isprintable()
    return wanted if inside and not wanted.startswith("/login") else "/"
