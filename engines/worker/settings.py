"""What a worker is told when it starts, and cannot change: where its weights are, on which device it runs."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any, Final

VARIABLE: Final = "IVR_ENGINE_SETTINGS"


def packed(settings: Mapping[str, Any]) -> dict[str, str]:
    """For the parent: settings as part of the worker's environment."""
    return {VARIABLE: json.dumps(settings)} if settings else {}


def settings() -> dict[str, Any]:
    """For the engine: what it was given; raises `ValueError` when that is no JSON object."""
    text = os.environ.get(VARIABLE, "{}")
    found = json.loads(text)
    if not isinstance(found, dict):
        raise ValueError(f"{VARIABLE} should hold a JSON object")
    return found
