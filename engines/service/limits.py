"""A bound on the size and the time of request bodies, which may be large files and are not kept in memory."""

from __future__ import annotations

import asyncio

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from engines.service.errors import error_body


class _TooLarge(Exception):
    pass


class _TooSlow(Exception):
    pass


class BodyLimit:
    """ASGI middleware: ends a request whose body grows past `most_bytes` or takes longer than `most_s`
    seconds, with 413 or 408."""

    def __init__(self, app: ASGIApp, most_bytes: int, most_s: float) -> None:
        self._app = app
        self._most_bytes = most_bytes
        self._most_s = most_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = False

        async def watched(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, self._bounded(scope, receive), watched)
        except _TooLarge:
            if not begun:
                message = f"the body is over {self._most_bytes} bytes"
                await _refuse(413, message, "body_too_large")(scope, receive, send)
        except _TooSlow:
            if not begun:
                message = f"the body did not come within {self._most_s:g} s"
                await _refuse(408, message, "body_too_slow")(scope, receive, send)

    def _bounded(self, scope: Scope, receive: Receive) -> Receive:
        announced = dict(scope["headers"]).get(b"content-length", b"0")
        too_large = announced.isdigit() and int(announced) > self._most_bytes
        deadline = asyncio.get_running_loop().time() + self._most_s
        got = 0
        complete = False

        async def bounded() -> Message:
            nonlocal got, complete
            if complete:  # what comes now is the client's leaving
                return await receive()
            if too_large:
                raise _TooLarge
            try:
                async with asyncio.timeout_at(deadline):
                    message = await receive()
            except TimeoutError:
                raise _TooSlow from None
            got += len(message.get("body", b""))
            if got > self._most_bytes:
                raise _TooLarge
            complete = not message.get("more_body", False)
            return message

        return bounded


def _refuse(status: int, message: str, code: str) -> JSONResponse:
    return JSONResponse(error_body(status, message, code=code), status, {"Connection": "close"})
