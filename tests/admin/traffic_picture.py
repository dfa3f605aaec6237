"""The dashboard's pictures for the documentation: `scripts/screenshots` takes them."""

from __future__ import annotations

import asyncio
import json
import random
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from playwright.async_api import Browser

from ivr.flow.coverage import outcomes_of
from ivr.flow.loader import load_flow
from ivr.flow.model import Flow
from ivr.local import LocalServer
from tests.admin.served import dashboard

FLOWS: Final = Path(__file__).parents[2] / "flows"
CALLS: Final = 900
_WAYS: Final = (6, 1)
"""How much likelier the first way out of a step is than each other."""


def walk(flow: Flow, chance: random.Random) -> tuple[list[tuple[str, dict[str, Any]]], bool]:
    """The events of one call, made up; whether its caller hung up."""
    events: list[tuple[str, dict[str, Any]]] = []
    visits: dict[str, int] = {}
    step = flow.steps[flow.start.step]
    while True:
        visits[step.name] = visits.get(step.name, 0) + 1
        events.append(("step", {"step": step.name, "visit": visits[step.name]}))
        if step.ends:
            return events, False
        if chance.random() < (0.09 if step.listens else 0.015):
            return events, True
        ways = [way for way in step.exits() if way.outcome in outcomes_of(step)]
        (way,) = chance.choices(ways, [_WAYS[0], *[_WAYS[1]] * (len(ways) - 1)])
        left = {"step": step.name, "outcome": way.outcome, "next": way.target.step, "via": ""}
        events.append(("outcome", left))
        step = flow.steps[way.target.step]


def keep(database: Path, flow: Flow) -> None:
    """Calls of the last hour, beside a server that has the store open."""
    chance = random.Random(7)
    now = time.time()
    with sqlite3.connect(database, timeout=30.0) as connection:
        for number in range(CALLS):
            events, gone = walk(flow, chance)
            call = _call(f"made-up-{number:04}", flow.name, now - 3600 * chance.random(), gone)
            names, marks = ",".join(call), ",".join("?" * len(call))
            connection.execute(f"INSERT INTO calls ({names}) VALUES ({marks})", tuple(call.values()))
            connection.executemany("INSERT INTO events VALUES (?,?,?,?,?)", _rows(call, events))


def _call(id: str, flow: str, at: float, gone: bool) -> dict[str, Any]:
    return {
        "id": id, "direction": "inbound", "state": "ended", "flow": flow, "flow_hash": "", "language": "hi",
        "trunk": "exotel", "caller": "+919800000000", "called": "1001", "params": "{}", "cause": "normal",
        "hung_up_by": "caller" if gone else "us", "created_at": at, "answered_at": at, "ended_at": at + 40,
        "fingerprint": "",
    }  # fmt: skip


def _rows(call: dict[str, Any], events: list[tuple[str, dict[str, Any]]]) -> Iterator[tuple[Any, ...]]:
    for place, (kind, data) in enumerate(events, 1):
        yield call["id"], place, call["created_at"] + place, kind, json.dumps(data, separators=(",", ":"))


async def flow_traffic(server: LocalServer, browser: Browser, folder: Path) -> None:
    """The graph of the vendor's flow, with an hour of calls in it."""
    flow = load_flow(FLOWS / "vendor_order.yaml")
    await asyncio.to_thread(keep, server.folder / "var" / "calls.db", flow)
    config = await asyncio.to_thread((server.folder / "ivr.yaml").read_text)
    key = json.loads(config)["api"]["keys"]["local"]["key"]
    with tempfile.TemporaryDirectory() as scratch:
        async with dashboard(Path(scratch), server.url, key) as served:
            page = await served.log_in(browser, "omar", locale="en")
            await page.set_viewport_size({"width": 1300, "height": 1020})
            await served.open(page, f"/flows/{flow.name}")
            await page.wait_for_selector(".flow-graph svg")
            await page.screenshot(path=folder / "flow-traffic.png")
            await page.context.close()
