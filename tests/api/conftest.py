from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from ivr.api import create_app
from ivr.config import ApiKey, InboundNumber
from ivr.library import FlowLibrary
from ivr.metrics import Metrics
from ivr.shelf.keeper import FlowKeeper
from ivr.store import Store, database_url
from tests.api.fake_gateway import FakeGateway
from tests.shelf.flows import HereReader

KEYS = {
    "orders": ApiKey(key="orders-key-0123456789", scopes=["calls:read", "calls:write", "recordings:read"]),
    "viewer": ApiKey(key="viewer-key-0123456789", scopes=["calls:read"]),
    "caller": ApiKey(key="caller-key-0123456789", scopes=["calls:write"]),
    "author": ApiKey(key="author-key-0123456789", scopes=["flows:read", "flows:write"]),
    "reader": ApiKey(key="reader-key-0123456789", scopes=["flows:read"]),
    "operator": ApiKey(key="operator-key-0123456789", scopes=["engines:read", "engines:write"]),
    "dashboard": ApiKey(
        key="dashboard-key-0123456789",
        scopes=[
            "calls:read",
            "calls:write",
            "calls:supervise",
            "audit:read",
            "audit:write",
            "metrics:read",
            "campaigns:read",
            "campaigns:write",
        ],
    ),
    "marketing": ApiKey(
        key="marketing-key-0123456789", scopes=["campaigns:read", "campaigns:write", "calls:write"]
    ),
    "monitor": ApiKey(key="monitor-key-0123456789", scopes=["metrics:read"]),
}


def bearer(name: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {KEYS[name].key}"}


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    store = await Store.open(database_url(tmp_path))
    yield store
    await store.close()


@pytest.fixture
async def keeper(store: Store, tmp_path: Path) -> AsyncIterator[FlowKeeper]:
    """Of an empty folder; what is written into it is seen when the API is asked to look."""
    folder = tmp_path / "flows"
    folder.mkdir()
    numbers = {"100": InboundNumber(flow="greeting", params={"shop": "Sharma"})}
    library = FlowLibrary(folder, numbers)
    keeper = FlowKeeper(folder, HereReader(folder), library, store, Metrics())
    yield keeper
    await keeper.close()


@pytest.fixture
def gateway(store: Store, keeper: FlowKeeper) -> FakeGateway:
    return FakeGateway(store, keeper)


@pytest.fixture
async def api(gateway: FakeGateway, store: Store) -> AsyncIterator[httpx.AsyncClient]:
    """A client from elsewhere, with the key `orders`."""
    app = create_app(gateway, store, Metrics(), KEYS)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False, client=("192.0.2.7", 4711))
    async with httpx.AsyncClient(
        transport=transport, base_url="http://ivr", headers=bearer("orders")
    ) as client:
        yield client
