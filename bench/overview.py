"""Measures what a dashboard costs the process of the calls, alone: no media, no flows, one core.

    python -m bench.overview --calls 500 --seconds 20

So many live calls note a turn every five seconds (what a key does: six events), while the HTTP API is served
as in a server. By turns a dashboard follows them (in a process of its own: the stream of events, all calls
every 10 s, the figures every 5 s) and does not. Prints one JSON object: the processor time of this process
as a share of a core, and how soon an event was at the dashboard. `ivr bench web --dashboard` measures the
same with real calls, on a machine that is quiet enough for that.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import socket
import time
from multiprocessing.connection import Connection
from typing import Any, Final, cast

import uvicorn
from fastapi import FastAPI

from ivr.api import LiveCall, hourly, live
from ivr.api.auth import Keys
from ivr.api.gateway import Gateway
from ivr.bench.web.follower import Follower
from ivr.config import ApiKey
from ivr.feed import BEGAN, Feed
from ivr.hour import Hour
from ivr.overview import Overview
from ivr.store import CallEvent, Store
from ivr.supervision import Supervisors
from media.agreement import Agreement
from media.codecs import PCMA
from media.link import Link
from media.rtp import RtpPacket

KEY: Final = "a-key-for-the-bench"
TURN_S: Final = 5.0
TICK_S: Final = 0.02
SETTLE_S: Final = 1.5

TURN: Final[tuple[tuple[str, dict[str, Any]], ...]] = (
    ("key", {"key": "1"}),
    ("outcome", {"step": "offer", "outcome": "accept", "next": "minutes", "via": "1"}),
    ("prompt_cut", {"after_ms": 1260}),
    ("step", {"step": "minutes", "visit": 1}),
    (
        "prompt",
        {"text": "कितने मिनट लगेंगे? बीस के लिए दो शून्य दबाएँ।", "by": {"engine": "kokoro", "why": "cached"}},
    ),
    (
        "turn",
        {
            "turn": 3,
            "trigger": "key",
            "step": "offer",
            "verb": "menu",
            "language": "hi",
            "began_ms": 5210.4,
            "reply_ms": 21.4,
            "ms": {
                "key": 0.0,
                "intent": 1.2,
                "first_sentence": 1.3,
                "first_audio": 1.4,
                "first_packet": 21.4,
            },
            "by": {"first_audio": "cache"},
        },
    ),
)


class Calls:
    """What the API asks of a server, for so many calls that do nothing but note events."""

    def __init__(self, count: int) -> None:
        self.feed = Feed()
        self.overview = Overview(self.feed, Hour(), lambda: 1.2, list)
        self.supervisors = Supervisors(lambda _: None)
        self.ids = [f"019aab1c-6d2e-7b1f-9c44-{number:012x}" for number in range(count)]
        self._link = _link()

    def live(self, call_id: str) -> LiveCall:
        return LiveCall("minutes", self._link.quality())

    def engines(self) -> tuple[()]:
        return ()

    def begin(self) -> None:
        told = {"flow": "vendor-order", "direction": "inbound", "trunk": "exotel", "language": "hi"}
        for number, call_id in enumerate(self.ids):
            who = {"caller": f"+9198765{number:05}", "called": "+912240001234"}
            self.feed.tell(call_id, CallEvent(time.time(), BEGAN, {**told, **who}))

    async def talk(self) -> None:
        """Each call has a turn every `TURN_S`, one after the other."""
        loop, began, done = asyncio.get_running_loop(), time.monotonic(), 0
        while True:
            due = int((time.monotonic() - began) * len(self.ids) / TURN_S)
            for number in range(done, due):
                for kind, data in TURN:
                    self.feed.tell(self.ids[number % len(self.ids)], CallEvent(time.time(), kind, data))
            done = due
            await asyncio.sleep(TICK_S - loop.time() % TICK_S)


class _Nowhere:
    def sendto(self, data: bytearray | bytes, address: object) -> int:
        return 0


class _Pair:
    rtp = rtcp = _Nowhere()


def _link() -> Link:
    """One that has heard a hundred packets: its quality is to be told for each call."""
    remote = ("192.0.2.9", 4000)
    link = Link(cast(Any, _Pair()), cast(Any, None), Agreement(remote, PCMA, 8, 101), "us", 20.0, 0.0)
    for number in range(100):
        data = bytearray(RtpPacket(8, number, number * 160, 7, b"\x55" * 160).to_bytes())
        link.receive(data, len(data), remote, number * 0.02)
    return link


def dashboard(url: str, wire: Connection) -> None:
    """In a process of its own, until it is told to stop."""
    follower = Follower(url, KEY)
    follower.start()
    wire.send("follows")
    wire.recv()
    follower.stop()
    wire.send((follower.delays, dict(follower.events), follower.calls, repr(follower.failure or "")))


async def share(seconds: float) -> float:
    """Of a core, of this process."""
    at, before = time.monotonic(), time.process_time()
    await asyncio.sleep(seconds)
    return (time.process_time() - before) / (time.monotonic() - at)


async def measure(calls: int, seconds: float, pairs: int) -> dict[str, Any]:
    node, app = Calls(calls), FastAPI()
    gateway, store = cast(Gateway, node), cast(Store, Empty())
    keys = Keys({"bench": ApiKey(key=KEY, scopes=["calls:read", "metrics:read"])})
    app.include_router(live.routes(gateway, store, keys))
    app.include_router(hourly.routes(gateway, store, keys))
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off", timeout_graceful_shutdown=1))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    tasks = [asyncio.create_task(server.serve([listener])), asyncio.create_task(node.overview.run())]
    await asyncio.sleep(SETTLE_S)
    node.begin()
    idle = await share(seconds)
    asked_s = []
    for _ in range(9):
        before = time.process_time()
        for call in node.overview.calls:
            live.written(gateway, call)
        asked_s.append(time.process_time() - before)
    tasks.append(asyncio.create_task(node.talk()))
    without, watched, delays, missed = [], [], [], 0
    for _ in range(pairs):
        without.append(await share(seconds))
        here, there = multiprocessing.Pipe()
        watching = multiprocessing.get_context("spawn").Process(target=dashboard, args=(url, there))
        watching.start()
        assert await asyncio.to_thread(here.recv) == "follows"
        await asyncio.sleep(SETTLE_S)
        watched.append(await share(seconds))
        here.send("stop")
        told = await asyncio.to_thread(here.recv)
        await asyncio.to_thread(watching.join)
        delays += told[0]
        missed += told[1].get("missed", 0)
        assert told[2] == calls, told
    node.feed.close()
    server.should_exit = True
    await asyncio.wait(tasks[:2], timeout=5.0)
    tasks[2].cancel()
    delays.sort()
    return {
        "calls": calls,
        "events_a_second": round(calls / TURN_S * len(TURN)),
        "percent_of_a_core": {
            "nothing happens": round(100 * idle, 2),
            "nobody watches": [round(100 * each, 2) for each in without],
            "a dashboard watches": [round(100 * each, 2) for each in watched],
        },
        "event_to_dashboard_ms": {
            name: round(delays[int(len(delays) * part)] / 1e6, 1)
            for name, part in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99))
        },
        "missed": missed,
        "all_calls_ms": round(1000 * min(asked_s), 1),
    }


class Empty:
    """A store that is asked nothing but how much waits."""

    backlog = 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--calls", type=int, default=500)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--pairs", type=int, default=3)
    chosen = parser.parse_args()
    print(json.dumps(asyncio.run(measure(chosen.calls, chosen.seconds, chosen.pairs)), indent=2))


if __name__ == "__main__":
    main()
