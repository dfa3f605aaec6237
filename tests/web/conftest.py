"""A server in a process of its own for the tests of sockets, one for all of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ivr.local import LocalServer, local_server
from tests.web.served import CONFIG


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    with local_server(tmp_path_factory.mktemp("sockets"), CONFIG) as server:
        yield server
