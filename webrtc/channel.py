"""What a page may send on the data channel, and how much of it: JSON texts. Pure.

    {"type": "key", "key": "5"}         a key was pressed; told once, however else it came
    {"type": "ping", "t": 1234}         answered by {"type": "pong", "t": 1234}

Others are passed over: a newer page may know more.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final

MAX_MESSAGE: Final = 1_024
"""Characters."""

MESSAGES_PER_S: Final = 20.0
_BURST: Final = 40.0

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
        self._tokens = _BURST
        self._at = 0.0

    def admits(self, text: str, now: float) -> bool:
        self._tokens = min(_BURST, self._tokens + (now - self._at) * MESSAGES_PER_S)
        self._at = now
        if self._tokens < 1 or len(text) > MAX_MESSAGE or not _read(text):
            self._on_misuse()
            return False
        self._tokens -= 1
        return True

    def reply(self, text: str) -> str | None:
        """What is answered at once, if anything."""
        message = _read(text)
        if message.get("type") != "ping":
            return None
        sent = message.get("t")
        return json.dumps({"type": "pong", "t": sent if isinstance(sent, int | float) else None})


def _read(text: str) -> dict[str, Any]:
    try:
        message = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return message if isinstance(message, dict) else {}
