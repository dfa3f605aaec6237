"""A call that we place, from its INVITE on."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Sequence
from enum import Enum, auto
from typing import Final

from media.leg import Cause, LegInfo, Party, Ringing
from media.plane import RtpPlane
from sip.acks import Acks
from sip.attempts import Attempts
from sip.authenticator import carried
from sip.causes import ELSEWHERE, Reason, cause_of, reason, reason_in
from sip.channel import Channel
from sip.client_transactions import ClientTransaction
from sip.dialog import Dialog, DialogError
from sip.early import Answer, EarlyDialog, Forks
from sip.endpoint import Extra, new_tag
from sip.extensions import ALLOW, REL100, requires, supported
from sip.hop import Hop
from sip.leg import SipLeg, Ties
from sip.message import Headers, ParseError, Request, Response, new_request
from sip.multipart import sdp_in
from sip.offer import IncompatibleMedia, NoOffer
from sip.refusal import Refused
from sip.reliable import parse_rseq
from sip.sdp import SdpError
from sip.session import Session
from sip.session_timer import SessionTimer
from sip.succession import Newcomer
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
    PICKED_UP = auto()
    """Somebody else has taken the call, while the INVITE has no final response yet."""
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
        self._ringing: Timer | None = None
        self._giving_up: Timer | None = None
        self._early: bool | None = None
        self._forks: Final = Forks(self._fork)
        self._session_timer: Final = SessionTimer(ties.trunk.session_expires_s, ties.trunk.refresher)
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
        sips = target.uri.scheme == "sips"

        def invite(hop: Hop) -> Request:
            self._trust(hop.remote.host)
            self._forks.close()
            self._stage = _Stage.CALLING
            trunk = self._ties.trunk
            fields = (
                ("Contact", endpoint.contact(hop, caller.uri.user or "", sips=sips)),
                ("Allow", ALLOW),
                ("Supported", supported(trunk)),
                *((("Require", REL100),) if trunk.rel100 == "required" else ()),
                *self._session_timer.request(),
                ("Content-Type", "application/sdp"),
                *target.headers,
            )
            return new_request(
                "INVITE",
                target.uri,
                from_=caller,
                to=NameAddr("", target.uri),
                call_id=call_id,
                cseq=1 if self._client is None else self._client.request.cseq.number + 1,
                routes=target.routes,
                fields=fields,
                body=self._offer(plane, endpoint.shown(hop).host),
            )

        self._attempts = Attempts(endpoint, hops, invite, self._responded, self._stray)
        self._ringing = endpoint.later(ring_s, lambda now: self.end(Cause.NO_ANSWER))
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
        self._left_for = cause
        self._take_back(_Stage.LEAVING)
        self._finish(Cause.CANCELLED if cause is Cause.NORMAL else cause, "us")

    def succeeded(self, newcomer: Newcomer) -> None:
        if self._stage in (_Stage.CALLING, _Stage.PROCEEDING):
            self._take_back(_Stage.PICKED_UP)
        super().succeeded(newcomer)

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
            self._part(client, response, _confirmed(client.request, response))

    def _responded(self, client: ClientTransaction, status: int, response: Response | None) -> None:
        if client is not self._client:
            return
        if status < 200:
            self._provisional(client, response)
        elif status < 300 and response is not None:
            self._accepted(client, response)
        elif response is None or not self._sent_again(client, response):
            self._refused(status, response)

    def _provisional(self, client: ClientTransaction, response: Response | None) -> None:
        if self._stage in (_Stage.LEAVING, _Stage.PICKED_UP):
            self._cancel()
            return
        if self._stage is _Stage.CALLING:
            self._stage = _Stage.PROCEEDING
        if self._stage is not _Stage.PROCEEDING or response is None or response.status == 100:
            return
        if response.status == 199:
            self._forks.end(response.to.tag)
            return
        fork = self._forks.of(client, response)
        reliable = self._ties.trunk.rel100 != "off" and requires(response, REL100)
        if reliable and not _acknowledge(fork, response):
            return
        early = self._hear_early(fork, response, Answer.FIRM if reliable else Answer.TENTATIVE)
        if early is not self._early and (response.status in (180, 183) or early):
            self._early = early
            self._put(Ringing(self._endpoint.now(), early))

    def _fork(self, client: ClientTransaction, dialog: Dialog) -> EarlyDialog:
        media = self._live
        assert media is not None
        return EarlyDialog(self._channel(client, dialog), self._ties.sessions, media.fork(), self)

    def _channel(self, client: ClientTransaction, dialog: Dialog) -> Channel:
        ties = self._ties
        user = client.request.from_.uri.user or ""
        return Channel(
            self._endpoint, ties.sessions, ties.trunk, ties.authenticator, dialog, client.hop, user
        )

    def _hear_early(self, fork: EarlyDialog | None, response: Response, answer: Answer) -> bool:
        """Early media of the fork that answered last; a tentative answer is in force until the 2xx brings its
        own."""
        media = self._live
        if media is None or not response.body or (fork is not None and fork.answer is Answer.FIRM):
            return bool(self._early)
        try:
            sdp = sdp_in(response)
            if fork is None:
                media.answered(sdp)
            else:
                media.answered_by(fork.party, sdp)
                fork.answer = answer
        except (SdpError, IncompatibleMedia, NoOffer, Refused):
            return bool(self._early)
        media.connect()
        return True

    def early_offer(self, early: EarlyDialog, sdp: bytes) -> bytes:
        """A fork changes its early media."""
        media = self._agreeing
        media.follow(early.party)
        answer = media.answer(sdp)
        media.connect()
        return answer

    def _accepted(self, client: ClientTransaction, response: Response) -> None:
        if self._acks.repeat(response):
            return
        if self._stage not in (_Stage.CALLING, _Stage.PROCEEDING):
            # A further fork, or an answer that crossed our CANCEL: it must be acknowledged, then ended.
            early = self._forks.past(response.to.tag)
            self._dismiss(client, response, _confirmed(client.request, response, early))
            return
        fork = self._forks.take(response.to.tag)
        self._forks.close()
        dialog = _confirmed(client.request, response, None if fork is None else fork.channel.dialog)
        try:
            self._agree(fork, response)
        except (SdpError, IncompatibleMedia, NoOffer, Refused):
            self._stage, self._left_for = _Stage.OVER, Cause.INCOMPATIBLE_MEDIA
            if fork is not None:
                fork.channel.close()
            self._dismiss(client, response, dialog)
            self._finish(Cause.INCOMPATIBLE_MEDIA, "us")
            return
        self._stage = _Stage.ANSWERED
        self._endpoint.timers.cancel(self._ringing)
        self._acks.send(client, response, dialog)
        channel = self._channel(client, dialog) if fork is None else fork.channel
        channel.heard(response)
        self._session_timer.agreed(response, self._endpoint.now())
        self._session = Session(channel, self._ties.sessions, self, self._session_timer)
        self._untrust()
        self._begin()

    def _agree(self, fork: EarlyDialog | None, response: Response) -> None:
        """The answer of who took the call: in the 2xx, or in a provisional response before it."""
        media = self._agreeing
        if fork is not None and fork.answer is Answer.FIRM:
            media.follow(fork.party)
        elif not response.body and self._early:
            if fork is not None and fork.answer is Answer.TENTATIVE:
                media.follow(fork.party)
        elif fork is None:
            media.answered(sdp_in(response))
        else:
            media.answered_by(fork.party, sdp_in(response))

    def _dismiss(self, client: ClientTransaction, response: Response, dialog: Dialog) -> None:
        self._endpoint.timers.cancel(self._giving_up)
        self._part(client, response, dialog)
        self._untrust()

    def _part(self, client: ClientTransaction, response: Response, dialog: Dialog) -> None:
        self._acks.send(client, response, dialog)
        bye = dialog.request("BYE", headers=(("Reason", reason(self._left_for)),))

        def found(hop: Hop) -> None:
            self._endpoint.request(bye, hop, lambda client, status, response: None)

        self._endpoint.router.route(dialog.next_hop, client.hop, found)

    def _sent_again(self, client: ClientTransaction, response: Response) -> bool:
        """Sends the INVITE again where that makes sense: with credentials when the trunk asks for them, or
        with a longer session interval."""
        if self._stage not in (_Stage.CALLING, _Stage.PROCEEDING):
            return False
        request = client.request
        if response.status == 422:
            if not self._session_timer.too_small(response):
                return False
            kept = carried(request, self._session_timer.request()[0])
            fields = [(n, v) for n, v in kept if n not in _NOT_KEPT] + [*self._session_timer.request()[1:]]
        else:
            proof = self._ties.authenticator.answer(response, request, client.hop)
            if proof is None:
                return False
            fields = carried(request, proof)
        self._stage = _Stage.CALLING
        self._forks.close()
        assert self._attempts is not None
        self._attempts.again(_again(request, fields))
        return True

    def _refused(self, status: int, response: Response | None) -> None:
        """A final refusal; without a response, nobody was there."""
        leaving = self._stage in (_Stage.LEAVING, _Stage.PICKED_UP)
        self._stage = _Stage.ANSWERED if self._stage is _Stage.PICKED_UP else _Stage.OVER
        self._untrust()
        self._forks.close()
        self._endpoint.timers.cancel(self._giving_up)
        if not leaving:
            why = reason_in(response)
            cause = Cause.UNAVAILABLE if response is None else cause_of(status, why)
            self._finish(cause, "us" if response is None else "callee", status, why)

    # Leaving

    def _take_back(self, stage: _Stage) -> None:
        """The INVITE is not to be answered any more; its CANCEL waits until there is a response to it."""
        proceeding = self._stage is _Stage.PROCEEDING
        self._stage = stage
        if self._attempts is not None:
            self._attempts.stop()
        self._endpoint.timers.cancel(self._ringing)
        self._forks.close()
        if proceeding:
            self._cancel()

    def _cancel(self) -> None:
        client = self._client
        if client is None or self._giving_up is not None:  # the CANCEL is on its way
            return
        elsewhere = self._stage is _Stage.PICKED_UP
        self._endpoint.cancel(client, ELSEWHERE.written if elsewhere else reason(self._left_for))
        self._giving_up = self._endpoint.later(
            self._endpoint.timing.timeout, lambda now: self._give_up(client)
        )

    def _give_up(self, client: ClientTransaction) -> None:
        """RFC 3261 9.1: 64*T1 after the CANCEL the INVITE counts as cancelled, answered or not."""
        if client.waiting:
            self._endpoint.abandon(client)
        self._untrust()

    def _finish(self, cause: Cause, by: Party, code: int | None = None, why: Reason | None = None) -> None:
        self._endpoint.timers.cancel(self._ringing)
        self._forks.close()
        super()._finish(cause, by, code, why)

    def _trust(self, host: str) -> None:
        self._untrust()
        self._trusted = host
        self._ties.sessions.trust(host)

    def _untrust(self) -> None:
        if self._trusted is not None:
            self._ties.sessions.distrust(self._trusted)
            self._trusted = None


def _confirmed(invite: Request, response: Response, early: Dialog | None = None) -> Dialog:
    """The dialog of a 2xx, even where its Contact or routes are broken: it must be ended somehow. `early` is
    that of the provisional responses before it."""
    if early is not None:
        with contextlib.suppress(ParseError):
            early.confirm(response)
        return early
    try:
        return Dialog.from_response(invite, response)
    except (DialogError, ParseError):
        return Dialog(invite.from_, response.to, invite.call_id, (), invite.uri, invite.cseq.number, None)


def _acknowledge(fork: EarlyDialog | None, response: Response) -> bool:
    """Sends the PRACK of a reliable response; False when that does not count (RFC 3262 4)."""
    try:
        rseq = parse_rseq(response.headers.get("RSeq") or "")
    except ValueError:
        return False
    return fork is not None and fork.accepts(rseq, response.cseq.number)


_NOT_KEPT: Final = frozenset(["Min-SE", "Authorization", "Proxy-Authorization"])
"""What an INVITE with a longer session interval has anew, or is asked for anew."""


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
