"""A caller who talks, against a far end that the test plays by hand."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Callable, Iterator

import pytest

from ivr.bench import sip
from ivr.bench.line import FRAME, SECOND, State
from ivr.bench.talker import ENDED, Talker, TalkSamples, level
from media.codecs import PCMA

OFFER = sip.Offer("sip:talk@127.0.0.1:5060", "127.0.0.1", 5099, "0123456789abcdef@127.0.0.1")
ENCODE = PCMA.new_encoder()
LOUD, SOFT = (ENCODE(struct.pack("<h", peak) * 160) for peak in (8000, 2500))
WORD = ENCODE(struct.pack("<h", 5000) * 160)
MS = 1_000_000


class FarEnd:
    """Drives one caller, tick by tick."""

    def __init__(self, seed: int) -> None:
        self.rtp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.rtp.bind(("127.0.0.1", 0))
        self.rtp.setblocking(False)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.samples = TalkSamples()
        self.talker = Talker(OFFER, self.socket, lambda _: None, self.samples, seed, [[WORD] * 10])
        self.now = SECOND
        self.sequence = 0
        self.talker.call(self.now)
        port = self.rtp.getsockname()[1]
        head = "SIP/2.0 200 OK\r\nTo: <sip:a>;tag=t\r\nContact: <sip:b@127.0.0.1:5060>\r\nCSeq: 1 INVITE"
        body = f"v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio {port} RTP/AVP 8 101\r\n"
        self.talker.responded(f"{head}\r\n\r\n{body}".encode(), 200, self.now, 0)

    def tick(self) -> str:
        """What the caller does in this packet."""
        self.now += FRAME
        self.talker.tick(self.now)
        packet = self.rtp.recv(2048)
        if packet[1] & 0x7F == 101:
            return "key"
        return "speaks" if level(packet[12:]) else ""

    def until(self, what: str, within_s: float = 5.0, hears: bytes = b"") -> None:
        """Ticks, and sends what the caller hears, until he does that."""
        end = self.now + int(within_s * SECOND)
        while self.tick() != what:
            if hears:
                self.send(hears)
            assert self.now < end, f"he never {what}"

    def send(self, payload: bytes, after_ms: float = 0.0) -> None:
        """A packet to the caller, `after_ms` later than now by the clock that is measured with."""
        self.sequence += 1
        data = bytearray(struct.pack("!BBHII", 0x80, 8, self.sequence, 0, 7) + payload)
        self.talker.packet(data, len(data), self.now, time.time_ns() + int(after_ms * MS))

    def says_it_all(self) -> None:
        self.until("speaks")
        while self.tick() == "speaks":
            pass

    def close(self) -> None:
        self.rtp.close()
        self.socket.close()


@pytest.fixture
def call() -> Iterator[Callable[[int], FarEnd]]:
    made: list[FarEnd] = []

    def make(seed: int) -> FarEnd:
        made.append(FarEnd(seed))
        return made[-1]

    yield make
    for far in made:
        far.close()


def test_the_level_of_a_packet_is_its_peak() -> None:
    assert level(PCMA.silence) == 0
    assert level(LOUD) > level(WORD) > level(SOFT) > 2


def test_a_reply_is_measured_from_the_end_of_what_was_said(call: Callable[[int], FarEnd]) -> None:
    far = call(3)  # his next turn is one in which he does not cut in
    far.says_it_all()
    far.send(PCMA.silence, 100)
    assert far.samples.reply == []
    far.send(LOUD, 250)
    (took,) = far.samples.reply
    assert 250 * MS <= took < 2000 * MS
    for _ in range(200):
        assert far.tick() == ""
        far.send(LOUD)
    far.says_it_all()
    assert far.samples.not_cut == 0


def test_who_cuts_in_by_voice_measures_when_it_is_softer_and_when_it_is_silent(
    call: Callable[[int], FarEnd],
) -> None:
    far = call(0)
    far.says_it_all()
    far.send(LOUD)
    far.until("speaks", hears=LOUD)
    far.send(SOFT, 120)
    far.send(SOFT, 140)
    far.send(PCMA.silence, 300)
    (ducked,), (silent,) = far.samples.ducked, far.samples.silent
    assert 120 * MS <= ducked < silent
    assert silent >= 300 * MS
    while far.tick() == "speaks":
        pass
    far.send(LOUD, 200)
    assert len(far.samples.reply) == 2


def test_a_reply_that_speaks_on_is_counted_and_is_no_reply(call: Callable[[int], FarEnd]) -> None:
    far = call(0)
    far.says_it_all()
    far.send(LOUD)
    far.until("speaks", hears=LOUD)
    for _ in range(12):
        far.tick()
        far.send(LOUD)
    assert (far.samples.not_cut, len(far.samples.reply)) == (1, 1)


def test_a_key_silences(call: Callable[[int], FarEnd]) -> None:
    far = call(2)
    far.says_it_all()
    far.send(LOUD)
    far.until("key", hears=LOUD)
    far.send(LOUD, 5)
    far.send(PCMA.silence, 15)
    (took,) = far.samples.key_silent
    assert took >= 15 * MS
    assert far.samples.not_cut == 0


def test_no_reply_is_counted_and_he_goes_on(call: Callable[[int], FarEnd]) -> None:
    far = call(3)
    far.says_it_all()
    far.until("speaks", within_s=12)
    assert far.samples.unanswered == 1
    assert far.talker.state is State.TALKING
    assert ENDED > 0
