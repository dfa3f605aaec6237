"""What a benchmark prints, and the status that it ends with."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

from ivr.bench.process import BenchFailed
from ivr.local import ServerFailed


def printed(measure: Callable[[], dict[str, Any]]) -> int:
    """Prints the figures as JSON; 1 when a call failed, 2 when nothing could be measured."""
    try:
        report = measure()
    except (BenchFailed, ServerFailed) as error:
        print(f"ivr bench: {error}", file=sys.stderr)
        return 2
    print(json.dumps(report, indent=2))
    return 1 if report["failed"] else 0
