"""What a browser gets from the server through the dashboard: recordings, and the calls of operators.

The dashboard's key never reaches a browser, nor does the server's address; what each role may fetch is said
here, and nothing else is passed on.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Final
from urllib.parse import quote

import httpx
from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse, Response, StreamingResponse

from ivr.admin.accounts import Session
from ivr.admin.audit import AuditTrail
from ivr.admin.gateway import GatewayAway, GatewayClient
from ivr.admin.roles import Role

_ASKED: Final = ("range", "if-range")
_TOLD: Final = ("content-type", "content-length", "content-range", "accept-ranges", "etag", "last-modified")


def routes(gateway: GatewayClient, audit: AuditTrail) -> APIRouter:
    router = APIRouter(include_in_schema=False)

    @router.get("/sound/{call_id}")
    async def recording(request: Request, call_id: str) -> Response:
        """The recording of a call; with `Range`, so that a player can seek."""
        return await _sound(request, f"/api/voice/calls/{quote(call_id, safe='')}/recording", call_id)

    @router.get("/sound/{call_id}/messages/{name}")
    async def message(request: Request, call_id: str, name: str) -> Response:
        path = f"/api/voice/calls/{quote(call_id, safe='')}/messages/{quote(name, safe='')}"
        return await _sound(request, path, call_id)

    async def _sound(request: Request, path: str, call_id: str) -> Response:
        if (refusal := _refusal(request, Role.OPERATOR)) is not None:
            return refusal
        if request.headers.get("range", "bytes=0-").startswith("bytes=0-"):
            audit.note("recording.played", request.state.session.user.name, target=call_id)
        headers = {name: request.headers[name] for name in _ASKED if name in request.headers}
        stack = AsyncExitStack()
        try:
            answer = await stack.enter_async_context(gateway.stream(path, headers))
        except GatewayAway as away:
            return PlainTextResponse(str(away), 502)
        told = {name: answer.headers[name] for name in _TOLD if name in answer.headers}
        # A part of a file cannot be compressed on its way.
        told["content-encoding"] = "identity"
        return StreamingResponse(_body(answer, stack), answer.status_code, told)

    @router.post("/voice/api/voice/stream/start")
    async def start(request: Request) -> Response:
        """An operator's browser begins its leg, with the one-time token that it was given."""
        return await _signal(request, "/api/voice/stream/start")

    @router.patch("/voice/api/voice/stream/{session_id}")
    async def go_on(request: Request, session_id: str) -> Response:
        return await _signal(request, f"/api/voice/stream/{quote(session_id, safe='')}")

    @router.delete("/voice/api/voice/stream/{session_id}")
    async def end(request: Request, session_id: str) -> Response:
        return await _signal(request, f"/api/voice/stream/{quote(session_id, safe='')}")

    async def _signal(request: Request, path: str) -> Response:
        """With the browser's own token, not with the dashboard's key."""
        if (refusal := _refusal(request, Role.OPERATOR)) is not None:
            return refusal
        body = await request.body()
        headers = {
            name: request.headers[name]
            for name in ("authorization", "content-type", "accept")
            if name in request.headers
        }
        try:
            answer = await gateway.passed_on(request.method, path, headers, body)
        except GatewayAway as away:
            return PlainTextResponse(str(away), 502)
        told = {
            name: value for name, value in answer.headers.items() if name in ("content-type", "retry-after")
        }
        return Response(answer.content, answer.status_code, told)

    return router


def _refusal(request: Request, role: Role) -> Response | None:
    session: Session = request.state.session
    if session.user.role < role:
        return PlainTextResponse(f"This needs the role {role.title}.", 403)
    return None


async def _body(answer: httpx.Response, stack: AsyncExitStack) -> AsyncIterator[bytes]:
    async with stack:
        async for part in answer.aiter_raw():
            yield part
