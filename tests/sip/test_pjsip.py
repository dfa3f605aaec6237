"""The PJSIP stack, called by and calling our own user agent; each scenario in a process of its own."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from tests.sip.pjsip_scenarios import names

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("pjsua2") is None,
    reason="pjsua2-python is not installed (scripts/setup test installs it)",
)


@pytest.mark.parametrize("scenario", names())
def test_scenario(scenario: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.sip.pjsip_scenarios", scenario],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == 0, f"ended with {done.returncode}:\n{done.stdout}\n{done.stderr[-6000:]}"
