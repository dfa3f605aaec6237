"""A bound on the size and the time of request bodies, which may be large files and are not kept in memory."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Final, NoReturn

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from engines.service.errors import error_body

_DRAIN_S: Final = 2.0


class BodyRefused(Exception):
    """The body is over a limit."""

    def __init__(self, status: int, message: str, code: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


class BodyLimit:
    """ASGI middleware: ends a request whose body grows past `most_bytes` or takes longer than `most_s`
    seconds, with 413 or 408.

    The application sees `BodyRefused` where it reads the body; whatever it makes of that, the client gets
    ours.
    """

    def __init__(self, app: ASGIApp, most_bytes: int, most_s: float) -> None:
        self._app = app
        self._most_bytes = most_bytes
        self._most_s = most_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        body = _Body(scope, receive, self._most_bytes, self._most_s)
        begun = False

        async def unless_refused(message: Message) -> None:
            nonlocal begun
            if body.refused is None or begun:
                begun = True
                await send(message)

        with contextlib.suppress(BodyRefused):
            await self._app(scope, body.receive, unless_refused)
        if body.refused is not None and not begun:
            await body.drain()
            error = error_body(body.refused.status, str(body.refused), code=body.refused.code)
            response = JSONResponse(error, body.refused.status, {"Connection": "close"})
            await response(scope, receive, send)


class _Body:
    """One request's."""

    def __init__(self, scope: Scope, receive: Receive, most_bytes: int, most_s: float) -> None:
        announced = dict(scope["headers"]).get(b"content-length", b"0")
        self._left = -1 if announced.isdigit() and int(announced) > most_bytes else most_bytes
        self._receive = receive
        self._most_bytes = most_bytes
        self._most_s = most_s
        self._deadline = asyncio.get_running_loop().time() + most_s
        self._complete = False
        self.refused: BodyRefused | None = None

    async def receive(self) -> Message:
        if self._complete:  # what comes now is the client's leaving
            return await self._receive()
        if self._left < 0:
            self._refuse_size()
        try:
            async with asyncio.timeout_at(self._deadline):
                message = await self._receive()
        except TimeoutError:
            self._refuse(408, f"the body did not come within {self._most_s:g} s", "body_too_slow")
        self._left -= len(message.get("body", b""))
        if self._left < 0:
            self._refuse_size()
        self._complete = not message.get("more_body", False)
        return message

    async def drain(self) -> None:
        """Lets a client that is somewhat over the limit send the rest, for a moment: it reads no answer
        before, and a connection that is closed on unread data is reset."""
        left = 2 * self._most_bytes
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_DRAIN_S):
                while left > 0:
                    message = await self._receive()
                    left -= len(message.get("body", b""))
                    if message["type"] == "http.disconnect" or not message.get("more_body", False):
                        return

    def _refuse_size(self) -> NoReturn:
        self._refuse(413, f"the body is over {self._most_bytes / 2**20:.4g} MiB", "body_too_large")

    def _refuse(self, status: int, message: str, code: str) -> NoReturn:
        self.refused = BodyRefused(status, message, code)
        raise self.refused
