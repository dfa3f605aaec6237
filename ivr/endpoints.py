"""HTTP requests of flows: to named endpoints of the configuration only, with a deadline, and never trusting
the answer."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any, Final

import httpx

from ivr.config import Endpoint
from ivr.flow.protocol import Replied, RequestFailed, SendRequest
from ivr.signature import sign

MAX_ANSWER_BYTES: Final = 256 * 1024


class Endpoints:
    """The endpoints by name, behind one connection pool."""

    def __init__(self, endpoints: Mapping[str, Endpoint], client: httpx.AsyncClient) -> None:
        self._endpoints = endpoints
        self._client = client

    async def send(self, request: SendRequest) -> Replied | RequestFailed:
        """Sends a request and waits for the answer, at most `timeout_s` in all. Never raises for what the
        network or the endpoint does."""
        try:
            async with asyncio.timeout(request.timeout_s):
                return await self._exchange(request, self._endpoints[request.endpoint])
        except TimeoutError:
            return RequestFailed(request.id, f"no answer within {request.timeout_s:g} s")
        except httpx.HTTPError as error:
            return RequestFailed(request.id, f"{type(error).__name__}: {error}")

    async def _exchange(self, request: SendRequest, endpoint: Endpoint) -> Replied | RequestFailed:
        answer = bytearray()
        async with self._client.stream(
            request.method, endpoint.url, params=_query(request), **_content(request, endpoint)
        ) as response:
            async for chunk in response.aiter_bytes():
                answer += chunk
                if len(answer) > MAX_ANSWER_BYTES:
                    reason = f"the answer is over {MAX_ANSWER_BYTES} bytes"
                    return RequestFailed(request.id, reason, response.status_code)
        if not response.is_success:
            return RequestFailed(request.id, f"status {response.status_code}", response.status_code)
        return Replied(request.id, response.status_code, _json(bytes(answer)))


def _query(request: SendRequest) -> Mapping[str, str] | None:
    """The values of a GET; absent ones are left out."""
    if request.method != "GET" or request.body is None:
        return None
    return {name: _text(value) for name, value in request.body.items() if value is not None}


def _content(request: SendRequest, endpoint: Endpoint) -> dict[str, Any]:
    """Body and headers; signed where the endpoint has a secret."""
    body = b""
    headers = dict(endpoint.headers)
    if request.method != "GET":
        body = json.dumps(request.body, ensure_ascii=False).encode()
        headers["Content-Type"] = "application/json"
    if endpoint.secret is not None:
        headers |= sign(endpoint.secret, body)
    return {"content": body, "headers": headers}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _json(answer: bytes) -> Any:
    """The answer's JSON, or None where it is something else."""
    try:
        return json.loads(answer)
    except ValueError:
        return None
