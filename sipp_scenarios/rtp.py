"""The media side of a SIPp call: an RTP endpoint that counts what it hears and sends silence and keys, in the
ways of several kinds of phone.

Debian's SIPp can play media only through raw sockets, which needs root; this needs none. It is written from
RFC 3550 and RFC 4733, apart from the server's own code, so that both cannot share a mistake.
"""

from __future__ import annotations

import math
import random
import socket
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from types import TracebackType
from typing import Final

PCMA: Final = 8
G722: Final = 9
COMFORT_NOISE: Final = 13
TELEPHONE_EVENT: Final = 101
TICK_S: Final = 0.02
_SAMPLES_PER_MS: Final = 8
"""Of RTP's clock, with G.722 too (RFC 3551 4.5.2); both codecs have as many bytes."""
_QUIET: Final = {PCMA: b"\xd5", G722: b"\xfa"}
_KEYS: Final = "0123456789*#ABCD"
_KEY_MS: Final = 100
_PAUSE_MS: Final = 60
_END_REPEATS: Final = 3
_ROWS: Final = (697, 770, 852, 941)
_COLUMNS: Final = (1209, 1336, 1477, 1633)
_PAD: Final = ("123A", "456B", "789C", "*0#D")
_LEVEL: Final = 5000
"""Amplitude of each of the two tones: about -16 dBm0."""
_NOISE_LEVEL: Final = b"\x3c"
"""Comfort noise at -60 dBov (RFC 3389)."""


@dataclass(frozen=True, slots=True)
class Heard:
    """One RTP packet: when it came (monotonic seconds), and whether it was more than silence."""

    at: float
    payload_type: int
    sequence: int
    sound: bool
    event: int
    """Code of the key, of a telephone-event; else -1."""
    size: int
    """Of the payload, in bytes."""


@dataclass(frozen=True, slots=True)
class Phone:
    """How an endpoint sends: packets of `ptime_ms`, as `payload_type`, keys as telephone-event of the
    `event_type`, or as tones where that is None. With a `pause_ms` it sends for so long, then a comfort noise
    packet and nothing for as long, and so on."""

    event_type: int | None = TELEPHONE_EVENT
    payload_type: int = PCMA
    ptime_ms: int = 20
    pause_ms: int = 0


