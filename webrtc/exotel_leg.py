"""A call that comes as a stream of Exotel's: a leg as any other, over a WebSocket.

Inside there is the same stream of packets as for SIP, and it keeps the time: what it plays is what is
recorded, and what an echo is looked for in. But a clip lies ready, so what Exotel is sent is read ahead of it
(`webrtc.reading`), in chunks (`webrtc.far_playout`). What Exotel still holds counts as not played: a clip is
`Played` when its mark says so, is `Stopped` at the sample that was heard, and one that gives way to the
caller goes on from there, because Exotel is told to `clear` what it holds. What is live (another caller, a
key's tone) is sent as the stream gives it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from media.clip import Clip
from media.codecs import FRAME_MS, L16_8, L16_16
from media.leg import Began, Cause, LegInfo, Party, Played, Position, Stopped, TransferOutcome
from media.plane import RtpPlane
from media.resample import EvenResampler
from webrtc.carried_leg import CarriedLeg
from webrtc.exotel import KeyPressed, Marked, Stop, Writer
from webrtc.exotel_stream import Audio
from webrtc.far_playout import LEAD, Chunk, FarPlayout
from webrtc.packets import AUDIO_TYPE, KEY_TYPE, Cutter, Frames, Packets
from webrtc.reading import Queued, Read, Reading

LEAST_CHUNK_BYTES: Final = 3200


def chunk_frames(rate: int, chunk_ms: int | None) -> int:
    """How many frames of 20 ms a chunk has; without a wish the fewest that Exotel's pages allow."""
    if chunk_ms is not None:
        return chunk_ms // FRAME_MS
    return -(-LEAST_CHUNK_BYTES // (rate // 1000 * 2 * FRAME_MS))


class ExotelLeg(CarriedLeg):
    """One stream, from its start on; also the carrier of its packets."""

    def __init__(
        self,
        info: LegInfo,
        stream_sid: str,
        rate: int,
        plane: RtpPlane,
        send: Callable[[str], None],
        on_over: Callable[[Cause, Party], None],
        chunk_ms: int | None = None,
        on_transfer: Callable[[str], None] | None = None,
    ) -> None:
        """`rate` is that of the audio both ways; `send` takes messages to Exotel, and must return at once.
        `on_transfer` keeps whom the caller is to be connected with by Exotel, once the stream is over:
        without it there are no blind transfers."""
        codec = L16_8 if rate == L16_8.sample_rate else L16_16
        super().__init__(info, codec, plane, self, on_over)
        inside = codec.sample_rate
        self._up = None if rate == inside else EvenResampler(rate, inside)
        self._down = None if rate == inside else EvenResampler(inside, rate)
        self._writer: Final = Writer(stream_sid)
        self._send: Final = send
        self._on_transfer: Final = on_transfer
        self._far: Final = FarPlayout(rate // 50 * 2, chunk_frames(rate, chunk_ms))
        self._frames: Final = Frames(inside)
        self._cutter: Final = Cutter(codec.frame_bytes)
        self._packets: Final = Packets(codec.clock_rate // 50)
        self._reading: Final = Reading(codec)
        self._told_begun: set[str] = set()
        self._paused = False
        self.stream.begin(codec, AUDIO_TYPE, KEY_TYPE)

    @property
    def unmarked(self) -> int:
        """Chunks whose mark never came."""
        return self._far.unmarked

    # What came

    def take(self, part: Audio | KeyPressed | Marked | Stop) -> None:
        """What the far end says, after its start."""
        if self._over:
            return
        match part:
            case Audio(pcm=pcm, lost_ms=lost_ms):
                self._take_audio(pcm, lost_ms)
            case KeyPressed(key=key):
                for packet in self._packets.key(key):
                    self.stream.take(packet)
            case Marked(name=name):
                self._tell_played(self._far.marked(name, self._now()))
            case Stop():
                self.ended()

    def _take_audio(self, pcm: bytes, lost_ms: int) -> None:
        if lost_ms:
            self._packets.lose(lost_ms)
        now = self._now()
        for frame in self._cutter.cut(pcm if self._up is None else self._up(pcm)):
            self.stream.take(self._packets.audio(frame, now))

    # What is sent

    def send_rtp(self, packet: bytes) -> None:
        pcm, now = self._frames.of(packet), self._now()
        is_key = packet[1] & 0x7F != AUDIO_TYPE
        if is_key or not self._reading.queue or self._paused:
            live = self._at_far_rate(pcm)
            # What the filter holds back of a clip that is over is no talkspurt of its own.
            silent = self._down is not None and pcm == self.codec.silence
            self._send_chunk(self._far.live(bytes(len(live)) if silent else live, now))
        else:
            self._send_ahead(now)
        self._tell_played(self._far.overdue(now))

    def send_rtcp(self, packet: bytes) -> None:
        """Nobody would read it."""

    def _send_ahead(self, now: float) -> None:
        """As much of what lies ready as the far end should have."""
        far, reading = self._far, self._reading
        while far.short(now):
            read = reading.next()
            if read is None:
                # What still grows is waited for: silence in its place would be heard as a hole.
                if reading.through and far.in_hand(now) <= LEAD:
                    self._send_chunk(far.flush(now))
                return
            if isinstance(read, Read):
                self._send_chunk(far.ready(self._at_far_rate(read.pcm), read.place, now))
            else:
                self._tell_played(far.ended(read))

    def _send_chunk(self, chunk: Chunk | None) -> None:
        if chunk is not None:
            self._send(self._writer.media(chunk.pcm))
            self._send(self._writer.mark(chunk.mark))

    def _at_far_rate(self, pcm: bytes) -> bytes:
        return pcm if self._down is None else self._down(pcm)

    # The playout

    def play(self, clip: Clip, mark: str) -> None:
        if not self._over:
            self._reading.add(Queued(clip, mark))
            super().play(clip, mark)

    def stop(self) -> None:
        if self._over:
            return
        now = self._now()
        dropped = self._drop(now)
        self.stream.stop()
        self._paused = False
        self._reading.duck(False)
        for mark, sample in dropped:
            self._told_begun.discard(mark)
            self._put(Stopped(now, mark, sample))

    def duck(self, on: bool) -> None:
        """From what is read next on: what the far end holds is as loud as it was."""
        self._reading.duck(on)
        super().duck(on)

    def pause(self) -> None:
        """What the far end holds is taken back, so that it is silent now, and goes on where it was."""
        if not self._over and self._reading.queue and not self._paused:
            again = list(self._reading.queue)
            (_, sample), *_ = self._drop(self._now())
            self.stream.stop()
            for queued in again:
                self.play(*queued)
            self.stream.seek(sample)
            self._reading.seek(sample)
        self._paused = True
        super().pause()

    def resume(self, back_ms: int) -> None:
        super().resume(back_ms)
        if self._paused and (position := self.stream.position()) is not None:
            self._reading.seek(position.sample)
        self._paused = False

    def position(self) -> Position | None:
        if self._over or not self._reading.queue:
            return None
        return Position(self._reading.queue[0].mark, self._heard(self._now()))

    def began(self, mark: str, at: float) -> None:
        if mark not in self._told_begun:
            self._told_begun.add(mark)
            self._put(Began(at, mark))

    def played(self, mark: str, at: float) -> None:
        """Told when the far end has played it."""

    def stopped(self, mark: str, sample: int, at: float) -> None:
        """Told by us, with what was heard of it."""

    def _heard(self, now: float) -> int:
        """Samples of the first clip that were heard."""
        heard = self._far.heard(now)
        return heard.sample if heard is not None and heard.clip == self._reading.queue[0].mark else 0

    def _drop(self, now: float) -> list[tuple[str, int]]:
        """Forgets all clips, and makes the far end forget them; gives what was heard of each."""
        heard = self._heard(now) if self._reading.queue else 0
        if self._far.clear(now):
            self._send(self._writer.clear)
        dropped = [(queued.mark, 0 if at else heard) for at, queued in enumerate(self._reading.queue)]
        self._reading.clear()
        return dropped

    def _tell_played(self, marks: list[str]) -> None:
        now = self._now()
        for mark in marks:
            self.began(mark, now)  # a clip of nothing, or one that our stream is late with
            self._told_begun.discard(mark)
            self._reading.heard(mark)
            self._put(Played(now, mark))

    # The call

    async def transfer(self, target: str, wait_s: float) -> TransferOutcome:
        """Exotel connects the caller, by the applet that follows: it asks for the number then."""
        if self._over or self._on_transfer is None:
            return TransferOutcome.FAILED
        self._on_transfer(target)
        return TransferOutcome.DONE
