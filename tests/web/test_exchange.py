"""Both directions of a socket, where the far end does not read, or goes away."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from starlette.websockets import WebSocket

from ivr.web.exchange import STUCK_S, TRY_LATER, Exchange
from tests.fakes.virtual_time import run_virtually


class FarEnd:
    """An ASGI server's end of a socket."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        self.inbox: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.reads = asyncio.Event()
        self.reads.set()

    async def socket(self) -> WebSocket:
        await self.inbox.put({"type": "websocket.connect"})
        socket = WebSocket({"type": "websocket"}, self.inbox.get, self._send)
        await socket.accept()
        self.sent.clear()
        return socket

    def say(self, text: str) -> None:
        self.inbox.put_nowait({"type": "websocket.receive", "text": text})

    def leave(self) -> None:
        self.inbox.put_nowait({"type": "websocket.disconnect", "code": 1001})

    async def _send(self, message: Any) -> None:
        if message["type"] == "websocket.send":
            await self.reads.wait()
        self.sent.append(message)


def virtually(test: Callable[[FarEnd], Awaitable[None]]) -> None:
    async def run() -> None:
        await test(FarEnd())

    run_virtually(run())


def test_what_is_sent_before_the_close_arrives() -> None:
    async def test(far: FarEnd) -> None:
        exchange = Exchange(await far.socket(), 10, 10)
        heard: list[str | bytes] = []

        def receive(message: str | bytes) -> None:
            heard.append(message)
            exchange.send("bye")
            exchange.send_audio(b"audio")
            exchange.close(1000, "done")
            exchange.send("late")
            exchange.close(1008)

        far.say("hello")
        await exchange.run(receive)
        assert heard == ["hello"]
        assert [message.get("text") or message.get("bytes") for message in far.sent[:2]] == ["bye", b"audio"]
        assert far.sent[2:] == [{"type": "websocket.close", "code": 1000, "reason": "done"}]

    virtually(test)


def test_who_reads_nothing_is_closed_and_has_cost_nothing_but_his_audio() -> None:
    async def test(far: FarEnd) -> None:
        exchange = Exchange(await far.socket(), most_audio=50, most_messages=10)
        far.reads.clear()
        running = asyncio.create_task(exchange.run(lambda message: None))
        loop = asyncio.get_running_loop()
        began = loop.time()
        while not running.done():
            exchange.send_audio(b"20 ms")
            await asyncio.sleep(0.02)
        took = loop.time() - began
        assert STUCK_S <= took <= 1.2 * STUCK_S
        assert exchange.deaf
        assert exchange.dropped == pytest.approx(took / 0.02 - 51, abs=2)
        assert far.sent == [
            {"type": "websocket.close", "code": TRY_LATER, "reason": "what was sent is not read"}
        ]
        await running

    virtually(test)


def test_who_lets_messages_lie_is_closed() -> None:
    async def test(far: FarEnd) -> None:
        exchange = Exchange(await far.socket(), most_audio=50, most_messages=10)
        for _ in range(11):
            exchange.send("event")
        assert exchange.deaf
        await exchange.run(lambda message: None)
        assert far.sent[-1]["code"] == TRY_LATER

    virtually(test)


def test_who_goes_away_ends_it() -> None:
    async def test(far: FarEnd) -> None:
        exchange = Exchange(await far.socket(), 10, 10)
        far.leave()
        await exchange.run(lambda message: None)
        exchange.send("late")
        assert far.sent == []

    virtually(test)


def test_a_fault_of_ours_is_not_hidden() -> None:
    async def test(far: FarEnd) -> None:
        exchange = Exchange(await far.socket(), 10, 10)
        far.say("hello")

        def fails(_message: str | bytes) -> None:
            raise KeyError("ours")

        with pytest.raises(KeyError):
            await exchange.run(fails)
        assert far.sent[-1]["code"] == 1011

    virtually(test)
