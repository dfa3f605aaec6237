"""What may stand in a log line."""

from __future__ import annotations

import re
from typing import Final

_NUMBER: Final = re.compile(r"[0-9]{5,}")


def masked(text: object) -> str:
    """The text with telephone numbers (and all that could be one) cut down to their last two digits."""
    return _NUMBER.sub(lambda match: f"***{match[0][-2:]}", str(text))
