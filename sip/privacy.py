"""What may stand in a log line."""

from __future__ import annotations

import re
from typing import Final

_NUMBER: Final = re.compile(r"[0-9]{5,}")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
"""What could end a line of the log, or command the terminal that shows it."""


def one_line(text: object) -> str:
    """The text with `?` for what would end the line."""
    return _CONTROL.sub("?", str(text))


def masked(text: object) -> str:
    """The text in one line, with telephone numbers (and all that could be one) cut down to their last two
    digits."""
    return _NUMBER.sub(lambda match: f"***{match[0][-2:]}", one_line(text))
