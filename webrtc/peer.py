"""One peer connection as a server has it: ICE, DTLS and the data channel put together, for one audio
stream."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Coroutine
from typing import Any, Final, Protocol

from aiortc import RTCCertificate, RTCDataChannel, RTCSctpTransport
from aiortc.rtcsctptransport import RTCSctpCapabilities

from webrtc.candidates import Trickle
from webrtc.description import MAX_MESSAGE, Local, Offer
from webrtc.dtls import DtlsSrtp, fingerprints_of
from webrtc.ice import IceTerms, Path

log = logging.getLogger(__name__)

CHANNEL: Final = "ivr"
"""The label of the data channel that is listened to."""

_MOST_BEYOND: Final = 1_048_576
"""Bytes beyond SCTP's window, which aiortc tells but does not enforce."""

_LAST_S: Final = 1.0

_MOST_BUFFERED: Final = 262_144
"""Bytes that a far end may leave unread on the channel; what more is told to it is lost."""


class PeerEvents(Protocol):
    """What a peer tells its owner; called on the event loop, must return at once."""

    def connected(self, peer: Peer) -> None:
        """Media flows both ways."""

    def gone(self, peer: Peer, reason: str) -> None:
        """There is no way, or no longer; not told after `close`."""

    def rtp(self, packet: bytes) -> None: ...

    def rtcp(self, packet: bytes) -> None: ...

    def opened(self, peer: Peer) -> None:
        """Messages can be sent."""

    def message(self, text: str) -> None: ...


