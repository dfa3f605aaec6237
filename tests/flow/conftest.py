"""Flows for the tests of the language."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ivr.flow.loader import load_flow
from ivr.flow.model import Flow
from ivr.flow.packing import pack, unpack
from tests.flow.calls import VENDOR_ORDER, Call


@pytest.fixture(scope="session")
def vendor_order() -> Flow:
    return load_flow(VENDOR_ORDER)


@pytest.fixture
def call(vendor_order: Flow) -> Call:
    return Call(vendor_order, vendor="Sharma Foods", order="48213", amount=1250.5, language="en")


@pytest.fixture
def flow_of(tmp_path: Path) -> Callable[[str], Flow]:
    """Writes a flow and loads it, as a server does: it comes from another process as bytes."""

    def build(text: str) -> Flow:
        path = tmp_path / "flow.yaml"
        path.write_text(text, encoding="utf-8")
        return unpack(pack(load_flow(path)))

    return build
