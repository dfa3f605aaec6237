"""The call leg of a browser: its audio goes through a stream of ours as that of any leg, its packets through
a peer connection.

A caller whose page was reloaded, or whose network changed, comes back with another peer connection, and the
call goes on: the stream stays, only what carries it is another. Until then nothing is played to him (`Held`),
so that he misses nothing, and after `reconnect_s` the call is over.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from aiortc import RTCCertificate

from media.leg import Answered, Cause, Held, LegInfo, Party
from media.plane import RtpPlane
from media.presses import Way
from webrtc.carried_leg import CarriedLeg
from webrtc.channel import ChannelGuard, key_in
from webrtc.description import Local, Offer, answer
from webrtc.ice import IceTerms
from webrtc.peer import Peer

log = logging.getLogger(__name__)

SILENT_S: Final = 3.0
"""A browser sends audio all the time: when nothing at all comes for so long any more, its way is lost."""

QUIET_S: Final = 8.0
"""Of one that sends no audio only checks of the connection come, every 2.5 to 6 s (RFC 7675)."""

_TOGETHER_S: Final = 0.5

_LOOK_S: Final = 0.5

_FAREWELL_S: Final = 5.0
"""How long the connection of a call that is over stays for its last message."""


class OtherCall(ValueError):
    """The new offer cannot go on with the call: what it speaks is another rate."""


@dataclass(frozen=True, slots=True)
class WebTerms:
    """What the configuration says of web legs: how long a connection may take (ICE and DTLS), and how long a
    page may be away."""

    ice: IceTerms = field(default_factory=IceTerms)
    connect_s: float = 10.0
    reconnect_s: float = 10.0


class _Carrier:
    """Carries the packets of a leg by its peer of the moment; without one they are lost."""

    __slots__ = ("peer",)

    def __init__(self) -> None:
        self.peer: Peer | None = None

    def send_rtp(self, packet: bytes) -> None:
        if self.peer is not None:
            self.peer.send_rtp(packet)

    def send_rtcp(self, packet: bytes) -> None:
        if self.peer is not None:
            self.peer.send_rtcp(packet)


class WebLeg(CarriedLeg):
    """Made for an offer; `accept` gives its answer, `begin` connects, `answer` returns when media flows.

    `on_over` is called when it is over, `on_opened` whenever messages can be told to the page, the first time
    and after each return, `on_misuse` for each message of the page that is none.
    """

    def __init__(
        self,
        info: LegInfo,
        plane: RtpPlane,
        offer: Offer,
        terms: WebTerms,
        on_over: Callable[[Cause, Party], None],
        on_opened: Callable[[], None],
        on_misuse: Callable[[], None],
    ) -> None:
        self._carrier: Final = _Carrier()
        super().__init__(info, offer.audio.codec, plane, self._carrier, on_over)
        self._loop = asyncio.get_running_loop()
        self._terms = terms
        self._offer = offer
        self._certificate = RTCCertificate.generateCertificate()
        self._description_id = secrets.randbits(62)
        self._version = 0
        self._on_opened = on_opened
        self._guard = ChannelGuard(on_misuse)
        self._settled: asyncio.Event = asyncio.Event()
        self._began = False
        self._audio_at = 0.0
        self._away_since: float | None = None
        self._why: str | None = None
        self._watch: asyncio.TimerHandle | None = None
        self._closing: set[asyncio.Task[None]] = set()

    # What signalling asks for

    async def accept(self) -> str:
        """The answer to the offer that the leg was made for; raises `NoIcePorts`, `CandidateRefused`. Whoever
        does not `begin` then ends the leg."""
        peer = self._carrier.peer = self._peer_for(self._offer)
        return self._answer(self._offer, await peer.listen())

    def begin(self) -> None:
        """Looks for a way to the page; the leg ends when there is none within `connect_s`."""
        assert self._carrier.peer is not None
        self._carrier.peer.begin()

    async def renew(self, offer: Offer) -> str:
        """The answer to a new offer: the same page changes what it sends, or looks for another way (ICE
        restart), or a page that was loaded anew goes on with the call. Raises `OtherCall`, `NoIcePorts`,
        `CandidateRefused`; all is then as before."""
        if offer.audio.codec.sample_rate != self.codec.sample_rate:
            raise OtherCall(f"the call is in {self.codec.name}: offer that again")
        peer = self._carrier.peer
        if peer is not None and peer.usable and peer.offer.same_session(offer):
            local = await peer.restart(offer)
            self._offer = offer
            if self._began and self._away_since is None:
                self._direct(on=True)
            return self._answer(offer, local)
        fresh = self._peer_for(offer)
        try:
            local = await fresh.listen()
        except BaseException:
            await fresh.close()
            raise
        if self._over:
            await fresh.close()
            raise ConnectionError("the call is over")
        before, self._carrier.peer, self._offer = self._carrier.peer, fresh, offer
        self._went_away()
        if self._away_since is not None:
            self._away_since = self._now()  # he is on his way: his time counts anew
        if before is not None:
            self._let_close(before)
        fresh.begin()
        return self._answer(offer, local)

    def add_candidates(self, candidates: list[str | None]) -> None:
        """Candidates of the page, None when there are no more; raises `CandidateRefused`."""
        if self._carrier.peer is not None:
            self._carrier.peer.add(candidates)

    async def more_candidates(self, wait_s: float) -> tuple[list[str], bool]:
        """Ours that were not told yet, and whether those are all."""
        peer = self._carrier.peer
        return ([], True) if peer is None else await peer.more(wait_s)

    def tell(self, text: str) -> bool:
        """A message to the page; False when it is lost."""
        return self._carrier.peer is not None and self._carrier.peer.send_message(text)

    # What the call asks for

    async def answer(self) -> None:
        await self._settled.wait()

    # What the peer tells

    def connected(self, peer: Peer) -> None:
        if peer is not self._carrier.peer or self._over:
            return
        audio = peer.offer.audio
        self.stream.begin(audio.codec, audio.payload_type, audio.telephone_event)
        if not self._began:
            self._began = True
            self._direct(on=True)
            self._put(Answered(self._now()))
            self._watch = self._loop.call_later(_LOOK_S, self._look)
            self._settled.set()
        else:
            self._came_back()

    def gone(self, peer: Peer, reason: str) -> None:
        if peer is not self._carrier.peer or self._over:
            return
        self._why = reason
        if not self._began:
            self.end(Cause.MEDIA_TIMEOUT)
        else:
            self._went_away()

    def rtp(self, packet: bytes) -> None:
        self._audio_at = self._now()
        self.stream.take(packet)

    def rtcp(self, packet: bytes) -> None:
        self.stream.take_report(packet)

    def timed_out(self, at: float) -> None:
        """A page that sends no audio is there all the same, and has keys: whether it is, `_look` sees."""

    def opened(self, peer: Peer) -> None:
        if peer is self._carrier.peer and not self._over:
            self._on_opened()

    def message(self, text: str) -> None:
        now = self._now()
        if self._guard.admits(text, now):
            key = key_in(text)
            if key is not None:
                self._press(key, Way.SIGNALLING, now)
            elif (reply := self._guard.reply(text)) is not None:
                self.tell(reply)

    # Within

    def _answer(self, offer: Offer, local: Local) -> str:
        self._version += 1
        return answer(offer, local, self._description_id, self._version)

    def _peer_for(self, offer: Offer) -> Peer:
        return Peer(offer, self._terms.ice, self._terms.connect_s, self._certificate, self)

    def _direct(self, *, on: bool) -> None:
        audio = self._offer.audio
        self.stream.set_direction(on and audio.receives, on and audio.sends)

    def _look(self) -> None:
        """Whether the page is still there."""
        peer, now = self._carrier.peer, self._now()
        self._watch = self._loop.call_later(_LOOK_S, self._look)
        if peer is not None and peer.flooded:
            log.warning("a page floods its data channel: its call is over")
            self.end(Cause.FAILED)
            return
        heard_at = 0.0 if peer is None else peer.heard_at
        patience = SILENT_S if heard_at - self._audio_at < _TOGETHER_S else QUIET_S
        silent = peer is None or now - heard_at > patience
        if self._away_since is None:
            if silent:
                self._why = "nothing comes from the page any more"
                self._went_away()
        elif not silent and peer is not None and peer.flowing:
            self._came_back()
        elif now - self._away_since > self._terms.reconnect_s:
            self.end(Cause.MEDIA_TIMEOUT)

    def _went_away(self) -> None:
        """Clips wait from here on, and nobody is missed, until he is back or given up."""
        if self._began and self._away_since is None:
            self._away_since = self._now()
            self._direct(on=False)
            self._put(Held(self._now(), True))

    def _came_back(self) -> None:
        if self._away_since is not None:
            self._away_since = None
            self._direct(on=True)
            self._put(Held(self._now(), False))

    def _finish(self, cause: Cause, by: Party) -> None:
        if self._over:
            return
        why = self._why if cause is Cause.MEDIA_TIMEOUT else None
        self._close(cause, by, None, why)
        if self._watch is not None:
            self._watch.cancel()
        self._settled.set()
        # The page is told how it went before its connection is closed.
        self._watch = self._loop.call_later(_FAREWELL_S if self._began else 0.0, self.part_with)
        self._on_over(cause, by)

    def part_with(self, last: str | None = None) -> None:
        """Closes the connection of a leg that is over, when the page has had the last message."""
        peer, self._carrier.peer = self._carrier.peer, None
        if self._watch is not None:
            self._watch.cancel()
        if peer is not None:
            self._let_close(peer, last)

    def _let_close(self, peer: Peer, last: str | None = None) -> None:
        task = self._loop.create_task(peer.close(last))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def wait_closed(self) -> None:
        """Everything of the connection is gone; to be called when the leg is over."""
        await asyncio.gather(*self._closing, return_exceptions=True)
