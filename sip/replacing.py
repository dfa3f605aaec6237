"""Whose far end an INVITE with Replaces is to take over (RFC 3891 section 3)."""

from __future__ import annotations

from sip.dialogs import Dialogs
from sip.leg import SipLeg
from sip.message import Request
from sip.refusal import Refused
from sip.replaces import ReplacesError, replaces_of
from sip.session import Session, SessionState


def replaced_by(request: Request, trunk: str, dialogs: Dialogs) -> SipLeg | None:
    """The leg that goes on with the sender of the INVITE, which came over that trunk; None for an ordinary
    call. Raises `Refused`.

    Only an answered call can be taken over. One that still rings here is nobody's to replace but its caller's
    own, and gets 481 as the RFC asks.
    """
    try:
        replaces = replaces_of(request)
    except ReplacesError as error:
        raise Refused(f"Replaces: {error}", 400) from error
    if replaces is None:
        return None
    found = next((dialog for key in replaces.dialogs if (dialog := dialogs.find(key)) is not None), None)
    if not isinstance(found, Session):
        raise Refused("Replaces names no call that was answered", 481)
    leg = found.user
    if found.state is SessionState.LEAVING or not isinstance(leg, SipLeg):
        raise Refused("that call is over, but for its BYE", 603)
    if leg.info.trunk != trunk:
        raise Refused("that call is another trunk's", 403)
    if not found.live:
        raise Refused("that call waits for its ACK", 481)
    if replaces.early_only:
        raise Refused("that call does not ring any more", 486)
    return leg
