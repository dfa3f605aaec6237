"""A server within the test, for calls of `WebPhone`: so that what is left of it can be counted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import httpx
import psutil

from ivr.config import Config
from ivr.server import Server, running
from tests.server.conftest import KEY, ROOT, settings

FLOW: Final = """
flow: web-menu
languages: [en]
params: {name: text}
result:
  choice: {one_of: [one, two, none], default: none}
start: ask
steps:
  ask:
    menu:
      prompt: ask
      barge_in: keys
      choices:
        one: {key: "1", set: {choice: one}, next: thanks}
        two: {key: "2", set: {choice: two}, next: thanks}
        desk: {key: "3", next: desk}
      retry: {wait: 20s, prompts: [ask]}
      otherwise: bye
  thanks: {say: thanks, next: bye}
  desk: {transfer: {to: desk}, next: bye, otherwise: bye}
  bye: {end: normal}
prompts:
  ask:
    en: "Hello {{ name }}. Press one to have the first thing that we sell, or two for the second of them."
  thanks: {en: "Thank you."}
"""

SCOPES: Final = ["calls:read", "calls:write", "recordings:read", "metrics:read", "sessions:write"]


class WebBench:
    """A running server and a client of its API."""

    def __init__(self, server: Server, api: httpx.AsyncClient) -> None:
        self.server = server
        self.api = api

    async def session(self, **changes: Any) -> dict[str, Any]:
        body = {"flow": "web-menu", "params": {"name": "Asha"}} | changes
        answer = await self.api.post("/api/voice/sessions", json=body)
        assert answer.status_code == 201, answer.text
        session: dict[str, Any] = answer.json()
        return session

    async def token(self, **changes: Any) -> str:
        return str((await self.session(**changes))["token"])

    async def record(self, call_id: str) -> dict[str, Any]:
        found: dict[str, Any] = (await self.api.get(f"/api/voice/calls/{call_id}")).json()
        return found

    async def ended(self, call_id: str) -> dict[str, Any]:
        """The record once the call is over."""
        async with asyncio.timeout(30):
            while (record := await self.record(call_id))["state"] != "ended":
                await asyncio.sleep(0.02)
        return record

    async def noted(self, call_id: str, kind: str, **data: Any) -> None:
        """Until the record has such an event."""
        async with asyncio.timeout(30):
            while True:
                for event in (await self.record(call_id))["events"]:
                    if event["kind"] == kind and data.items() <= event["data"].items():
                        return
                await asyncio.sleep(0.02)

    async def refused(self) -> dict[str, float]:
        """What the metrics count as refused, by reason."""
        counts = {}
        for line in (await self.api.get("/metrics")).text.splitlines():
            if line.startswith("ivr_web_refused_total{"):
                counts[line.split('"')[1]] = float(line.rsplit(" ", 1)[1])
        return counts


@asynccontextmanager
async def web_bench(
    folder: Path, web: dict[str, Any] | None = None, **changes: Any
) -> AsyncIterator[WebBench]:
    (folder / "flows").mkdir(exist_ok=True)
    (folder / "flows" / "web-menu.yaml").write_text(FLOW)
    made = settings(folder, flows=str(folder / "flows"), queues={"desk": "sip:desk@127.0.0.1:9"}, numbers={})
    made["api"]["keys"]["test"]["scopes"] = SCOPES
    made |= {"web": {"ice": {"addresses": ["127.0.0.1"]}} | (web or {})} | changes
    async with (
        running(Config.model_validate(made)) as server,
        httpx.AsyncClient(base_url=server.api, headers={"Authorization": f"Bearer {KEY}"}, timeout=20) as api,
    ):
        yield WebBench(server, api)


def sockets() -> set[tuple[str, int]]:
    """Local addresses of the UDP sockets of this process."""
    return {(c.laddr.ip, c.laddr.port) for c in psutil.Process().net_connections("udp") if c.laddr}


def tasks() -> set[str]:
    """What runs of calls and connections, not of the server itself."""
    found = set()
    for task in asyncio.all_tasks():
        code = task.get_coro().cr_code  # type: ignore[union-attr]
        path = code.co_filename.removeprefix(f"{ROOT}/")
        if path.startswith(("webrtc/", "ivr/web/", "ivr/call")) or "/aiortc/" in path or "/aioice/" in path:
            found.add(code.co_qualname)
    return found


async def until_gone(open_before: set[tuple[str, int]]) -> None:
    """Until everything of a call is gone: no task, no socket that was not there before it."""
    for _ in range(1000):
        left = tasks(), sockets() - open_before
        if not any(left):
            return
        await asyncio.sleep(0.02)
    raise AssertionError(f"left of the call: {left}")
