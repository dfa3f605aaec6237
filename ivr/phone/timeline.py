"""A call as lines with times, as it happens."""

from __future__ import annotations

import sys
import time
from typing import Final, TextIO


class Timeline:
    """Prints `   1.234  caller  presses 1`; times count from the first line."""

    def __init__(self, out: TextIO | None = None) -> None:
        """Prints to the standard output when `out` is None."""
        self._out: Final = out if out is not None else sys.stdout
        self._began: float | None = None

    def note(self, who: str, text: str, at: float | None = None) -> None:
        """`at` is `time.monotonic()`, now when it is None."""
        at = time.monotonic() if at is None else at
        if self._began is None:
            self._began = at
        print(f"{at - self._began:8.3f}  {who:<7} {text}", file=self._out, flush=True)
