"""What a test needs of the machine: missing, it is skipped with the reason; in CI it fails."""

from __future__ import annotations

import importlib.util
import os
import shutil

import pytest

ABSENT = "is not installed"


def command(name: str, package: str) -> str:
    """The path of a program of a Debian package."""
    found = shutil.which(name)
    if found is None:
        _missing(f"{name} {ABSENT} (Debian package {package}; scripts/setup test installs it)")
    assert found is not None
    return found


def module(name: str, package: str) -> None:
    """A Python package of requirements-interop.lock."""
    if importlib.util.find_spec(name) is None:
        _missing(f"{package} {ABSENT} (requirements-interop.lock; scripts/setup test installs it)")


def _missing(reason: str) -> None:
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)
