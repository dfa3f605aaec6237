"""Keys carried in INFO bodies, as many gateways send them. Pure."""

from __future__ import annotations

import re
from typing import Final

RELAY: Final = "application/dtmf-relay"
PLAIN: Final = "application/dtmf"

_SIGNAL: Final = re.compile(r"^[ \t]*signal\s*=\s*(\S+)", re.IGNORECASE | re.MULTILINE)
_KEYS: Final = frozenset("0123456789*#ABCD")
_NUMBERED: Final = {"10": "*", "11": "#", "12": "A", "13": "B", "14": "C", "15": "D"}


def key_of(content_type: str, body: bytes) -> str | None:
    """The key that an INFO body names; None when it names none (a hook flash, nonsense)."""
    text = body.decode("ascii", "replace").strip()
    if content_type == RELAY:
        match = _SIGNAL.search(text)
        if match is None:
            return None
        text = match[1]
    key = _NUMBERED.get(text, text.upper())
    return key if key in _KEYS else None
