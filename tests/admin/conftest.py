"""What the tests of the dashboard in a browser share: each module has a `gateway`, and one dashboard and one
browser for all of its tests, as each costs more than a test."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from tests.admin.fake_gateway import FakeGateway
from tests.admin.served import Dashboard, dashboard
from tests.web.browser import chromium


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def served(gateway: FakeGateway, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Dashboard]:
    async with dashboard(tmp_path_factory.mktemp("dashboard"), gateway.url) as served:
        yield served


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as browser:
        yield browser
