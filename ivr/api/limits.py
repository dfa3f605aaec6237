"""A bound on the size and the time of request bodies."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ivr.api.problems import TOO_LARGE, TOO_SLOW, problem

BODY_BYTES: Final = 64 * 1024
BODY_S: Final = 10.0


class _TooLarge(Exception):
    pass


class BodyLimit:
    """ASGI middleware: reads the whole body, bounded, before the application sees the request."""

    def __init__(
        self,
        app: ASGIApp,
        max_bytes: int = BODY_BYTES,
        max_s: float = BODY_S,
        larger: Mapping[str, int] = MappingProxyType({}),
    ) -> None:
        """`larger` are other bounds, for paths that begin so."""
        self._app = app
        self._max_bytes = max_bytes
        self._larger = larger
        self._max_s = max_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in {"GET", "HEAD", "OPTIONS"}:
            await self._app(scope, receive, send)
            return
        path = scope["path"]
        max_bytes = next((n for start, n in self._larger.items() if path.startswith(start)), self._max_bytes)
        try:
            async with asyncio.timeout(self._max_s):
                body = await self._read(scope, receive, max_bytes)
        except _TooLarge:
            refusal = problem(TOO_LARGE, f"the body is over {max_bytes} bytes", {"Connection": "close"})
            await refusal(scope, receive, send)
            return
        except TimeoutError:
            refusal = problem(TOO_SLOW, f"no body within {self._max_s:g} s", {"Connection": "close"})
            await refusal(scope, receive, send)
            return
        if body is None:
            return
        pending: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

        async def replay() -> Message:
            return pending.pop() if pending else await receive()

        await self._app(scope, replay, send)

    async def _read(self, scope: Scope, receive: Receive, max_bytes: int) -> bytes | None:
        """The body; None when the client went away."""
        announced = dict(scope["headers"]).get(b"content-length", b"0")
        if announced.isdigit() and int(announced) > max_bytes:
            raise _TooLarge
        body = bytearray()
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            body += message.get("body", b"")
            if len(body) > max_bytes:
                raise _TooLarge
            if not message.get("more_body", False):
                return bytes(body)
