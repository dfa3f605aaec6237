"""When both sides change a session at the same time (RFC 3261 14.1, RFC 3311 5.2). Pure but for the dice."""

from __future__ import annotations

import random
from typing import Final

from sip.message import Response

OWNER_S: Final = (2.1, 4.0)
OTHER_S: Final = (0.0, 2.0)
"""Between which pauses a change is sent again after a 491: who made the Call-ID waits longer."""

RETRY_AFTER_S: Final = 10
"""The longest Retry-After to an offer that came while the one before it has no answer."""


def retry_s(ours: bool) -> float:
    """Seconds until a change that got 491 is tried again; `ours`: we made the dialog's Call-ID."""
    return round(random.uniform(*(OWNER_S if ours else OTHER_S)), 2)


def crossed(status: int, response: Response | None) -> bool:
    """Whether a change of ours was refused only since another was under way: 491, or 500 with Retry-After."""
    return status == 491 or (status == 500 and response is not None and "Retry-After" in response.headers)


def retry_after() -> tuple[tuple[str, str], ...]:
    """The header field of a 500 to such an offer."""
    return (("Retry-After", str(random.randint(0, RETRY_AFTER_S))),)
