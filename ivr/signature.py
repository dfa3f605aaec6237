"""Signatures of outgoing HTTP requests: HMAC-SHA256 (RFC 2104) over `timestamp.body`, so that a request can
neither be changed nor sent again much later.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from typing import Final

HEADER: Final = "X-Signature"


def sign(secret: str, body: bytes, at: float | None = None) -> dict[str, str]:
    """The header for a body; `at` is Unix seconds, now by default."""
    timestamp = int(time.time() if at is None else at)
    return {HEADER: f"t={timestamp},v1={_digest(secret, timestamp, body)}"}


def _digest(secret: str, timestamp: int, body: bytes) -> str:
    return hmac.new(secret.encode(), f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()
