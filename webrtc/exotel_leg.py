"""A call that comes as a stream of Exotel's: a leg as any other, over a WebSocket.

Inside there is the same stream of packets as for SIP. What it sends goes through a `FarPlayout` in chunks,
and what the far end still holds of it counts as not played: a clip is `Played` when Exotel's mark says so, is
`Stopped` at the sample that was heard, and one that gives way to the caller goes on from there, because
Exotel is told to `clear` what it holds.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final, NamedTuple

from media.clip import Clip
from media.codecs import FRAME_MS, L16_8, L16_16
from media.leg import Began, Cause, LegInfo, Party, Played, Position, Stopped, TransferOutcome
from media.plane import RtpPlane
from media.resample import EvenResampler
from webrtc.carried_leg import CarriedLeg
from webrtc.exotel import KeyPressed, Marked, Stop, Writer
from webrtc.exotel_stream import Audio
from webrtc.far_playout import FarPlayout, Place
from webrtc.packets import AUDIO_TYPE, KEY_TYPE, Cutter, Frames, Packets

LEAST_CHUNK_BYTES: Final = 3200


class _Queued(NamedTuple):
    clip: Clip
    mark: str


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
        self._order: deque[_Queued] = deque()
        """Clips that are not told to be over, in order: the first is the one that is heard."""
        self._begun: str | None = None
        """The clip that our stream is in."""
        self._given = 0
        """Samples of it that our stream has sent."""
        self._told_begun: set[str] = set()
        self._ducked = self._paused = False
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
        if self._down is not None:
            pcm = self._down(pcm)
        chunk = self._far.frame(pcm, self._place(), now)
        if chunk is not None:
            self._send(self._writer.media(chunk.pcm))
            self._send(self._writer.mark(chunk.mark))
        self._tell_played(self._far.overdue(now))

    def send_rtcp(self, packet: bytes) -> None:
        """Nobody would read it."""

    def _place(self) -> Place | None:
        """Where the frame is from that is being sent. What begins or ends with it is told after it."""
        position = self.stream.position()
        if self._paused:
            return None
        if position is not None and position.sample:
            self._begun, self._given = position.mark, position.sample
        elif self._begun is not None:
            self._given += self.codec.frame_samples
        return None if self._begun is None else Place(self._begun, self._given)

    # The playout

    def play(self, clip: Clip, mark: str) -> None:
        if not self._over:
            self._order.append(_Queued(clip, mark))
            super().play(clip, mark)

    def stop(self) -> None:
        if self._over:
            return
        now = self._now()
        dropped = self._drop(now)
        self.stream.stop()
        self._ducked = self._paused = False
        for mark, sample in dropped:
            self._put(Stopped(now, mark, sample))

    def duck(self, on: bool) -> None:
        self._ducked = on
        super().duck(on)

    def pause(self) -> None:
        """What the far end holds is taken back, so that it is silent now, and goes on where it was."""
        now = self._now()
        if not self._over and self._order and self._far.behind(now):
            again = list(self._order)
            (_, sample), *_ = self._drop(now)
            self.stream.stop()
            for queued in again:
                self.play(*queued)
            self.stream.seek(sample)
            self.stream.duck(self._ducked)
        self._paused = True
        super().pause()

    def resume(self, back_ms: int) -> None:
        self._paused = False
        super().resume(back_ms)

    def position(self) -> Position | None:
        if self._over or not self._order:
            return None
        return Position(self._order[0].mark, self._heard(self._now()))

    def just_sent(self, ms: int) -> bytes:
        behind_ms = self._far.behind(self._now()) * FRAME_MS
        pcm = super().just_sent(ms + behind_ms)
        return pcm[: len(pcm) - self.sample_rate * 2 * behind_ms // 1000] if behind_ms else pcm

    def began(self, mark: str, at: float) -> None:
        self._begun = mark
        if mark not in self._told_begun:
            self._told_begun.add(mark)
            self._put(Began(at, mark))

    def played(self, mark: str, at: float) -> None:
        self._begun, self._given = None, 0
        self._tell_played(self._far.ended(mark))

    def stopped(self, mark: str, sample: int, at: float) -> None:
        """Told by us, with what was heard of it."""

    def _heard(self, now: float) -> int:
        """Samples of the first clip that were heard."""
        heard = self._far.heard(now)
        return heard.sample if heard is not None and heard.clip == self._order[0].mark else 0

    def _drop(self, now: float) -> list[tuple[str, int]]:
        """Forgets all clips, and makes the far end forget them; gives what was heard of each."""
        heard = self._heard(now) if self._order else 0
        if self._far.clear(now):
            self._send(self._writer.clear)
        dropped = [(queued.mark, 0 if at else heard) for at, queued in enumerate(self._order)]
        self._order.clear()
        self._begun, self._given = None, 0
        return dropped

    def _tell_played(self, marks: list[str]) -> None:
        for mark in marks:
            self._told_begun.discard(mark)
            while self._order and self._order.popleft().mark != mark:
                pass
            self._put(Played(self._now(), mark))

    # The call

    async def transfer(self, target: str, wait_s: float) -> TransferOutcome:
        """Exotel connects the caller, by the applet that follows: it asks for the number then."""
        if self._over or self._on_transfer is None:
            return TransferOutcome.FAILED
        self._on_transfer(target)
        return TransferOutcome.DONE
