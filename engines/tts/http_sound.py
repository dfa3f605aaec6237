"""Sound that another server streams over HTTP, under the deadlines and errors of the contract."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from typing import Any, Final

import httpx

from engines.contract import EngineTimeout, EngineUnavailable

_PAUSE_BETWEEN_CHUNKS_S: Final = 3.0
_LONGEST_ANSWER: Final = 2000
"""Bytes of an error's body that are read."""


class Refused(EngineUnavailable):
    """The server does not do this, however often it is asked (4xx)."""


async def http_sound(
    name: str, client: httpx.AsyncClient, request: httpx.Request, deadline: float
) -> AsyncGenerator[bytes, None]:
    """The body of the answer as it comes. Closing it ends the request, and with it the work at the other end.

    `deadline`, of the loop's clock, is that of the first sound. Raises `EngineTimeout`, `Refused`, and
    `EngineUnavailable` when the server fails, breaks off, or is away.
    """
    loop = asyncio.get_running_loop()
    response: httpx.Response | None = None
    try:
        async with asyncio.timeout_at(deadline):
            response = await client.send(request, stream=True)
            if response.status_code != httpx.codes.OK:
                reason = f"{name} answered {response.status_code}: {await _reason(response)}"
                raise Refused(reason) if response.is_client_error else EngineUnavailable(reason)
        chunks = response.aiter_bytes()
        while True:
            async with asyncio.timeout_at(deadline):
                chunk = await anext(chunks, b"")
            if not chunk:
                return
            yield chunk
            deadline = loop.time() + _PAUSE_BETWEEN_CHUNKS_S
    except TimeoutError:
        raise EngineTimeout(f"{name} gave no sound before the deadline") from None
    except httpx.HTTPError as error:
        raise EngineUnavailable(f"{name}: {type(error).__name__}: {error}") from error
    finally:
        if response is not None:
            await response.aclose()


async def _reason(response: httpx.Response) -> str:
    """The code that the server gives, and not its message: that may hold the text, which is personal."""
    body = b""
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > _LONGEST_ANSWER:
            break
    try:
        answer: dict[str, Any] = json.loads(body)
        detail = answer.get("detail", answer.get("error"))  # ElevenLabs'; OpenAI's, which is ours
        code = detail.get("status", detail.get("code")) if isinstance(detail, dict) else None
    except (ValueError, AttributeError):
        code = None
    return str(code)[:100] if code else "no reason given"
