"""Who calls whom, as an INVITE tells it. Pure."""

from __future__ import annotations

from typing import Final

from media.leg import LegInfo
from sip.message import Request
from sip.trunks import Trunk, canonical

_SHOWN: Final = frozenset(
    ["p-asserted-identity", "diversion", "history-info", "privacy", "user-agent", "p-charging-vector"]
)
"""Headers of an INVITE, besides X-..., that the layers above see."""


def inbound_info(request: Request, leg: str, name: str, trunk: Trunk) -> LegInfo:
    """What is known of a call that comes over the trunk `name`; `leg` is the id of the new leg."""
    headers = {"Call-ID": request.call_id}
    for field, value in request.headers:
        lower = field.lower()
        if lower.startswith("x-") or lower in _SHOWN:
            headers.setdefault(field, value)
    return LegInfo(
        id=leg,
        direction="inbound",
        caller=canonical(request.from_.uri.user or "anonymous", trunk),
        called=canonical(request.uri.user or "", trunk),
        trunk=name,
        headers=headers,
    )
