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
        endpoint = self._endpoints[request.endpoint]
        body = b"" if request.body is None else json.dumps(request.body, ensure_ascii=False).encode()
        headers = {**endpoint.headers, "Content-Type": "application/json"}
        if endpoint.secret is not None:
            headers |= sign(endpoint.secret, body)
        try:
            async with asyncio.timeout(request.timeout_s):
                return await self._exchange(request, endpoint.url, headers, body)
        except TimeoutError:
            return RequestFailed(request.id, f"no answer within {request.timeout_s:g} s")
        except httpx.HTTPError as error:
            return RequestFailed(request.id, f"{type(error).__name__}: {error}")

    async def _exchange(
        self, request: SendRequest, url: str, headers: dict[str, str], body: bytes
    ) -> Replied | RequestFailed:
        async with self._client.stream(request.method, url, content=body, headers=headers) as response:
            answer = bytearray()
            async for chunk in response.aiter_bytes():
                answer += chunk
                if len(answer) > MAX_ANSWER_BYTES:
                    return RequestFailed(
                        request.id, f"the answer is over {MAX_ANSWER_BYTES} bytes", response.status_code
                    )
        if not response.is_success:
            return RequestFailed(request.id, f"status {response.status_code}", response.status_code)
        return Replied(request.id, response.status_code, _json(bytes(answer)))


def _json(answer: bytes) -> Any:
    """The answer's JSON, or None where it is something else."""
    try:
        return json.loads(answer)
    except ValueError:
        return None
