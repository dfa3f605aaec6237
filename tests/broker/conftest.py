"""Brokers, and an outbox in front of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path

import pytest

from ivr.config import Broker
from ivr.envelope import envelope
from ivr.metrics import Metrics
from ivr.outbox import Outbox, mqtt, tries
from ivr.store import Delivery, Store, database_url, new_id
from tests.broker.mosquitto import Mosquitto, mosquitto_at

OpenBroker = Callable[..., AbstractAsyncContextManager[Mosquitto]]


@pytest.fixture
def mosquitto(tmp_path: Path) -> OpenBroker:
    return partial(mosquitto_at, tmp_path / "mosquitto")


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses of hundredths of a second."""
    monkeypatch.setattr(mqtt, "FIRST_RETURN_S", 0.02)
    monkeypatch.setattr(mqtt, "LONGEST_RETURN_S", 0.2)
    monkeypatch.setattr(tries, "FIRST_PAUSE_S", 0.02)


class Desk:
    """A store and its outbox; stopped and started like the server."""

    def __init__(self, folder: Path, broker: Broker | None) -> None:
        self._url = database_url(folder)
        self._broker = broker

    async def __aenter__(self) -> Desk:
        self.metrics = Metrics()
        self.outbox = Outbox({}, None, self.metrics, self._broker)
        self.store = await Store.open(self._url, announce=self.outbox.announce)
        await self.outbox.start(self.store)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.outbox.close()
        await self.store.close()

    async def publish(
        self, topic: str = "orders", call_id: str = "c1", created_at: float = 1.0, **body: object
    ) -> str:
        """As a call does; gives the id."""
        id = new_id()
        text = envelope(id, topic, created_at, call_id, "vendor-order", body)
        await self.store.enqueue([Delivery(id, None, topic, text, created_at, "PUBLISH")])
        return id

    async def until_delivered(self, left: int = 0) -> None:
        async with asyncio.timeout(60):
            while (await self.store.waiting_deliveries(0.0))[0] > left:
                await asyncio.sleep(0.01)

    async def until_figure(self, text: str) -> None:
        async with asyncio.timeout(60):
            while text not in self.metrics.render().decode():
                await asyncio.sleep(0.01)