class Peer:
    """Made for an offer, answered with `local`; `begin` then connects. `close` ends all of it."""

    def __init__(
        self,
        offer: Offer,
        terms: IceTerms,
        connect_s: float,
        certificate: RTCCertificate,
        events: PeerEvents,
    ) -> None:
        """`connect_s` is how long ICE and DTLS may take together."""
        self.offer = offer
        self._connect_s = connect_s
        self._certificate = certificate
        self._events = events
        self._path = Path(terms, self._media, self._gone)
        self._dtls = DtlsSrtp(self._path, certificate, events.rtp, events.rtcp)
        self._dtls.on("statechange", self._dtls_changed)
        self._sctp = RTCSctpTransport(self._dtls) if offer.has_data else None
        if self._sctp is not None:
            self._sctp.on("datachannel", self._offered_channel)
        self._channel: RTCDataChannel | None = None
        self._trickle = Trickle()
        self._local: Local | None = None
        self._told = 0
        self._connecting: asyncio.Task[None] | None = None
        self._restarts: set[asyncio.Task[None]] = set()
        self._over = False
        self._closed = asyncio.Event()

    async def listen(self) -> Local:
        """Binds our side, for the answer to the offer that the peer was made for. Raises `NoIcePorts`,
        `CandidateRefused`."""
        return await self._listen(self.offer)

    async def restart(self, offer: Offer) -> Local:
        """Our side for the answer to a later offer of the same peer. With other ICE credentials it looks for
        another way (RFC 8445 section 2.4), and media goes on meanwhile. Raises as `listen`; all is then as
        before."""
        if offer.ice == self.offer.ice and self._local is not None:
            self.offer = offer
            return self._local
        local = await self._listen(offer)
        self.offer = offer
        if self._path.connected or self._connecting is None or self._connecting.done():
            self._spawn(self._reconnect())
        return local

    @property
    def usable(self) -> bool:
        """Whether a restart can bring it back: what was agreed on for encryption still holds."""
        return not self._over and self._dtls.state in ("new", "connecting", "connected")

    def begin(self) -> None:
        """Connects, and tells the events how it went."""
        self._connecting = asyncio.create_task(self._connect())

    def add(self, candidates: list[str | None]) -> None:
        """Candidates of the far end; raises `CandidateRefused`."""
        ended_before = self._trickle.ended
        found = self._trickle.take(candidates)
        self._path.add(found, ended=self._trickle.ended and not ended_before)

    async def more(self, wait_s: float) -> tuple[list[str], bool]:
        """Our candidates that were not told yet, and whether those are all; waits for them so long."""
        session = self._path.telling
        if not session.complete and len(session.told()) <= self._told:
            await session.wait_complete(wait_s)
        told = session.told()
        fresh, self._told = told[self._told :], len(told)
        return fresh, session.complete

    @property
    def flowing(self) -> bool:
        """Whether media can flow now."""
        return self._path.connected and self._dtls.state == "connected"

    @property
    def flooded(self) -> bool:
        """Whether the far end sends more than we told it that we take: it means to fill our memory."""
        return self._sctp is not None and self._sctp._advertised_rwnd < -_MOST_BEYOND

    @property
    def heard_at(self) -> float:
        """When anything of the far end came last, as seconds of the loop's clock."""
        return self._path.heard_at

    def send_rtp(self, packet: bytes) -> None:
        self._dtls.send_rtp(packet)

    def send_rtcp(self, packet: bytes) -> None:
        self._dtls.send_rtcp(packet)

    def send_message(self, text: str) -> bool:
        """False when it is lost: there is no channel, or nobody reads it."""
        channel = self._channel
        if channel is None or channel.readyState != "open" or channel.bufferedAmount > _MOST_BUFFERED:
            return False
        channel.send(text)
        return True

    async def close(self, last: str | None = None) -> None:
        """Ends everything; nothing is told after. With a last message the far end is given a second to read
        it, and to close first."""
        self._over = True
        if last is not None and self.send_message(last):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LAST_S):
                    await self._closed.wait()
        tasks = [*self._restarts, *([] if self._connecting is None else [self._connecting])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        with contextlib.suppress(ConnectionError):
            if self._sctp is not None:
                await self._sctp.stop()
            await self._dtls.stop()
        await self._path.close()
        self._dtls.remove_all_listeners()
        self._channel = None

    async def _listen(self, offer: Offer) -> Local:
        trickle = Trickle()
        found = trickle.take([*offer.candidates, *([None] if offer.complete else [])])
        session = await self._path.begin(offer.ice)
        self._trickle = trickle
        self._path.add(found, ended=trickle.ended)
        told = session.told()
        self._told = len(told)
        fingerprints = fingerprints_of(self._certificate)
        self._local = Local(session.credentials, fingerprints, tuple(told), session.complete)
        return self._local

    async def _connect(self) -> None:
        try:
            async with asyncio.timeout(self._connect_s):
                await self._path.connect()
                await self._dtls.secure(self.offer.fingerprints, self.offer.setup)
        except TimeoutError:
            self._gone(f"no {'DTLS' if self._path.connected else 'ICE'} within {self._connect_s:g} s")
            return
        except ConnectionError as error:
            self._gone(str(error) or "no connection")
            return
        except Exception:
            log.exception("a connection failed")
            self._gone("an error of ours")
            return
        self._events.connected(self)
        if self._sctp is not None and self.offer.sctp_port is not None:
            with contextlib.suppress(ConnectionError):
                await self._sctp.start(RTCSctpCapabilities(MAX_MESSAGE), self.offer.sctp_port)

    async def _reconnect(self) -> None:
        """Where it fails all stays as it was: the old way may still be good, and who is away is given up in
        time."""
        try:
            async with asyncio.timeout(self._connect_s):
                await self._path.connect()
        except (TimeoutError, ConnectionError) as error:
            log.info("an ICE restart found no way: %s", error or "in time")

    def _media(self, data: bytes) -> None:
        self._dtls.take_media(data)

    def _gone(self, reason: str) -> None:
        if not self._over:
            self._events.gone(self, reason)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._restarts.add(task)
        task.add_done_callback(self._restarts.discard)

    def _dtls_changed(self) -> None:
        if self._dtls.state == "closed":
            self._closed.set()
            self._gone("the far end closed the connection")

    def _offered_channel(self, channel: RTCDataChannel) -> None:
        taken = self._channel is not None and self._channel.readyState == "open"
        if channel.label != CHANNEL or taken:
            channel.close()
            return
        self._channel = channel
        channel.on("message", self._heard)
        self._events.opened(self)

    def _heard(self, message: Any) -> None:
        if isinstance(message, str) and not self._over:
            self._events.message(message)
