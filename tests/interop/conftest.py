"""One server for all phones of a worker, on free loopback ports with a data folder of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ivr.local import LocalServer, local_server

FLOWS = Path(__file__).parent / "flows"


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    config = {"flows": str(FLOWS), "numbers": {"*": {"flow": "order", "params": {"order": "48213"}}}}
    with local_server(tmp_path_factory.mktemp("server"), config) as server:
        yield server


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.interop)
