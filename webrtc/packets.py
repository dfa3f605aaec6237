"""Audio and keys that came otherwise than by RTP, as the packets of one RTP stream, and back. Pure.

A leg behind a socket has the same stream as any other; this is what stands between. Payload types mean
something only between the two: `AUDIO_TYPE` and `KEY_TYPE`.
"""

from __future__ import annotations

import secrets
from typing import Final

from media.dtmf import KEYS
from media.rtp import HEADER, HEADER_BYTES, MARKER, PLAIN, SEQUENCE_MASK, TIMESTAMP_MASK
from media.tones import KEY_MS, key_tone

AUDIO_TYPE: Final = 96
KEY_TYPE: Final = 101

FRAME_S: Final = 0.02

PAUSE_S: Final = 0.5
"""A far end that sent nothing for so long had nothing to say: its clock went on meanwhile."""

_APART_FRAMES: Final = 8
"""Two presses begin at least so far apart (`media.dtmf`)."""

_END: Final = 0x80
_VOLUME: Final = 10


class Cutter:
    """Cuts PCM of any length into even frames; what is over waits for the next piece."""

    __slots__ = ("_rest", "_size")

    def __init__(self, frame_bytes: int) -> None:
        self._size = frame_bytes
        self._rest = b""

    def cut(self, pcm: bytes) -> list[bytes]:
        if self._rest:
            pcm = self._rest + pcm
        size = self._size
        whole = len(pcm) // size * size
        self._rest = pcm[whole:]
        return [pcm[at : at + size] for at in range(0, whole, size)]


class Packets:
    """The packets of what a far end sends; `step` is a frame of 20 ms in units of the codec's RTP clock."""

    __slots__ = ("_due", "_key_at", "_sequence", "_ssrc", "_step", "_timestamp")

    def __init__(self, step: int) -> None:
        self._step = step
        self._ssrc = secrets.randbits(32)
        self._sequence = secrets.randbits(15)
        self._timestamp = secrets.randbits(31)
        self._key_at = 0
        """The timestamp of the last press."""
        self._due: float | None = None
        """When the next frame should come."""

    def audio(self, payload: bytes, now: float) -> bytes:
        """A frame of 20 ms that came now."""
        marker = 0
        if self._due is None or now > self._due + PAUSE_S:
            marker = MARKER
            if self._due is not None:
                self._pass(round((now - self._due) / FRAME_S))
            self._due = now
        self._due += FRAME_S
        packet = self._packet(AUDIO_TYPE | marker, self._timestamp, payload)
        self._pass(1)
        return packet

    def lose(self, ms: int) -> None:
        """So much that the far end sent did not come."""
        frames = ms // 20
        self._sequence = (self._sequence + frames) & SEQUENCE_MASK
        self._pass(frames)
        if self._due is not None:
            self._due += frames * FRAME_S

    def key(self, key: str) -> list[bytes]:
        """One press, begun and ended (RFC 4733): of keys that come at once each is one."""
        apart = (self._timestamp - self._key_at) & TIMESTAMP_MASK
        far = _APART_FRAMES * self._step
        # Ahead of the audio's clock when presses come faster than they can be made.
        ahead = apart < far or apart > TIMESTAMP_MASK // 2
        self._key_at = (self._key_at + far) & TIMESTAMP_MASK if ahead else self._timestamp
        lasts = (KEY_MS // 20 * self._step) & 0xFFFF
        payloads = [bytes((KEYS.index(key), end | _VOLUME)) + lasts.to_bytes(2, "big") for end in (0, _END)]
        return [
            self._packet(KEY_TYPE | (0 if at else MARKER), self._key_at, payload)
            for at, payload in enumerate(payloads)
        ]

    def _packet(self, second: int, timestamp: int, payload: bytes) -> bytes:
        self._sequence = (self._sequence + 1) & SEQUENCE_MASK
        return HEADER.pack(PLAIN, second, self._sequence, timestamp, self._ssrc) + payload

    def _pass(self, frames: int) -> None:
        self._timestamp = (self._timestamp + frames * self._step) & TIMESTAMP_MASK


class Frames:
    """What our stream sends, as even frames of PCM: keys become tones, where the far end has no other way to
    be told of them."""

    __slots__ = ("_rate", "_tone")

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._tone = b""

    def of(self, packet: bytes) -> bytes:
        """The 20 ms of a packet."""
        if packet[1] & 0x7F == AUDIO_TYPE:
            return packet[HEADER_BYTES:]
        if (key := key_of(packet)) is not None:
            self._tone = key_tone(key, self._rate)
        size = self._rate // 50 * 2  # a press is told of anew in each tick that it lasts, and its end thrice
        frame, self._tone = self._tone[:size], self._tone[size:]
        return frame + bytes(size - len(frame))


def key_of(packet: bytes) -> str | None:
    """The key whose press begins with this packet of our stream; None for any other."""
    begins = packet[1] == KEY_TYPE | MARKER
    return KEYS[packet[HEADER_BYTES]] if begins and packet[HEADER_BYTES] < len(KEYS) else None
