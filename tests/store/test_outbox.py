"""Deliveries to a real HTTP server on loopback that fails in every way a receiver does."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from ivr.config import Endpoint, Webhook
from ivr.metrics import Metrics
from ivr.outbox import RESULT, Outbox, http, tries
from ivr.outbox.tries import pause_s
from ivr.signature import sign
from ivr.store import Delivery, Ending, NewCall, Store, database_url, new_id

SECRET = "a-secret-of-the-receiver"


@dataclass(frozen=True, slots=True)
class Received:
    line: str
    headers: dict[str, str]
    body: bytes


Answer = bytes | None | Callable[[], Awaitable[None]]
"""What is answered: these bytes, nothing (the connection is cut), or nothing after an action."""

OK = b"HTTP/1.1 204 No Content\r\n\r\n"


def status(code: int, *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {code} X", "Content-Length: 0", *headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


@dataclass(slots=True)
class Receiver:
    """Answers with `answers` one after the other, then with 204."""

    url: str = ""
    answers: list[Answer] = field(default_factory=list)
    received: list[Received] = field(default_factory=list)
    connections: int = 0
    arrived: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while line := await reader.readline():
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                pairs = [header.split(": ", 1) for header in head.strip().split("\r\n")]
                headers = {name.lower(): value for name, value in pairs}
                body = await reader.readexactly(int(headers.get("content-length", "0")))
                async with self.arrived:
                    self.received.append(Received(line.decode().strip(), headers, body))
                    self.arrived.notify_all()
                answer = self.answers.pop(0) if self.answers else OK
                if not isinstance(answer, bytes):
                    if answer is not None:
                        await answer()
                    return
                writer.write(answer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def wait_for(self, count: int) -> None:
        async with asyncio.timeout(30), self.arrived:
            await self.arrived.wait_for(lambda: len(self.received) >= count)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0)
    receiver.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/results"
    yield receiver
    server.close()


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses of hundredths of a second."""
    monkeypatch.setattr(tries, "FIRST_PAUSE_S", 0.01)
    monkeypatch.setattr(http, "_PACE_S", 0.0)


class Bench:
    """A store with an outbox in front of a receiver; can be stopped and started like the server."""

    def __init__(self, folder: Path, endpoints: dict[str, Endpoint], webhook: Webhook | None) -> None:
        self._url = database_url(folder)
        self._endpoints = endpoints
        self._webhook = webhook

    async def __aenter__(self) -> Bench:
        self.metrics = Metrics()
        self.outbox = Outbox(self._endpoints, self._webhook, self.metrics)
        self.store = await Store.open(self._url, announce=self.outbox.announce)
        await self.outbox.start(self.store)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.outbox.close()
        await self.store.close()

    async def wait_until_delivered(self) -> None:
        async with asyncio.timeout(30):
            while (await self.store.waiting_deliveries(0.0))[0]:
                await asyncio.sleep(0.01)

    async def wait_for_figure(self, text: str) -> None:
        async with asyncio.timeout(30):
            while text not in self.metrics.render().decode():
                await asyncio.sleep(0.01)


def delivery(target: str, body: str = '{"n":1}') -> Delivery:
    return Delivery(new_id(), None, target, body, time.time())


async def test_the_result_of_a_call_arrives_signed(tmp_path: Path, receiver: Receiver) -> None:
    async with Bench(tmp_path, {}, Webhook(url=receiver.url, secret=SECRET)) as bench:
        await bench.store.create_call(NewCall("c1", "inbound", 1_700_000_000.0, flow="vendor-order"))
        await bench.store.finish_call(
            "c1", Ending(1_700_000_009.0, "normal", "caller", {"reason": "दुकान बंद"})
        )
        await bench.wait_until_delivered()
    (request,) = receiver.received
    assert request.line == "POST /results HTTP/1.1"
    assert request.headers["content-type"] == "application/json"
    body = json.loads(request.body)
    assert body["type"] == "call.ended"
    assert body["call"]["id"] == "c1"
    assert body["call"]["result"] == {"reason": "दुकान बंद"}
    assert body["call"]["ended_at"] == "2023-11-14T22:13:29Z"

    signature = request.headers["x-signature"]
    signed_at = int(signature.split(",")[0].removeprefix("t="))
    assert abs(signed_at - time.time()) < 60
    assert sign(SECRET, request.body, signed_at)["X-Signature"] == signature
    assert sign(SECRET, request.body + b" ", signed_at)["X-Signature"] != signature