class RtpPeer:
    """An RTP endpoint on a free port of the loopback. Use it as a context manager."""

    def __init__(self, phone: Phone = Phone(), host: str = "127.0.0.1") -> None:
        self.phone = phone
        self._host = host
        self._socket = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((host, 0))
        self._socket.settimeout(TICK_S)
        self.port: Final[int] = self._socket.getsockname()[1]
        self.heard: list[Heard] = []
        self._keys: list[str] = []
        self._key: list[_Tick] = []
        self._lost = 0
        self._copies = 1
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._arrived = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._remote: tuple[str, int] | None = None
        self._samples: Final = phone.ptime_ms * _SAMPLES_PER_MS
        self._ticks = 0
        self._sequence = random.randrange(1 << 15)
        self._timestamp = random.randrange(1 << 30)
        self._ssrc = random.randrange(1 << 32)

    def __enter__(self) -> RtpPeer:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        self._thread.join(2)
        self._socket.close()

    def wait_for_media(self, wait_s: float) -> bool:
        """Whether a first packet came within `wait_s`."""
        return self._arrived.wait(wait_s)

    def wait_for_sound(self, wait_s: float) -> bool:
        """Whether a packet that is not silence came within `wait_s`."""
        return wait_for(lambda: any(packet.sound for packet in list(self.heard)), wait_s)

    def greet(self, port: int) -> None:
        """Sends to a port of the loopback without having heard from it first."""
        self._remote = (self._host, port)

    @property
    def remote_port(self) -> int:
        """Where what it hears comes from; raises `OSError` before it has heard anything."""
        if self._remote is None:
            raise OSError("nothing was heard yet")
        return self._remote[1]

    def become_another(self) -> None:
        """Goes on with another SSRC, sequence and timestamp, as after a transfer behind a gateway."""
        with self._lock:
            self._sequence = random.randrange(1 << 16)
            self._timestamp = random.randrange(1 << 32)
            self._ssrc ^= 0x5A5A5A5A

    def press(self, keys: str, *, lost: int = 0, copies: int = 1) -> None:
        """Sends keys one after the other, about 100 ms each with 60 ms between.

        The network can be bad: the first packets of each key are `lost`, the rest comes in some `copies`.
        """
        if not set(keys) <= set(_KEYS):
            raise ValueError(f"not keys: {keys!r}")
        with self._lock:
            self._keys += keys
            self._lost, self._copies = lost, copies

    def wait_until_pressed(self, wait_s: float) -> bool:
        """Whether all keys were sent within `wait_s`."""
        return wait_for(lambda: not self._keys and not self._key, wait_s)

    def count(self, since: float = 0.0, until: float = float("inf")) -> int:
        """Packets that came between two monotonic times."""
        return sum(since <= packet.at < until for packet in list(self.heard))

    def longest_gap(self) -> tuple[float, float]:
        """Start and length in seconds of the longest time without a packet, between two packets."""
        times = [packet.at for packet in list(self.heard)]
        gaps = [(later - earlier, earlier) for earlier, later in pairwise(times)]
        length, start = max(gaps, default=(0.0, 0.0))
        return start, length

    def _run(self) -> None:
        due = time.monotonic()
        while not self._stopping.is_set():
            now = time.monotonic()
            if now < due:
                self._receive(due - now)
                continue
            due += self.phone.ptime_ms / 1000
            if self._remote is None:
                continue
            with self._lock:
                if not self._key:
                    self._key = self._next_key()
                if self._key:
                    self._send_key(self._key.pop(0))
                else:
                    self._send_silence()

    def _send_silence(self) -> None:
        """What is sent while no key is, with the pauses of a phone that has some."""
        phone = self.phone
        in_pause = self._ticks % max(1, phone.pause_ms // phone.ptime_ms)
        talking = not phone.pause_ms or self._ticks * phone.ptime_ms // phone.pause_ms % 2 == 0
        if talking:
            quiet = _QUIET[phone.payload_type] * self._samples
            self._send(phone.payload_type, quiet, self._timestamp, bool(phone.pause_ms) and not in_pause)
        elif not in_pause:
            self._send(COMFORT_NOISE, _NOISE_LEVEL, self._timestamp, False)
        self._ticks += 1
        self._timestamp += self._samples

    def _send_key(self, tick: _Tick) -> None:
        if tick.payload:
            self._send(tick.payload_type, tick.payload, self._timestamp, tick.marker, self._copies)
        self._timestamp += tick.duration

    def _next_key(self) -> list[_Tick]:
        """One key, tick by tick."""
        if not self._keys:
            return []
        key, phone, samples = self._keys.pop(0), self.phone, self._samples
        ticks, pauses = -(-_KEY_MS // phone.ptime_ms), -(-_PAUSE_MS // phone.ptime_ms)
        if phone.event_type is None:
            sound = _tones(key, ticks * samples)
            said = [sound[i : i + samples] for i in range(0, len(sound), samples)]
            said += [_QUIET[PCMA] * samples] * pauses
            return [_Tick(PCMA, payload, samples) for payload in said]
        code = _KEYS.index(key)
        growing = [
            _Tick(phone.event_type, _event(code, False, (tick + 1) * samples), 0, tick == 0)
            for tick in range(ticks)
        ]
        ends = [_Tick(phone.event_type, _event(code, True, ticks * samples))] * _END_REPEATS
        sent = [*[_Tick()] * self._lost, *[*growing, *ends][self._lost :], *[_Tick()] * (pauses - 1)]
        # All packets of an event carry the time when it began; the clock goes on after it.
        return [*sent, _Tick(duration=(len(sent) + 1) * samples)]

    def _send(self, payload_type: int, payload: bytes, timestamp: int, marker: bool, copies: int = 1) -> None:
        second = payload_type | marker << 7
        header = struct.pack("!BBHII", 0x80, second, self._sequence, timestamp & 0xFFFFFFFF, self._ssrc)
        self._sequence = (self._sequence + 1) & 0xFFFF
        if self._remote is not None:
            try:
                for _ in range(copies):
                    self._socket.sendto(header + payload, self._remote)
            except OSError:
                self._remote = None

    def _receive(self, wait_s: float) -> None:
        self._socket.settimeout(max(wait_s, 0.001))
        try:
            data, address = self._socket.recvfrom(2048)
        except OSError:
            return
        if len(data) < 12 or data[0] >> 6 != 2:
            return
        self._remote = address[:2]
        payload = data[12:]
        sound = bool(payload.strip(b"\xd5\x55\xff\x7f\xfa"))
        sequence = int.from_bytes(data[2:4], "big")
        kind = data[1] & 0x7F
        event = payload[0] if kind == self.phone.event_type and payload else -1
        self.heard.append(Heard(time.monotonic(), kind, sequence, sound and event < 0, event, len(payload)))
        self._arrived.set()


@dataclass(frozen=True, slots=True)
class _Tick:
    """What is sent at one time (nothing, without a payload), and the samples by which the clock goes on."""

    payload_type: int = PCMA
    payload: bytes = b""
    duration: int = 0
    marker: bool = False


def wait_for(condition: Callable[[], bool], wait_s: float) -> bool:
    """Whether the condition came true within `wait_s`."""
    deadline = time.monotonic() + wait_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(TICK_S)
    return True


def _event(code: int, end: bool, duration: int) -> bytes:
    """A telephone-event payload (RFC 4733 2.3), volume -10 dBm0."""
    return struct.pack("!BBH", code, end << 7 | 10, duration)


def _tones(key: str, samples: int) -> bytes:
    """The two tones of a key (ITU-T Q.23), as A-law."""
    row = next(index for index, keys in enumerate(_PAD) if key in keys)
    low, high = _ROWS[row], _COLUMNS[_PAD[row].index(key)]
    turn = 2 * math.pi / 8000
    waves = ((math.sin(low * turn * n), math.sin(high * turn * n)) for n in range(samples))
    return bytes(a_law(round(_LEVEL * (one + other))) for one, other in waves)


def a_law(sample: int) -> int:
    """One 16-bit sample by ITU-T G.711: sign, segment and step, every other bit inverted."""
    sign, size = (0x80, sample) if sample >= 0 else (0, -sample - 1)
    size = min(size >> 4, 0x7FF)
    segment = max(0, size.bit_length() - 4)
    step = size >> max(segment - 1, 0) & 0xF
    return (sign | segment << 4 | step) ^ 0x55
