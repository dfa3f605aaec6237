"""Speech ready for the wire: encoded once, sent many times, and playable while it still grows."""

from __future__ import annotations

from dataclasses import dataclass, field

from media.codecs import FRAME_MS, Codec
from media.resample import StreamResampler


@dataclass(slots=True)
class Clip:
    """A list of 20 ms wire payloads of one codec.

    Only its `ClipWriter` appends to it. Whoever plays it reads `frames[i]` while i is in range, waits while
    `finished` is false, and is done after. Many calls may read one clip. One that `loops` begins again
    at its end, until it is stopped.
    """

    codec: Codec
    frames: list[bytes] = field(default_factory=list)
    finished: bool = False
    loops: bool = False

    @property
    def duration_ms(self) -> int:
        """Length so far."""
        return len(self.frames) * FRAME_MS


class ClipWriter:
    """Turns PCM at any rate, in chunks of any size, into the frames of one clip."""

    def __init__(self, clip: Clip, rate: int) -> None:
        """`rate` is that of the PCM to come, in Hz."""
        self.clip = clip
        codec = clip.codec
        self._resampler = StreamResampler(rate, codec.sample_rate)
        self._encode = codec.new_encoder()
        self._pending = bytearray()
        self._frame_pcm_bytes = codec.frame_samples * 2

    def write(self, pcm: bytes) -> None:
        """Appends mono 16-bit little-endian PCM."""
        self._pending += self._resampler.process(pcm)
        self._cut()

    def close(self) -> None:
        """The last frame is padded with silence; the clip is finished."""
        if self.clip.finished:
            return
        self._pending += self._resampler.flush()
        self._cut()
        if self._pending:
            self._pending.extend(bytes(self._frame_pcm_bytes - len(self._pending)))
            self._cut()
        self.clip.finished = True

    def _cut(self) -> None:
        size = self._frame_pcm_bytes
        whole = len(self._pending) // size * size
        if not whole:
            return
        pcm = bytes(self._pending[:whole])
        del self._pending[:whole]
        self.clip.frames.extend(self.clip.codec.payloads(self._encode, pcm))