async def test_a_request_of_a_flow_keeps_its_method_and_headers(tmp_path: Path, receiver: Receiver) -> None:
    endpoint = Endpoint(url=receiver.url, headers={"X-Shop": "7"})
    async with Bench(tmp_path, {"orders": endpoint}, None) as bench:
        await bench.store.enqueue([Delivery(new_id(), None, "orders", "", time.time(), "GET")])
        await bench.wait_until_delivered()
        await bench.store.create_call(NewCall("c1", "inbound", 1.0))
        await bench.store.finish_call("c1", Ending(2.0, "normal", "us"))
        assert await bench.store.waiting_deliveries(0.0) == (0, None), "without a webhook no result is owed"
    (request,) = receiver.received
    assert request.line == "GET /results HTTP/1.1"
    assert request.headers["x-shop"] == "7"
    assert "x-signature" not in request.headers
    assert "content-type" not in request.headers


async def test_a_failing_receiver_is_tried_again_until_it_takes_it(
    tmp_path: Path, receiver: Receiver
) -> None:
    elsewhere = status(302, f"Location: {receiver.url}/elsewhere")
    receiver.answers = [status(500), None, elsewhere, b"this is not HTTP\r\n\r\n", status(404)]
    async with Bench(tmp_path, {"orders": Endpoint(url=receiver.url, secret=SECRET)}, None) as bench:
        sent = delivery("orders")
        await bench.store.enqueue([sent])
        await bench.wait_until_delivered()
        figures = bench.metrics.render().decode()
    assert len(receiver.received) == 6
    assert {each.line for each in receiver.received} == {"POST /results HTTP/1.1"}, "no redirect is followed"
    assert {each.headers["x-event-id"] for each in receiver.received} == {sent.id}
    assert {each.body for each in receiver.received} == {sent.body.encode()}
    assert 'ivr_outbox_attempts_total{carrier="http",outcome="failed"} 5.0' in figures
    assert 'ivr_outbox_attempts_total{carrier="http",outcome="delivered"} 1.0' in figures


async def test_a_receiver_that_never_answers_is_left(
    tmp_path: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "TRY_S", 0.2)
    receiver.answers = [asyncio.Event().wait]  # type: ignore[list-item]
    async with Bench(tmp_path, {"orders": Endpoint(url=receiver.url)}, None) as bench:
        await bench.store.enqueue([delivery("orders")])
        await bench.wait_until_delivered()
    assert len(receiver.received) == 2


async def test_a_slow_receiver_holds_up_no_other_and_is_not_run_over(
    tmp_path: Path, receiver: Receiver
) -> None:
    release = asyncio.Event()
    slow = Receiver(answers=[release.wait] * 4)  # type: ignore[list-item]
    server = await asyncio.start_server(slow.serve, "127.0.0.1", 0)
    slow.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/slow"
    endpoints = {"slow": Endpoint(url=slow.url), "fast": Endpoint(url=receiver.url)}
    async with Bench(tmp_path, endpoints, None) as bench:
        await bench.store.enqueue([delivery("slow") for _ in range(60)])
        await slow.wait_for(4)
        await bench.store.enqueue([delivery("fast") for _ in range(20)])
        await receiver.wait_for(20)
        assert len(slow.received) == 4
        release.set()
        await bench.wait_until_delivered()
    assert len(slow.received) == 64, "the four that were cut off came again"
    assert receiver.connections <= 4, "connections are used again"
    server.close()


