"""The running media of one connected stream: what it sends and hears, packet by packet.

`tick` and `receive` are the hot path: fifty calls a second each, for every call. They touch no object that
the packet does not need.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Final

from media.agreement import Agreement, StreamEvents
from media.clip import Clip
from media.codecs import FRAME_MS, Codec
from media.dtmf import DigitReceiver, EventPacket
from media.hearing import Hearing
from media.inband import InbandReceiver
from media.jitter import Gap
from media.keys_out import KeysOut
from media.leg import AudioTap, FrameSink, Position, Quality
from media.mixing import Feed
from media.packing import Packer
from media.peer import Peer
from media.placing import Placement
from media.playout import Playout
from media.ports import Sockets
from media.relay import Relay
from media.reports import Reports, ntp_time
from media.rtp import HEADER, HEADER_BYTES, MARKER, PLAIN, SEQUENCE_MASK, TIMESTAMP_MASK, payload_bounds
from media.source import Address
from media.taps import Taps
from media.ties import Ties
from media.transcode import TranscodedTap, Transcoder
from media.verdict import Heard, quality_of

logger = logging.getLogger(__name__)

CHORE_TICKS: Final = 25
"""Media timeout and RTCP are looked after every half second."""

_SENT_TICKS: Final = 75
"""How much of what was sent is kept while somebody listens: an echo of it comes within half a second."""


class Link:
    """Built when the far end's address and the codec are known; the plane ticks it every 20 ms."""

    __slots__ = (
        "_agreed",
        "_buffer_ms",
        "_chores",
        "_codec",
        "_digits_in",
        "_event_type",
        "_events",
        "_feed",
        "_frame_samples",
        "_hearing",
        "_inband",
        "_keys",
        "_keys_due",
        "_late_before",
        "_marker",
        "_noise_type",
        "_octets",
        "_packer",
        "_packet",
        "_payload_type",
        "_peer",
        "_placement",
        "_playout",
        "_ptime_ms",
        "_receives",
        "_recorder",
        "_relay",
        "_sample",
        "_send_control",
        "_sends",
        "_sendto",
        "_sent",
        "_sequence",
        "_silence",
        "_sink",
        "_step",
        "_talking",
        "_tap",
        "_timeout_s",
        "_timestamp",
        "_to",
        "_watchers",
        "codec",
        "dropped",
        "packets_received",
        "packets_sent",
        "send_errors",
        "ssrc",
        "ties",
    )

    def __init__(
        self,
        pair: Sockets,
        events: StreamEvents,
        agreed: Agreement,
        cname: str,
        timeout_s: float,
        now: float,
    ) -> None:
        """`cname` names us in RTCP; `timeout_s` is how long the far end may be silent.

        The first codec is that of clips, listeners and recorder for good (`codec`); when another is agreed on
        for the wire later, what goes through is transcoded.
        """
        self._agreed = agreed
        codec = self.codec = agreed.codec
        self.move(pair)
        self._events = events
        self._timeout_s = timeout_s
        self.ssrc = secrets.randbits(32)
        self._sequence = secrets.randbits(15)  # in the lower half, as RFC 3711 section 3.3.1 advises
        self._timestamp = secrets.randbits(32)
        self._sample = self._octets = self._late_before = 0
        self._buffer_ms = 0.0
        self.packets_sent = self.packets_received = self.dropped = self.send_errors = 0
        self._packet = bytearray(HEADER_BYTES)
        self._sink: FrameSink | None = None
        self._sent: deque[bytes] | None = None
        self._tap: AudioTap | None = None
        self._recorder: AudioTap | None = None
        self._hearing: Hearing | None = None
        self._watchers: tuple[AudioTap, ...] = ()
        self._relay: Relay | None = None
        self._feed: Feed | None = None
        self.ties = Ties(self)
        self._digits_in = DigitReceiver()
        self._keys_due = self._talking = False
        self._sends = self._receives = True
        self._chores = CHORE_TICKS
        reports = Reports(self.ssrc, cname, codec.clock_rate, Random(self.ssrc))
        self._peer = Peer(agreed.remote, reports, codec.clock_rate, now)
        self._peer.remote_rtcp = agreed.remote_rtcp
        self._playout = Playout(codec)
        self._keys = KeysOut(codec.clock_rate * FRAME_MS // 1000)
        self._marker = MARKER
        self._to: Address | None = None
        self._use(agreed)

    # What the owner asks for

    def move(self, pair: Sockets) -> None:
        """Sends through these sockets from now on."""
        self._sendto: Callable[[bytearray | bytes, Address], int] = pair.rtp.sendto
        self._send_control: Callable[[bytearray | bytes, Address], int] = pair.rtcp.sendto

    def renegotiate(self, agreed: Agreement, now: float) -> None:
        """Goes on as was newly agreed; another `remote` allows another source. Where the audio is agreed on
        as before (a hold), what is heard goes on undisturbed."""
        before, self._agreed = self._agreed, agreed
        self._peer.remote_rtcp = agreed.remote_rtcp
        if self._peer.moved(agreed.remote):
            self._peer.move(agreed.remote)
            self._digits_in = DigitReceiver()
        self._peer.expect(now)
        if replace(agreed, remote=before.remote, remote_rtcp=before.remote_rtcp) == before:
            self._direct()
            return
        self._playout.use(agreed.codec)
        self._use(agreed)

    def change_party(self) -> None:
        """Another party will be named next; the source of this one is heard no more."""
        self._peer.bar()

    def set_direction(self, send: bool, receive: bool, now: float) -> None:
        if receive and not self._receives:
            self._peer.expect(now)
        self._sends, self._receives = send, receive
        self._direct()
        self._hear()

    def play(self, clip: Clip, mark: str) -> None:
        self._playout.add(clip, mark)

    def stop(self, now: float) -> None:
        for mark, sample in self._playout.stop():
            self._events.stopped(mark, sample, now)

    def duck(self, on: bool) -> None:
        self._playout.duck(on)

    def pause(self) -> None:
        self._playout.pause()

    def resume(self, back_ms: int) -> None:
        self._playout.resume(back_ms // FRAME_MS)

    def seek(self, sample: int) -> None:
        self._playout.seek(sample)

    @property
    def position(self) -> Position | None:
        position = self._playout.position
        return None if position is None else Position(*position)

    def just_sent(self, ms: int) -> bytes:
        if self._sent is None:
            return b""
        frames = list(self._sent)[-(ms // FRAME_MS) :]
        if self._codec is not self.codec:
            frames = list(map(Transcoder(self._codec, self.codec), frames))
        return self.codec.decoded(frames)

    def listen(self, sink: FrameSink | None) -> None:
        if sink is None:
            self._sent = None
        elif self._sent is None:
            self._sent = deque(maxlen=_SENT_TICKS)
        self._sink = sink
        self._hear()

    def record(self, tap: AudioTap | None) -> None:
        self._recorder = tap
        self._tap_into()

    def watch(self, tap: AudioTap) -> None:
        """One tap more, beside the recorder's."""
        self._watchers = (*self._watchers, tap)
        self._tap_into()

    def unwatch(self, tap: AudioTap) -> None:
        self._watchers = tuple(each for each in self._watchers if each is not tap)
        self._tap_into()

    def send_digits(self, keys: str) -> None:
        self._keys.press(keys, self._codec, as_events=self._event_type is not None)
        self._keys_due = self._keys.busy

    @property
    def hears_tones(self) -> bool:
        """Whether keys come and go as tones in the audio."""
        return self._event_type is None

    @property
    def wire_codec(self) -> Codec:
        return self._codec

    def wire(self, relay: Relay | None, feed: Feed | None) -> None:
        """What is received goes into `relay`, and `feed` is sent, whenever nothing is played."""
        if self._relay is not None and self._relay is not relay:
            self._late_before += self._relay.late
        self._relay, self._feed = relay, feed

    def quality(self) -> Quality:
        late, buffer_ms = self._late_before, self._buffer_ms
        for ear in (self._relay, self._hearing):
            if ear is not None:
                late, buffer_ms = late + ear.late, ear.buffer_ms
        heard = Heard(self.packets_received, self._peer.lost, late, self._peer.loss_runs, buffer_ms)
        return quality_of(heard, self._peer, self.packets_sent, self._ptime_ms)

    def end(self, now: float) -> None:
        """Says BYE, and tells the recorder that it is over. Nothing is told to the owner after."""
        self.ties.cut()
        if self.packets_sent:
            self._send_report(now, bye=True)
        self._playout.stop()
        self._playout.reached.clear()
        tap, self._tap, self._recorder, self._watchers = self._tap, None, None, ()
        self._sink = self._sent = None
        self.set_direction(False, False, now)
        if tap is not None:
            tap.close()

    # What the plane drives

    def tick(self, now: float) -> None:
        """Sends the packet that is due, hears the frame that is due."""
        timestamp = self._timestamp = (self._timestamp + self._step) & TIMESTAMP_MASK
        sample = self._sample
        self._sample = sample + self._frame_samples
        feed = self._feed
        relayed = None if feed is None else feed.next(now)
        to = self._to
        if to is not None:
            playout = self._playout
            if self._keys_due:
                payload = self._key(timestamp, to)
            else:
                payload = playout.next() if playout.playing else relayed
                if payload is not None:
                    if not self._talking:
                        self._talking = True
                        self._marker = MARKER
                    if self._tap is not None:
                        try:
                            self._tap.sent(payload, sample)
                        except Exception:
                            self._lose_tap()
            if payload is None:
                payload = self._silence
                self._talking = False
            if self._sent is not None:
                self._sent.append(payload or self._silence)
            if self._packer is not None:
                self._pack(self._packer, payload, timestamp, to)
            elif payload:
                packet = self._packet
                sequence = self._sequence = (self._sequence + 1) & SEQUENCE_MASK
                packet[HEADER_BYTES:] = payload
                second = self._payload_type | self._marker
                HEADER.pack_into(packet, 0, PLAIN, second, sequence, timestamp, self.ssrc)
                self._marker = 0
                self.packets_sent += 1
                self._octets += len(payload)
                try:
                    self._sendto(packet, to)
                except OSError:
                    self.send_errors += 1
            if playout.reached and (self._packer is None or self._packer.all_sent()):
                self._tell_reached(now)
        if self._hearing is not None:
            self._deliver(self._hearing, now)
        self._chores -= 1
        if not self._chores:
            self._do_chores(now)

    def skip(self, ticks: int) -> None:
        """So many ticks were lost to a late event loop: the media clock goes on, what plays does not."""
        self._timestamp = (self._timestamp + ticks * self._step) & TIMESTAMP_MASK
        self._sample += ticks * self._frame_samples
        self._marker = MARKER

    def receive(self, data: bytes | bytearray, size: int, address: Address, now: float) -> None:
        """Takes the datagram in `data[:size]`, which came to the RTP port."""
        if size < HEADER_BYTES:
            self.dropped += 1
            return
        first, second, sequence, timestamp, ssrc = HEADER.unpack_from(data)
        peer = self._peer
        payload_type = second & 0x7F
        is_audio = payload_type == self._payload_type
        if (
            first >> 6 != 2
            or not (is_audio or payload_type == self._event_type)
            or (address != peer.source and not self._admit(address, sequence, now))
        ):
            self._receive_other(data, size, address, now)
            return
        reception = peer.reception
        if reception is None or reception.ssrc != ssrc:
            reception = peer.begin(ssrc, sequence)
        reception.update(sequence)
        self.packets_received += 1
        peer.heard_at = now
        if is_audio:
            reception.measure(timestamp, now * self._codec.clock_rate)
            if self._hearing is None and self._tap is None and self._relay is None:
                return
        bounds = (HEADER_BYTES, size) if first == PLAIN else payload_bounds(data, size)
        if bounds is None:
            self.dropped += 1
            return
        payload = bytes(data[bounds[0] : bounds[1]])
        if not is_audio:
            key = self._digits_in.handle(payload, timestamp, now)
            if key is not None:
                self._events.digit(key, now)
            return
        if self._hearing is not None:
            self._hearing.push(ssrc, sequence, timestamp, payload, now, second > payload_type)
            self._deliver_early(self._hearing, now)
        if self._relay is not None and self._receives:
            self._relay.push(ssrc, sequence, timestamp, payload, now, second > payload_type)
        if self._tap is not None and self._receives:
            try:
                self._tap.received(payload, self._placement.place(ssrc, timestamp, self._sample))
            except Exception:
                self._lose_tap()

    def receive_report(self, data: bytes | bytearray, size: int, address: Address, now: float) -> None:
        """Takes a datagram that came to the RTCP port."""
        if not self._peer.take_report(bytes(data[:size]), address, now, ntp_time(time.time())):
            self.dropped += 1

    # Within

    def _use(self, agreed: Agreement) -> None:
        codec = self._codec = agreed.codec
        self._payload_type = agreed.payload_type
        self._event_type = agreed.telephone_event
        self._noise_type = agreed.comfort_noise
        self._ptime_ms = agreed.ptime_ms
        usual = agreed.ptime_ms == FRAME_MS
        self._packer = None if usual else Packer(codec.clock_rate * agreed.ptime_ms // 1000)
        # Where keys cannot come as events they are heard in the audio, whether or not anybody listens to it.
        self._inband = InbandReceiver(self.codec.sample_rate) if agreed.telephone_event is None else None
        self._silence = codec.silence
        self._frame_samples = self.codec.frame_samples
        self._step = codec.clock_rate * FRAME_MS // 1000
        self._placement = Placement(codec.clock_rate, self.codec.sample_rate)
        self._tap_into()
        self._stop_hearing()
        self._hear()
        self._direct()
        self.ties.codec_changed()

    def _tap_into(self) -> None:
        """Payloads go to the recorder, and to whoever watches, in the codec that they began with."""
        taps = (() if self._recorder is None else (self._recorder,)) + self._watchers
        tap = None if not taps else taps[0] if len(taps) == 1 else Taps(taps)
        if tap is not None and self._codec is not self.codec:
            tap = TranscodedTap(tap, self._codec, self.codec)
        self._tap = tap

    def _direct(self) -> None:
        to = self._peer.destination if self._sends else None
        if to is not None and self._to is None:
            self._marker = MARKER
        elif to is None and self._packer is not None:
            self._packer.clear()
        self._to = to

    def _hear(self) -> None:
        """Buffers and decodes only while somebody listens, be it for keys."""
        if not self._receives or (self._sink is None and self._inband is None):
            self._stop_hearing()
        elif self._hearing is None:
            self._hearing = Hearing(self._codec, self.codec.sample_rate)

    def _stop_hearing(self) -> None:
        if self._hearing is not None:
            self._late_before += self._hearing.late
            self._buffer_ms = self._hearing.buffer_ms
            self._hearing = None

    def _receive_other(self, data: bytes | bytearray, size: int, address: Address, now: float) -> None:
        """Takes what is neither audio nor a key, or is not the far end's: comfort noise is of use."""
        _, second, sequence, timestamp, ssrc = HEADER.unpack_from(data)
        peer, is_noise = self._peer, second & 0x7F == self._noise_type
        bounds = payload_bounds(data, size)
        if not is_noise or bounds is None or not self._admit(address, sequence, now):
            self.dropped += 1
        if bounds is None or address[:2] != peer.source:
            return
        peer.heard_at = now  # nothing to hear, but somebody is there
        if peer.reception is not None and peer.reception.ssrc == ssrc:
            peer.reception.update(sequence)
        if is_noise:
            self.packets_received += 1
            for ear in (self._relay, self._hearing):
                if ear is not None:
                    ear.pause(ssrc, sequence, timestamp, bytes(data[bounds[0] : bounds[1]]))

    def _admit(self, address: Address, sequence: int, now: float) -> bool:
        address = address[:2]  # an IPv6 address comes with flow and scope
        if not self._peer.admit(address, sequence, now):
            return False
        self._direct()
        return True

    def _key(self, timestamp: int, to: Address) -> bytes | None:
        """Sends the key packet that is due (then gives b""), or gives a tone or None to send as audio."""
        event = self._keys.next(timestamp)
        self._keys_due = self._keys.busy
        if not isinstance(event, EventPacket):
            return event
        if self._event_type is None:
            return None
        if self._packer is not None:
            for piece in self._packer.flush():
                self._send(self._payload_type, piece.timestamp, piece.payload, to)
        self._send(self._event_type | (MARKER if event.marker else 0), event.timestamp, event.payload, to)
        return b""

    def _pack(self, packer: Packer, payload: bytes, timestamp: int, to: Address) -> None:
        if not payload:
            return
        for piece in packer.put(payload, timestamp):
            self._send(self._payload_type | self._marker, piece.timestamp, piece.payload, to)
            self._marker = 0

    def _send(self, second: int, timestamp: int, payload: bytes, to: Address) -> None:
        """Any packet that is not one of the even run of `tick`; `second` is marker and payload type."""
        self._sequence = (self._sequence + 1) & SEQUENCE_MASK
        packet = HEADER.pack(PLAIN, second, self._sequence, timestamp, self.ssrc) + payload
        self.packets_sent += 1
        self._octets += len(payload)
        try:
            self._sendto(packet, to)
        except OSError:
            self.send_errors += 1

    def _tell_reached(self, now: float) -> None:
        reached = self._playout.reached
        while reached:  # what is told may end the stream, which empties the list
            mark, end = reached.pop(0)
            tell = self._events.played if end else self._events.began
            tell(mark, now)

    def _deliver(self, hearing: Hearing, now: float) -> None:
        """What is due by the clock and was not given before; and what had to wait for it."""
        payload = hearing.due(now)
        if payload is Gap.GIVEN:
            return
        if isinstance(payload, Gap):
            self._hand_on(hearing.missing(payload), now, missing=True)
        else:
            self._hand_on(hearing.frame(payload), now)
        self._deliver_early(hearing, now)

    def _deliver_early(self, hearing: Hearing, now: float) -> None:
        """Whoever listens wants to know, and plays nothing: a frame comes to him as soon as it is here, be it
        several at once. He may have enough of it meanwhile."""
        while self._hearing is hearing and (payload := hearing.early()) is not None:
            self._hand_on(hearing.frame(payload), now)

    def _hand_on(self, frame: bytes, now: float, *, missing: bool = False) -> None:
        if self._inband is not None:
            self._hear_key(self._inband, None if missing else frame, now)
        if self._sink is not None:
            try:
                self._sink(frame)
            except Exception:
                logger.exception("a listener failed and is taken off")
                self.listen(None)

    def _hear_key(self, inband: InbandReceiver, frame: bytes | None, now: float) -> None:
        """Frames come through the jitter buffer: a key whose packets came out of order is whole there, and
        what was lost is known from what is silent. That costs its delay where a packet is missing."""
        if frame is None:
            inband.missing()
        elif (key := inband.take(frame)) is not None:
            self._events.digit(key, now)

    def _lose_tap(self) -> None:
        logger.exception("a recorder failed and is taken off")
        self._tap = self._recorder = None
        self._watchers = ()

    def _do_chores(self, now: float) -> None:
        self._chores = CHORE_TICKS
        if self._peer.report_due(now):
            self._send_report(now, bye=False)
        if self._receives and self._peer.vanished(now, self._timeout_s):
            self._events.timed_out(now)

    def _send_report(self, now: float, *, bye: bool) -> None:
        peer = self._peer
        to = peer.report_to
        if to is None:
            return
        report = peer.reports.build(
            now,
            ntp_time(time.time()),
            self._timestamp,
            self.packets_sent,
            self._octets,
            peer.reception,
            bye=bye,
        )
        try:
            self._send_control(report, to)
        except (OSError, OverflowError):
            self.send_errors += 1
