"""Sound as the body of an HTTP answer: whole, or piece by piece; ended at once when the client goes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Coroutine
from contextlib import aclosing
from typing import Any, Final

from fastapi import Request
from fastapi.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from engines.service.encoding import Encoder
from engines.tts.service.speaking import Spoken

_CLIENT_GONE: Final = 499
"""Nobody reads it; it keeps the log of a proxy honest."""


class SoundStream(StreamingResponse):
    """Closes the sound whatever becomes of the connection; Starlette alone leaves that to the collector."""

    def __init__(self, spoken: Spoken, encoder: Encoder, media_type: str, headers: dict[str, str]) -> None:
        super().__init__(_encoded(spoken, encoder), media_type=media_type, headers=headers)
        self._spoken = spoken

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            async with aclosing(self.body_iterator):  # type: ignore[type-var]
                await super().__call__(scope, receive, send)
        finally:
            await self._spoken.close()


async def whole(spoken: Spoken) -> bytes:
    """All of the sound; closes it."""
    try:
        async with aclosing(spoken.chunks()) as chunks:
            return b"".join([chunk async for chunk in chunks])
    finally:
        await spoken.close()


async def unless_gone(request: Request, work: Coroutine[Any, Any, Response]) -> Response:
    """The answer, or nothing when the client hangs up before it is there: the work is cancelled then.

    The body must have been read.
    """
    working = asyncio.ensure_future(work)
    watching = asyncio.ensure_future(_gone(request))
    try:
        await asyncio.wait({working, watching}, return_when=asyncio.FIRST_COMPLETED)
        return await working if working.done() else Response(status_code=_CLIENT_GONE)
    finally:
        for task in (working, watching):
            task.cancel()
        await asyncio.gather(working, watching, return_exceptions=True)


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _encoded(spoken: Spoken, encoder: Encoder) -> AsyncGenerator[bytes, None]:
    async with aclosing(spoken.chunks()) as chunks:
        async for chunk in chunks:
            if data := encoder.add(chunk):
                yield data
    if rest := encoder.finish():
        yield rest
