"""The dashboard's application: NiceGUI's pages and a few plain routes behind one door."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Final

import uvicorn
from fastapi import FastAPI, Request
from fastapi.middleware.gzip import GZipMiddleware
from fastapi.responses import PlainTextResponse, Response
from fastapi.staticfiles import StaticFiles
from nicegui import core, ui

import webrtc
from engines.service.serving import announced
from ivr.admin import login, passing
from ivr.admin.accounts import Accounts, Lifetimes
from ivr.admin.audit import AuditTrail
from ivr.admin.board import CallBoard
from ivr.admin.config import Admin
from ivr.admin.door import Door
from ivr.admin.following import Follower
from ivr.admin.gateway import GatewayClient
from ivr.admin.layout import frame
from ivr.admin.lockout import Lockout
from ivr.admin.pages import Page
from ivr.admin.pages.all import PAGES
from ivr.admin.visit import House, Visit
from ivr.admin.widgets import fault
from ivr.api.limits import BodyLimit

log = logging.getLogger(__name__)

STATIC: Final = Path(__file__).parent / "static"
VOICE: Final = Path(webrtc.__file__).parent / "static"
"""The client with which a browser calls."""
UPLOAD_BYTES: Final = 32 * 2**20
"""A table of contacts, or a recording, that is given to a page; forms have 64 KiB."""
BUILD_S: Final = 15.0
"""How long a page may wait for the server before it is given up."""


class NoKey(Exception):
    """The dashboard has no key of the server's API."""


async def serve(settings: Admin, announce: Path | None = None) -> None:
    """Serves until it is told to stop. Raises `NoKey`, `AccountsError`, `OSError`."""
    if settings.key is None:
        raise NoKey(
            "admin.key is not set: give the dashboard a key of api.keys (docs/admin.md tells its scopes)"
        )
    async with AsyncExitStack() as stack:
        lifetimes = lifetimes_of(settings)
        accounts = await Accounts.open(settings.users, lifetimes)
        stack.push_async_callback(accounts.close)
        gateway = GatewayClient(settings.gateway, settings.key)
        stack.push_async_callback(gateway.close)
        audit = AuditTrail(gateway)
        audit.start()
        stack.push_async_callback(audit.close)
        board = CallBoard()
        follower = Follower(gateway, board)
        follower.start()
        stack.push_async_callback(follower.close)
        door = create_app(accounts, gateway, audit, follower, board, settings)
        sweeping = asyncio.create_task(door.sweep_forever(), name="sessions that are over")
        stack.callback(sweeping.cancel)
        await _Server(_uvicorn(door, settings), partial(_tell, settings, accounts, announce)).serve()


class _Server(uvicorn.Server):
    """Says when it serves, and at which port."""

    def __init__(self, config: uvicorn.Config, started: Callable[[str, int], Awaitable[None]]) -> None:
        super().__init__(config)
        self._started = started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            host, port = self.servers[0].sockets[0].getsockname()[:2]
            await self._started(host, port)


def _uvicorn(door: Door, settings: Admin) -> uvicorn.Config:
    return uvicorn.Config(
        GZipMiddleware(door, minimum_size=1000),
        host=settings.host,
        port=settings.port,
        log_level="warning",
        access_log=False,
        proxy_headers=bool(settings.proxies),
        forwarded_allow_ips=settings.proxies,
        server_header=False,
        ws_max_size=1_000_000,
        timeout_graceful_shutdown=3,
    )


def lifetimes_of(settings: Admin) -> Lifetimes:
    return Lifetimes(settings.session_hours * 3600, settings.idle_minutes * 60)


def create_app(
    accounts: Accounts,
    gateway: GatewayClient,
    audit: AuditTrail,
    follower: Follower,
    board: CallBoard,
    settings: Admin,
) -> Door:
    """The whole application. NiceGUI is one for a process, and so is this."""
    app = FastAPI(title="ivr admin", docs_url=None, redoc_url=None, openapi_url=None)
    csrf = login.Csrf()
    door = Door(app, accounts, settings.origin)
    lockout = Lockout()
    house = House(accounts, gateway, board, follower, audit, csrf, lockout, door.sweep)
    logins = login.Logins(accounts, audit, lockout)
    app.include_router(login.routes(accounts, logins, csrf, audit, door.sweep, settings.session_hours * 3600))
    app.include_router(passing.routes(gateway, audit))
    app.add_middleware(BodyLimit, larger={"/_nicegui/": UPLOAD_BYTES})
    app.mount("/static", StaticFiles(directory=STATIC))
    app.mount("/voice/static", StaticFiles(directory=VOICE))

    @app.get("/health/live", include_in_schema=False)
    async def live() -> Response:
        return PlainTextResponse("live")

    @app.get("/session", include_in_schema=False)
    async def session() -> Response:
        """Whether somebody is logged in: asked by a page whose socket was closed."""
        return PlainTextResponse("yes")

    _add_pages(house)
    ui.run_with(
        app,
        title="ivr admin",
        favicon=STATIC / "favicon.svg",
        dark=None,
        tailwind=False,
        gzip_middleware_factory=None,
        reconnect_timeout=10.0,
        message_history_length=200,
        show_welcome_message=False,
        binding_refresh_interval=None,
    )
    core.app.config.socket_io_js_transports = ["websocket"]
    # Quasar's bar of requests under way has no name for screen readers; the pages show what they wait for.
    core.app.config.quasar_config["loadingBar"]["skipHijack"] = True
    core.sio.eio.transports = ["websocket"]
    return door


def _add_pages(house: House) -> None:
    ui.add_head_html('<link rel="stylesheet" href="/static/admin.css">', shared=True)
    ui.add_head_html('<link rel="stylesheet" href="/static/workbench.css">', shared=True)
    ui.add_head_html('<script defer src="/static/admin.js"></script>', shared=True)
    for page in PAGES:
        ui.page(page.path, title=f"{page.title} · ivr admin", response_timeout=BUILD_S)(_shown(house, page))


def _shown(house: House, page: Page) -> Callable[[Request], Awaitable[None]]:
    async def show(request: Request) -> None:
        visit = Visit(house, request.state.session, {**request.query_params, **request.path_params})
        with frame(visit, page, PAGES):
            if not visit.may(page.role):
                fault(f"{visit.t('This needs the role')} {visit.t(page.role.title)}.")
                return
            await page.built(visit)

    return show


async def _tell(settings: Admin, accounts: Accounts, announce: Path | None, host: str, port: int) -> None:
    """Where the dashboard is to be found."""
    here = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    if announce is not None:
        announced(announce, admin=here)
    print(f"\nDashboard  {settings.origin or here}   of the server at {settings.gateway}", flush=True)
    if not await accounts.users():
        print("There is no user yet: ivr admin user add NAME --role admin", flush=True)
