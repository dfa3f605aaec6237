"""What of the texts of others may stand in a log line, or in the record of a call. Pure."""

from __future__ import annotations

import re
from typing import Final

_NUMBER: Final = re.compile(r"[0-9]{5,}")
_CONTROL: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]")
"""What could end a line of the log, or command the terminal that shows it."""


def one_line(text: object) -> str:
    """The text with `?` for what would end the line and what was no UTF-8: it can be stored, logged and
    shown."""
    shown = str(text)
    if not shown.isascii():
        shown = shown.encode("utf-8", "replace").decode()
    return _CONTROL.sub("?", shown)


def masked(text: object) -> str:
    """The text in one line, with telephone numbers (and all that could be one) cut down to their last two
    digits."""
    return _NUMBER.sub(lambda match: f"***{match[0][-2:]}", one_line(text))
