"""A whole server on free loopback ports, and phones that call it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from ivr.config import Config
from ivr.phone.phone import Phone, open_phone
from ivr.phone.timeline import Timeline
from ivr.server import Server, running

ROOT = Path(__file__).parents[2]
KEY = "a-key-for-tests-only"
PARAMS = {"vendor": "Sharma", "order": "48213", "amount": 1250.5, "language": "en"}


def settings(folder: Path, **changes: Any) -> dict[str, Any]:
    """A configuration as data: everything on free loopback ports, data in `folder`."""
    scopes = ["calls:read", "calls:write", "recordings:read", "metrics:read"]
    return {
        "sip": {"listen": ["udp:127.0.0.1:0", "tcp:127.0.0.1:0"]},
        "media": {"ports": [0, 0]},
        "api": {"port": 0, "keys": {"test": {"key": KEY, "scopes": scopes}}},
        "trunks": {"local": {"allow": ["127.0.0.1"], "caller_id": "1000"}},
        "numbers": {"1001": {"flow": "vendor-order", "params": PARAMS}},
        "flows": str(ROOT / "flows"),
        "queues": {"vendor-desk": "sip:desk@127.0.0.1:9"},
        "endpoints": {"order-webhook": {"url": "http://127.0.0.1:9/orders"}},
        "store": {"path": str(folder / "var")},
        # A busy machine must not turn the tests' calls away.
        "limits": {"loop_lag_ms": 10_000},
    } | changes


class Bench:
    """A running server with a client of its API, and a phone."""

    def __init__(self, server: Server, phone: Phone, api: httpx.AsyncClient) -> None:
        self.server = server
        self.phone = phone
        self.api = api

    @property
    def uri(self) -> str:
        return f"sip:1001@{self.server.sip[0].removeprefix('udp:')}"

    async def record(self, href: str | None = None) -> dict[str, Any]:
        """A call's record, with its events; the newest one's without a `href`."""
        if href is None:
            href = (await self.api.get("/api/voice/calls")).json()["calls"][0]["href"]
        record: dict[str, Any] = (await self.api.get(href)).json()
        return record

    async def ended(self, href: str | None = None, within_s: float = 30.0) -> dict[str, Any]:
        """The record once the call is over: it may end a moment after its phone hung up."""
        async with asyncio.timeout(within_s):
            while (record := await self.record(href))["state"] != "ended":
                await asyncio.sleep(0.02)
        return record

    async def vanish(self) -> None:
        """The phone sends no media any more, and says nothing about it."""
        await self.phone._plane.close()

    def kinds(self, record: dict[str, Any]) -> list[str]:
        return [event["kind"] for event in record["events"]]


OpenBench = Callable[..., AbstractAsyncContextManager[Bench]]


@pytest.fixture
def bench(tmp_path: Path) -> OpenBench:
    @asynccontextmanager
    async def open_bench(**changes: Any) -> AsyncIterator[Bench]:
        config = Config.model_validate(settings(tmp_path, **changes))
        async with (
            running(config) as server,
            open_phone(language="en", timeline=Timeline()) as phone,
            httpx.AsyncClient(
                base_url=server.api, headers={"Authorization": f"Bearer {KEY}"}, timeout=10
            ) as api,
        ):
            yield Bench(server, phone, api)

    return open_bench
