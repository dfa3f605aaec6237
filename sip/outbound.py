"""A call that we place, from its INVITE on."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from enum import Enum, auto
from typing import Final

from media.leg import Cause, LegInfo, Party, Ringing
from media.plane import RtpPlane
from sip.acks import Acks
from sip.attempts import Attempts
from sip.authenticator import carried
from sip.causes import cause_of, reason
from sip.client_transactions import ClientTransaction
from sip.dialog import MAX_FORWARDS, Dialog, DialogError
from sip.endpoint import Extra, new_tag
from sip.hop import Hop
from sip.leg import SipLeg, Ties
from sip.message import Headers, ParseError, Request, Response
from sip.offer import IncompatibleMedia, NoOffer
from sip.sdp import SdpError
from sip.session import ALLOW, Session
from sip.timers import Timer
from sip.trunks import Target
from sip.uri import NameAddr


class _Stage(Enum):
    IDLE = auto()
    CALLING = auto()
    """INVITE sent, nothing heard: a CANCEL must wait (RFC 3261 9.1)."""
    PROCEEDING = auto()
    LEAVING = auto()
    """Hung up, but the INVITE has no final response yet."""
    ANSWERED = auto()
    OVER = auto()


class OutboundLeg(SipLeg):
    """A leg that rings, is answered or refused, as its events tell."""

    def __init__(self, info: LegInfo, ties: Ties) -> None:
        super().__init__(info, ties)
        self._stage = _Stage.IDLE
        self._attempts: Attempts | None = None
        self._acks: Final = Acks(self._endpoint)
        self._trusted: str | None = None
        self._media_host = ""
        self._timer: Timer | None = None
        self._early: bool | None = None
        self._left_for = Cause.NORMAL

    def place(self, target: Target, hops: Sequence[Hop], plane: RtpPlane, ring_s: float) -> None:
        """Sends the INVITE to the first hop, and to the others while nobody takes it; raises `NoPorts`, or
        ValueError when it cannot be written.

        A leg that was ended meanwhile sends none.
        """
        if self._over:
            return
        endpoint = self._endpoint
        host = endpoint.shown(hops[0]).host
        caller = target.shown(host).with_tag(new_tag())
        call_id = secrets.token_hex(16)

        def invite(hop: Hop) -> Request:
            cseq = 1 if self._client is None else self._client.request.cseq.number + 1
            headers = Headers()
            headers.add("Max-Forwards", MAX_FORWARDS)
            for route in target.routes:
                headers.add("Route", route)
            headers.add("From", str(caller))
            headers.add("To", str(NameAddr("", target.uri)))
            headers.add("Call-ID", call_id)
            headers.add("CSeq", f"{cseq} INVITE")
            headers.add("Contact", endpoint.contact(hop, caller.uri.user or ""))
            headers.add("Allow", ALLOW)
            headers.add("Content-Type", "application/sdp")
            for name, value in target.headers:
                headers.add(name, value)
            self._trust(hop.remote.host)
            self._stage = _Stage.CALLING
            return Request("INVITE", target.uri, headers, self._offer(plane, endpoint.shown(hop).host))

        self._attempts = Attempts(endpoint, hops, invite, self._responded, self._stray)
        self._timer = endpoint.later(ring_s, lambda now: self.end(Cause.NO_ANSWER))
        self._attempts.start()

    def fail(self, cause: Cause) -> None:
        """The call could not be placed at all."""
        self._stage = _Stage.OVER
        self._untrust()
        self._finish(cause, "us")

    def end(self, cause: Cause) -> None:
        if self._stage not in (_Stage.CALLING, _Stage.PROCEEDING):
            super().end(cause)
            return
        proceeding = self._stage is _Stage.PROCEEDING
        if self._attempts is not None:
            self._attempts.stop()
        self._stage, self._left_for = _Stage.LEAVING, cause
        self._finish(Cause.CANCELLED if cause is Cause.NORMAL else cause, "us")
        if proceeding:
            self._cancel()

    # Responses to the INVITE

    @property
    def _client(self) -> ClientTransaction | None:
        return None if self._attempts is None else self._attempts.client

    def _offer(self, plane: RtpPlane, host: str) -> bytes:
        """Our offer towards a target, which may reach us at another address than the one before it."""
        if self._media is None or host != self._media_host:
            if self._media is not None:
                self._media.close()
            self._media, self._media_host = self._open(plane, host), host
        else:
            self._media.withdraw()
        return self._media.offer()

    def _stray(self, client: ClientTransaction, response: Response) -> None:
        """A target that was given up answers after all."""
        if not self._acks.repeat(response):
            self._part(client, response, _dialog(client.request, response))

    def _responded(self, client: ClientTransaction, status: int, response: Response | None) -> None:
        if client is not self._client:
            return
        if status < 200:
            self._provisional(response)
        elif status < 300 and response is not None:
            self._accepted(client, response)
        elif response is None or not self._challenged(client, response):
            self._refused(status, heard=response is not None)

    def _provisional(self, response: Response | None) -> None:
        if self._stage is _Stage.LEAVING:
            self._cancel()
            return
        if self._stage is _Stage.CALLING:
            self._stage = _Stage.PROCEEDING
        if self._stage is not _Stage.PROCEEDING or response is None or response.status == 100:
            return
        early = self._hear_early(response)
        if early is not self._early and (response.status in (180, 183) or early):
            self._early = early
            self._put(Ringing(self._endpoint.now(), early))

    def _hear_early(self, response: Response) -> bool:
        """Early media: an answer in a provisional response is in force until the 2xx brings its own."""
        media = self._live
        if media is None or not response.body:
            return bool(self._early)
        try:
            media.answered(response.body)
        except (SdpError, IncompatibleMedia, NoOffer):
            return bool(self._early)
        media.connect()
        return True

    def _accepted(self, client: ClientTransaction, response: Response) -> None:
        if self._acks.repeat(response):
            return
        dialog = _dialog(client.request, response)
        if self._stage not in (_Stage.CALLING, _Stage.PROCEEDING):
            # A further fork, or an answer that crossed our CANCEL: it must be acknowledged, then ended.
            self._dismiss(client, response, dialog)
            return
        media = self._live
        assert media is not None
        try:
            if response.body or not self._early:
                media.answered(response.body)
        except (SdpError, IncompatibleMedia, NoOffer):
            self._stage, self._left_for = _Stage.OVER, Cause.INCOMPATIBLE_MEDIA
            self._dismiss(client, response, dialog)
            self._finish(Cause.INCOMPATIBLE_MEDIA, "us")
            return
        self._stage = _Stage.ANSWERED
        self._endpoint.timers.cancel(self._timer)
        self._acks.send(client, response, dialog)
        self._session = Session(
            self._endpoint,
            self._ties.sessions,
            dialog,
            client.hop,
            self,
            self._ties.authenticator,
            client.request.from_.uri.user or "",
        )
        self._untrust()
        self._begin()

    def _dismiss(self, client: ClientTransaction, response: Response, dialog: Dialog) -> None:
        self._endpoint.timers.cancel(self._timer)
        self._part(client, response, dialog)
        self._untrust()

    def _part(self, client: ClientTransaction, response: Response, dialog: Dialog) -> None:
        self._acks.send(client, response, dialog)
        bye = dialog.request("BYE", headers=(("Reason", reason(self._left_for)),))

        def found(hop: Hop) -> None:
            self._endpoint.request(bye, hop, lambda client, status, response: None)

        self._endpoint.route(dialog.next_hop, client.hop, found)

    def _challenged(self, client: ClientTransaction, response: Response) -> bool:
        """Sends the INVITE again with credentials, when the trunk asks for them and it makes sense."""
        if self._stage not in (_Stage.CALLING, _Stage.PROCEEDING):
            return False
        proof = self._ties.authenticator.answer(response, client.request, client.hop)
        if proof is None:
            return False
        self._stage = _Stage.CALLING
        assert self._attempts is not None
        self._attempts.again(_again(client.request, carried(client.request, proof)))
        return True

    def _refused(self, status: int, *, heard: bool) -> None:
        """A final refusal; without a response, nobody was there."""
        leaving = self._stage is _Stage.LEAVING
        self._stage = _Stage.OVER
        self._untrust()
        self._endpoint.timers.cancel(self._timer)
        if not leaving:
            cause = cause_of(status) if heard else Cause.UNAVAILABLE
            self._finish(cause, "callee" if heard else "us", status)

    # Leaving

    def _cancel(self) -> None:
        client = self._client
        if client is None or self._timer is not None:  # the timer runs: the CANCEL is on its way
            return
        self._endpoint.cancel(client, reason(self._left_for))
        self._timer = self._endpoint.later(self._endpoint.timing.timeout, lambda now: self._give_up(client))

    def _give_up(self, client: ClientTransaction) -> None:
        """RFC 3261 9.1: 64*T1 after the CANCEL the INVITE counts as cancelled, answered or not."""
        if client.waiting:
            self._endpoint.abandon(client)
        self._untrust()

    def _finish(self, cause: Cause, by: Party, code: int | None = None) -> None:
        self._endpoint.timers.cancel(self._timer)
        self._timer = None
        super()._finish(cause, by, code)

    def _trust(self, host: str) -> None:
        self._untrust()
        self._trusted = host
        self._ties.sessions.trust(host)

    def _untrust(self) -> None:
        if self._trusted is not None:
            self._ties.sessions.distrust(self._trusted)
            self._trusted = None


def _dialog(invite: Request, response: Response) -> Dialog:
    """The dialog of a 2xx, even where its Contact or routes are broken: it must be ended somehow."""
    try:
        return Dialog.from_response(invite, response)
    except (DialogError, ParseError):
        return Dialog(invite.from_, response.to, invite.call_id, (), invite.uri, invite.cseq.number, None)


def _again(invite: Request, fields: Extra) -> Request:
    """The same INVITE with the next CSeq (RFC 3261 22.2); its Via comes from who sends it."""
    headers = Headers()
    for name, value in invite.headers:
        if name in ("Max-Forwards", "Route", "From", "To", "Call-ID"):
            headers.add(name, value)
    headers.add("CSeq", f"{invite.cseq.number + 1} INVITE")
    for name, value in fields:
        headers.add(name, value)
    return Request("INVITE", invite.uri, headers, invite.body)
