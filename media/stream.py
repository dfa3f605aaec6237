"""One call's RTP and RTCP, as its leg sees it; made by `RtpPlane.open` and `RtpPlane.carry`."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Protocol

from media.agreement import Agreement, StreamEvents
from media.clip import Clip
from media.codecs import FRAME_MS, Codec
from media.keys import Security
from media.leg import AudioTap, FrameSink, Position, Quality
from media.link import Link
from media.ports import Sockets
from media.source import Address
from media.srtp import SecurePair

__all__ = ["RtpStream", "StreamEvents", "Wheel"]


class Wheel(Protocol):
    """What a stream needs of its plane."""

    timeout_s: float
    cname: str

    def time(self) -> float: ...

    def turn(self, link: Link, pair: Sockets) -> None:
        """Ticks the link and gives it its packets from now on."""

    def read(self, link: Link, pair: Sockets) -> None:
        """Takes its packets through these from now on."""

    def leave(self, stream: RtpStream) -> None:
        """Forgets the stream and closes its sockets."""


class RtpStream:
    """Bound, then connected, then closed.

    Every method may be called in every state; what makes no sense any more, or not yet, does nothing. All run
    on the event loop.
    """

    __slots__ = (
        "_closed",
        "_direction",
        "_events",
        "_pair",
        "_secure",
        "_sink",
        "_tap",
        "_wheel",
        "link",
        "local_port",
    )

    def __init__(self, wheel: Wheel, sockets: Sockets, events: StreamEvents, local_port: int = 0) -> None:
        """`local_port` is where the far end is to send its RTP, with RTCP on the next; 0 where it is no port
        of ours."""
        self._wheel = wheel
        self._pair = sockets
        self.local_port = local_port
        self._events = events
        self._direction = (True, True)
        self._sink: FrameSink | None = None
        self._tap: AudioTap | None = None
        self._closed = False
        self._secure: SecurePair | None = None
        self.link: Link | None = None

    @property
    def codec(self) -> Codec | None:
        """What clips, listeners and recorders are to be made for; None before the first `connect`."""
        return None if self.link is None else self.link.codec

    def connect(
        self,
        remote: Address,
        codec: Codec,
        payload_type: int,
        telephone_event: int | None,
        *,
        ptime_ms: int = FRAME_MS,
        comfort_noise: int | None = None,
        remote_rtcp: Address | None = None,
        security: Security | None = None,
    ) -> None:
        """Sends to `remote` from now on, silence at first; the rest is as in `Agreement`.

        May be called again after a new negotiation: another `remote` then allows another source, the same
        keeps the one that was learned. Port 0 or the address 0.0.0.0 sends nothing until the far end is
        heard. With `security` only what is authentic is heard, of whatever source (SRTP). Raises ValueError
        when the host is no IP address.
        """
        if self._closed:
            return
        ip_address(remote[0])
        agreed = Agreement(remote, codec, payload_type, telephone_event, ptime_ms, comfort_noise, remote_rtcp)
        wheel, now = self._wheel, self._wheel.time()
        sockets = self._secured(security)
        if self.link is not None:
            self.link.move(sockets)
            wheel.read(self.link, sockets)
            self.link.renegotiate(agreed, now)
            return
        self.link = Link(sockets, self._events, agreed, wheel.cname, wheel.timeout_s, now)
        self.link.set_direction(*self._direction, now)
        self.link.listen(self._sink)
        self.link.record(self._tap)
        wheel.turn(self.link, sockets)

    def set_direction(self, send: bool, receive: bool) -> None:
        """On hold we send nothing (`send` false), or expect nothing (`receive` false).

        What is not expected is not heard, and its absence is no timeout. Clips wait while nothing is sent.
        """
        self._direction = (send, receive)
        if self._live is not None:
            self._live.set_direction(send, receive, self._wheel.time())

    def change_party(self) -> None:
        """Somebody else will be named by the next `connect`: late packets of the one before are no longer
        taken, lest they show themselves first at the new address."""
        if self._live is not None:
            self._live.change_party()

    def play(self, clip: Clip, mark: str) -> None:
        """Queues a clip; `began`, then `played` or `stopped` will name the mark.

        Raises ValueError for another rate.
        """
        if self._live is not None:
            self._live.play(clip, mark)

    def stop(self) -> None:
        """Drops what plays and what waits; `stopped` is called for each before this returns."""
        if self._live is not None:
            self._live.stop(self._wheel.time())

    def duck(self, on: bool) -> None:
        """What plays is softer until it is not, or `stop`; see `CallLeg`."""
        if self._live is not None:
            self._live.duck(on)

    def pause(self) -> None:
        """Silence until `resume` or `stop`; see `CallLeg`."""
        if self._live is not None:
            self._live.pause()

    def resume(self, back_ms: int) -> None:
        """Goes on with what was paused; see `CallLeg`."""
        if self._live is not None:
            self._live.resume(back_ms)

    def seek(self, sample: int) -> None:
        """What plays, or is the first to play, goes on from so many samples into it."""
        if self._live is not None:
            self._live.seek(sample)

    def position(self) -> Position | None:
        """What plays, and where in it we are."""
        return None if self._live is None else self._live.position

    def just_sent(self, ms: int) -> bytes:
        """The last of what was sent while somebody listens; see `CallLeg`."""
        return b"" if self._live is None else self._live.just_sent(ms)

    def listen(self, sink: FrameSink | None) -> None:
        """Sends a frame to `sink` every 20 ms, silence where nothing came; None stops the decoding."""
        self._sink = sink
        if self._live is not None:
            self._live.listen(sink)

    def record(self, tap: AudioTap | None) -> None:
        """Sends payloads of both directions to `tap`; samples count from the first `connect`.

        The tap that is set when the stream is closed is closed with it.
        """
        self._tap = tap
        if self._live is not None:
            self._live.record(tap)

    def send_digits(self, keys: str) -> None:
        """Sends keys in order; as tones in the audio when telephone-event was not negotiated.

        Clips wait meanwhile. Raises ValueError when one is no key.
        """
        if self._live is not None:
            self._live.send_digits(keys)

    @property
    def hears_tones(self) -> bool:
        """Whether keys come and go as tones in the audio."""
        return self.link is not None and self.link.hears_tones

    def bridge(self, other: RtpStream) -> bool:
        """Connects the far ends of two streams: each hears the other, whenever nothing is played to it.

        Lasts until `part` or the end of either. False when one of them is not connected, or closed.
        """
        if self._live is None or other._live is None or other is self:
            return False
        self._live.ties.bridge(other._live.ties)
        return True

    def part(self) -> None:
        """Each far end is alone again."""
        if self._live is not None:
            self._live.ties.part()

    def overhear(self, other: RtpStream | None) -> bool:
        """Our far end hears both directions of the other stream, and is heard by nobody; None: not any more.
        Lasts until `bridge` or the end of either. False when one of them is not connected, or closed."""
        if self._live is None or other is self or (other is not None and other._live is None):
            return False
        self._live.ties.overhear(None if other is None or other._live is None else other._live.ties)
        return True

    def whisper(self, other: RtpStream | None) -> bool:
        """Who is at the far end of the other stream hears ours beside what he hears anyway, and nobody else
        does; None: not any more. As `overhear` otherwise."""
        if self._live is None or other is self or (other is not None and other._live is None):
            return False
        self._live.ties.whisper(None if other is None or other._live is None else other._live.ties)
        return True

    def quality(self) -> Quality:
        """What the network did so far; also after `close`."""
        return Quality() if self.link is None else self.link.quality()

    def close(self) -> None:
        """Says BYE and gives the ports back; no event comes after."""
        if self._closed:
            return
        self._closed = True
        if self.link is not None:
            self.link.end(self._wheel.time())
        elif self._tap is not None:
            self._tap.close()
        self._sink = self._tap = None
        self._wheel.leave(self)

    def _secured(self, security: Security | None) -> Sockets:
        """Our sockets, behind SRTP when there are keys."""
        if security is None:
            self._secure = None
            return self._pair
        if self._secure is None:
            self._secure = SecurePair(self._pair, security)
        else:
            self._secure.rekey(security)
        return self._secure

    @property
    def _live(self) -> Link | None:
        return None if self._closed else self.link
