"""The one door of the dashboard: nothing behind it is reached without a session, save what is listed here.

Pure ASGI, so that a WebSocket goes through the same door as a page. Forms and sockets must come from our own
pages (Origin, RFC 6454; Sec-Fetch-Site); a socket ends with its session.
"""

from __future__ import annotations

import asyncio
import logging
import re
import secrets
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final
from urllib.parse import quote

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ivr.admin.accounts import Accounts, AccountsError, Session

log = logging.getLogger(__name__)

SWEEP_S: Final = 5.0
"""How long a socket may outlive a session that another process ended."""

_OPEN: Final = frozenset({"/login", "/health/live", "/favicon.ico", "/static/admin.css"})
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_BY_HAND: Final = '42["event"'
"""How a message begins that says what somebody did in a page (Engine.IO 4, Socket.IO 2); others come by
themselves."""
_SCRIPT: Final = re.compile(rb"<script(?=[\s>])")
_RELOAD: Final = (
    '<!doctype html><html lang="en"><meta charset="utf-8"><meta http-equiv="refresh" content="0">'
)


class Door:
    """ASGI middleware. `origin` is the address that browsers know, where it is configured."""

    def __init__(
        self,
        app: ASGIApp,
        accounts: Accounts,
        origin: str | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._app = app
        self._accounts = accounts
        self._origin = origin
        self._clock = clock
        self._sockets: dict[str, set[asyncio.Event]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._request(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._socket(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def sweep(self) -> None:
        """Ends the sockets whose sessions are over."""
        if not self._sockets:
            return
        lasting = await self._accounts.lasting(self._clock())
        for digest, ends in list(self._sockets.items()):
            if digest not in lasting:
                for end in ends:
                    end.set()

    async def sweep_forever(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_S)
            with suppress(AccountsError):
                await self.sweep()

    # --- requests

    async def _request(self, scope: Scope, receive: Receive, send: Send) -> None:
        nonce = secrets.token_urlsafe(16)
        state = scope.setdefault("state", {})
        state["nonce"] = nonce
        state["secure"] = self._secure(scope)
        session: Session | None = None
        try:
            session = await self._session(scope)
            refusal = self._refusal(scope, session)
        except AccountsError as error:
            log.error("%s", error)
            refusal = PlainTextResponse("The file of users cannot be read now; the log says why.", 503)
        state["session"] = session
        safer = _Safer(send, nonce, session, state["secure"])
        if refusal is not None:
            await refusal(scope, receive, safer)
        else:
            await self._app(scope, receive, safer)

    def _refusal(self, scope: Scope, session: Session | None) -> Response | None:
        headers = Headers(scope=scope)
        if scope["method"] not in _SAFE and not self._from_here(scope, headers):
            return PlainTextResponse("This did not come from a page of the dashboard.", 403)
        if session is not None or scope["path"] in _OPEN:
            return None
        if scope["method"] != "GET" or "text/html" not in headers.get("accept", ""):
            return PlainTextResponse("Nobody is logged in.", 401)
        if headers.get("sec-fetch-site") == "cross-site":
            return HTMLResponse(_RELOAD)  # a link elsewhere led here: only from our own page comes the cookie
        query = scope["query_string"].decode("latin-1")
        wanted = scope["path"] + (f"?{query}" if query else "")
        where = "/login" if wanted == "/" else f"/login?next={quote(wanted, safe='')}"
        return RedirectResponse(where, 303)

    def _from_here(self, scope: Scope, headers: Headers) -> bool:
        origin = headers.get("origin")
        if origin is not None:
            return origin == self._our_origin(scope, headers)
        return headers.get("sec-fetch-site") == "same-origin"

    # --- sockets

    async def _socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        session = await self._session(scope)
        if session is None or headers.get("origin") != self._our_origin(scope, headers):
            await receive()
            await send({"type": "websocket.close", "code": 1008})
            return
        scope.setdefault("state", {})["session"] = session
        end = asyncio.Event()
        self._sockets.setdefault(session.digest, set()).add(end)
        try:
            await self._app(scope, _ending(receive, end, lambda: self._used(session.digest)), send)
        finally:
            ends = self._sockets[session.digest]
            ends.discard(end)
            if not ends:
                del self._sockets[session.digest]

    async def _used(self, digest: str) -> None:
        with suppress(AccountsError):
            await self._accounts.session_of(digest, self._clock())

    # --- both

    async def _session(self, scope: Scope) -> Session | None:
        token = HTTPConnection(scope).cookies.get(cookie_name(self._secure(scope)))
        if not token:
            return None
        return await self._accounts.session(token, self._clock(), used=scope["type"] == "http")

    def _secure(self, scope: Scope) -> bool:
        return self._our_scheme(scope) == "https"

    def _our_scheme(self, scope: Scope) -> str:
        if self._origin is not None:
            return self._origin.partition(":")[0]
        return "https" if scope["scheme"] in ("https", "wss") else "http"

    def _our_origin(self, scope: Scope, headers: Headers) -> str:
        return self._origin or f"{self._our_scheme(scope)}://{headers.get('host', '')}"


def cookie_name(secure: bool) -> str:
    """With the prefix a browser takes it from this very host alone, and by TLS (RFC 6265bis, 4.1.3.2)."""
    return "__Host-ivr-admin" if secure else "ivr-admin"


def policy(nonce: str) -> str:
    """The Content-Security-Policy. Scripts are ours by nonce; NiceGUI's own code makes functions of text
    (`unsafe-eval`) and sets styles on elements, and cannot do without."""
    return (
        "default-src 'none'; "
        f"script-src 'self' 'nonce-{nonce}' 'unsafe-eval'; "
        "style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; "
        "connect-src 'self'; media-src 'self' blob:; worker-src 'self' blob:; manifest-src 'self'; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'"
    )


class _Safer:
    """Sends what it is given with the headers that keep a browser from harm; a page of NiceGUI, which knows
    no nonce, gets it on each of its scripts, and the language of who reads it."""

    def __init__(self, send: Send, nonce: str, session: Session | None, secure: bool) -> None:
        self._send = send
        self._nonce = nonce
        self._language = "en" if session is None else session.user.language
        self._secure = secure
        self._page: Message | None = None
        self._body = bytearray()

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers["Content-Security-Policy"] = policy(self._nonce)
            headers["X-Content-Type-Options"] = "nosniff"
            headers["X-Frame-Options"] = "DENY"
            headers["Referrer-Policy"] = "same-origin"
            headers["Cross-Origin-Opener-Policy"] = "same-origin"
            headers["Cross-Origin-Resource-Policy"] = "same-origin"
            headers["Permissions-Policy"] = "microphone=(self), camera=(), geolocation=(), payment=()"
            if self._secure:
                headers["Strict-Transport-Security"] = "max-age=31536000"
            headers.setdefault("Cache-Control", "no-store")
            if "x-nicegui-content" in headers:
                self._page = message
                return
        elif self._page is not None and message["type"] == "http.response.body":
            self._body += message.get("body", b"")
            if message.get("more_body", False):
                return
            await self._dress(self._page)
            return
        await self._send(message)

    async def _dress(self, start: Message) -> None:
        body = _SCRIPT.sub(f'<script nonce="{self._nonce}"'.encode(), bytes(self._body))
        body = body.replace(b'<html dir="ltr">', f'<html lang="{self._language}" dir="ltr">'.encode(), 1)
        MutableHeaders(scope=start)["Content-Length"] = str(len(body))
        await self._send(start)
        await self._send({"type": "http.response.body", "body": body})


def _ending(receive: Receive, end: asyncio.Event, used: Callable[[], Awaitable[None]]) -> Receive:
    """The same messages until the event; then the socket is gone."""
    ended = False

    async def next_message() -> Message:
        nonlocal ended
        if ended:
            return {"type": "websocket.disconnect", "code": 1008}
        coming = asyncio.ensure_future(receive())
        ending = asyncio.ensure_future(end.wait())
        try:
            await asyncio.wait((coming, ending), return_when=asyncio.FIRST_COMPLETED)
            if ending.done():
                ended = True
                return {"type": "websocket.disconnect", "code": 1008}
            message = coming.result()
        finally:
            ending.cancel()
            coming.cancel()
        if (message.get("text") or "").startswith(_BY_HAND):
            await used()
        return message

    return next_message
