"""What a page may send on the data channel, and how much of it: JSON texts. Pure.

    {"type": "key", "key": "5"}         a key was pressed; told once, however else it came
    {"type": "ping", "t": 1234}         answered by {"type": "pong", "t": 1234}

Others are passed over: a newer page may know more.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from typing import Any, Final

from webrtc.credit import Credit

MAX_MESSAGE: Final = 1_024
"""Characters."""

MESSAGES_PER_S: Final = 20.0
"""And twice as many at once."""

KEYS: Final = frozenset("0123456789*#ABCD")


def key_in(text: str) -> str | None:
    """The key that a message is about."""
    message = _read(text)
    key = message.get("key")
    return key if message.get("type") == "key" and isinstance(key, str) and key in KEYS else None


class ChannelGuard:
    """Lets through what is a message, at a pace that a person or a program of ours has."""

    def __init__(self, on_misuse: Callable[[], None]) -> None:
        """`on_misuse` is called for each that is refused."""
        self._on_misuse = on_misuse
        self._credit = Credit(0.0)

    def admits(self, text: str, now: float) -> bool:
        if len(text) > MAX_MESSAGE or not self._credit.take(1 / MESSAGES_PER_S, now) or not _read(text):
            self._on_misuse()
            return False
        return True

    def reply(self, text: str) -> str | None:
        """What is answered at once, if anything."""
        message = _read(text)
        return pong(message) if message.get("type") == "ping" else None


def pong(ping: Mapping[str, Any]) -> str:
    """The answer to a ping: its own time, if that is a number which JSON can hold."""
    sent = ping.get("t")
    whole = isinstance(sent, int) and not isinstance(sent, bool)
    known = whole or (isinstance(sent, float) and math.isfinite(sent))
    return json.dumps({"type": "pong", "t": sent if known else None})


def _read(text: str) -> dict[str, Any]:
    try:
        message = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return message if isinstance(message, dict) else {}
