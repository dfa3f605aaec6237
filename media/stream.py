"""The media of one call: an RTP stream that the plane drives by its ticks and its packets.

Everything here runs on the event loop. `tick` and `receive` are the hot path: fifty calls a second each, for
every call; they touch no object that the packet does not need.
"""

from __future__ import annotations

import logging
import random
import secrets
import time
from collections import deque
from collections.abc import Callable
from enum import Enum
from ipaddress import ip_address
from typing import Final, Protocol

from media.clip import Clip
from media.codecs import FRAME_MS, Codec
from media.dtmf import DigitReceiver, DigitSender
from media.hearing import Hearing
from media.leg import AudioTap, FrameSink, Quality
from media.playout import Playout
from media.ports import PortPair
from media.reception import Reception
from media.reports import Reports, ntp_time
from media.rtp import HEADER, HEADER_BYTES, MARKER, PLAIN, SEQUENCE_MASK, TIMESTAMP_MASK, payload_bounds
from media.source import Address, SourceLock
from media.tones import key_tone

logger = logging.getLogger(__name__)

CHORE_TICKS: Final = 25
"""Media timeout and RTCP are looked after every half second."""

DATAGRAM_BYTES: Final = 2048


class StreamEvents(Protocol):
    """What a stream tells its owner; called on the event loop, must return at once. `at` is `loop.time()`."""

    def digit(self, key: str, at: float) -> None:
        """A key was pressed."""

    def played(self, mark: str, at: float) -> None:
        """The last packet of the clip was sent."""

    def stopped(self, mark: str, sample: int, at: float) -> None:
        """The clip was dropped after `sample` samples of it had been sent."""

    def timed_out(self, at: float) -> None:
        """Nothing came for the plane's `timeout_s` though something should have; told once per silence."""


class Wheel(Protocol):
    """What a stream needs of its plane."""

    timeout_s: float
    cname: str

    def time(self) -> float: ...

    def turn(self, stream: RtpStream) -> None:
        """Ticks the stream from now on."""

    def leave(self, stream: RtpStream, pair: PortPair) -> None:
        """Ticks it no more, and closes the sockets."""


class _State(Enum):
    OPEN = "open"
    CONNECTED = "connected"
    CLOSED = "closed"


