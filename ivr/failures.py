"""What commands tell of failures."""

from __future__ import annotations

import sys
from pathlib import Path

from ivr.config import Config, ConfigError, load_or_default


def first_of(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Many fail alike, engines or callers: one of them is enough to say."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def config_or_told(path: Path) -> Config | None:
    """As `load_or_default`; None, and what is wrong told on stderr, where it cannot be read."""
    try:
        return load_or_default(path)
    except ConfigError as error:
        print(f"ivr: {error}", file=sys.stderr)
        return None
