"""One call of a load generator: its signalling, the packets it sends, its keys. What it does with them, and
what it measures, is its subclass's.

Times are nanoseconds: `now` of the monotonic clock for what is due, `at` of the real-time clock for what is
measured, because that is what the kernel stamps arriving packets with.
"""

from __future__ import annotations

import random
import socket
import struct
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from enum import Enum, auto
from typing import Final

import pylibsrtp

from ivr.bench import sip
from ivr.bench.srtp import Cipher
from ivr.bench.stats import Samples

SECOND: Final = 1_000_000_000
FRAME: Final = SECOND // 50
ANSWER_WITHIN: Final = 8 * SECOND
RESEND: Final = SECOND // 2

HEADER_BYTES: Final = 12
PCMA: Final = 8
FRAME_BYTES: Final = 160

_HEADER: Final = struct.Struct("!BBHII")
_EVENT: Final = struct.Struct("!BBHIIBBH")
_TELEPHONE_EVENT: Final = 101
_KEY_PACKETS: Final = 5
_END_PACKETS: Final = 3


class State(Enum):
    IDLE = auto()
    CALLING = auto()
    TALKING = auto()
    LEAVING = auto()
    OVER = auto()


class Line(ABC):
    """Everything comes from outside: `tick` every 20 ms, and packets."""

    def __init__(
        self,
        offer: sip.Offer,
        rtp: socket.socket,
        send_sip: Callable[[bytes], None],
        samples: Samples,
        seed: int,
        cipher: Cipher | None = None,
    ) -> None:
        """`cipher` encrypts the media; its key stands in the `offer`."""
        self.state = State.IDLE
        self._offer = offer
        self._rtp = rtp
        self._send_sip = send_sip
        self._samples = samples
        self._cipher = cipher
        self._random = random.Random(seed)
        self._answer: sip.Answer | None = None
        self._request = b""
        self._asked_at = self._began = self._resend = 0
        self._sequence = self._random.randrange(1 << 16)
        self._timestamp = self._random.randrange(1 << 32)
        self._ssrc = self._random.randrange(1 << 32)
        self._key = 0
        self._key_packets = 0
        self._key_timestamp = 0
        self._last_at = self._last_sequence = -1

    # For the subclass

    @abstractmethod
    def talks(self, now: int) -> None:
        """The call was answered."""

    @abstractmethod
    def speak(self, now: int) -> bytes:
        """The payload that is due; a key may be pressed instead (`press`), what is given then is not sent."""

    @abstractmethod
    def hears(self, payload: bytes, now: int, at: int) -> None:
        """A packet came, in its order."""

    def press(self, key: int) -> int:
        """The key's first packet goes out now; gives when that was."""
        self._key, self._key_packets = key, _KEY_PACKETS + _END_PACKETS
        self._key_timestamp = self._timestamp
        return time.time_ns()

    def fail(self, reason: str) -> None:
        """The call is given up."""
        self._samples.failures.append(reason)
        if self.state is State.TALKING and self._answer is not None:
            self._send_sip(sip.bye(self._offer, self._answer))
        self.state = State.OVER

    # Signalling

    def call(self, now: int) -> None:
        self.state = State.CALLING
        self._request = sip.invite(self._offer, self._rtp.getsockname()[1])
        self._began, self._resend = now, now + RESEND
        self._asked_at = time.time_ns()
        self._send_sip(self._request)

    def leave(self, now: int) -> None:
        """Hangs up."""
        if self.state is not State.TALKING or self._answer is None:
            if self.state is not State.OVER:
                self.fail("never answered")
            return
        self.state = State.LEAVING
        self._began, self._resend = now, now + RESEND
        self._request = sip.bye(self._offer, self._answer)
        self._send_sip(self._request)

    def responded(self, message: bytes, status: int, now: int, at: int) -> None:
        method = sip.cseq_method_of(message)
        if method == "BYE" and status >= 200:
            self.state = State.OVER
        elif method != "INVITE" or status < 200:
            return
        elif status >= 300:
            self._send_sip(sip.ack_refusal(self._offer, sip.to_of(message)))
            self.fail(f"refused with {status}")
        elif self._answer is not None:
            self._send_sip(sip.ack(self._offer, self._answer))  # the server repeats its 200
        else:
            self._answered(message, now, at)

    def hung_up(self) -> None:
        """The server ended the call, which it never should."""
        if self.state is State.TALKING:
            self.fail("the server hung up")
        self.state = State.OVER

    def _answered(self, message: bytes, now: int, at: int) -> None:
        try:
            self._answer = answer = sip.answer_of(message)
            if self._cipher is not None:
                self._cipher.agree(answer.key or "")
        except ValueError as error:
            self.fail(str(error))
            return
        self._samples.setup.append(at - self._asked_at)
        self._send_sip(sip.ack(self._offer, answer))
        self._rtp.connect(answer.remote)
        self.state = State.TALKING
        self.talks(now)

    # Media

    def tick(self, now: int) -> None:
        """Sends the packet that is due."""
        if self.state is State.TALKING:
            self._timestamp = (self._timestamp + FRAME_BYTES) & 0xFFFFFFFF
            payload = b"" if self._key_packets else self.speak(now)
            if self._key_packets:
                self._send_event()
            else:
                header = _HEADER.pack(0x80, PCMA, self._next(), self._timestamp, self._ssrc)
                self._send(header + payload)
        elif self.state in (State.CALLING, State.LEAVING) and now >= self._resend:
            if now - self._began > ANSWER_WITHIN:
                self.fail("no answer to a request")
            else:
                self._resend = now + (now - self._began) + RESEND
                self._send_sip(self._request)

    def packet(self, data: bytearray, size: int, now: int, at: int) -> None:
        """An RTP packet came; `at` is the kernel's time."""
        if self._cipher is not None:
            try:
                data = bytearray(self._cipher.unprotect(bytes(data[:size])))
            except (ValueError, pylibsrtp.Error) as error:
                self.fail(f"a packet cannot be decrypted: {error}")
                return
            size = len(data)
        if size < HEADER_BYTES + FRAME_BYTES or data[1] & 0x7F != PCMA:
            return
        sequence = data[2] << 8 | data[3]
        if self._last_at >= 0:
            gap = (sequence - self._last_sequence - 1) & 0xFFFF
            if gap >= 0x8000:
                return  # out of order; on loopback it does not happen
            self._samples.lost += gap
            self._samples.spacing.append(at - self._last_at)
        self._last_at, self._last_sequence = at, sequence
        self.hears(bytes(data[HEADER_BYTES:size]), now, at)

    def _send_event(self) -> None:
        """RFC 4733: five packets of a growing event, then its end three times."""
        sent = _KEY_PACKETS + _END_PACKETS - self._key_packets
        end = sent >= _KEY_PACKETS
        duration = FRAME_BYTES * min(sent + 1, _KEY_PACKETS)
        marker = 0x80 if sent == 0 else 0
        self._send(
            _EVENT.pack(
                0x80,
                _TELEPHONE_EVENT | marker,
                self._next(),
                self._key_timestamp,
                self._ssrc,
                self._key,
                (0x80 if end else 0) | 10,
                duration,
            )
        )
        self._key_packets -= 1

    def _next(self) -> int:
        self._sequence = (self._sequence + 1) & 0xFFFF
        return self._sequence

    def _send(self, packet: bytes) -> None:
        if self._cipher is not None:
            packet = self._cipher.protect(packet)
        try:
            self._rtp.send(packet)
        except OSError:
            if self.state is State.TALKING:
                self.fail("the server's media port is closed")
