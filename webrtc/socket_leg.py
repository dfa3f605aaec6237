"""The call of an app, over a WebSocket of its own: PCM at a rate of its choice, or Opus."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Final

from media.codecs import L16_8, L16_16
from media.leg import Cause, LegInfo, Party
from media.opus import OPUS
from media.plane import RtpPlane
from media.resample import EvenResampler
from media.rtp import HEADER_BYTES
from webrtc.carried_leg import CarriedLeg
from webrtc.packets import AUDIO_TYPE, KEY_TYPE, Cutter, Packets, key_of
from webrtc.voice_socket import Start


class SocketLeg(CarriedLeg):
    """From the start on; also the carrier of its packets. PCM at 8 and 16 kHz goes through as it is, that at
    24 and 48 kHz is converted here, and Opus is left to the stream."""

    def __init__(
        self,
        info: LegInfo,
        start: Start,
        plane: RtpPlane,
        send_audio: Callable[[bytes], None],
        send: Callable[[str], None],
        on_over: Callable[[Cause, Party], None],
    ) -> None:
        """`send_audio` takes 20 ms, `send` a message; both must return at once."""
        opus = start.encoding == "opus"
        codec = OPUS if opus else L16_8 if start.rate == L16_8.sample_rate else L16_16
        super().__init__(info, codec, plane, self, on_over)
        same = opus or start.rate == codec.sample_rate
        self._up = None if same else EvenResampler(start.rate, codec.sample_rate)
        self._down = None if same else EvenResampler(codec.sample_rate, start.rate)
        self._cutter: Final = None if opus else Cutter(codec.frame_bytes)
        self._packets: Final = Packets(codec.clock_rate // 50)
        self._silence = codec.silence
        self._send_audio: Final = send_audio
        self._send: Final = send
        self.stream.begin(codec, AUDIO_TYPE, KEY_TYPE)

    def take(self, data: bytes) -> None:
        """Audio that came: PCM of any length, or one packet of Opus."""
        now = self._now()
        if self._cutter is None:
            self.stream.take(self._packets.audio(data, now))
            return
        for frame in self._cutter.cut(data if self._up is None else self._up(data)):
            self.stream.take(self._packets.audio(frame, now))

    def press(self, key: str) -> None:
        """The caller pressed a key."""
        for packet in self._packets.key(key):
            self.stream.take(packet)

    def send_rtp(self, packet: bytes) -> None:
        payload = packet[HEADER_BYTES:]
        if packet[1] & 0x7F != AUDIO_TYPE:
            # An agent whom the caller talks to presses keys.
            if (key := key_of(packet)) is not None:
                self._send(json.dumps({"type": "tone", "key": key}))
            payload = self._silence
        self._send_audio(payload if self._down is None else self._down(payload))

    def send_rtcp(self, packet: bytes) -> None:
        """Nobody would read it."""