class RtpStream:
    """One call's RTP and RTCP; made by `RtpPlane.open`.

    Every method may be called in every state; what makes no sense any more does nothing.
    """

    __slots__ = (
        "_chores",
        "_codec",
        "_digits_in",
        "_digits_out",
        "_direction_receive",
        "_direction_send",
        "_event_type",
        "_events",
        "_events_sent",
        "_frame_samples",
        "_heard_at",
        "_hearing",
        "_keying",
        "_local",
        "_lock",
        "_lost_before",
        "_marker",
        "_octets",
        "_packet",
        "_pair",
        "_payload_type",
        "_playout",
        "_received_before",
        "_reception",
        "_reports",
        "_rtcp_due",
        "_sample",
        "_sendto",
        "_sequence",
        "_silence",
        "_sink",
        "_source",
        "_ssrc",
        "_state",
        "_step",
        "_talking",
        "_tap",
        "_timed_out",
        "_timestamp",
        "_to",
        "_tones",
        "_wheel",
        "dropped",
        "packets_received",
        "packets_sent",
        "send_errors",
    )

    def __init__(self, wheel: Wheel, pair: PortPair, events: StreamEvents) -> None:
        self._wheel = wheel
        self._pair = pair
        self._events = events
        self._state = _State.OPEN
        self._local = pair.port
        self._sendto: Callable[[bytearray, Address], int] = pair.rtp.sendto
        self._lock = SourceLock(("0.0.0.0", 0))
        self._ssrc = secrets.randbits(32)
        self._sequence = secrets.randbits(15)  # in the lower half, as RFC 3711 section 3.3.1 advises
        self._timestamp = secrets.randbits(32)
        self._packet = bytearray(HEADER_BYTES)
        self._tap: AudioTap | None = None
        self._sink: FrameSink | None = None
        self._hearing: Hearing | None = None
        self._reception: Reception | None = None
        self._digits_in = DigitReceiver()
        self._tones: deque[bytes] = deque()
        self._direction_send = self._direction_receive = True
        self._to: Address | None = None
        self._source: Address | None = None
        self._marker = MARKER
        self._talking = self._keying = self._timed_out = False
        self._sample = self._octets = self._events_sent = 0
        self._chores = CHORE_TICKS
        self._lost_before = self._received_before = 0
        self.packets_sent = self.packets_received = self.dropped = self.send_errors = 0

    @property
    def local_port(self) -> int:
        return self._local

    @property
    def ssrc(self) -> int:
        return self._ssrc

    # What the leg asks for

    def connect(self, remote: Address, codec: Codec, payload_type: int, telephone_event: int | None) -> None:
        """Sends to `remote` from now on, silence at first; `telephone_event` is the payload type of keys, if
        any.

        May be called again after a new negotiation: another `remote` then allows another source. Port 0 or
        the address 0.0.0.0 sends nothing until the far end is heard. Raises ValueError when the host is no IP
        address.
        """
        if self._state is _State.CLOSED:
            return
        ip_address(remote[0])
        first = self._state is _State.OPEN
        now = self._wheel.time()
        if first or self._lock.signalled != remote:
            self._lock = SourceLock(remote)
            self._source = None
            self._digits_in = DigitReceiver()
        self._codec = codec
        self._payload_type = payload_type
        self._event_type = telephone_event
        self._silence = codec.silence
        self._frame_samples = codec.frame_samples
        self._step = codec.clock_rate * FRAME_MS // 1000
        if first:
            self._playout = Playout(codec)
            self._digits_out = DigitSender(self._step)
            self._reports = Reports(
                self._ssrc, self._wheel.cname, codec.clock_rate, random.Random(self._ssrc)
            )
            self._rtcp_due = now + self._reports.interval_s(first=True)
        else:
            self._playout.use(codec)
        self._state = _State.CONNECTED
        self._hearing = None
        self._hear()
        self._direct()
        self._expect(now)
        if first:
            self._wheel.turn(self)

    def set_direction(self, send: bool, receive: bool) -> None:
        """On hold we send nothing (`send` false), or expect nothing (`receive` false): no timeout, nothing
        heard.

        Clips wait while nothing is sent.
        """
        resumed = receive and not self._direction_receive
        self._direction_send, self._direction_receive = send, receive
        if self._state is not _State.CONNECTED:
            return
        self._direct()
        self._hear()
        if resumed:
            self._expect(self._wheel.time())

    def play(self, clip: Clip, mark: str) -> None:
        """Queues a clip; `played` or `stopped` will name the mark. Raises ValueError for another sample
        rate.
        """
        if self._state is _State.CONNECTED:
            self._playout.add(clip, mark)

    def stop(self) -> None:
        """Drops what plays and waits; `stopped` is called for each before this returns."""
        if self._state is not _State.CONNECTED:
            return
        now = self._wheel.time()
        for mark, sample in self._playout.stop():
            self._events.stopped(mark, sample, now)

    def listen(self, sink: FrameSink | None) -> None:
        """Sends a frame to `sink` every 20 ms, silence where nothing came; None stops the decoding."""
        self._sink = sink
        self._hear()

    def record(self, tap: AudioTap | None) -> None:
        """Sends payloads of both directions to `tap`; samples count from the first `connect`."""
        self._tap = tap
        self._hear()

    def send_digits(self, keys: str) -> None:
        """Sends keys in order; as tones in the audio when telephone-event was not negotiated.

        Clips wait meanwhile. Raises ValueError when one is no key.
        """
        if self._state is not _State.CONNECTED:
            return
        if self._event_type is not None:
            self._digits_out.add(keys)
            self._keying = self._digits_out.busy
            return
        codec, size = self._codec, len(self._silence)
        payload = codec.encode(b"".join(key_tone(key, codec.sample_rate) for key in keys))
        self._tones.extend(payload[i : i + size] for i in range(0, len(payload), size))

    def quality(self) -> Quality:
        """What the network did so far."""
        heard, lost = self._reception, self._lost_before
        if self._state is _State.OPEN:
            return Quality()
        remote = self._reports.remote
        rtt = self._reports.rtt_s
        return Quality(
            packets_sent=self.packets_sent,
            packets_received=self.packets_received,
            packets_lost=max(0, lost + (heard.lost if heard is not None else 0)),
            packets_late=self._hearing.late if self._hearing is not None else 0,
            jitter_ms=heard.jitter * 1000 / self._codec.clock_rate if heard is not None else 0.0,
            remote_lost=max(0, remote.lost) if remote is not None else 0,
            remote_jitter_ms=self._reports.remote_jitter_ms(),
            rtt_ms=rtt * 1000 if rtt is not None else None,
        )

    def close(self) -> None:
        """Says BYE and gives the ports back; no event comes after."""
        if self._state is _State.CLOSED:
            return
        if self._state is _State.CONNECTED and self.packets_sent:
            self._send_report(self._wheel.time(), bye=True)
        self._state = _State.CLOSED
        tap, self._tap, self._sink, self._hearing = self._tap, None, None, None
        self._wheel.leave(self, self._pair)
        if tap is not None:
            tap.close()

    # What the plane drives

    def tick(self, now: float) -> None:
        """Sends the packet that is due, hears the frame that is due; once per 20 ms."""
        timestamp = self._timestamp = (self._timestamp + self._step) & TIMESTAMP_MASK
        sample = self._sample
        self._sample = sample + self._frame_samples
        to = self._to
        if to is not None:
            playout = self._playout
            payload = None
            if self._keying or self._tones:
                payload = self._key(timestamp, to)
            elif playout.playing:
                payload = playout.next()
                if payload is not None:
                    if not self._talking:
                        self._talking = True
                        self._marker = MARKER
                    if self._tap is not None:
                        self._tap.sent(payload, sample)
            if payload is None:
                payload = self._silence
                self._talking = False
            if payload:
                packet = self._packet
                sequence = self._sequence = (self._sequence + 1) & SEQUENCE_MASK
                packet[HEADER_BYTES:] = payload
                HEADER.pack_into(
                    packet, 0, PLAIN, self._payload_type | self._marker, sequence, timestamp, self._ssrc
                )
                self._marker = 0
                try:
                    self._sendto(packet, to)
                except OSError:
                    self.send_errors += 1
                self.packets_sent += 1
                self._octets += len(payload)
        if self._hearing is not None:
            self._deliver(self._hearing, now, sample)
        self._chores -= 1
        if not self._chores:
            self._do_chores(now)
        if to is not None and playout.played:
            marks = playout.played[:]
            playout.played.clear()
            for mark in marks:
                self._events.played(mark, now)

    def skip(self, ticks: int) -> None:
        """So many ticks were lost to a late event loop: the media clock goes on, what plays does not."""
        self._timestamp = (self._timestamp + ticks * self._step) & TIMESTAMP_MASK
        self._sample += ticks * self._frame_samples
        self._marker = MARKER

    def receive(self, data: bytearray, size: int, address: Address, now: float) -> None:
        """Takes the datagram in `data[:size]`, which came to the RTP port."""
        if size < HEADER_BYTES or self._state is not _State.CONNECTED:
            self.dropped += 1
            return
        first, second, sequence, timestamp, ssrc = HEADER.unpack_from(data)
        if address != self._source and not self._admit(address, first, sequence):
            self.dropped += 1
            return
        payload_type = second & 0x7F
        is_audio = payload_type == self._payload_type
        if first >> 6 != 2 or not (is_audio or payload_type == self._event_type):
            self.dropped += 1
            return
        reception = self._reception
        if reception is None or reception.ssrc != ssrc:
            reception = self._begin_source(ssrc, sequence)
        reception.update(sequence)
        self.packets_received += 1
        self._heard_at = now
        if is_audio:
            reception.measure(timestamp, now * self._codec.clock_rate)
            if self._hearing is None:
                return
        bounds = (HEADER_BYTES, size) if first == PLAIN else payload_bounds(data, size)
        if bounds is None:
            self.dropped += 1
            return
        payload = bytes(data[bounds[0] : bounds[1]])
        if is_audio:
            assert self._hearing is not None
            self._hearing.push(ssrc, sequence, timestamp, payload, now)
            return
        key = self._digits_in.handle(payload, timestamp, now)
        if key is not None:
            self._events.digit(key, now)

    def receive_report(self, data: bytearray, size: int, address: Address, now: float) -> None:
        """Takes a datagram that came to the RTCP port; only the far end's host is believed."""
        if self._state is not _State.CONNECTED:
            return
        peer = self._source or self._lock.signalled
        if address[0] == peer[0] and self._reports.handle(bytes(data[:size]), now, ntp_time(time.time())):
            self._heard_at = now
        else:
            self.dropped += 1

    # Within

    def _direct(self) -> None:
        to = self._lock.destination if self._direction_send else None
        if to is not None and self._to is None:
            self._marker = MARKER
        self._to = to

    def _expect(self, now: float) -> None:
        self._heard_at = now
        self._timed_out = False

    def _hear(self) -> None:
        """Buffers and decodes only while somebody wants it."""
        wanted = self._sink is not None or self._tap is not None
        if self._state is not _State.CONNECTED or not (wanted and self._direction_receive):
            self._hearing = None
        elif self._hearing is None:
            self._hearing = Hearing(self._codec)

    def _admit(self, address: Address, first: int, sequence: int) -> bool:
        address = address[:2]
        if self._source is not None:
            return address == self._source
        if first >> 6 != 2 or not self._lock.admit(address, sequence):
            return False
        self._source = self._lock.source
        self._direct()
        return True

    def _begin_source(self, ssrc: int, sequence: int) -> Reception:
        if self._reception is not None:
            self._lost_before += max(0, self._reception.lost)
        self._reception = Reception(ssrc, sequence, self._codec.clock_rate)
        return self._reception

    def _key(self, timestamp: int, to: Address) -> bytes | None:
        """Sends the key packet that is due (then gives b""), or gives a tone or None to send as audio."""
        if not self._keying:
            return self._tones.popleft()
        event = self._digits_out.next(timestamp)
        self._keying = self._digits_out.busy
        if event is None:
            return None
        assert self._event_type is not None
        self._sequence = (self._sequence + 1) & SEQUENCE_MASK
        second = self._event_type | (MARKER if event.marker else 0)
        packet = HEADER.pack(PLAIN, second, self._sequence, event.timestamp, self._ssrc) + event.payload
        try:
            self._pair.rtp.sendto(packet, to)
        except OSError:
            self.send_errors += 1
        self.packets_sent += 1
        self._octets += len(event.payload)
        return b""

    def _deliver(self, hearing: Hearing, now: float, sample: int) -> None:
        payload = hearing.next_payload(now)
        try:
            if self._tap is not None and payload is not None:
                self._tap.received(payload, sample)
            if self._sink is not None:
                self._sink(hearing.frame(payload))
        except Exception:
            logger.exception("a listener failed and is taken off")
            self._sink = self._tap = None
            self._hear()

    def _do_chores(self, now: float) -> None:
        self._chores = CHORE_TICKS
        if now >= self._rtcp_due:
            self._rtcp_due = now + self._reports.interval_s()
            self._send_report(now, bye=False)
        silent_s = now - self._heard_at
        if silent_s < self._wheel.timeout_s:
            self._timed_out = False
        elif self._direction_receive and not self._timed_out:
            self._timed_out = True
            self._events.timed_out(now)

    def _send_report(self, now: float, *, bye: bool) -> None:
        peer = self._source or self._lock.destination
        if peer is None:
            return
        report = self._reports.build(
            now,
            ntp_time(time.time()),
            self._timestamp,
            self.packets_sent,
            self._octets,
            self._reception,
            bye=bye,
        )
        try:
            self._pair.rtcp.sendto(report, (peer[0], peer[1] + 1))
        except (OSError, OverflowError):
            self.send_errors += 1