async def test_what_was_not_delivered_is_after_a_restart(tmp_path: Path, receiver: Receiver) -> None:
    nowhere = Endpoint(url="http://127.0.0.1:1/")
    sent = delivery("orders")
    async with Bench(tmp_path, {"orders": nowhere}, None) as bench:
        await bench.store.enqueue([sent])
        await bench.wait_for_figure('outcome="failed"')
    async with Bench(tmp_path, {}, None) as bench:
        await bench.wait_for_figure('outcome="failed"')
    assert receiver.received == []
    async with Bench(tmp_path, {"orders": Endpoint(url=receiver.url)}, None) as bench:
        await bench.wait_until_delivered()
    assert [each.headers["x-event-id"] for each in receiver.received] == [sent.id]


async def test_after_a_day_it_is_given_up(tmp_path: Path, receiver: Receiver) -> None:
    receiver.answers = [status(500)]
    old = Delivery(new_id(), None, "orders", "{}", time.time() - 86_400.0)
    async with Bench(tmp_path, {"orders": Endpoint(url=receiver.url)}, None) as bench:
        await bench.store.enqueue([old])
        await bench.wait_until_delivered()
        assert 'outcome="given_up"} 1.0' in bench.metrics.render().decode()
    assert len(receiver.received) == 1


async def test_closing_waits_for_a_try_under_way(tmp_path: Path, receiver: Receiver) -> None:
    async with Bench(tmp_path, {}, Webhook(url=receiver.url, secret=SECRET)) as bench:
        await bench.store.enqueue([delivery(RESULT)])
        await receiver.wait_for(1)
    async with Bench(tmp_path, {}, Webhook(url=receiver.url, secret=SECRET)) as bench:
        assert await bench.store.waiting_deliveries(0.0) == (0, None)
    assert len(receiver.received) == 1


async def test_closing_ends_whenever_it_comes(tmp_path: Path, receiver: Receiver) -> None:
    async with Bench(tmp_path, {}, Webhook(url=receiver.url, secret=SECRET)) as bench:
        for turn in range(6):
            await bench.store.enqueue([delivery(RESULT)])
            await receiver.wait_for(turn + 1)
            for _ in range(turn):
                await asyncio.sleep(0)
            async with asyncio.timeout(30):
                await bench.outbox.close()
            await bench.outbox.start(bench.store)
        await bench.wait_until_delivered()
    assert len(receiver.received) == 6


def test_pauses_grow_to_an_hour_and_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tries, "FIRST_PAUSE_S", 2.0)
    for attempts in range(1, 40):
        longest = min(2.0 * 2 ** (attempts - 1), 3600.0)
        pauses = [pause_s(attempts) for _ in range(50)]
        assert all(longest / 2 <= pause <= longest for pause in pauses)
        assert len(set(pauses)) > 1
    assert pause_s(1, retry_after_s=120.0) == 120.0
    assert pause_s(1, retry_after_s=1e9) == 3600.0
    total = sum(min(2.0 * 2 ** (n - 1), 3600.0) for n in range(1, 36))
    assert total > 86_400.0 / 2, "a day is some 35 tries, not thousands"


async def test_what_one_carrier_cannot_deliver_is_not_in_the_way_of_the_other(tmp_path: Path) -> None:
    async with Bench(tmp_path, {}, None) as bench:
        await bench.outbox.close()
        now = time.time()
        waiting = [Delivery(new_id(), None, "orders", "{}", now, "PUBLISH") for _ in range(50)]
        await bench.store.enqueue(waiting)
        await bench.store.enqueue([delivery("orders")])
        assert len(await bench.store.due_deliveries(now + 1, 100, carrier="mqtt")) == 50
        assert len(await bench.store.due_deliveries(now + 1, 100, carrier="http")) == 1
        assert (await bench.store.waiting_deliveries(now))[0] == 51
        assert (await bench.store.waiting_deliveries(now, "http"))[0] == 1
    with sqlite3.connect(tmp_path / "calls.db") as database:
        query = "SELECT * FROM outbox WHERE carrier = 'http' AND next_at <= 1 ORDER BY next_at, id LIMIT 32"
        plan = " ".join(row[3] for row in database.execute(f"EXPLAIN QUERY PLAN {query}"))
    assert "outbox_due (carrier=? AND next_at<?)" in plan
