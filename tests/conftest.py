"""What all tests share.

Hypothesis runs without deadlines (the machine may be busy), and with the same examples in every run: new ones
are for `make properties`.

Tests that hold real calls, or start processes, live in real time: one that fails where the machine
stood still for a second is run once more, and the summary counts it ("rerun"). What is wrong fails twice.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import pytest
from hypothesis import settings

settings.register_profile("default", deadline=None, max_examples=60, derandomize=True)
settings.register_profile("thorough", deadline=None, max_examples=500)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))

HERE: Final = Path(__file__).parent
IN_REAL_TIME: Final = frozenset(
    {
        "admin",
        "api",
        "bench",
        "broker",
        "campaigns",
        "deploy",
        "docs",
        "engines",
        "evaluation",
        "interop",
        "ivr",
        "media",
        "phone",
        "server",
        "service",
        "shelf",
        "sip",
        "speech",
        "store",
        "talking",
        "test_demo.py",
        "web",
        "webrtc",
    }
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(HERE) and item.path.relative_to(HERE).parts[0] in IN_REAL_TIME:
            item.add_marker(pytest.mark.flaky(reruns=1))
