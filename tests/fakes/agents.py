"""Agents for a switchboard without a telephone."""

from __future__ import annotations

from media.leg import CallLeg
from sip.stack import OutboundCall, TrunkBusy


async def nobody(call: OutboundCall) -> CallLeg:
    """No agent can be called."""
    raise TrunkBusy("there is no trunk here")
