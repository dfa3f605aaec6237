"""Whose far end an INVITE with Replaces is to take over (RFC 3891 section 3)."""

from __future__ import annotations

from sip.dialogs import Dialogs
from sip.early import EarlyDialog
from sip.leg import SipLeg
from sip.message import Request
from sip.refusal import Refused
from sip.replaces import ReplacesError, replaces_of
from sip.session import Session, SessionState


def replaced_by(request: Request, trunk: str, dialogs: Dialogs) -> SipLeg | None:
    """The leg that goes on with the sender of the INVITE, which came over that trunk; None for an ordinary
    call. Raises `Refused`.

    A call that we place may be taken over while it rings at its far end (it was picked up elsewhere); one
    that rings here may not.
    """
    try:
        replaces = replaces_of(request)
    except ReplacesError as error:
        raise Refused(f"Replaces: {error}", 400) from error
    if replaces is None:
        return None
    found = next((dialog for key in replaces.dialogs if (dialog := dialogs.find(key)) is not None), None)
    if not isinstance(found, Session | EarlyDialog):
        raise Refused("Replaces names no call that could be taken over", 481)
    leg = found.user
    if not isinstance(leg, SipLeg) or (isinstance(found, Session) and found.state is SessionState.LEAVING):
        raise Refused("that call is over, but for its BYE", 603)
    if leg.info.trunk != trunk:
        raise Refused("that call is another trunk's", 403)
    if isinstance(found, EarlyDialog):
        return leg
    if not found.live:
        raise Refused("that call waits for its ACK", 481)
    if replaces.early_only:
        raise Refused("that call does not ring any more", 486)
    return leg
