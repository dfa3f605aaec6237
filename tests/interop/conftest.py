"""One server of each SIP stack for all phones of a worker, on free loopback ports with a data folder of its
own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ivr.local import LocalServer, local_server
from tests.interop import needs

FLOWS = Path(__file__).parent / "flows"


@pytest.fixture(scope="session", params=["own", "pjsip"])
def stack(request: pytest.FixtureRequest) -> str:
    """`sip.stack`: whose signalling the phones meet."""
    name: str = request.param
    if name == "pjsip":
        needs.module("pjsua2", "pjsua2-python")
    return name


@pytest.fixture(scope="session")
def server(stack: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    config = {
        "sip": {"stack": stack, "listen": ["udp:127.0.0.1:0", "tcp:127.0.0.1:0"]},
        "flows": str(FLOWS),
        "numbers": {"*": {"flow": "order", "params": {"order": "48213"}}},
    }
    with local_server(tmp_path_factory.mktemp("server"), config) as server:
        yield server


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.interop)
